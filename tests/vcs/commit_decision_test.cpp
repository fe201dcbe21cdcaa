#include "vcs/commit_decision.h"

#include <gtest/gtest.h>

#include <ostream>

namespace concordfs::vcs {

void PrintTo(Verdict verdict, std::ostream* out) {
  static constexpr const char* kNames[] = {"publish", "same as head", "unchanged", "refuse"};
  *out << kNames[static_cast<int>(verdict)];
}

namespace {

MaybeVersion Numbered(std::uint8_t number, FileMode mode = FileMode::kRegular) {
  ObjectId::Bytes bytes{};
  bytes[0] = number;
  return Version{ObjectId(bytes), mode};
}

const MaybeVersion kAbsent;
const MaybeVersion kA = Numbered(1);
const MaybeVersion kB = Numbered(2);
const MaybeVersion kC = Numbered(3);
const MaybeVersion kAExecutable = Numbered(1, FileMode::kExecutable);
const MaybeVersion kALink = Numbered(1, FileMode::kSymlink);

struct DecisionCase {
  const char* name;
  MaybeVersion base;
  MaybeVersion head;
  MaybeVersion wanted;
  Verdict verdict;
};

class CommitDecision : public ::testing::TestWithParam<DecisionCase> {};

TEST_P(CommitDecision, IsThatOfTheTable) {
  const DecisionCase& one = GetParam();
  EXPECT_EQ(Decide(one.base, one.head, one.wanted), one.verdict);
}

// R5, case by case.
INSTANTIATE_TEST_SUITE_P(
    , CommitDecision,
    ::testing::Values(
        DecisionCase{"PublishesOnTheBaseItRead", kA, kA, kB, Verdict::kPublish},
        DecisionCase{"CreatesWhatIsAbsent", kAbsent, kAbsent, kA, Verdict::kPublish},
        DecisionCase{"DeletesTheBaseItRead", kA, kA, kAbsent, Verdict::kPublish},
        DecisionCase{"PublishesAChangeOfTheModeAlone", kA, kA, kAExecutable, Verdict::kPublish},
        DecisionCase{"PublishesASymlinkInPlaceOfAFileOfTheSameBytes", kA, kA, kALink, Verdict::kPublish},
        DecisionCase{"RefusesWhenHeadMovedOnOurPath", kA, kB, kC, Verdict::kRefuse},
        DecisionCase{"RefusesWhenTheFileWasDeletedMeanwhile", kA, kAbsent, kB, Verdict::kRefuse},
        DecisionCase{"RefusesACreationWhenTheFileWasCreatedMeanwhile", kAbsent, kA, kB, Verdict::kRefuse},
        DecisionCase{"RefusesADeletionWhenHeadMovedOnOurPath", kA, kB, kAbsent, Verdict::kRefuse},
        DecisionCase{"RefusesWhenOnlyTheModeMovedMeanwhile", kA, kAExecutable, kB, Verdict::kRefuse},
        DecisionCase{"AcceptsWithoutACommitTheBytesThatAreAtHead", kA, kB, kB, Verdict::kSameAsHead},
        DecisionCase{"AcceptsWithoutACommitTheCreationThatIsAtHead", kAbsent, kA, kA, Verdict::kSameAsHead},
        DecisionCase{"AcceptsWithoutACommitTheDeletionThatIsAtHead", kA, kAbsent, kAbsent, Verdict::kSameAsHead},
        DecisionCase{"AcceptsWithoutACommitWhatNobodyTouched", kA, kA, kA, Verdict::kSameAsHead},
        DecisionCase{"AcceptsWithoutACommitWhatWasNeverThere", kAbsent, kAbsent, kAbsent, Verdict::kSameAsHead},
        DecisionCase{"AcceptsWithoutACommitAnUntouchedBaseAlthoughHeadMoved", kA, kB, kA, Verdict::kUnchanged},
        DecisionCase{"AcceptsWithoutACommitAnUntouchedBaseAlthoughTheFileIsGone", kA, kAbsent, kA, Verdict::kUnchanged},
        DecisionCase{"AcceptsWithoutACommitAnUntouchedAbsenceAlthoughTheFileCame", kAbsent, kA, kAbsent,
                     Verdict::kUnchanged}),
    [](const auto& one) { return std::string(one.param.name); });

// The rule behind the table, over all combinations: a version that is replaced was the writer's base.
TEST(CommitDecisionRule, NeverReplacesAVersionThatTheWriterDidNotStandOn) {
  const MaybeVersion versions[] = {kAbsent, kA, kB, kC, kAExecutable, kALink};
  for (const MaybeVersion& base : versions) {
    for (const MaybeVersion& head : versions) {
      for (const MaybeVersion& wanted : versions) {
        const Verdict verdict = Decide(base, head, wanted);
        const std::string what = ToString(base) + " / " + ToString(head) + " / " + ToString(wanted);
        EXPECT_EQ(verdict == Verdict::kPublish, base == head && wanted != head) << what;
        EXPECT_EQ(verdict == Verdict::kRefuse, base != head && wanted != head && wanted != base) << what;
      }
    }
  }
}

// Two increments of one counter, two appends of one line: the same bytes, and yet one of them would be lost.
TEST(CommitDecisionRule, RefusesTheBytesAtHeadWhenTheyWereMadeFromAnOlderVersion) {
  EXPECT_EQ(Decide(kA, kB, kB, Derivation::kFromBase), Verdict::kRefuse);
  EXPECT_EQ(Decide(kAbsent, kB, kB, Derivation::kFromBase), Verdict::kRefuse);
  EXPECT_EQ(Decide(kB, kB, kB, Derivation::kFromBase), Verdict::kSameAsHead);
  EXPECT_EQ(Decide(kA, kB, kA, Derivation::kFromBase), Verdict::kUnchanged);
  EXPECT_EQ(Decide(kA, kA, kB, Derivation::kFromBase), Verdict::kPublish);
}

}  // namespace
}  // namespace concordfs::vcs
