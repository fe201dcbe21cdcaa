// When a machine that pushes without pause leaves others time to push, too.
//
// Nobody queues at a git server: who lost a race hears of it, fetches and pushes again, and loses again to whoever is back sooner. One
// that is faster than the others would keep them out for as long as it has something to push, and wouldn't even know of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>

namespace concordfs::vcs {

// Threads: one at a time.
class PushRoom {
 public:
  using Clock = std::chrono::steady_clock;

  // So many times as long as the last push took, by lot: machines that are equally fast would otherwise keep step, and one of them lose
  // each time. To hear of a lost race, fetch and push again takes about as long.
  static constexpr double kLeastTimes = 1;
  static constexpr double kMostTimes = 3;
  static constexpr std::chrono::milliseconds kLeastPush{100};  // as if it took so long: others' may take longer than ours
  static constexpr std::chrono::milliseconds kMost{1'000};
  static constexpr std::chrono::milliseconds kMostUnawaited{30'000};
  static constexpr std::chrono::milliseconds kLong{10'000};    // for who comes back with very much, ...
  static constexpr std::chrono::milliseconds kLongEvery{60'000};  // ... so often
  static constexpr std::chrono::milliseconds kEvery{5'000};    // so often for others who may be there
  static constexpr std::chrono::milliseconds kCompany{5'000};  // and after each push, for so long after one was seen

  // A push of ours landed, and took so long: with all that had to be done for it.
  void NotePush(Clock::time_point now, Clock::duration took) {
    if (!landed_ || now - *landed_ >= kLong) long_room_ = now;  // there was
    landed_ = now;
    const std::chrono::duration<double> room = std::max<Clock::duration>(took, kLeastPush) * times_(random_);
    room_ = std::chrono::duration_cast<Clock::duration>(room);
  }
  // Somebody else's came, or was in the way.
  void NoteOthers(Clock::time_point now) { others_ = now; }

  // How long to wait before the next push, where a close waits for it.
  Clock::duration Before(Clock::time_point now) {
    const bool has_company = others_ && now - *others_ < kCompany;
    const Clock::time_point end = landed_ ? *landed_ + std::min<Clock::duration>(room_, kMost) : now;
    if (end > now && !has_company && now - left_ < kEvery) return Clock::duration::zero();
    left_ = std::max(now, end);
    return left_ - now;
  }
  // Where nobody does: there is room after every push, and what is published meanwhile goes together. As much as others may need to
  // make again what they have to push, where there are some.
  Clock::duration BeforeUnawaited(Clock::time_point now) {
    if (!landed_) return Clock::duration::zero();
    const Clock::duration most = others_ && now - *others_ < kUnawaitedCompany ? kMostUnawaited : kMost;
    const bool is_long = now - long_room_ >= kLongEvery;
    if (is_long) long_room_ = now;
    return std::max(*landed_ + std::max<Clock::duration>(is_long ? kLong : Clock::duration::zero(), std::min(room_, most)) - now, Clock::duration::zero());
  }

 private:
  static constexpr std::chrono::milliseconds kUnawaitedCompany = 2 * kMostUnawaited;

  std::minstd_rand random_{std::random_device()()};
  std::uniform_real_distribution<> times_{kLeastTimes, kMostTimes};
  std::optional<Clock::time_point> landed_;
  std::optional<Clock::time_point> others_;
  Clock::time_point long_room_{};  // when it began last
  Clock::duration room_{};
  Clock::time_point left_{};  // when there was room last
};

}  // namespace concordfs::vcs
