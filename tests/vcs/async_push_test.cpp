// RemoteStore under PushMode::kAsync, with its Backlog and what Replay decides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <thread>

#include "tests/model/branch.h"
#include "tests/support/expect_result.h"
#include "tests/support/fake_remote.h"
#include "tests/support/memory_store.h"
#include "tests/support/paths.h"
#include "vcs/commit_plan.h"
#include "vcs/parking.h"
#include "vcs/remote_store.h"

namespace concordfs::vcs {
namespace {

using testing::Branch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kMain;
using testing::PastCommit;
using ::testing::SizeIs;

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;
using Step = FakeRemote::Step;

// A remote whose branch has one commit, and a repository that has it, too.
class AsyncPush : public ::testing::Test {
 protected:
  AsyncPush() {
    start_ = there_.Commit({{"f", there_.Blob("0")}, {"d/g", there_.Blob("0")}}).commit;
    Reopen();
    EXPECT_TRUE(store_->Sync().ok());
  }

  RemoteStoreOptions Options() {
    RemoteStoreOptions options;
    options.ref = kMain;
    options.seen_ref = "refs/concordfs/remote/main";
    options.first_pause = 1ms;
    options.fetch_period = 1h;
    options.push = PushMode::kAsync;
    options.on_lost = [this](const LostWork& work) { lost_.push_back(work.agent + ": " + work.path.text()); };
    return options;
  }
  void Reopen() { Reopen(Options()); }
  void Reopen(RemoteStoreOptions options) { store_.emplace(ours_, remote_, std::move(options)); }

  // One close of an agent that stands on what is here.
  Result<void> Commit(const std::string& agent, const std::function<CommitRequest(const Head&)>& request) {
    TreeReader trees(*store_);
    const Head head = here_.Tip();
    CommitPlan plan(trees, head, ++time_);
    CommitRequest wanted = request(head);
    wanted.agent = agent;
    wanted.process = "7 test";
    EXPECT_EQ(plan.Decide(wanted).outcome.kind, Outcome::Kind::kPublished);
    return store_->Publish({plan.objects(), kMain, head.commit, plan.tip().commit, "test", plan.stored()});
  }
  Result<void> Write(const std::string& agent, const std::string& path, const std::optional<std::string>& content) {
    return Commit(agent, [&](const Head& head) {
      const MaybeVersion wanted = content ? MaybeVersion(here_.Blob(*content)) : MaybeVersion();
      CommitRequest request;
      request.action = PublishChange{*RepoPath::Parse(path), Base{here_.At(path), head.commit}, wanted};
      return request;
    });
  }
  Result<void> Rename(const std::string& agent, const std::string& from, const std::string& to) {
    return Commit(agent, [&](const Head& head) {
      CommitRequest request;
      request.action = PublishRename{
          *RepoPath::Parse(from), *RepoPath::Parse(to), Base{here_.At(to), head.commit}, {}, false, {}, true};
      return request;
    });
  }
  void ExpectInStep() { EXPECT_EQ(here_.Tip().commit, there_.Tip().commit); }
  std::string There(const std::string& path) {
    const MaybeVersion version = there_.At(path);
    return version ? there_.Content(version) : "absent";
  }
  std::vector<Parked> ParkedHere() { return *Parking::List(ours_); }
  // "agent: path: base content -> content", by time.
  std::vector<std::string> ParkedChanges() {
    std::vector<std::string> changes;
    for (const Parked& parked : ParkedHere()) {
      const auto text = [&](const ObjectId& commit) {
        const testing::Files files = here_.FilesOf(commit);
        const auto found = files.find(parked.path);
        return found == files.end() ? "absent" : here_.Content(found->second);
      };
      changes.push_back(parked.agent + ": " + parked.path + ": " + text(parked.parent) + " -> " + text(parked.commit));
    }
    return changes;
  }

  MemoryStore theirs_;
  MemoryStore ours_;
  Branch there_{theirs_};
  Branch here_{ours_};
  FakeRemote remote_{theirs_, ours_, kMain};
  std::vector<std::string> lost_;
  std::optional<RemoteStore> store_;
  ObjectId start_;
  std::int64_t time_ = 1000;
};

TEST_F(AsyncPush, AcknowledgesWhileTheRemoteIsAwayAndPushesWhenItIsBack) {
  remote_.Always(Step::kUnreachable);
  ASSERT_OK(Write("andrew", "f", "1"));
  ASSERT_OK(Write("andrew", "f", "2"));
  EXPECT_CODE(store_->Sync(), Code::kUnreachable);
  EXPECT_EQ(store_->status().backlog->waiting, 2U);
  EXPECT_GT(store_->status().backlog->oldest_s, 0);
  EXPECT_EQ(store_->PushOut(), 2U);
  remote_.Always({});
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(There("f"), "2");
  EXPECT_EQ(store_->status().backlog->waiting, 0U);
  EXPECT_EQ(remote_.pushes(), 1) << "all that waited goes at once";
}

TEST_F(AsyncPush, PushesByItself) {
  std::mutex mutex;
  std::condition_variable changed;
  int calls = 0;
  remote_.Script({Step::kUnreachable, Step::kUnreachable});  // and then it goes well
  remote_.BeforeEach([&] {
    const std::lock_guard lock(mutex);
    ++calls;
    changed.notify_all();
  });
  store_->StartFollowing();
  ASSERT_OK(Write("andrew", "f", "1"));
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return calls >= 4; });  // two failures, a look, a push
  }
  store_->Stop();
  remote_.BeforeEach({});
  ExpectInStep();
  EXPECT_EQ(There("f"), "1");
}

TEST_F(AsyncPush, TakesNoMoreThanItIsAllowedToKeep) {
  RemoteStoreOptions options = Options();
  options.push_backlog = 2;
  Reopen(options);
  remote_.Always(Step::kUnreachable);
  ASSERT_OK(Write("andrew", "f", "1"));
  ASSERT_OK(Write("andrew", "f", "2"));
  const auto refused = Write("andrew", "f", "3");
  EXPECT_CODE(refused, Code::kUnreachable);
  EXPECT_THAT(refused.error().message, HasSubstr("2 commits wait"));
  remote_.Always(Step::kNoAccess);
  EXPECT_CODE(store_->Sync(), Code::kAccess);
  EXPECT_CODE(Write("andrew", "f", "3"), Code::kAccess);
  remote_.Always({});
  ASSERT_OK(store_->Sync());
  ASSERT_OK(Write("andrew", "f", "3"));
}

TEST_F(AsyncPush, LosesNothingWhereOthersChangedOtherFiles) {
  ASSERT_OK(Write("andrew", "f", "1"));
  ASSERT_OK(Write("andrew", "new/x", "1"));
  const ObjectId theirs = there_.Commit({{"d/g", there_.Blob("theirs")}, {"new/y", there_.Blob("theirs")}}).commit;
  const auto before = *vcs::Commit::Parse(*ours_.Read(here_.Tip().commit, ObjectKind::kCommit));
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_TRUE(*theirs_.Contains(there_.Tip().commit, theirs));
  EXPECT_EQ(There("f") + There("d/g") + There("new/x") + There("new/y"), "1theirs1theirs");
  const auto after = *vcs::Commit::Parse(*ours_.Read(here_.Tip().commit, ObjectKind::kCommit));
  EXPECT_EQ(after.message, before.message);
  EXPECT_EQ(after.author.name, before.author.name);
  EXPECT_EQ(after.author.time_s, before.author.time_s);
  EXPECT_EQ(after.parents.size(), 1U);
  EXPECT_THAT(ParkedHere(), IsEmpty());
  EXPECT_EQ(store_->Now(start_), start_);
  EXPECT_EQ(there_.History().size(), 4U);
}

TEST_F(AsyncPush, ParksWhatLosesAndKeepsTheWinner) {
  ASSERT_OK(Write("andrew", "f", "ours"));
  const ObjectId ours = here_.Tip().commit;
  there_.Commit({{"f", there_.Blob("theirs")}}, "benson");
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(There("f"), "theirs");
  EXPECT_THAT(ParkedChanges(), ElementsAre("andrew: f: 0 -> ours"));
  const Parked parked = ParkedHere()[0];
  EXPECT_EQ(parked.parent, start_);
  EXPECT_EQ(parked.winner, "benson");
  EXPECT_EQ(parked.process, "7 test");
  EXPECT_EQ(parked.id, ours.Hex().substr(0, 12));
  EXPECT_THAT(lost_, ElementsAre("andrew: f"));
  EXPECT_EQ(store_->status().backlog->lost, 1U);
  const auto told = store_->TakeLost();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].ref, parked.ref);
  EXPECT_THAT(store_->TakeLost(), IsEmpty());
  EXPECT_EQ(store_->Now(ours), parked.commit);
}

TEST_F(AsyncPush, LosesAChainOnOnePathAsAWholeAndNothingElse) {
  ASSERT_OK(Write("andrew", "f", "1"));
  ASSERT_OK(Write("benson", "d/g", "benson's"));
  ASSERT_OK(Write("andrew", "f", "2"));
  ASSERT_OK(Write("caren", "f", "3"));
  ASSERT_OK(Write("benson", "d/g", "benson's, too"));
  there_.Commit({{"f", there_.Blob("theirs")}});
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(There("f"), "theirs");
  EXPECT_EQ(There("d/g"), "benson's, too");
  EXPECT_EQ(there_.History().size(), 4U) << "two of Benson's";
  EXPECT_THAT(ParkedChanges(), ElementsAre("andrew: f: 0 -> 1", "andrew: f: 1 -> 2", "caren: f: 2 -> 3"));
  const auto parked = ParkedHere();
  EXPECT_EQ(parked[1].parent, parked[0].commit);
  EXPECT_EQ(parked[2].parent, parked[1].commit);
}

TEST_F(AsyncPush, TakesWhatStandsOnWhatLostForLostThoughTheVersionIsThereAgain) {
  ASSERT_OK(Write("andrew", "f", "1"));
  ASSERT_OK(Write("andrew", "f", "theirs"));
  ASSERT_OK(Write("andrew", "f", "3"));
  there_.Commit({{"f", there_.Blob("theirs")}});
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(There("f"), "theirs");
  EXPECT_THAT(ParkedHere(), SizeIs(3));
}

TEST_F(AsyncPush, LosesDeletionsAndRenames) {
  ASSERT_OK(Write("andrew", "f", std::nullopt));
  ASSERT_OK(Rename("benson", "d/g", "d/h"));
  there_.Commit({{"f", there_.Blob("theirs")}, {"d/g", there_.Blob("theirs")}});
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(There("f") + There("d/g") + There("d/h"), "theirstheirsabsent");
  EXPECT_THAT(ParkedChanges(), ElementsAre("andrew: f: 0 -> absent", "benson: d/h: absent -> 0"));
  EXPECT_FALSE(here_.FilesOf(ParkedHere()[1].commit).contains("d/g")) << "all that the rename did";
  EXPECT_THAT(lost_, ElementsAre("andrew: f", "benson: d/h"));
}

TEST_F(AsyncPush, ReplaysRenamesOfWhatNobodyTouched) {
  ASSERT_OK(Rename("benson", "d/g", "e/h"));
  there_.Commit({{"f", there_.Blob("theirs")}});
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(There("d/g") + There("e/h"), "absent0");
}

TEST_F(AsyncPush, LosesToAFileInADirectorysPlaceAndTheOtherWayRound) {
  ASSERT_OK(Write("andrew", "x/y", "ours"));
  ASSERT_OK(Write("andrew", "z", "ours"));
  there_.Commit({{"x", there_.Blob("theirs")}, {"z/y", there_.Blob("theirs")}});
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(There("x") + There("z/y"), "theirstheirs");
  EXPECT_THAT(ParkedChanges(), ElementsAre("andrew: x/y: absent -> ours", "andrew: z: absent -> ours"));
}

TEST_F(AsyncPush, AgreesWithWhatWasMadeOrRemovedAlike) {
  ASSERT_OK(Write("andrew", "new", "same"));
  ASSERT_OK(Write("andrew", "f", std::nullopt));
  ASSERT_OK(Write("andrew", "new", "and on"));
  there_.Commit({{"new", there_.Blob("same")}, {"f", std::nullopt}});
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(There("new"), "and on") << "made on a version that is there";
  EXPECT_THAT(ParkedHere(), IsEmpty());
  EXPECT_EQ(there_.History().size(), 3U);
}

TEST_F(AsyncPush, DoesNotAgreeWithTheSameBytesMadeFromAnOlderVersion) {
  ASSERT_OK(Write("andrew", "f", "6"));  // of 5, both of them: together they mean 7
  there_.Commit({{"f", there_.Blob("6")}});
  ASSERT_OK(store_->Sync());
  EXPECT_THAT(ParkedHere(), SizeIs(1));
}

TEST_F(AsyncPush, SaysDivergedWhereThereIsAMergeAndLosesNothing) {
  ASSERT_OK(Write("andrew", "f", "1"));
  const ObjectId tip = here_.Tip().commit;
  const ObjectId side = here_.AddCommit({{"side", here_.Blob("s")}}, {start_}, "dora").commit;
  const ObjectId merge = here_.AddCommit(here_.FilesOf(tip), {tip, side}, "dora").commit;
  ours_.ForceRef(kMain, merge);
  const ObjectId theirs = there_.Commit({{"d/g", there_.Blob("theirs")}}).commit;
  EXPECT_CODE(store_->Sync(), Code::kReadOnly);
  EXPECT_EQ(store_->status().condition, RemoteCondition::kDiverged);
  EXPECT_EQ(here_.Tip().commit, merge);
  EXPECT_EQ(there_.Tip().commit, theirs);
}

TEST_F(AsyncPush, ReplaysWhatCameIntoTheRepositoryPastTheMount) {
  here_.Commit({{"g", here_.Blob("git push")}}, "dora");
  here_.Commit({{"f", here_.Blob("git push")}}, "dora");
  there_.Commit({{"f", there_.Blob("theirs")}});
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(There("g") + There("f"), "git pushtheirs");
  EXPECT_EQ(there_.History().back().commit.author.name, "dora");
  EXPECT_THAT(ParkedChanges(), ElementsAre("outside: f: 0 -> git push"));
}

TEST_F(AsyncPush, TakesWhatComesMeanwhileAlong) {
  ASSERT_OK(Write("andrew", "f", "1"));
  there_.Commit({{"f", there_.Blob("theirs")}});
  // Between what was decided and the move, somebody pushes into the repository; and later the remote is ahead again.
  ours_.SetBeforeSwap([&](const Publication& local) {
    if (local.ref != kMain || local.reason != "concordfs: replay") return;
    ours_.SetBeforeSwap({});
    here_.Commit({{"d/g", here_.Blob("meanwhile")}}, "dora");
    there_.Commit({{"more", there_.Blob("theirs")}});
  });
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(There("f") + There("d/g") + There("more"), "theirsmeanwhiletheirs");
  EXPECT_THAT(ParkedHere(), SizeIs(1)) << "parked once, though it was decided twice";
  EXPECT_THAT(store_->TakeLost(), SizeIs(1));
  EXPECT_THAT(lost_, SizeIs(1));
}

// An agent publishes all the time: once for each few commits that can be made again in this time, and so always before
// all of them are.
TEST_F(AsyncPush, CatchesUpThoughAnAgentGoesOn) {
  constexpr int kBacklog = 100;
  constexpr std::uint64_t kOperations = 40;  // of the store, until the agent publishes again
  FailingStore counting(ours_);
  store_.emplace(counting, remote_, Options());
  for (int i = 1; i <= kBacklog; ++i) ASSERT_OK(Write("andrew", "f", std::to_string(i)));
  std::counting_semaphore<> turns(0);
  std::atomic<std::uint64_t> operations = 0;
  const std::function<void()> count = [&] {
    if (++operations % kOperations == 0) turns.release();
    counting.InNext(count);
  };
  counting.InNext(count);
  std::atomic<bool> stop = false;
  std::size_t published = 0;
  std::thread agent([&] {
    for (turns.acquire(); !stop; turns.acquire()) {
      const auto done = Write("benson", "own", std::to_string(published));
      if (done) ++published;
      if (!done) EXPECT_CODE(done, Code::kRefMoved);
    }
  });
  for (int i = 0; i < 5; ++i) {
    there_.Commit({{"d/g", there_.Blob(std::to_string(i))}});
    EXPECT_TRUE(store_->Sync().ok());
  }
  stop = true;
  turns.release();
  agent.join();
  counting.InNext({});
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_GE(published, 5U);
  EXPECT_EQ(There("f") + There("d/g") + There("own"), std::to_string(kBacklog) + "4" + std::to_string(published - 1));
  EXPECT_EQ(there_.History().size(), 1U + kBacklog + 5 + published);
  EXPECT_THAT(ParkedHere(), IsEmpty());
}

TEST_F(AsyncPush, PushesVeryMuchPartByPart) {
  constexpr int kCommits = 2'001;
  for (int i = 0; i < kCommits; ++i) here_.Commit({{"f", here_.Blob(std::to_string(i))}});
  const int before = remote_.pushes();
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(remote_.pushes() - before, 2);
  EXPECT_EQ(store_->status().backlog->waiting, 0U);
}

// The rest of it comes to the remote by somebody else, who has the same repository.
TEST_F(AsyncPush, HasNothingMoreToPushWhenOthersPushedTheRest) {
  constexpr int kCommits = 2'001;
  for (int i = 0; i < kCommits; ++i) here_.Commit({{"f", here_.Blob(std::to_string(i))}});
  FakeRemote another(theirs_, ours_, kMain);
  int calls = 0;
  remote_.BeforeEach([&] {
    if (++calls == 3) {  // a fetch and a push of ours were before
      EXPECT_TRUE(another.Push({{}, kMain, there_.Tip().commit, here_.Tip().commit, "another"}).ok());
    }
    ASSERT_LT(calls, 10);
  });
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(calls, 3);
  ExpectInStep();
}

TEST_F(AsyncPush, GoesOnAskingWhereItMayPushNothing) {
  here_.Commit({{"f", here_.Blob("ours")}});
  RemoteStoreOptions options = Options();
  options.read_only = true;
  options.fetch_period = 1ms;
  Reopen(options);
  store_->StartFollowing();
  const int before = remote_.fetches();
  const auto end = std::chrono::steady_clock::now() + 20'000ms;
  while (remote_.fetches() < before + 4 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  store_->Stop();
  EXPECT_GE(remote_.fetches(), before + 4);
  EXPECT_EQ(there_.Tip().commit, start_);
}

TEST_F(AsyncPush, PushesAMergeWithTheRemotesBranchWhole) {
  ASSERT_OK(Write("andrew", "f", "1"));
  const ObjectId theirs = there_.Commit({{"d/g", there_.Blob("theirs")}}).commit;
  remote_.Script({Step::kGoesWell, Step::kUnreachable});
  EXPECT_CODE(store_->Sync(), Code::kUnreachable);  // it is fetched
  const ObjectId ours = here_.AddCommit({{"f", here_.Blob("1")}, {"d/g", here_.Blob("0")}}, {start_}, "dora").commit;
  const ObjectId merge =
      here_.AddCommit({{"f", here_.Blob("1")}, {"d/g", here_.Blob("theirs")}}, {ours, theirs}, "dora").commit;
  ours_.ForceRef(kMain, merge);
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(there_.Tip().commit, merge);
}

TEST_F(AsyncPush, FindsWhatLandedThoughTheAnswerWasLost) {
  ASSERT_OK(Write("andrew", "f", "1"));
  remote_.Script({Step::kGoesWell, Step::kAnswerLost});
  EXPECT_CODE(store_->Sync(), Code::kInDoubt);
  ASSERT_OK(Write("andrew", "f", "2"));
  there_.Commit({{"d/g", there_.Blob("on top")}});
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(There("f"), "2");
  EXPECT_EQ(there_.History().size(), 4U) << "nothing twice";
  EXPECT_THAT(ParkedHere(), IsEmpty());
}

TEST_F(AsyncPush, PushesOverNothingThatWasRewound) {
  ASSERT_OK(Write("andrew", "f", "1"));
  ASSERT_OK(store_->Sync());
  theirs_.ForceRef(kMain, start_);
  ASSERT_OK(Write("andrew", "f", "2"));  // acknowledged all the same
  EXPECT_CODE(store_->Sync(), Code::kReadOnly);
  EXPECT_EQ(store_->status().condition, RemoteCondition::kRewound);
  EXPECT_EQ(store_->status().backlog->waiting, 1U);
  EXPECT_EQ(there_.Tip().commit, start_);
}

TEST_F(AsyncPush, KeepsWhereItIsParkedWhenItIsReplayedOnceMore) {
  ASSERT_OK(Write("andrew", "f", "1"));
  const ObjectId first = here_.Tip().commit;
  there_.Commit({{"more", there_.Blob("theirs")}});
  remote_.Script({Step::kGoesWell, Step::kUnreachable});  // replayed, and not pushed
  EXPECT_CODE(store_->Sync(), Code::kUnreachable);
  EXPECT_NE(store_->Now(first), first);
  EXPECT_EQ(store_->Now(first), here_.Tip().commit);
  there_.Commit({{"f", there_.Blob("theirs")}});
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(store_->Now(first), ParkedHere()[0].commit);
}

// With so many commits more. Many are made again while publications go on, few at once.
class KilledReplay : public AsyncPush, public ::testing::WithParamInterface<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Of, KilledReplay, ::testing::Values(0, 20),
                         [](const auto& test) { return "FewAnd" + std::to_string(test.param); });

// The local store ends, as by kill -9, at the n-th operation from a replay on; the next mount goes on from what is
// there.
TEST_P(KilledReplay, LosesNothing) {
  for (std::uint64_t n = 1; n < 1'000; ++n) {
    MemoryStore theirs;
    MemoryStore ours;
    Branch there(theirs);
    Branch here(ours);
    FakeRemote remote(theirs, ours, kMain);
    there.Commit({{"f", there.Blob("0")}, {"g", there.Blob("0")}});
    FailingStore failing(ours);
    RemoteStoreOptions options = Options();
    options.on_lost = {};
    std::optional<RemoteStore> store(std::in_place, failing, remote, options);
    ASSERT_OK(store->Sync());
    here.Commit({{"f", here.Blob("lost")}});
    here.Commit({{"g", here.Blob("kept")}});
    for (std::size_t i = 0; i < GetParam(); ++i) here.Commit({{"g", here.Blob("kept " + std::to_string(i))}});
    here.Commit({{"f", here.Blob("lost, too")}});
    there.Commit({{"f", there.Blob("theirs")}});
    failing.FailFrom(n, Code::kIo);
    const bool done = store->Sync().ok();
    failing.Heal();
    store.emplace(ours, remote, options);
    ASSERT_OK(store->Sync());
    EXPECT_EQ(here.Tip().commit, there.Tip().commit) << n;
    EXPECT_EQ(there.Content(there.At("f")) + there.Content(there.At("g")),
              "theirskept" + (GetParam() > 0 ? " " + std::to_string(GetParam() - 1) : ""))
        << n;
    EXPECT_EQ(there.History().size(), 3U + GetParam()) << n;
    EXPECT_THAT(*Parking::List(ours), SizeIs(2)) << n;
    if (done) return;
  }
  FAIL() << "it never got through";
}

TEST_F(AsyncPush, DoesNotTryForEverWhereTheBranchIsLocked) {
  ASSERT_OK(Write("andrew", "f", "1"));
  remote_.Always(Step::kLocked);
  const auto synced = store_->Sync();
  EXPECT_CODE(synced, Code::kUnreachable);
  EXPECT_THAT(synced.error().message, HasSubstr("doesn't move"));
  EXPECT_LT(remote_.fetches(), 10);
  remote_.Always({});
  ASSERT_OK(store_->Sync());
  ExpectInStep();
}

TEST_F(AsyncPush, TriesOnceOnTheWayOut) {
  ASSERT_OK(Write("andrew", "f", "1"));
  remote_.Always(Step::kUnreachable);
  EXPECT_EQ(store_->PushOut(), 1U);
  const auto failures = store_->status().failures;
  EXPECT_EQ(store_->PushOut(), 1U);
  EXPECT_EQ(store_->status().failures, failures);
  remote_.Always({});
  ASSERT_OK(Write("andrew", "f", "2"));
  EXPECT_EQ(store_->PushOut(), 0U);
  ExpectInStep();
}

}  // namespace
}  // namespace concordfs::vcs
