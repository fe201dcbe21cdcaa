#include "vcs/backlog_pace.h"

#include <gtest/gtest.h>

namespace concordfs::vcs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BacklogPaceTest, HoldsNobodyUpWhereLittleWaitsOrNothingIsKnown) {
  BacklogPace pace;
  EXPECT_EQ(pace.Before(1, 1'000'000), milliseconds(0));
  pace.NotePush(1'000, seconds(1));
  EXPECT_EQ(pace.Before(1, BacklogPace::kFree), milliseconds(0));
  EXPECT_GT(pace.Before(1, BacklogPace::kFree + 1), milliseconds(0));
}

TEST(BacklogPaceTest, IsThatOfThePushesWhereAThousandWait) {
  BacklogPace pace;
  pace.NotePush(1'000, seconds(2));
  EXPECT_EQ(pace.Before(1, 1'000), milliseconds(2));
  EXPECT_EQ(pace.Before(16, 1'000), milliseconds(32)) << "each commit of a batch counts";
  EXPECT_EQ(pace.Before(1, 500), milliseconds(1));
  EXPECT_EQ(pace.Before(1, 5'000), milliseconds(10));
}

TEST(BacklogPaceTest, IsThatOfTheReplaysAtLeast) {
  BacklogPace pace;
  pace.NoteReplay(1'000, seconds(3));
  EXPECT_EQ(pace.Before(1, 1'000), milliseconds(3));
  pace.NoteReplay(1'000, seconds(2));
  EXPECT_EQ(pace.Before(1, 1'000), milliseconds(3));
  pace.NotePush(1'000, seconds(2));
  EXPECT_EQ(pace.Before(1, 1'000), milliseconds(2));
}

TEST(BacklogPaceTest, HasABound) {
  BacklogPace pace;
  pace.NotePush(1'000, seconds(2));
  EXPECT_EQ(pace.Before(1, 1'000'000), milliseconds(20)) << "ten times a push";
  pace.NotePush(100, seconds(100));
  EXPECT_EQ(pace.Before(2, 1'000), 2 * BacklogPace::kMost);
}

TEST(BacklogPaceTest, LearnsNothingFromFewCommits) {
  BacklogPace pace;
  pace.NotePush(1'000, seconds(1));
  pace.NotePush(3, seconds(10));
  EXPECT_EQ(pace.Before(1, 1'000), milliseconds(1));
}

}  // namespace
}  // namespace concordfs::vcs
