#include "vcs/git/pace.h"

#include <time.h>

namespace concordfs::vcs::git {
namespace {

std::chrono::nanoseconds ThreadTime() {
  struct timespec time;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

bool Pace::GoOn() {
  const std::chrono::nanoseconds used = ThreadTime() - used_;
  MutexLock lock(mutex_);
  if (used < kPiece) return !stop_;
  if (!hurry_) {
    const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(used * (1 - share_) / share_);
    const auto until = std::chrono::steady_clock::now() + rest;
    for (auto left = rest; left.count() > 0 && !stop_; left = until - std::chrono::steady_clock::now()) {
      stopped_.WaitFor(mutex_, left);
    }
  }
  used_ = ThreadTime();
  return !stop_;
}

void Pace::Stop() {
  MutexLock lock(mutex_);
  stop_ = true;
  stopped_.NotifyAll();
}

}  // namespace concordfs::vcs::git
