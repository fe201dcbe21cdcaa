// A remote in memory, whose answers can be lost, delayed and refused: for tests of what stands on a Remote.
#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "vcs/mutex.h"
#include "vcs/remote.h"
#include "vcs/store.h"

namespace concordfs::vcs {

// The remote's repository is a store, and what is fetched from it and pushed to it is copied object by object.
//
// Each step of a script is what becomes of one call, in order; calls beyond the script go well. Threads: any.
class FakeRemote : public Remote {
 public:
  enum class Step {
    kGoesWell,
    kUnreachable,     // nothing happens
    kAnswerLost,      // of a push: it happens, and nobody hears of it
    kCutInTheMiddle,  // of a push: it doesn't happen, and nobody hears of that
    kHappensLater,    // of a push: nobody hears of it, and it happens when Deliver() is called
    kDeclined,
    kNoAccess,
    kLocked,          // of a push: refused, though the branch is where it wants it; a fetch goes well
  };

  // Of the branch `ref` of `theirs`, for the repository `ours`.
  FakeRemote(Store& theirs, Store& ours, std::string ref) : theirs_(theirs), ours_(ours), ref_(std::move(ref)) {}

  void Script(std::deque<Step> steps) EXCLUDES(mutex_);
  // From now on every call fails so; nothing: no more.
  void Always(std::optional<Step> step) EXCLUDES(mutex_);
  // Runs at the beginning of each call, with no lock held.
  void BeforeEach(std::function<void()> hook) EXCLUDES(mutex_);
  // What was pushed and delayed arrives now, if the branch still is where that push wants it.
  void Deliver() EXCLUDES(mutex_);
  int pushes() const EXCLUDES(mutex_);   // that arrived, whatever became of them
  int fetches() const EXCLUDES(mutex_);  // the same

  Result<std::optional<ObjectId>> Fetch(std::span<const ObjectId> known) override EXCLUDES(mutex_);
  Result<void> Push(const Publication& publication) override EXCLUDES(mutex_);

 private:
  Step Take() EXCLUDES(mutex_);
  Result<void> Apply(const Publication& publication);

  Store& theirs_;
  Store& ours_;
  const std::string ref_;
  mutable Mutex mutex_;
  std::deque<Step> steps_ GUARDED_BY(mutex_);
  std::optional<Step> always_ GUARDED_BY(mutex_);
  std::function<void()> hook_ GUARDED_BY(mutex_);
  std::deque<Publication> delayed_ GUARDED_BY(mutex_);
  int pushes_ GUARDED_BY(mutex_) = 0;
  int fetches_ GUARDED_BY(mutex_) = 0;
};

}  // namespace concordfs::vcs
