#include "vcs/push_room.h"

#include <gtest/gtest.h>

namespace concordfs::vcs {
namespace {

using std::chrono::milliseconds;

class PushRoomTest : public ::testing::Test {
 protected:
  // Pushes as soon as it may, each of 100 ms, for so long. Returns how often it waited.
  int PushFor(milliseconds time) {
    int waits = 0;
    for (const auto end = now_ + time; now_ < end; now_ += kPush) {
      const auto wait = room_.Before(now_);
      if (wait > PushRoom::Clock::duration::zero()) ++waits;
      EXPECT_LE(wait, PushRoom::kMostTimes * kPush);
      now_ += wait;
      room_.NotePush(now_ + kPush, kPush);
      ++pushes_;
    }
    return waits;
  }

  static constexpr milliseconds kPush{100};
  PushRoom room_;
  PushRoom::Clock::time_point now_ = PushRoom::Clock::now();
  int pushes_ = 0;
};

TEST_F(PushRoomTest, IsLeftNowAndThenByWhoPushesWithoutPause) {
  EXPECT_EQ(PushFor(milliseconds(11'000)), 2);
  EXPECT_GT(pushes_, 100);
}

TEST_F(PushRoomTest, IsLeftAfterEachPushWhileOthersAreThere) {
  PushFor(milliseconds(100));
  pushes_ = 0;
  room_.NoteOthers(now_);
  EXPECT_EQ(PushFor(milliseconds(4'000)), pushes_);
  EXPECT_GT(pushes_, 4'000 / 400 - 1);
  EXPECT_LT(pushes_, 4'000 / 200);
  PushFor(milliseconds(1'000));
  pushes_ = 0;
  EXPECT_EQ(PushFor(milliseconds(1'000)), 0) << "they are gone";
}

TEST_F(PushRoomTest, IsThereByItselfWherePushesAreRare) {
  room_.NoteOthers(now_);
  for (int i = 0; i < 100; ++i, now_ += 5 * kPush) {
    room_.NoteOthers(now_);
    EXPECT_EQ(room_.Before(now_), PushRoom::Clock::duration::zero());
    room_.NotePush(now_ + kPush, kPush);
  }
}

TEST_F(PushRoomTest, IsNeverMoreThanASecond) {
  room_.NoteOthers(now_);
  room_.NotePush(now_, std::chrono::minutes(1));
  EXPECT_EQ(room_.Before(now_), PushRoom::kMost);
}

TEST_F(PushRoomTest, IsAlwaysThereWhereNobodyWaits) {
  EXPECT_EQ(room_.BeforeUnawaited(now_), PushRoom::Clock::duration::zero());
  room_.NotePush(now_, kPush);
  EXPECT_GE(room_.BeforeUnawaited(now_), kPush);
  EXPECT_LE(room_.BeforeUnawaited(now_), PushRoom::kMostTimes * kPush);
  EXPECT_EQ(room_.BeforeUnawaited(now_ + PushRoom::kMost), PushRoom::Clock::duration::zero());
}

TEST_F(PushRoomTest, IsLongerForOthersWhereNobodyWaits) {
  room_.NotePush(now_, std::chrono::minutes(1));
  EXPECT_EQ(room_.BeforeUnawaited(now_), PushRoom::kMost);
  room_.NoteOthers(now_);
  EXPECT_EQ(room_.BeforeUnawaited(now_), PushRoom::kMostUnawaited);
  EXPECT_EQ(room_.Before(now_), PushRoom::kMost);
}

TEST_F(PushRoomTest, IsLongOnceAMinuteWhereNobodyWaits) {
  int longs = 0;
  const auto end = now_ + 5 * PushRoom::kLongEvery;
  while (now_ < end) {
    room_.NotePush(now_, kPush);
    const auto room = room_.BeforeUnawaited(now_);
    if (room == PushRoom::kLong) ++longs;
    now_ += room + kPush;
  }
  EXPECT_GE(longs, 3);
  EXPECT_LE(longs, 5);
}

TEST_F(PushRoomTest, IsLongByItselfWhereThereWasNoPushForLong) {
  for (int i = 0; i < 20; ++i, now_ += PushRoom::kLong) {
    room_.NotePush(now_, kPush);
    EXPECT_LE(room_.BeforeUnawaited(now_), PushRoom::kMost);
  }
}

}  // namespace
}  // namespace concordfs::vcs
