// How long we wait for somebody else's lock.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace concordfs::vcs::git {

// A bounded wait with growing pauses; git holds its locks for milliseconds. Threads: one.
class Backoff {
 public:
  // Sleeps a little, and returns false without sleeping once the time is up.
  bool Wait() {
    if (std::chrono::steady_clock::now() >= deadline_) return false;
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(pause_ * 2, kLongestPause);
    return true;
  }

 private:
  static constexpr std::chrono::milliseconds kLimit{3000};
  static constexpr std::chrono::microseconds kLongestPause{50'000};

  const std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::now() + kLimit;
  std::chrono::microseconds pause_{500};
};

}  // namespace concordfs::vcs::git
