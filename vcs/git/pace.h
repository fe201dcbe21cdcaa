// Lets a background thread use only a part of a processor, and stop at once.
#pragma once

#include <chrono>

#include "vcs/mutex.h"

namespace concordfs::vcs::git {

// Threads: GoOn() and Rest() on the one thread that is paced, the others any.
class Pace {
 public:
  // `share`: of one processor's time, 0 < share <= 1.
  explicit Pace(double share) : share_(share) {}

  // To be called between small pieces of work: sleeps now and then, in proportion to the processor time that was used.
  // Returns false, at once, when it is time to stop.
  bool GoOn() EXCLUDES(mutex_);

  // No sleep in GoOn() from now on, or sleeps again: for work that has piled up.
  void Hurry(bool hurry) { hurry_ = hurry; }

  void Stop() EXCLUDES(mutex_);

 private:
  static constexpr std::chrono::nanoseconds kPiece = std::chrono::milliseconds(5);  // of processor time

  // Constant after construction.
  const double share_;
  // The paced thread's.
  bool hurry_ = false;
  std::chrono::nanoseconds used_{0};  // by this thread when it slept last
  // Guarded by mutex_.
  Mutex mutex_;
  CondVar stopped_;
  bool stop_ GUARDED_BY(mutex_) = false;
};

}  // namespace concordfs::vcs::git
