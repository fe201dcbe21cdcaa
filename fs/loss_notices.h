// Who is still to hear that what it had published lost to a remote's branch, where closes don't wait for the remote.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "vcs/repo_path.h"

namespace concordfs::fs {

// By agent and path: each is told once, whatever it does with the path. Guarded by the file system's mutex.
class LossNotices {
 public:
  // How long the second half of an answer is remembered: the kernel repeats at once, or never (the caller was killed).
  static constexpr std::chrono::seconds kTimeToLive{2};

  void Add(const std::string& agent, const vcs::RepoPath& path) { notices_[{agent, path.text()}] = {}; }
  bool empty() const { return notices_.empty(); }
  // How many are still to hear of one.
  std::size_t untold() const {
    return static_cast<std::size_t>(std::count_if(notices_.begin(), notices_.end(), [](const auto& notice) { return !notice.second; }));
  }
  // Forgets what was told, and not asked again.
  void DropTold() {
    std::erase_if(notices_, [now = Clock::now()](const auto& notice) { return notice.second && notice.second->end < now; });
  }

  // Is this operation by path of the agent's process to be answered ESTALE? The kernel repeats it once then, and that gets the same
  // answer.
  bool Take(const std::string& agent, const vcs::RepoPath& path, pid_t process) {
    return Take(notices_.find({agent, path.text()}), process, 2);
  }
  // The same for a lookup of a name that isn't there: also of what was lost below it. The kernel may ask once more, before, whether what it
  // remembers of the name is true. An answer too many is seen by nobody: the kernel asks again.
  bool TakeGone(const std::string& agent, const vcs::RepoPath& path, pid_t process) {
    if (const auto exact = notices_.find({agent, path.text()}); exact != notices_.end()) return Take(exact, process, 3);
    const auto below = notices_.lower_bound({agent, path.text() + '/'});
    const bool is_below = below != notices_.end() && below->first.first == agent && below->first.second.starts_with(path.text() + '/');
    return is_below && Take(below, process, 3);
  }
  // The same for an operation that nobody repeats, by an open handle.
  bool TakeOnce(const std::string& agent, const vcs::RepoPath& path) {
    const auto taken = notices_.extract({agent, path.text()});
    return !taken.empty() && !taken.mapped();
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Told {
    pid_t process;
    int left;  // how often more
    Clock::time_point end;
  };
  using Notices = std::map<std::pair<std::string, std::string>, std::optional<Told>>;

  bool Take(Notices::iterator found, pid_t process, int times) {
    if (found == notices_.end()) return false;
    if (!found->second) found->second = Told{process, times, Clock::now() + kTimeToLive};
    const bool is_for_it = found->second->process == process && Clock::now() < found->second->end;
    if (!is_for_it || --found->second->left == 0) notices_.erase(found);
    return is_for_it;
  }

  Notices notices_;  // without a value: not told yet
};

}  // namespace concordfs::fs
