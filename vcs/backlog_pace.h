// How much publications are slowed down while more of them come than can be pushed: so that what waits doesn't grow until closes fail, and
// is never so much that making it again takes longer than others leave room for.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace concordfs::vcs {

// Threads: one at a time.
class BacklogPace {
 public:
  using Duration = std::chrono::steady_clock::duration;

  static constexpr std::uint64_t kFree = 250;       // so many commits wait and nobody is slowed down
  static constexpr std::uint64_t kEnough = 100;     // a push of fewer says little of what one of them takes
  static constexpr std::uint64_t kOneTime = 1'000;  // where so many wait, a publication takes as long as a push of the same commits
  static constexpr int kMostTimes = 10;
  static constexpr std::chrono::milliseconds kMost{50};  // for each commit

  // So many commits were pushed, and that took so long, with all that had to be done for it.
  void NotePush(std::uint64_t commits, Duration took) {
    if (commits >= kEnough) each_ = took / static_cast<Duration::rep>(commits);
  }
  // So many were made again; others may come first when they are pushed, and then that says nothing.
  void NoteReplay(std::uint64_t commits, Duration took) {
    if (commits >= kEnough) each_ = std::max(each_, took / static_cast<Duration::rep>(commits));
  }
  // How long a publication of so many commits is held up where so many wait.
  Duration Before(std::uint64_t commits, std::uint64_t waiting) const {
    if (waiting <= kFree) return Duration::zero();
    const double times = std::min(static_cast<double>(waiting) / kOneTime, double{kMostTimes});
    const auto wait = std::chrono::duration_cast<Duration>(each_ * times);
    return std::min<Duration>(wait, kMost) * static_cast<Duration::rep>(commits);
  }

 private:
  Duration each_{};  // what a push takes for a commit, as far as it is known
};

}  // namespace concordfs::vcs
