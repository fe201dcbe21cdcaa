#include "tests/model/reference.h"

#include "tests/model/kernel.h"

namespace concordfs::testing {
namespace {

constexpr Reference::Agent kNobody = -1;

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

bool IsBelow(const std::string& path, const std::string& directory) {
  return path.starts_with(directory + "/");
}

const Reference::Answer kOk;
const Reference::Answer kStale{"stale", ""};
const Reference::Answer kNotFound{"not found", ""};

}  // namespace

// One agent's uncommitted content of a file.
struct Reference::Copy {
  Agent agent;
  FilePointer file;
  Version origin;
  std::string content;
  Process last_writer = 0;
  int handles = 0;
  int writers = 0;
  bool dirty = false;
  bool whole = false;  // written from nothing: its writer knows all of it
  bool stale = false;
  bool refused = false;
  bool discarded = false;
  std::optional<Parked> parked;
};

struct Reference::File {
  std::string path;  // also once it is unlinked
  bool linked = true;
  Version head;  // absent also while it was only created
  std::map<Agent, CopyPointer> copies;
};

struct Reference::Handle {
  Agent agent;
  Process process;
  OpenMode mode;
  std::string snapshot;  // of a version
  CopyPointer copy;      // or the agent's working copy
  CopyPointer refused;   // what was written on a base that the copy does not have
  std::size_t position = 0;
  bool read = false;
  bool wrote = false;
};

Reference::Reference(const std::map<std::string, std::string>& files) : directories_{""} {
  for (const auto& [path, content] : files) {
    directories_.insert(DirectoryOf(path));
    auto file = std::make_shared<File>();
    file->path = path;
    file->head = content;
    files_.push_back(file);
    names_[path] = file;
  }
}

Reference::~Reference() {
  for (const FilePointer& file : files_) file->copies.clear();  // copies and files hold each other
}

std::string Reference::NameOf(Agent agent) {
  return NumberedAgents::NameOf(agent);
}

Reference::FilePointer Reference::Linked(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second;
}

Reference::Version Reference::Head(const std::string& path) const {
  const FilePointer file = Linked(path);
  return file ? file->head : Version();
}

std::map<std::string, std::string> Reference::Heads() const {
  std::map<std::string, std::string> heads;
  for (const auto& [path, file] : names_) {
    if (file->head) heads[path] = *file->head;
  }
  return heads;
}

std::vector<std::string> Reference::Names(const std::string& directory) const {
  std::set<std::string> names;
  for (const auto& [path, file] : names_) {
    if (DirectoryOf(path) == directory) names.insert(path.substr(directory.empty() ? 0 : directory.size() + 1));
  }
  for (const std::string& path : directories_) {
    if (!path.empty() && DirectoryOf(path) == directory) names.insert(path);
  }
  return {names.begin(), names.end()};
}

std::set<Reference::Parked> Reference::MustBeParked() const {
  std::set<Parked> all = refused_renames_;
  for (const CopyPointer& copy : refused_copies_) all.insert(*copy->parked);
  return all;
}

// R2: the nearest of what the process and what the agent last knew.
std::optional<Reference::Base> Reference::Knows(Agent agent, Process process, const std::string& path) const {
  const auto paths = knowledge_.find(agent);
  if (paths == knowledge_.end()) return std::nullopt;
  const auto known = paths->second.find(path);
  if (known == paths->second.end()) return std::nullopt;
  const auto own = known->second.processes.find(process);
  return own != known->second.processes.end() ? std::optional<Base>(own->second) : known->second.agent;
}

Reference::Version Reference::BaseOf(Agent agent, Process process, const std::string& path, const Version& now) const {
  return Knows(agent, process, path).value_or(Base{now}).version;
}

void Reference::Learn(Agent agent, Process process, const std::string& path, const Version& version) {
  Known& known = knowledge_[agent][path];
  known.agent = Base{version};
  known.processes[process] = Base{version};
}

// R3: an agent's own commit makes none of its processes stale.
void Reference::MoveAlong(Agent agent, Process process, const std::string& path, const Version& replaced,
                          const Version& now, bool knew) {
  if (knew) Learn(agent, process, path, now);
  const auto known = knowledge_[agent].find(path);
  if (known == knowledge_[agent].end()) return;
  if (known->second.agent && known->second.agent->version == replaced) known->second.agent = Base{now};
  for (auto& [key, base] : known->second.processes) {
    if (base.version == replaced) base = Base{now};
  }
}

Reference::CopyPointer Reference::CopyOf(const FilePointer& file, Agent agent) const {
  const auto found = file->copies.find(agent);
  return found == file->copies.end() ? nullptr : found->second;
}

Reference::CopyPointer Reference::MakeCopy(const FilePointer& file, Agent agent, Process process) {
  auto copy = std::make_shared<Copy>();
  copy->agent = agent;
  copy->file = file;
  copy->origin = file->head;
  copy->content = file->head.value_or("");
  copy->last_writer = process;
  file->copies[agent] = copy;
  return copy;
}

Reference::Answer Reference::Open(Agent agent, Process process, const std::string& path, const OpenMode& mode) {
  if (!directories_.contains(DirectoryOf(path))) return kNotFound;
  auto handle = std::make_shared<Handle>();
  handle->agent = agent;
  handle->process = process;
  handle->mode = mode;
  FilePointer file = Linked(path);
  if (!file) {
    if (!mode.create) return kNotFound;
    // What it knew is gone. O_EXCL says that this is known, unless it moved somebody's newer version away itself.
    const Base known = Knows(agent, process, path).value_or(Base());
    if (known.version && (!mode.exclusive || known.moved_newer_away)) return kStale;
    file = std::make_shared<File>();
    file->path = path;
    files_.push_back(file);
    names_[path] = file;
    handle->copy = MakeCopy(file, agent, process);
    handle->copy->dirty = handle->copy->whole = true;
    handle->read = mode.exclusive;  // O_EXCL says what it stands on
  } else if (mode.exclusive) {
    return Answer{"exists", ""};
  } else if (mode.write) {
    CopyPointer own = CopyOf(file, agent);
    const Version stands_on = own ? own->origin : file->head;
    const bool blind = !mode.read || mode.truncate;
    if (blind && BaseOf(agent, process, path, stands_on) != stands_on) return kStale;  // R6
    handle->copy = own ? own : MakeCopy(file, agent, process);
    if (mode.truncate) {
      handle->copy->content.clear();
      handle->copy->dirty = handle->copy->whole = true;
      handle->copy->last_writer = process;
      handle->read = true;  // its base was settled; and what it reads from now on is its agent's own
    }
  } else {
    handle->copy = CopyOf(file, agent);
    if (!handle->copy) handle->snapshot = file->head.value_or("");
    Learn(agent, process, path, handle->copy ? handle->copy->origin : file->head);
  }
  if (handle->copy) {
    ++handle->copy->handles;
    if (mode.write) ++handle->copy->writers;
  }
  handles_.push_back(handle);
  return kOk;
}

Reference::Answer Reference::Read(std::size_t number) {
  Handle& handle = *handles_[number];
  if (!handle.copy) return Answer{"ok", handle.snapshot};  // R1
  if (!handle.read && !handle.copy->stale) {
    handle.read = true;
    Learn(handle.agent, handle.process, handle.copy->file->path, handle.copy->origin);
  }
  return Answer{"ok", handle.copy->content};  // R3
}

Reference::Answer Reference::Write(std::size_t number, const std::string& data) {
  Handle& handle = *handles_[number];
  CopyPointer copy = handle.refused ? handle.refused : handle.copy;
  bool refuse = copy->stale && !copy->discarded;
  if (!refuse && !copy->discarded && !handle.wrote && !handle.read) {
    const Version base = BaseOf(handle.agent, handle.process, copy->file->path, copy->origin);
    if (base != copy->origin) {
      copy = handle.refused = std::make_shared<Copy>(*copy);
      copy->origin = base;
      copy->handles = copy->writers = 0;
      copy->parked.reset();
      copy->stale = refuse = true;
    }
  }
  if (handle.mode.append) {
    copy->content += data;
  } else {
    if (copy->content.size() < handle.position) copy->content.resize(handle.position, '\0');
    copy->content.replace(handle.position, data.size(), data);
  }
  copy->dirty = handle.wrote = true;
  copy->last_writer = handle.process;
  if (!refuse) {
    handle.position += data.size();
    return kOk;
  }
  copy->refused = true;
  Park(copy);
  return kStale;
}

// R4: publishes what was written, if it is the opener that closes.
Reference::Answer Reference::Flush(std::size_t number, Process process) {
  Handle& handle = *handles_[number];
  if (!handle.mode.write) return kOk;
  if (handle.refused) {
    Park(handle.refused);
    return kStale;
  }
  if (handle.copy->discarded) return kOk;
  if (handle.copy->refused && handle.wrote) {
    Park(handle.copy);
    return kStale;
  }
  if (!handle.wrote) return kOk;
  if (process != handle.process) {
    if (!handle.copy->stale || !handle.copy->dirty) return kOk;
    Park(handle.copy);
    handle.copy->refused = true;
    return kStale;
  }
  if (!Publish(handle.copy, process)) return kStale;
  handle.wrote = false;
  return kOk;
}

void Reference::Release(std::size_t number) {
  const std::shared_ptr<Handle> handle = std::move(handles_[number]);
  const CopyPointer& copy = handle->copy;
  if (!copy) return;
  if (handle->refused) Park(handle->refused);
  if (handle->mode.write && --copy->writers == 0 && copy->dirty && !copy->discarded) Publish(copy, copy->last_writer);
  if (--copy->handles == 0 && CopyOf(copy->file, copy->agent) == copy) copy->file->copies.erase(copy->agent);
}

// R5. Returns false if it is refused.
bool Reference::Publish(const CopyPointer& copy, Process process) {
  if (copy->discarded || !copy->dirty) return true;
  const std::string& path = copy->file->path;
  const bool removed_before = copy->stale && !copy->file->linked;  // R9
  const bool knew = copy->whole || Knows(copy->agent, process, path);
  const bool independent = copy->whole && !Knows(copy->agent, process, path);
  const Version head = Head(path);
  const bool same = copy->content == head && (copy->origin == head || independent);
  if (copy->refused || removed_before || (!same && copy->origin != head && copy->origin != copy->content)) {
    MarkStale(copy);
    copy->refused = true;
    Park(copy);
    return false;
  }
  copy->dirty = false;
  if (copy->origin != head && !same) return true;  // it left its base as it was
  MoveAlong(copy->agent, process, path, copy->origin, copy->content, knew);
  if (!same) history_.push_back(Commit{NameOf(copy->agent), {{path, copy->content}}});
  copy->origin = copy->content;
  SetHead(copy->file, copy->content, copy->agent);
  return true;
}

// R7.
void Reference::Park(const CopyPointer& copy) {
  if (!copy->dirty || copy->discarded) return;
  copy->dirty = false;
  if (!copy->parked) refused_copies_.push_back(copy);
  copy->parked = Parked{copy->agent, copy->file->path, copy->content};
}

void Reference::MarkStale(const CopyPointer& copy) {
  copy->stale = true;
  const auto found = copy->file->copies.find(copy->agent);
  if (found != copy->file->copies.end() && found->second == copy) copy->file->copies.erase(found);
}

void Reference::SetHead(const FilePointer& file, const Version& now, Agent agent) {
  if (file->head == now) return;
  file->head = now;
  const auto copies = file->copies;
  for (const auto& [owner, copy] : copies) {
    if (owner != agent && copy->origin != now) MarkStale(copy);
  }
}

void Reference::RemoveName(const FilePointer& file, Agent agent) {
  const auto copies = file->copies;
  for (const auto& [owner, copy] : copies) {
    if (owner == agent) {
      copy->discarded = true;
    } else {
      MarkStale(copy);
    }
  }
  file->copies.clear();
  file->head.reset();
  file->linked = false;
  names_.erase(file->path);
}

Reference::Version Reference::NameBaseOf(Agent agent, Process process, const std::string& path,
                                         const FilePointer& file) const {
  const CopyPointer own = file ? CopyOf(file, agent) : nullptr;
  if (own && own->dirty) return own->origin;  // only to have opened the file says nothing
  return BaseOf(agent, process, path, own ? own->origin : file ? file->head : Version());
}

Reference::Answer Reference::Unlink(Agent agent, Process process, const std::string& path) {
  const FilePointer file = Linked(path);
  if (!file) return kNotFound;
  if (NameBaseOf(agent, process, path, file) != file->head) return kStale;
  if (file->head) history_.push_back(Commit{NameOf(agent), {{path, std::nullopt}}});
  MoveAlong(agent, process, path, file->head, std::nullopt, true);
  RemoveName(file, agent);
  return kOk;
}

Reference::Answer Reference::Rename(Agent agent, Process process, const std::string& from, const std::string& to) {
  if (!directories_.contains(DirectoryOf(from)) || !directories_.contains(DirectoryOf(to))) return kNotFound;
  const FilePointer file = Linked(from);
  if (!file) return kNotFound;
  const FilePointer target = Linked(to);
  const Version target_head = target ? target->head : Version();
  const Version base = NameBaseOf(agent, process, to, target);
  // A file that never was published brings its content so far, where it replaces something.
  const CopyPointer unpublished = !file->head && target_head ? CopyOf(file, agent) : nullptr;
  const Version moved = unpublished ? Version(unpublished->content) : file->head;
  if (base != target_head) {
    if (moved) refused_renames_.insert(Parked{agent, to, *moved});
    return kStale;
  }
  if (!moved && target_head) return Answer{"busy", ""};

  if (moved) {
    Commit commit{NameOf(agent), {}};
    if (file->head) commit.changes[from] = std::nullopt;
    if (moved != target_head) commit.changes[to] = moved;
    if (!commit.changes.empty()) history_.push_back(commit);
  }
  if (target) RemoveName(target, agent);
  names_.erase(from);
  file->path = to;
  names_[to] = file;
  if (moved) MoveAlong(agent, process, to, target_head, moved, unpublished != nullptr);
  if (unpublished) {
    unpublished->origin = moved;
    unpublished->dirty = false;
    SetHead(file, moved, agent);
    return kOk;
  }
  // R9: bases follow the name. Who knew another version of the old name stays stale there.
  for (auto& [owner, paths] : knowledge_) {
    const auto found = paths.find(from);
    if (found == paths.end()) continue;
    if (owner != agent) {
      paths.try_emplace(to, found->second);
    } else if (!moved) {
      paths[to] = found->second;
      paths.erase(from);
    } else {
      Known& left = found->second;
      Known& followed = paths[to];
      if (left.agent) {
        if (left.agent->version == moved) {
          followed.agent = Base{moved};
          left.agent = Base();
        } else {
          left.agent->moved_newer_away = true;
        }
      }
      for (auto& [key, its] : left.processes) {
        if (its.version == moved) {
          followed.processes[key] = Base{moved};
          its = Base();
        } else {
          its.moved_newer_away = true;
        }
      }
      if (!followed.agent && followed.processes.empty()) paths.erase(to);
    }
  }
  return kOk;
}

Reference::Answer Reference::RenameDirectory(Agent agent, const std::string& from, const std::string& to) {
  if (!directories_.contains(from)) return kNotFound;
  Commit commit{NameOf(agent), {}};
  const auto after = [&](const std::string& path) { return to + path.substr(from.size()); };
  std::map<std::string, FilePointer> names;
  for (const auto& [path, file] : names_) {
    names[IsBelow(path, from) ? after(path) : path] = file;
    if (!IsBelow(path, from) || !file->head) continue;
    commit.changes[path] = std::nullopt;
    commit.changes[after(path)] = file->head;
  }
  names_ = std::move(names);
  for (const FilePointer& file : files_) {
    if (IsBelow(file->path, from)) file->path = after(file->path);
  }
  directories_.erase(from);
  directories_.insert(to);
  if (!commit.changes.empty()) history_.push_back(commit);
  for (auto& [owner, paths] : knowledge_) {
    std::map<std::string, Known> below;
    for (const auto& [path, known] : paths) {
      if (IsBelow(path, from)) below[path] = known;
    }
    for (const auto& [path, known] : below) {
      if (owner == agent) {
        paths[after(path)] = known;
        paths.erase(path);
      } else {
        paths.try_emplace(after(path), known);
      }
    }
  }
  return kOk;
}

Reference::Answer Reference::Refresh(Agent agent, const std::string& path) {
  if (!directories_.contains(DirectoryOf(path))) return kNotFound;
  knowledge_[agent][path] = Known{Base{Head(path)}, {}};  // R8
  return kOk;
}

void Reference::Outside(const std::string& author, const std::string& path, const Version& content) {
  if (Head(path) == content) return;
  history_.push_back(Commit{author, {{path, content}}});
  FilePointer file = Linked(path);
  if (!content) {
    if (file && file->head) RemoveName(file, kNobody);
    return;
  }
  if (!file) {
    file = std::make_shared<File>();
    file->path = path;
    files_.push_back(file);
    names_[path] = file;
  }
  SetHead(file, content, kNobody);
}

}  // namespace concordfs::testing
