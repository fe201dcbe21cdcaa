// Who knows which version of a path: the source of every write's base (R2, R3, R8).
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "vcs/repo_path.h"
#include "vcs/version.h"

namespace concordfs::vcs {

// One run of a process: ids are used again, together with the start time they are not.
struct ProcessKey {
  pid_t pid = 0;                 // thread group id; 0: unknown, knows nothing of its own
  std::uint64_t start_time = 0;  // clock ticks since boot

  auto operator<=>(const ProcessKey&) const = default;
};

// A plain value without a lock: its owner serialises. Grows with the paths that agents read.
class BaseTracker {
 public:
  // `agent` read `base` of `path` through `process`: both know it now, whatever they knew before.
  void Read(const std::string& agent, const ProcessKey& process, const RepoPath& path, const Base& base);
  // The agent says what its next write stands on (refresh, If-Match); overrides what its processes know.
  void Adopt(const std::string& agent, const RepoPath& path, const Base& base);

  // The nearest of what the process and what the agent last knew; nothing if neither ever knew the path.
  std::optional<Base> Find(const std::string& agent, const ProcessKey& process, const RepoPath& path) const;

  // The agent's commit replaced `replaced` by `now`. Whoever of the agent knew the version replaced knows the new one:
  // its own commit makes nobody stale (R3). If the content was `known` to its writer (written whole, or on top of a
  // version it knew), agent and process know the new version in any case; a blind append teaches nothing (R2).
  enum class Writer { kKnewContent, kWroteBlindly };
  void Published(const std::string& agent, const ProcessKey& process, const RepoPath& path,
                 const MaybeVersion& replaced, const Base& now, Writer writer);

  // The agent's commit `commit` renamed `from` (and all below it) to `to`; bases follow the name. `moved` is the file's
  // version, nothing for a directory. Who knew another version of `from` stays stale there: a restored or recreated
  // `from` is not what it read.
  void Renamed(const std::string& agent, const RepoPath& from, const RepoPath& to, const MaybeVersion& moved,
               const ObjectId& commit);

  // Forgets what processes knew that are gone.
  void DropProcesses(const std::function<bool(const ProcessKey&)>& is_gone);
  std::set<ProcessKey> Processes() const;
  // Names of the agents that know anything, and of how many paths.
  std::map<std::string, std::size_t> KnownPaths() const;

 private:
  struct Knowledge {
    std::optional<Base> agent;
    std::map<ProcessKey, Base> processes;
  };
  using Paths = std::map<std::string, Knowledge>;  // by path

  Knowledge& At(const std::string& agent, const RepoPath& path) { return agents_[agent][path.text()]; }

  std::map<std::string, Paths> agents_;
};

}  // namespace concordfs::vcs
