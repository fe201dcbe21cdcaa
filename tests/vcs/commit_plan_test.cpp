#include "vcs/commit_plan.h"

#include <gtest/gtest.h>

#include "tests/model/branch.h"
#include "tests/support/memory_store.h"
#include "tests/support/paths.h"
#include "vcs/commit.h"

namespace concordfs::vcs {
namespace {

using testing::Branch;
using testing::Files;
using testing::Path;

using Kind = Outcome::Kind;

class CommitPlanTest : public ::testing::Test {
 protected:
  // Starts a plan on a head with these files.
  void PlanOn(const Files& files) {
    testing::Changes changes;
    for (const auto& [path, version] : files) changes[path] = version;
    head_ = branch_.Commit(changes);
    plan_.emplace(trees_, head_, 5000);
  }
  Base On(const MaybeVersion& version) const { return Base{version, head_.commit}; }

  Outcome Change(const std::string& path, const MaybeVersion& base, const MaybeVersion& content,
                 bool follows_renames = false) {
    return plan_->Decide({PublishChange{Path(path), On(base), content, follows_renames}, "andrew", "7 vi", "", nullptr})
        .outcome;
  }
  Outcome Rename(const PublishRename& rename) { return plan_->Decide({rename, "andrew", "", "", nullptr}).outcome; }
  Outcome Rename(const std::string& from, const std::string& to, const std::optional<MaybeVersion>& to_base = {}) {
    PublishRename rename{Path(from), Path(to), {}, {}, false, {}, false};
    if (to_base) rename.to_base = On(*to_base);
    return Rename(rename);
  }

  // What the plan would publish, published; gives the files then.
  Files Published() {
    EXPECT_TRUE(store_.Publish({plan_->objects(), "refs/heads/main", head_.commit, plan_->tip().commit, "test"}));
    EXPECT_EQ(branch_.Tip().root, plan_->tip().root);
    return branch_.FilesOf(plan_->tip().commit);
  }
  std::string SubjectOf(const ObjectId& commit) {
    for (const NewObject& object : plan_->objects()) {
      if (object.id != commit) continue;
      const std::string message = Commit::Parse(object.bytes)->message;
      return message.substr(0, message.find('\n'));
    }
    return "no such commit";
  }
  // Nothing was decided that would be published.
  void ExpectNothingLeftBehind() {
    EXPECT_EQ(plan_->tip().commit, head_.commit);
    EXPECT_TRUE(plan_->objects().empty());
    const Version mark = branch_.Blob("mark");
    ASSERT_EQ(Change("mark", std::nullopt, mark).kind, Kind::kPublished);
    Files expected = branch_.FilesOf(head_.commit);
    expected["mark"] = mark;
    EXPECT_EQ(Published(), expected) << "half an edit was left in the tree";
  }

  MemoryStore store_;
  Branch branch_{store_};
  TreeReader trees_{store_};
  Head head_;
  std::optional<CommitPlan> plan_;
  const Version a_ = branch_.Blob("a");
  const Version b_ = branch_.Blob("b");
  const Version c_ = branch_.Blob("c", FileMode::kExecutable);
};

TEST_F(CommitPlanTest, UpdatesCreatesAndDeletes) {
  PlanOn({{"f", a_}, {"d/g", a_}});
  const Outcome update = Change("f", a_, b_);
  EXPECT_EQ(update.kind, Kind::kPublished);
  EXPECT_EQ(update.replaced, MaybeVersion(a_));
  EXPECT_EQ(update.now, MaybeVersion(b_));
  EXPECT_EQ(update.path.text(), "f");
  const Outcome create = Change("n/e/w", std::nullopt, c_);
  EXPECT_EQ(create.kind, Kind::kPublished);
  EXPECT_EQ(create.replaced, MaybeVersion());
  const Outcome deletion = Change("d/g", a_, std::nullopt);
  EXPECT_EQ(deletion.kind, Kind::kPublished);
  EXPECT_EQ(deletion.now, MaybeVersion());
  EXPECT_EQ(SubjectOf(update.commit), "Update f");
  EXPECT_EQ(SubjectOf(create.commit), "Create n/e/w");
  EXPECT_EQ(SubjectOf(deletion.commit), "Delete d/g");
  EXPECT_EQ(plan_->tip().commit, deletion.commit);
  EXPECT_EQ(Published(), (Files{{"f", b_}, {"n/e/w", c_}}));
}

TEST_F(CommitPlanTest, MakesOneCommitForEachChangeOnTopOfTheOneBefore) {
  PlanOn({{"f", a_}});
  const ObjectId first = Change("f", a_, b_).commit;
  const ObjectId second = Change("f", b_, c_).commit;
  Published();
  const auto history = branch_.History();
  ASSERT_EQ(history.size(), 3U);
  EXPECT_EQ(history[0].id, head_.commit);
  EXPECT_EQ(history[1].id, first);
  EXPECT_EQ(history[2].id, second);
  EXPECT_EQ(history[1].after, (testing::Changes{{"f", b_}}));
}

TEST_F(CommitPlanTest, SaysInTheCommitWhoDidItAndOnWhat) {  // R14
  PlanOn({{"f", a_}});
  ASSERT_EQ(plan_->Decide({PublishChange{Path("f"), On(a_), b_, false}, "andrew", "7 vi", "Why\nbecause", nullptr})
                .outcome.kind,
            Kind::kPublished);
  Published();
  const Commit commit = branch_.History().back().commit;
  EXPECT_EQ(commit.author.name, "andrew");
  EXPECT_EQ(commit.author.time_s, 5000);
  EXPECT_EQ(commit.committer.name, "ConcordFS");
  EXPECT_EQ(commit.parents, std::vector<ObjectId>{head_.commit});
  EXPECT_EQ(commit.message,
            "Why\n\nbecause\n\nConcord-Agent: andrew\nConcord-Base: " + ToString(a_) + "\nConcord-Process: 7 vi\n");
}

TEST_F(CommitPlanTest, RefusesAStaleChangeAndShowsTheWinner) {
  PlanOn({{"f", b_}});
  const Outcome refused = Change("f", a_, c_);
  EXPECT_EQ(refused.kind, Kind::kRefused);
  EXPECT_EQ(refused.now, MaybeVersion(b_));
  EXPECT_EQ(refused.replaced, MaybeVersion(b_));
  EXPECT_EQ(refused.commit, head_.commit);
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, RefusesTheSecondOfTwoChangesOnOneBase) {
  PlanOn({{"f", a_}, {"g", a_}});
  const Outcome first = Change("f", a_, b_);
  EXPECT_EQ(first.kind, Kind::kPublished);
  const Outcome second = Change("f", a_, c_);
  EXPECT_EQ(second.kind, Kind::kRefused);
  EXPECT_EQ(second.now, MaybeVersion(b_));
  EXPECT_EQ(second.commit, first.commit) << "decided on top of the first";
  EXPECT_EQ(Change("g", a_, c_).kind, Kind::kPublished) << "another path never conflicts";
  EXPECT_EQ(Published(), (Files{{"f", b_}, {"g", c_}}));
}

TEST_F(CommitPlanTest, AcceptsSameBytesAndUntouchedBasesWithoutACommit) {
  PlanOn({{"f", b_}});
  for (const auto& [base, content] : {std::pair<MaybeVersion, MaybeVersion>{a_, b_}, {a_, a_}, {b_, b_}}) {
    const Outcome outcome = Change("f", base, content);
    EXPECT_EQ(outcome.kind, Kind::kUnchanged);
    EXPECT_EQ(outcome.now, MaybeVersion(b_));
  }
  EXPECT_EQ(Change("nothing", std::nullopt, std::nullopt).kind, Kind::kUnchanged);
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, RefusesAFileWhereSomebodyMadeADirectory) {
  PlanOn({{"f/g", a_}});
  for (const MaybeVersion& content : {MaybeVersion(b_), MaybeVersion()}) {
    const Outcome outcome = Change("f", a_, content);
    EXPECT_EQ(outcome.kind, Kind::kRefused);
    EXPECT_TRUE(outcome.occupied);
    EXPECT_EQ(outcome.now, MaybeVersion());
  }
  EXPECT_EQ(Change("f", std::nullopt, b_).kind, Kind::kRefused) << "absent is not what is there";
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, RefusesAPathThroughWhatSomebodyMadeAFile) {
  PlanOn({{"d", a_}});
  const Outcome creation = Change("d/f", std::nullopt, b_);
  EXPECT_EQ(creation.kind, Kind::kRefused);
  EXPECT_FALSE(creation.occupied);
  EXPECT_EQ(Change("d/e/f", a_, b_).kind, Kind::kRefused);
  EXPECT_EQ(Change("d/f", a_, std::nullopt).kind, Kind::kUnchanged) << "what is to be deleted is not there";
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, NeverTouchesASubmodule) {
  PlanOn({{"sub", Version{a_.blob, FileMode::kSubmodule}}});
  EXPECT_EQ(Change("sub", std::nullopt, b_).kind, Kind::kRefused);
  EXPECT_EQ(Change("sub", Version{a_.blob, FileMode::kSubmodule}, b_).kind, Kind::kRefused);
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, RenamesAFile) {
  PlanOn({{"f", a_}, {"keep", b_}});
  const Outcome outcome = Rename("f", "d/g");
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_EQ(outcome.path.text(), "d/g");
  EXPECT_EQ(outcome.moved, MaybeVersion(a_));
  EXPECT_EQ(outcome.now, MaybeVersion(a_));
  EXPECT_EQ(outcome.replaced, MaybeVersion());
  EXPECT_FALSE(outcome.occupied);
  EXPECT_EQ(SubjectOf(outcome.commit), "Rename f to d/g");
  EXPECT_EQ(Published(), (Files{{"d/g", a_}, {"keep", b_}}));
}

TEST_F(CommitPlanTest, RenamesADirectoryInOneCommit) {
  PlanOn({{"d/e/f", a_}, {"d/g", c_}, {"keep", b_}});
  const Outcome outcome = Rename("d", "p/q");
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_EQ(outcome.moved, MaybeVersion());
  EXPECT_TRUE(outcome.occupied);
  EXPECT_EQ(Published(), (Files{{"p/q/e/f", a_}, {"p/q/g", c_}, {"keep", b_}}));
  EXPECT_EQ(branch_.History().size(), 2U);
}

TEST_F(CommitPlanTest, RenamesADirectoryIntoItsOwnParentAndOutOfIt) {
  PlanOn({{"d/e/f", a_}});
  EXPECT_EQ(Rename("d/e", "e").kind, Kind::kPublished);
  EXPECT_EQ(Rename("e", "d").kind, Kind::kPublished) << "d became empty and went";
  EXPECT_EQ(Published(), (Files{{"d/f", a_}}));
}

TEST_F(CommitPlanTest, ChecksARenameAsAWriteToItsTarget) {  // R9
  PlanOn({{"t", c_}, {"f", b_}});
  const Outcome stale = Rename("t", "f", a_);
  EXPECT_EQ(stale.kind, Kind::kRefused);
  EXPECT_EQ(stale.now, MaybeVersion(b_));
  EXPECT_EQ(Rename("t", "f").kind, Kind::kRefused) << "nothing was expected there";
  EXPECT_EQ(Rename("t", "other", MaybeVersion(a_)).kind, Kind::kRefused) << "what was to be replaced is gone";
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, RenamesOverTheVersionThatWasRead) {
  PlanOn({{"t", c_}, {"f", b_}});
  const Outcome outcome = Rename("t", "f", b_);
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_EQ(outcome.replaced, MaybeVersion(b_));
  EXPECT_EQ(outcome.moved, MaybeVersion(c_));
  EXPECT_EQ(Published(), (Files{{"f", c_}}));
}

TEST_F(CommitPlanTest, RefusesToRenameOverADirectory) {
  PlanOn({{"t", c_}, {"d/f", b_}, {"e/f", b_}});
  EXPECT_EQ(Rename("t", "d").kind, Kind::kRefused);
  EXPECT_EQ(Rename("t", "d", b_).kind, Kind::kRefused);
  EXPECT_EQ(Rename("e", "d").kind, Kind::kRefused);
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, RefusesToRenameThroughAFile) {
  PlanOn({{"t", c_}, {"f", b_}});
  EXPECT_EQ(Rename("t", "f/x").kind, Kind::kRefused);
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, PublishesAnUnpublishedFileUnderTheNameThatItIsRenamedTo) {
  PlanOn({{"f", a_}});
  PublishRename save{Path("t"), Path("f"), On(a_), c_, false, {}, false};
  const Outcome outcome = Rename(save);
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_EQ(outcome.moved, MaybeVersion(c_));
  EXPECT_EQ(SubjectOf(outcome.commit), "Update f") << "history never had t";
  EXPECT_EQ(Published(), (Files{{"f", c_}}));
}

TEST_F(CommitPlanTest, RenamesWhatHistoryNeverHadWithoutACommit) {
  PlanOn({{"f", a_}});
  const Outcome outcome = Rename("never", "new");
  EXPECT_EQ(outcome.kind, Kind::kUnchanged);
  EXPECT_EQ(outcome.commit, head_.commit);
  const Outcome over = Rename("never", "f", a_);
  EXPECT_EQ(over.kind, Kind::kFailed) << "f can't be replaced by what nobody has";
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, MakesNoCommitForAnUnpublishedFileOfTheSameBytes) {  // an editor that saves without a change
  PlanOn({{"f", a_}});
  const Outcome outcome = Rename(PublishRename{Path("t"), Path("f"), On(a_), a_, false, {}, false});
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_EQ(outcome.commit, head_.commit);
  EXPECT_EQ(outcome.moved, MaybeVersion(a_));
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, FailsToRenameWhatWasPublishedAndIsGone) {
  PlanOn({{"f", a_}});
  for (const std::string to : {"new", "f"}) {
    const Outcome outcome = Rename(
        PublishRename{Path("gone"), Path(to), to == "f" ? std::optional(On(a_)) : std::nullopt, {}, false, {}, true});
    EXPECT_EQ(outcome.kind, Kind::kFailed);
    EXPECT_EQ(outcome.error.code, Code::kNotFound);
  }
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, ExchangesTwoFiles) {
  PlanOn({{"f", a_}, {"d/g", b_}});
  PublishRename exchange{Path("f"), Path("d/g"), {}, {}, true, {}, false};
  const Outcome outcome = Rename(exchange);
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_EQ(outcome.moved, MaybeVersion(a_));
  EXPECT_EQ(outcome.swapped, MaybeVersion(b_));
  EXPECT_EQ(SubjectOf(outcome.commit), "Exchange f and d/g");
  EXPECT_EQ(Published(), (Files{{"f", b_}, {"d/g", a_}}));
}

TEST_F(CommitPlanTest, ExchangesAFileAndADirectory) {
  PlanOn({{"f", a_}, {"d/g", b_}, {"d/h", c_}});
  PublishRename exchange{Path("f"), Path("d"), {}, {}, true, {}, false};
  EXPECT_EQ(Rename(exchange).kind, Kind::kPublished);
  EXPECT_EQ(Published(), (Files{{"d", a_}, {"f/g", b_}, {"f/h", c_}}));
}

TEST_F(CommitPlanTest, ChecksBothSidesOfAnExchange) {
  PlanOn({{"f", a_}, {"g", b_}});
  EXPECT_EQ(Rename(PublishRename{Path("f"), Path("g"), On(c_), {}, true, {}, false}).kind, Kind::kRefused);
  EXPECT_EQ(Rename(PublishRename{Path("f"), Path("g"), On(b_), {}, true, On(c_), false}).kind, Kind::kRefused);
  const Outcome gone = Rename(PublishRename{Path("f"), Path("never"), {}, {}, true, {}, false});
  EXPECT_EQ(gone.kind, Kind::kFailed);
  EXPECT_EQ(gone.error.code, Code::kNotFound);
  EXPECT_EQ(Rename(PublishRename{Path("never"), Path("f"), {}, {}, true, {}, false}).kind, Kind::kFailed);
  ExpectNothingLeftBehind();
}

TEST_F(CommitPlanTest, LetsAWorkingCopyFollowTheRenamesOfItsPlan) {  // R9
  PlanOn({{"d/f", a_}, {"g", a_}});
  ASSERT_EQ(Rename("d/f", "d/f2").kind, Kind::kPublished);
  ASSERT_EQ(Rename("d", "e").kind, Kind::kPublished);
  const Outcome follows = Change("d/f", a_, b_, true);
  EXPECT_EQ(follows.kind, Kind::kPublished);
  EXPECT_EQ(follows.path.text(), "e/f2");
  EXPECT_EQ(Change("d/f", a_, b_).kind, Kind::kRefused) << "what does not follow finds its name gone";
  EXPECT_EQ(Change("g", a_, b_, true).path.text(), "g");
  EXPECT_EQ(Published(), (Files{{"e/f2", b_}, {"g", b_}}));
}

TEST_F(CommitPlanTest, FollowsNoRenameThatWasRefused) {
  PlanOn({{"f", a_}, {"g", a_}});
  ASSERT_EQ(Rename("f", "g").kind, Kind::kRefused);
  const Outcome outcome = Change("f", a_, b_, true);
  EXPECT_EQ(outcome.path.text(), "f");
  EXPECT_EQ(outcome.kind, Kind::kPublished);
}

TEST_F(CommitPlanTest, FollowsARenameThatHistoryDidNotSee) {
  PlanOn({{"f", a_}});
  ASSERT_EQ(Rename("new", "newer").kind, Kind::kUnchanged);
  const Outcome outcome = Change("new", std::nullopt, b_, true);
  EXPECT_EQ(outcome.path.text(), "newer");
  EXPECT_EQ(outcome.kind, Kind::kPublished);
}

TEST_F(CommitPlanTest, GivesTheRequestBackWithThePathAsDecided) {
  PlanOn({{"f", a_}});
  ASSERT_EQ(Rename("f", "g").kind, Kind::kPublished);
  const auto context = std::make_shared<RequestContext>();
  const Decided decided = plan_->Decide({PublishChange{Path("f"), On(a_), b_, true}, "andrew", "", "", context});
  EXPECT_EQ(decided.request.context, context);
  EXPECT_EQ(std::get<PublishChange>(decided.request.action).path.text(), "g");
}

TEST_F(CommitPlanTest, FailsForAPathThatCannotBeReadAndForThatAlone) {
  PlanOn({{"d/f", a_}, {"g", a_}});
  store_.Damage((*trees_.Find(head_.root, Path("d")))->id);
  TreeReader fresh(store_);
  plan_.emplace(fresh, head_, 5000);
  const Outcome failed = Change("d/f", a_, b_);
  EXPECT_EQ(failed.kind, Kind::kFailed);
  EXPECT_EQ(failed.error.code, Code::kCorrupt);
  EXPECT_EQ(Rename("d/f", "h").kind, Kind::kFailed);
  EXPECT_EQ(Rename("g", "d/g").kind, Kind::kFailed);
  EXPECT_EQ(Change("g", a_, b_).kind, Kind::kPublished);
  EXPECT_EQ(Rename("d", "e").kind, Kind::kPublished) << "which needs nobody to look into it";
}

TEST_F(CommitPlanTest, GivesItsTreesToTheReaderOnceTheyArePublished) {
  PlanOn({{"f", a_}});
  ASSERT_EQ(Change("d/g", std::nullopt, b_).kind, Kind::kPublished);
  EXPECT_FALSE(trees_.Load(plan_->tip().root)) << "they are nowhere yet";
  plan_->KeepTrees();
  EXPECT_TRUE(trees_.Load(plan_->tip().root));
}

}  // namespace
}  // namespace concordfs::vcs
