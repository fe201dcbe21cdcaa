#include "vcs/base_tracker.h"

namespace concordfs::vcs {

void BaseTracker::Read(const std::string& agent, const ProcessKey& process, const RepoPath& path, const Base& base) {
  Knowledge& knowledge = At(agent, path);
  knowledge.agent = base;
  if (process.pid != 0) knowledge.processes[process] = base;
}

void BaseTracker::Adopt(const std::string& agent, const RepoPath& path, const Base& base) {
  At(agent, path) = Knowledge{base, {}};
}

std::optional<Base> BaseTracker::Find(const std::string& agent, const ProcessKey& process, const RepoPath& path) const {
  const auto paths = agents_.find(agent);
  if (paths == agents_.end()) return std::nullopt;
  const auto knowledge = paths->second.find(path.text());
  if (knowledge == paths->second.end()) return std::nullopt;
  const auto own = knowledge->second.processes.find(process);
  return own != knowledge->second.processes.end() ? own->second : knowledge->second.agent;
}

void BaseTracker::Published(const std::string& agent, const ProcessKey& process, const RepoPath& path,
                            const MaybeVersion& replaced, const Base& now, Writer writer) {
  if (writer == Writer::kKnewContent) {
    Knowledge& knowledge = At(agent, path);
    knowledge.agent = now;
    if (process.pid != 0) knowledge.processes[process] = now;
  }
  const auto paths = agents_.find(agent);
  if (paths == agents_.end()) return;
  const auto knowledge = paths->second.find(path.text());
  if (knowledge == paths->second.end()) return;
  if (knowledge->second.agent && knowledge->second.agent->version == replaced) knowledge->second.agent = now;
  for (auto& [key, base] : knowledge->second.processes) {
    if (base.version == replaced) base = now;
  }
}

void BaseTracker::Renamed(const std::string& agent, const RepoPath& from, const RepoPath& to, const MaybeVersion& moved,
                          const ObjectId& commit) {
  for (auto& [name, paths] : agents_) {
    std::vector<std::pair<std::string, Knowledge>> below;
    for (auto at = paths.lower_bound(from.text()); at != paths.end() && at->first.starts_with(from.text()); ++at) {
      if (RepoPath::Parse(at->first)->IsAtOrBelow(from)) below.emplace_back(at->first, at->second);
    }
    for (auto& [path, knowledge] : below) {
      const RepoPath old_path = *RepoPath::Parse(path);
      const std::string new_path = old_path.AfterRename(from, to).text();
      if (name != agent) {
        paths.try_emplace(new_path, knowledge);  // whoever knew another file of that name stays stale there
        continue;
      }
      if (!moved) {
        paths.insert_or_assign(new_path, knowledge);
        paths.erase(path);
        continue;
      }
      const auto follow = [&](Base& base, std::optional<Base>* at_target) {
        if (base.version != moved) {
          base.moved_newer_away = true;
          return;
        }
        *at_target = Base{moved, commit};
        base = Base{MaybeVersion(), commit};
      };
      Knowledge& left = paths[path];
      std::optional<Base> target;
      if (left.agent) follow(*left.agent, &target);
      if (target) paths[new_path].agent = target;
      for (auto& [process, base] : left.processes) {
        std::optional<Base> process_target;
        follow(base, &process_target);
        if (process_target) paths[new_path].processes[process] = *process_target;
      }
    }
  }
}

void BaseTracker::DropProcesses(const std::function<bool(const ProcessKey&)>& is_gone) {
  for (auto& [agent, paths] : agents_) {
    for (auto& [path, knowledge] : paths) {
      std::erase_if(knowledge.processes, [&](const auto& entry) { return is_gone(entry.first); });
    }
  }
}

std::set<ProcessKey> BaseTracker::Processes() const {
  std::set<ProcessKey> processes;
  for (const auto& [agent, paths] : agents_) {
    for (const auto& [path, knowledge] : paths) {
      for (const auto& [process, base] : knowledge.processes) processes.insert(process);
    }
  }
  return processes;
}

std::map<std::string, std::size_t> BaseTracker::KnownPaths() const {
  std::map<std::string, std::size_t> counts;
  for (const auto& [agent, paths] : agents_) counts[agent] = paths.size();
  return counts;
}

}  // namespace concordfs::vcs
