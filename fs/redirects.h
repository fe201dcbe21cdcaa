// Opens that were answered ESTALE once, so that the kernel looks the path up again and finds another node.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "fs/types.h"

namespace concordfs::fs {

struct File;

// By (thread, file): a node's id would confuse two threads that open different versions of one file. Guarded by the
// file system's mutex.
class Redirects {
 public:
  // How long a redirect is remembered: the kernel repeats at once, or never (the caller was killed).
  static constexpr std::chrono::seconds kTimeToLive{5};

  // The thread was sent away from the file's node it tried to open, to `target` (0: whatever a lookup answers).
  void Remember(pid_t tid, const File* file, NodeId target) {
    pending_[{tid, file}] = Redirect{target, false, Clock::now() + kTimeToLive};
  }

  // A lookup by the thread found the file: the node that it is to get, 0 for no particular one.
  NodeId OnLookup(pid_t tid, const File* file) {
    const auto found = pending_.find({tid, file});
    if (found == pending_.end() || found->second.end < Clock::now()) return 0;
    found->second.looked_up = true;
    return found->second.target;
  }

  // The thread opens one of the file's nodes. True if it was sent away and comes back without having looked up:
  // /proc/self/fd, or a caller that we can't see. Forgets the redirect.
  bool TakeRepeated(pid_t tid, const File* file) {
    const auto found = pending_.find({tid, file});
    if (found == pending_.end()) return false;
    const bool repeated = !found->second.looked_up && found->second.end >= Clock::now();
    pending_.erase(found);
    return repeated;
  }

  void DropExpired() {
    std::erase_if(pending_, [now = Clock::now()](const auto& entry) { return entry.second.end < now; });
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Redirect {
    NodeId target = 0;
    bool looked_up = false;
    Clock::time_point end;
  };
  std::map<std::pair<pid_t, const File*>, Redirect> pending_;
};

}  // namespace concordfs::fs
