// Opens that were answered ESTALE once, so that the kernel looks the path up again and finds another node.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "fs/types.h"

namespace concordfs::fs {

struct File;
struct WorkingCopy;

// By (thread, file): a node's id would confuse two threads that open different versions of one file. The kernel repeats
// an open once, so whoever was sent away is served when it comes back. Guarded by the file system's mutex.
class Redirects {
 public:
  // How long a redirect is remembered: the kernel repeats at once, or never (the caller was killed).
  static constexpr std::chrono::seconds kTimeToLive{2};

  // The thread was sent away from the file's node that it tried to open: to `target`, which has to be kept until it
  // comes back, or (null) to whatever a lookup answers. Returns the target of the redirect that this one replaces.
  std::shared_ptr<WorkingCopy> Remember(pid_t tid, const File* file, std::shared_ptr<WorkingCopy> target) {
    Redirect& redirect = pending_[{tid, file}];
    auto replaced = std::move(redirect.target);
    redirect = Redirect{std::move(target), 0, Clock::now() + kTimeToLive};
    return replaced;
  }

  // Where a lookup of the file by this thread is to lead; null: nowhere in particular.
  std::shared_ptr<WorkingCopy> Target(pid_t tid, const File* file) const {
    const auto found = pending_.find({tid, file});
    return found == pending_.end() ? nullptr : found->second.target;
  }
  // Was the thread sent away, and has not come back?
  bool IsPending(pid_t tid, const File* file) const { return pending_.contains({tid, file}); }
  // The thread was answered this node when it looked the file up.
  void OnAnswer(pid_t tid, const File* file, NodeId node) {
    const auto found = pending_.find({tid, file});
    if (found != pending_.end()) found->second.answered = node;
  }

  // The thread opens a node of the file. Forgets its redirect; `target` may be let go.
  struct Taken {
    bool pending = false;     // it was sent away before ...
    bool looked_up = false;   // ... has looked up since (else: /proc/self/fd, or a caller that we can't see) ...
    bool as_answered = false; // ... and opens the node that it was answered
    std::shared_ptr<WorkingCopy> target;
    // There is nowhere to send it to any more: it has to be served here.
    bool MustServe() const { return pending && (!looked_up || as_answered); }
  };
  Taken Take(pid_t tid, const File* file, NodeId node) {
    const auto found = pending_.find({tid, file});
    if (found == pending_.end()) return {};
    Redirect redirect = std::move(found->second);
    pending_.erase(found);
    const bool in_time = redirect.end >= Clock::now();
    return Taken{in_time, redirect.answered != 0, redirect.answered == node, std::move(redirect.target)};
  }

  // The thread was sent away from a plain file whose name a version has by now: it is to write what it looks up next.
  void RememberWriter(pid_t tid) { writers_[tid] = Clock::now() + kTimeToLive; }
  // Is it such a thread? Only once.
  bool TakeWriter(pid_t tid) {
    const auto found = writers_.extract(tid);
    return !found.empty() && found.mapped() >= Clock::now();
  }

  // Forgets the redirects of callers that never came back; returns their targets.
  std::vector<std::shared_ptr<WorkingCopy>> DropExpired() {
    std::vector<std::shared_ptr<WorkingCopy>> targets;
    std::erase_if(pending_, [&, now = Clock::now()](auto& entry) {
      if (entry.second.end >= now) return false;
      if (entry.second.target) targets.push_back(std::move(entry.second.target));
      return true;
    });
    std::erase_if(writers_, [now = Clock::now()](const auto& entry) { return entry.second < now; });
    return targets;
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Redirect {
    std::shared_ptr<WorkingCopy> target;
    NodeId answered = 0;
    Clock::time_point end;
  };
  std::map<std::pair<pid_t, const File*>, Redirect> pending_;
  std::map<pid_t, Clock::time_point> writers_;  // until when
};

}  // namespace concordfs::fs
