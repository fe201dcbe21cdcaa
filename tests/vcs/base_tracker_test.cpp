#include "vcs/base_tracker.h"

#include <gtest/gtest.h>

#include "tests/support/paths.h"

namespace concordfs::vcs {
namespace {

using testing::Path;

using Writer = BaseTracker::Writer;

ObjectId Id(std::uint8_t number) {
  ObjectId::Bytes bytes{};
  bytes[0] = number;
  return ObjectId(bytes);
}

// The base of a version that only its number tells from others; seen in a commit of that number.
Base BaseOf(std::uint8_t number) {
  return Base{Version{Id(number), FileMode::kRegular}, Id(static_cast<std::uint8_t>(100 + number))};
}

const Base kBaseA = BaseOf(1);
const Base kBaseB = BaseOf(2);
const Base kBaseC = BaseOf(3);
const Base kNoBase{std::nullopt, Id(200)};
const ObjectId kCommit = Id(250);

constexpr ProcessKey kEditor{10, 1};
constexpr ProcessKey kShell{20, 1};
constexpr ProcessKey kUnknown{};

class BaseTrackerTest : public ::testing::Test {
 protected:
  // The version that this caller's write would stand on: "none" if it never knew the path.
  std::string Known(const std::string& agent, const ProcessKey& process, const RepoPath& path) const {
    const auto base = tracker_.Find(agent, process, path);
    return base ? ToString(base->version) : "none";
  }
  static std::string Text(const Base& base) { return ToString(base.version); }

  BaseTracker tracker_;
  const RepoPath f_ = Path("f");
  const RepoPath g_ = Path("g");
};

TEST_F(BaseTrackerTest, KnowsNothingAtFirst) {
  EXPECT_EQ(Known("andrew", kEditor, f_), "none");
  EXPECT_TRUE(tracker_.Processes().empty());
  EXPECT_TRUE(tracker_.KnownPaths().empty());
}

TEST_F(BaseTrackerTest, AReadTeachesTheProcessAndItsAgent) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseA));
  EXPECT_EQ(Known("andrew", kShell, f_), Text(kBaseA)) << "another process of the agent";
  EXPECT_EQ(tracker_.Find("andrew", kEditor, f_)->commit, kBaseA.commit);
  EXPECT_EQ(Known("andrew", kEditor, g_), "none");
}

TEST_F(BaseTrackerTest, AgentsKnowNothingOfEachOther) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  EXPECT_EQ(Known("benson", kEditor, f_), "none") << "not even in the same process, after an exec";
}

TEST_F(BaseTrackerTest, WhatAProcessKnowsIsNearerThanWhatItsAgentKnows) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kShell, f_, kBaseB);
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseA)) << "the editor still shows A";
  EXPECT_EQ(Known("andrew", kShell, f_), Text(kBaseB));
  EXPECT_EQ(Known("andrew", ProcessKey{30, 1}, f_), Text(kBaseB)) << "a new process knows what the agent last knew";
}

TEST_F(BaseTrackerTest, TellsTwoRunsOfOneProcessIdApart) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kShell, f_, kBaseB);
  EXPECT_EQ(Known("andrew", ProcessKey{kEditor.pid, kEditor.start_time + 1}, f_), Text(kBaseB));
}

TEST_F(BaseTrackerTest, AProcessThatIsUnknownTeachesOnlyTheAgent) {
  tracker_.Read("andrew", kUnknown, f_, kBaseA);
  tracker_.Read("andrew", kEditor, f_, kBaseB);
  EXPECT_EQ(Known("andrew", kUnknown, f_), Text(kBaseB));
  EXPECT_EQ(tracker_.Processes(), std::set<ProcessKey>{kEditor});
}

TEST_F(BaseTrackerTest, ReadingAgainCuresTheStale) {  // R8
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kEditor, f_, kBaseB);
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseB));
}

TEST_F(BaseTrackerTest, AbsenceIsKnowledgeToo) {
  tracker_.Read("andrew", kEditor, f_, kNoBase);
  EXPECT_EQ(Known("andrew", kEditor, f_), "absent");
}

TEST_F(BaseTrackerTest, AdoptingOverridesWhatProcessesKnow) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("benson", kEditor, f_, kBaseA);
  tracker_.Adopt("andrew", f_, kBaseB);
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseB));
  EXPECT_EQ(Known("andrew", kShell, f_), Text(kBaseB));
  EXPECT_EQ(Known("benson", kEditor, f_), Text(kBaseA));
}

TEST_F(BaseTrackerTest, WhoPublishesWhatItWroteWholeKnowsIt) {  // R2
  tracker_.Published("andrew", kEditor, f_, std::nullopt, kBaseA, Writer::kKnewContent);
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseA));
  EXPECT_EQ(Known("andrew", kShell, f_), Text(kBaseA));
  EXPECT_EQ(tracker_.Find("andrew", kEditor, f_)->commit, kBaseA.commit);
  EXPECT_EQ(Known("benson", kEditor, f_), "none");
}

TEST_F(BaseTrackerTest, ABlindAppendTeachesNothing) {  // R2
  tracker_.Published("andrew", kEditor, f_, kBaseA.version, kBaseB, Writer::kWroteBlindly);
  EXPECT_EQ(Known("andrew", kEditor, f_), "none");
  EXPECT_TRUE(tracker_.KnownPaths().empty()) << "and costs no memory";
}

TEST_F(BaseTrackerTest, ABlindAppendDoesNotCureTheStale) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Published("andrew", kShell, f_, kBaseB.version, kBaseC, Writer::kWroteBlindly);
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseA));
  EXPECT_EQ(Known("andrew", kShell, f_), Text(kBaseA)) << "what the agent knew stays stale until it reads";
}

TEST_F(BaseTrackerTest, AnAgentsOwnCommitMovesAlongWhoKnewTheVersionReplaced) {  // R3
  for (const Writer writer : {Writer::kKnewContent, Writer::kWroteBlindly}) {
    BaseTracker tracker;
    tracker.Read("andrew", kEditor, f_, kBaseA);
    tracker.Read("andrew", kShell, f_, kBaseA);
    tracker.Published("andrew", ProcessKey{30, 1}, f_, kBaseA.version, kBaseB, writer);
    EXPECT_EQ(tracker.Find("andrew", kEditor, f_)->version, kBaseB.version);
    EXPECT_EQ(tracker.Find("andrew", kShell, f_)->version, kBaseB.version);
    EXPECT_EQ(tracker.Find("andrew", kUnknown, f_)->version, kBaseB.version);
    EXPECT_EQ(tracker.Find("andrew", kEditor, f_)->commit, kBaseB.commit);
  }
}

TEST_F(BaseTrackerTest, AnAgentsOwnCommitLeavesAProcessStaleThatKnewAnotherVersion) {  // R3
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kShell, f_, kBaseB);
  tracker_.Published("andrew", kShell, f_, kBaseB.version, kBaseC, Writer::kKnewContent);
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseA));
  EXPECT_EQ(Known("andrew", kShell, f_), Text(kBaseC));
}

TEST_F(BaseTrackerTest, AnAgentsCommitMakesNobodyElseKnowIt) {
  tracker_.Read("benson", kEditor, f_, kBaseA);
  tracker_.Published("andrew", kEditor, f_, kBaseA.version, kBaseB, Writer::kKnewContent);
  EXPECT_EQ(Known("benson", kEditor, f_), Text(kBaseA));
}

TEST_F(BaseTrackerTest, AnAgentsOwnDeletionAndCreationMakeNoneOfItsProcessesStale) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kShell, f_, kBaseA);
  tracker_.Published("andrew", kShell, f_, kBaseA.version, kNoBase, Writer::kKnewContent);
  EXPECT_EQ(Known("andrew", kEditor, f_), "absent");
  tracker_.Published("andrew", kShell, f_, std::nullopt, kBaseB, Writer::kKnewContent);
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseB));
}

TEST_F(BaseTrackerTest, AnAgentsBaseFollowsTheNameOfItsFile) {  // R9
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kShell, f_, kBaseA);
  tracker_.Renamed("andrew", f_, g_, kBaseA.version, kCommit);
  EXPECT_EQ(Known("andrew", kEditor, g_), Text(kBaseA));
  EXPECT_EQ(Known("andrew", kShell, g_), Text(kBaseA));
  EXPECT_EQ(tracker_.Find("andrew", kEditor, g_)->commit, kCommit) << "where the version is at that path";
  EXPECT_EQ(Known("andrew", kEditor, f_), "absent") << "and it may create the old name anew, as vim does";
  EXPECT_EQ(Known("andrew", kShell, f_), "absent");
}

TEST_F(BaseTrackerTest, AStaleFileThatItsAgentRenamesStaysStale) {  // R9, vim's f -> f~
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Renamed("andrew", f_, Path("f~"), kBaseB.version, kCommit);  // B was at head, and andrew never saw it
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseA)) << "a new f on top of this is refused";
  EXPECT_EQ(Known("andrew", kEditor, Path("f~")), "none");
}

TEST_F(BaseTrackerTest, OnlyTheProcessesThatKnewTheMovedVersionFollow) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kShell, f_, kBaseB);
  tracker_.Renamed("andrew", f_, g_, kBaseB.version, kCommit);
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseA));
  EXPECT_EQ(Known("andrew", kShell, f_), "absent");
  EXPECT_EQ(Known("andrew", kShell, g_), Text(kBaseB));
}

TEST_F(BaseTrackerTest, ARenameOntoAPathReplacesWhatItsAgentKnewThere) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kEditor, g_, kBaseB);
  tracker_.Renamed("andrew", f_, g_, kBaseA.version, kCommit);
  EXPECT_EQ(Known("andrew", kEditor, g_), Text(kBaseA));
}

TEST_F(BaseTrackerTest, BasesFollowADirectory) {
  tracker_.Read("andrew", kEditor, Path("d/e/f"), kBaseA);
  tracker_.Read("andrew", kEditor, Path("d/g"), kBaseB);
  tracker_.Read("andrew", kEditor, Path("d.x"), kBaseC);
  tracker_.Read("andrew", kEditor, Path("dd/f"), kBaseC);
  tracker_.Renamed("andrew", Path("d"), Path("p/q"), std::nullopt, kCommit);
  EXPECT_EQ(Known("andrew", kEditor, Path("p/q/e/f")), Text(kBaseA));
  EXPECT_EQ(Known("andrew", kEditor, Path("p/q/g")), Text(kBaseB));
  EXPECT_EQ(Known("andrew", kEditor, Path("d/e/f")), "none") << "a file made there later is another file";
  EXPECT_EQ(Known("andrew", kEditor, Path("d.x")), Text(kBaseC));
  EXPECT_EQ(Known("andrew", kEditor, Path("dd/f")), Text(kBaseC));
}

TEST_F(BaseTrackerTest, ADirectoryBringsItsBasesAlongWhereItsAgentKnewAnotherFile) {
  tracker_.Read("andrew", kEditor, Path("p/f"), kBaseC);  // it was removed since, by another agent
  tracker_.Read("andrew", kEditor, Path("d/f"), kBaseA);
  tracker_.Renamed("andrew", Path("d"), Path("p"), std::nullopt, kCommit);
  EXPECT_EQ(Known("andrew", kEditor, Path("p/f")), Text(kBaseA)) << "its own rename makes no agent stale";
}

TEST_F(BaseTrackerTest, OthersKnowAFileUnderBothNamesAfterItsRename) {
  tracker_.Read("benson", kEditor, f_, kBaseA);
  tracker_.Renamed("andrew", f_, g_, kBaseA.version, kCommit);
  EXPECT_EQ(Known("benson", kEditor, g_), Text(kBaseA)) << "benson's text is this file's, whatever its name";
  EXPECT_EQ(Known("benson", kEditor, f_), Text(kBaseA)) << "and nothing that comes there later is what benson read";
}

TEST_F(BaseTrackerTest, OthersStayStaleWhereARenamePutAnotherFile) {
  tracker_.Read("benson", kEditor, f_, kBaseA);
  tracker_.Read("benson", kEditor, g_, kBaseB);
  tracker_.Renamed("andrew", f_, g_, kBaseA.version, kCommit);
  EXPECT_EQ(Known("benson", kEditor, g_), Text(kBaseB));
}

TEST_F(BaseTrackerTest, ForgetsProcessesThatAreGoneButNotWhatTheirAgentKnows) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kShell, f_, kBaseB);
  tracker_.Read("benson", kEditor, g_, kBaseC);
  EXPECT_EQ(tracker_.Processes(), (std::set<ProcessKey>{kEditor, kShell}));
  tracker_.DropProcesses([](const ProcessKey& process) { return process == kEditor; });
  EXPECT_EQ(tracker_.Processes(), std::set<ProcessKey>{kShell});
  EXPECT_EQ(Known("andrew", kEditor, f_), Text(kBaseB));
  EXPECT_EQ(Known("benson", kEditor, g_), Text(kBaseC));
}

TEST_F(BaseTrackerTest, CountsThePathsThatEachAgentKnows) {
  tracker_.Read("andrew", kEditor, f_, kBaseA);
  tracker_.Read("andrew", kShell, f_, kBaseB);
  tracker_.Read("andrew", kEditor, g_, kBaseA);
  tracker_.Read("benson", kEditor, f_, kBaseA);
  EXPECT_EQ(tracker_.KnownPaths(), (std::map<std::string, std::size_t>{{"andrew", 2}, {"benson", 1}}));
}

}  // namespace
}  // namespace concordfs::vcs
