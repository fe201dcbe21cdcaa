// Opens that were answered ESTALE once, so that the kernel looks the path up again and finds another node.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fs/types.h"

namespace concordfs::fs {

struct File;
struct WorkingCopy;

// By (thread, file): a node's id would confuse two threads that open different versions of one file. The kernel repeats
// an open once, so whoever was sent away is served when it comes back: also by what has taken the file's place meanwhile,
// which is why the thread itself is remembered, too. Guarded by the file system's mutex.
class Redirects {
 public:
  // How long a redirect is remembered: the kernel repeats at once (as far as the machine has time for it), or never (the
  // caller was killed).
  static constexpr std::chrono::seconds kTimeToLive{10};
  enum class Intent { kReads, kWrites };

  // The thread was sent away from some node, to do this with what it looks up next.
  void SendAway(pid_t tid, Intent intent) { sent_[tid] = Sent{intent, 0, {}, Clock::now() + kTimeToLive}; }
  // What the thread is to do with this name, if it was sent away, has opened nothing since, and looks up this name first. The
  // kernel asks twice for it. Not to be called for a symlink, which is only on the way.
  std::optional<Intent> ComesBack(pid_t tid, NodeId parent, std::string_view name) {
    const auto found = sent_.find(tid);
    if (found == sent_.end()) return std::nullopt;
    Sent& sent = found->second;
    if (sent.parent == 0) {
      sent.parent = parent;
      sent.name = name;
    }
    if (sent.parent == parent && sent.name == name && sent.end >= Clock::now()) return sent.intent;
    sent_.erase(found);
    return std::nullopt;
  }

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

  // The thread opens a node of the file. Forgets its redirects, those to other files included; `targets` may be let go.
  struct Taken {
    bool pending = false;     // it was sent away before ...
    bool looked_up = false;   // ... has looked up since (else: /proc/self/fd, or a caller that we can't see) ...
    bool as_answered = false; // ... and opens the node that it was answered
    std::vector<std::shared_ptr<WorkingCopy>> targets;
    // There is nowhere to send it to any more: it has to be served here.
    bool MustServe() const { return pending && (!looked_up || as_answered); }
  };
  Taken Take(pid_t tid, const File* file, NodeId node) {
    sent_.erase(tid);
    Taken taken;
    for (auto at = pending_.lower_bound({tid, nullptr}); at != pending_.end() && at->first.first == tid;) {
      const bool is_this = at->first.second == file;
      if (!is_this && tid == 0) {  // not one thread, but all of those that we can't see
        ++at;
        continue;
      }
      Redirect& redirect = at->second;
      if (is_this) {
        taken.pending = redirect.end >= Clock::now();
        taken.looked_up = redirect.answered != 0;
        taken.as_answered = redirect.answered == node;
      }
      if (redirect.target) taken.targets.push_back(std::move(redirect.target));
      at = pending_.erase(at);
    }
    return taken;
  }

  // Forgets the redirects of callers that never came back; returns their targets.
  std::vector<std::shared_ptr<WorkingCopy>> DropExpired() {
    std::vector<std::shared_ptr<WorkingCopy>> targets;
    std::erase_if(pending_, [&, now = Clock::now()](auto& entry) {
      if (entry.second.end >= now) return false;
      if (entry.second.target) targets.push_back(std::move(entry.second.target));
      return true;
    });
    std::erase_if(sent_, [now = Clock::now()](const auto& entry) { return entry.second.end < now; });
    return targets;
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Redirect {
    std::shared_ptr<WorkingCopy> target;
    NodeId answered = 0;
    Clock::time_point end;
  };
  struct Sent {
    Intent intent = Intent::kReads;
    NodeId parent = 0;  // and name: what it looked up first, once it did
    std::string name;
    Clock::time_point end;
  };
  std::map<std::pair<pid_t, const File*>, Redirect> pending_;
  std::map<pid_t, Sent> sent_;
};

}  // namespace concordfs::fs
