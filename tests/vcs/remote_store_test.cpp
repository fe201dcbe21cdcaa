#include "vcs/remote_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/model/branch.h"
#include "tests/support/expect_result.h"
#include "tests/support/fake_remote.h"
#include "tests/support/memory_store.h"
#include "tests/support/paths.h"

namespace concordfs::vcs {
namespace {

using testing::Branch;
using ::testing::HasSubstr;
using testing::kMain;
using testing::PastCommit;

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;
using Step = FakeRemote::Step;

constexpr char kSeen[] = "refs/concordfs/remote/main";

// A remote whose branch has one commit, and a repository that has it, too.
class RemoteStoreTest : public ::testing::Test {
 protected:
  RemoteStoreTest() {
    start_ = there_.Commit({{"f", there_.Blob("0")}}).commit;
    EXPECT_TRUE(store_->Sync().ok());
  }

  static RemoteStoreOptions Options() {
    RemoteStoreOptions options;
    options.ref = kMain;
    options.seen_ref = kSeen;
    options.patience = 0ms;  // one attempt
    options.first_pause = 1ms;
    return options;
  }
  void Reopen(RemoteStoreOptions options = Options()) { store_.emplace(ours_, remote_, std::move(options)); }
  // A commit that changes `path` on top of the local branch, stored by nobody yet but for its blob.
  Publication Change(const std::string& path, const std::string& content) {
    const ObjectId parent = here_.Tip().commit;
    testing::Files files = here_.FilesOf(parent);
    files[path] = here_.Blob(content);
    Publication publication;
    publication.ref = kMain;
    publication.expected = parent;
    publication.tip = here_.AddCommit(files, {parent}, "agent").commit;
    return publication;
  }
  RemoteCondition Condition() { return store_->status().condition; }
  void ExpectInStep() { EXPECT_EQ(here_.Tip().commit, there_.Tip().commit); }
  // How often the remote's history has a commit.
  int TimesThere(const ObjectId& commit) {
    int times = 0;
    for (const PastCommit& past : there_.History()) times += past.id == commit ? 1 : 0;
    return times;
  }

  MemoryStore theirs_;
  MemoryStore ours_;
  Branch there_{theirs_};
  Branch here_{ours_};
  FakeRemote remote_{theirs_, ours_, kMain};
  std::optional<RemoteStore> store_{std::in_place, ours_, remote_, Options()};
  ObjectId start_;
};

TEST_F(RemoteStoreTest, MakesTheLocalBranchWhereThereIsNone) {
  EXPECT_EQ(here_.Tip().commit, start_);
  EXPECT_EQ(Condition(), RemoteCondition::kUpToDate);
  EXPECT_EQ(*ours_.ReadRef(kSeen), start_);
}

TEST_F(RemoteStoreTest, PublishesThereFirst) {
  const Publication change = Change("f", "1");
  ours_.SetBeforeSwap(
      [&](const Publication& local) { EXPECT_TRUE(local.ref != kMain || there_.Tip().commit == change.tip); });
  ASSERT_OK(store_->Publish(change));
  ours_.SetBeforeSwap({});
  ExpectInStep();
  EXPECT_EQ(here_.Tip().commit, change.tip);
  EXPECT_EQ(store_->status().pushes, 1U);
}

TEST_F(RemoteStoreTest, KeepsOtherRefsHere) {
  Publication parked = Change("f", "parked");
  parked.ref = "refs/concordfs/rejected/andrew/1";
  parked.expected.reset();
  ASSERT_OK(store_->Publish(parked));
  EXPECT_EQ(remote_.pushes(), 0);
  EXPECT_EQ(there_.Tip().commit, start_);
}

TEST_F(RemoteStoreTest, FollowsARemoteThatIsAheadAndSaysThatTheBranchMoved) {
  const Publication change = Change("f", "1");
  const ObjectId winner = there_.Commit({{"g", there_.Blob("theirs")}}).commit;
  EXPECT_CODE(store_->Publish(change), Code::kRefMoved);
  EXPECT_EQ(here_.Tip().commit, winner);
  ExpectInStep();
  ASSERT_OK(store_->Publish(Change("f", "1")));
  ExpectInStep();
  EXPECT_EQ(store_->status().refused, 1U);
}

TEST_F(RemoteStoreTest, IsDeclinedInTheRemotesWordsAndMovesNothing) {
  remote_.Script({Step::kDeclined});
  const auto published = store_->Publish(Change("f", "1"));
  EXPECT_CODE(published, Code::kDeclined);
  EXPECT_THAT(published.error().message, HasSubstr("the hook says no"));
  EXPECT_EQ(here_.Tip().commit, start_);
  EXPECT_EQ(Condition(), RemoteCondition::kDeclined);
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(Condition(), RemoteCondition::kDeclined) << "until something lands";
  ASSERT_OK(store_->Publish(Change("f", "1")));
  EXPECT_EQ(Condition(), RemoteCondition::kUpToDate);
}

TEST_F(RemoteStoreTest, TakesARaceForWhatItIsWhateverTheRemoteCallsIt) {
  const Publication change = Change("f", "1");
  there_.Commit({{"g", there_.Blob("theirs")}});
  remote_.Script({Step::kDeclined});  // "cannot lock ref", say
  EXPECT_CODE(store_->Publish(change), Code::kRefMoved);
  ExpectInStep();
}

TEST_F(RemoteStoreTest, IsNotLetIn) {
  remote_.Always(Step::kNoAccess);
  EXPECT_CODE(store_->Publish(Change("f", "1")), Code::kAccess);
  EXPECT_EQ(Condition(), RemoteCondition::kNoAccess);
  EXPECT_CODE(store_->Sync(), Code::kAccess);
}

TEST_F(RemoteStoreTest, IsUnreachableAndComesBack) {
  const Publication change = Change("f", "1");
  remote_.Always(Step::kUnreachable);
  EXPECT_CODE(store_->Publish(change), Code::kUnreachable);
  EXPECT_CODE(store_->Sync(), Code::kUnreachable);
  EXPECT_EQ(Condition(), RemoteCondition::kUnreachable);
  EXPECT_EQ(here_.Tip().commit, start_);
  EXPECT_TRUE(store_->Read(start_, ObjectKind::kCommit).ok()) << "what is here can be read";
  remote_.Always({});
  ASSERT_OK(store_->Publish(change));
  ExpectInStep();
  EXPECT_EQ(Condition(), RemoteCondition::kUpToDate);
}

TEST_F(RemoteStoreTest, TriesAgainWhilePatient) {
  RemoteStoreOptions options = Options();
  options.patience = 1h;
  Reopen(options);
  remote_.Script({Step::kUnreachable, Step::kUnreachable, Step::kUnreachable});
  ASSERT_OK(store_->Publish(Change("f", "1")));
  EXPECT_EQ(store_->status().failures, 3U);
  ExpectInStep();
}

TEST_F(RemoteStoreTest, FindsWhatLandedThoughTheAnswerWasLost) {
  const Publication change = Change("f", "1");
  remote_.Script({Step::kAnswerLost});
  ASSERT_OK(store_->Publish(change));
  ExpectInStep();
  EXPECT_EQ(remote_.pushes(), 1) << "looked up, not pushed again";
  EXPECT_EQ(TimesThere(change.tip), 1);
}

TEST_F(RemoteStoreTest, FindsItAlsoBelowWhatCameOnTopOfIt) {
  const Publication change = Change("f", "1");
  remote_.Script({Step::kAnswerLost});
  int calls = 0;
  remote_.BeforeEach([&] {
    if (++calls == 2) there_.Commit({{"g", there_.Blob("on top")}});
  });
  ASSERT_OK(store_->Publish(change));
  ExpectInStep();
  EXPECT_NE(here_.Tip().commit, change.tip);
  EXPECT_EQ(TimesThere(change.tip), 1);
  EXPECT_EQ(remote_.pushes(), 1);
}

TEST_F(RemoteStoreTest, PushesAgainWhatDidNotLand) {
  RemoteStoreOptions options = Options();
  options.patience = 1h;
  Reopen(options);
  const Publication change = Change("f", "1");
  remote_.Script({Step::kCutInTheMiddle, Step::kUnreachable, Step::kGoesWell});
  ASSERT_OK(store_->Publish(change));
  ExpectInStep();
  EXPECT_EQ(remote_.pushes(), 1);
}

TEST_F(RemoteStoreTest, DecidesNothingAboutWhatItCannotLookUp) {
  const Publication change = Change("f", "1");
  remote_.Script({Step::kAnswerLost, Step::kUnreachable});
  EXPECT_CODE(store_->Publish(change), Code::kInDoubt);
  EXPECT_EQ(here_.Tip().commit, start_);
  EXPECT_EQ(there_.Tip().commit, change.tip);
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(remote_.pushes(), 1);
}

TEST_F(RemoteStoreTest, StaysInDoubtWhateverComesAfter) {
  RemoteStoreOptions options = Options();
  options.patience = 1h;
  Reopen(options);
  for (const Step last : {Step::kDeclined, Step::kNoAccess}) {
    remote_.Script({Step::kHappensLater, Step::kGoesWell, last, Step::kGoesWell});
    EXPECT_CODE(store_->Publish(Change("f", "1")), Code::kInDoubt);
  }
}

TEST_F(RemoteStoreTest, TriesOnceMoreAtARemoteThatAnswersThoughTheTimeIsUp) {
  const Publication change = Change("f", "1");
  remote_.Script({Step::kCutInTheMiddle, Step::kGoesWell, Step::kGoesWell});
  ASSERT_OK(store_->Publish(change));
  ExpectInStep();
}

TEST_F(RemoteStoreTest, TriesNotForEverAtARemoteThatLosesEachPush) {
  remote_.Script({Step::kCutInTheMiddle, Step::kGoesWell, Step::kCutInTheMiddle, Step::kGoesWell, Step::kCutInTheMiddle,
                  Step::kGoesWell, Step::kCutInTheMiddle, Step::kGoesWell});
  EXPECT_CODE(store_->Publish(Change("f", "1")), Code::kInDoubt);
  EXPECT_EQ(here_.Tip().commit, start_);
}

TEST_F(RemoteStoreTest, LosesToItsOwnPushThatArrivesLate) {
  const Publication first = Change("f", "1");
  remote_.Script({Step::kHappensLater, Step::kUnreachable});
  EXPECT_CODE(store_->Publish(first), Code::kInDoubt);
  const Publication second = Change("f", "2");
  remote_.BeforeEach([&] { remote_.Deliver(); });
  EXPECT_CODE(store_->Publish(second), Code::kRefMoved);
  EXPECT_EQ(here_.Tip().commit, first.tip);
  ExpectInStep();
}

TEST_F(RemoteStoreTest, OverwritesNothingOfARewoundBranchAndGoesOnWhenItIsRepaired) {
  ASSERT_OK(store_->Publish(Change("f", "1")));
  const ObjectId lost = there_.Tip().commit;
  theirs_.ForceRef(kMain, start_);
  const auto published = store_->Publish(Change("f", "2"));
  EXPECT_CODE(published, Code::kReadOnly);
  EXPECT_THAT(published.error().message, HasSubstr(lost.Hex()));
  EXPECT_CODE(store_->Sync(), Code::kReadOnly);
  EXPECT_EQ(Condition(), RemoteCondition::kRewound);
  EXPECT_EQ(there_.Tip().commit, start_);
  EXPECT_EQ(here_.Tip().commit, lost);
  theirs_.ForceRef(kMain, lost);
  ASSERT_OK(store_->Publish(Change("f", "2")));
  ExpectInStep();
  EXPECT_EQ(Condition(), RemoteCondition::kUpToDate);
}

TEST_F(RemoteStoreTest, KnowsARewoundBranchAlsoAfterARestart) {
  ASSERT_OK(store_->Publish(Change("f", "1")));
  store_->Stop();
  theirs_.ForceRef(kMain, start_);
  Reopen();
  EXPECT_CODE(store_->Sync(), Code::kReadOnly);
  EXPECT_EQ(there_.Tip().commit, start_);
}

TEST_F(RemoteStoreTest, GivesUpWhatWasRewoundWhereTheLocalBranchIsSetBack) {
  ASSERT_OK(store_->Publish(Change("f", "1")));
  theirs_.ForceRef(kMain, start_);
  EXPECT_CODE(store_->Sync(), Code::kReadOnly);
  ours_.ForceRef(kMain, start_);
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(Condition(), RemoteCondition::kUpToDate);
  ASSERT_OK(store_->Publish(Change("f", "2")));
  ExpectInStep();
}

TEST_F(RemoteStoreTest, TakesABranchThatIsGoneForARewoundOne) {
  theirs_.ForceRef(kMain, {});
  EXPECT_CODE(store_->Publish(Change("f", "1")), Code::kReadOnly);
  EXPECT_EQ(Condition(), RemoteCondition::kRewound);
  EXPECT_EQ(*theirs_.ReadRef(kMain), std::nullopt);
}

TEST_F(RemoteStoreTest, MakesTheBranchOnARemoteThatNeverHadIt) {
  MemoryStore empty;
  FakeRemote remote(empty, ours_, kMain);
  ours_.ForceRef(kSeen, {});
  RemoteStore store(ours_, remote, Options());
  ASSERT_OK(store.Sync());
  EXPECT_EQ(*empty.ReadRef(kMain), start_);
}

TEST_F(RemoteStoreTest, PublishesWhatWasCommittedHereByOthers) {
  const ObjectId local = here_.Commit({{"g", here_.Blob("git commit")}}).commit;
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(there_.Tip().commit, local);
  const ObjectId more = here_.Commit({{"g", here_.Blob("again")}}).commit;
  ASSERT_OK(store_->Publish(Change("f", "1")));
  ExpectInStep();
  EXPECT_EQ(TimesThere(more), 1);
}

TEST_F(RemoteStoreTest, StopsWhereBothBranchesWentTheirOwnWay) {
  here_.Commit({{"g", here_.Blob("here")}});
  const ObjectId there = there_.Commit({{"g", there_.Blob("there")}}).commit;
  EXPECT_CODE(store_->Sync(), Code::kReadOnly);
  EXPECT_EQ(Condition(), RemoteCondition::kDiverged);
  EXPECT_CODE(store_->Publish(Change("f", "1")), Code::kReadOnly);
  EXPECT_EQ(there_.Tip().commit, there);
}

TEST_F(RemoteStoreTest, PushesNothingWhereItOnlyFollows) {
  RemoteStoreOptions options = Options();
  options.read_only = true;
  Reopen(options);
  here_.Commit({{"g", here_.Blob("here")}});
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(there_.Tip().commit, start_);
}

TEST_F(RemoteStoreTest, LosesNoAnswerToAnotherDaemonThatMovesTheLocalBranchFirst) {
  const Publication change = Change("f", "1");
  // Between the push that landed and our move, another daemon on this repository fetches.
  ours_.SetBeforeSwap([&](const Publication& local) {
    if (local.ref != kMain) return;
    ours_.SetBeforeSwap({});
    FakeRemote remote(theirs_, ours_, kMain);
    RemoteStore other(ours_, remote, Options());
    there_.Commit({{"g", there_.Blob("and somebody was there")}});
    ASSERT_OK(other.Sync());
  });
  ASSERT_OK(store_->Publish(change));
  ExpectInStep();
  EXPECT_EQ(remote_.pushes(), 1);
  EXPECT_EQ(TimesThere(change.tip), 1);
}

TEST_F(RemoteStoreTest, FindsAtTheNextMountWhatADaemonPushedBeforeItWasKilled) {
  const Publication change = Change("f", "1");
  Publication theirs = change;
  ASSERT_OK(remote_.Push(theirs));  // and there it ended
  Reopen();
  ASSERT_OK(store_->Sync());
  ExpectInStep();
  EXPECT_EQ(TimesThere(change.tip), 1);
}

// A store whose disk fails when everything is done but the move of the ref.
class UnmovableStore : public FailingStore {
 public:
  using FailingStore::FailingStore;
  Result<void> Publish(const Publication& publication) override {
    if (!publication.before_move) return FailingStore::Publish(publication);
    if (auto done = publication.before_move(); !done) return done;
    return Error{Code::kIo, "the disk is gone"};
  }
};

TEST_F(RemoteStoreTest, IsInDoubtWhereTheLocalBranchCannotFollowWhatLanded) {
  UnmovableStore unmovable(ours_);
  RemoteStore store(unmovable, remote_, Options());
  const Publication change = Change("f", "1");
  EXPECT_CODE(store.Publish(change), Code::kInDoubt);
  EXPECT_EQ(there_.Tip().commit, change.tip);
  EXPECT_EQ(here_.Tip().commit, start_);
  ASSERT_OK(store.Sync());
  ExpectInStep();
  EXPECT_EQ(remote_.pushes(), 1);
}

TEST_F(RemoteStoreTest, AnswersByTheRemoteWhereTheLocalBranchIsMovedElsewhereMeanwhile) {
  const Publication change = Change("f", "1");
  ours_.SetBeforeSwap([&](const Publication& local) {
    if (local.ref != kMain) return;
    ours_.SetBeforeSwap({});
    here_.Commit({{"g", here_.Blob("git push into the local repository")}});
  });
  ASSERT_OK(store_->Publish(change));
  EXPECT_EQ(there_.Tip().commit, change.tip);
  EXPECT_EQ(Condition(), RemoteCondition::kDiverged);
}

TEST_F(RemoteStoreTest, LetsNobodyWaitInHaste) {
  RemoteStoreOptions options = Options();
  options.patience = 1h;
  Reopen(options);
  remote_.Always(Step::kUnreachable);
  const RemoteStore::Haste haste(*store_);
  EXPECT_CODE(store_->Publish(Change("f", "1")), Code::kUnreachable);
  const std::uint64_t attempts = store_->status().failures;
  EXPECT_CODE(store_->Publish(Change("f", "1")), Code::kUnreachable);
  EXPECT_EQ(store_->status().failures, attempts) << "the first failure counts for all";
}

TEST_F(RemoteStoreTest, EndsAWaitThatIsUnderWayWhenHasteComes) {
  RemoteStoreOptions options = Options();
  options.patience = 1h;
  options.first_pause = std::chrono::minutes(30);
  Reopen(options);
  remote_.Always(Step::kUnreachable);
  std::optional<RemoteStore::Haste> haste;
  std::mutex mutex;
  std::condition_variable changed;
  bool attempted = false;
  remote_.BeforeEach([&] {
    const std::lock_guard lock(mutex);
    attempted = true;
    changed.notify_all();
  });
  Result<void> published;
  std::thread writer([&, change = Change("f", "1")] { published = store_->Publish(change); });
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, 30s, [&] { return attempted; }));
  }
  haste.emplace(*store_);
  writer.join();
  EXPECT_CODE(published, Code::kUnreachable);
}

TEST_F(RemoteStoreTest, FollowsByItselfAndReadsNeverWait) {
  RemoteStoreOptions options = Options();
  options.fetch_period = 1ms;
  Reopen(options);
  store_->StartFollowing();
  const ObjectId winner = there_.Commit({{"g", there_.Blob("theirs")}}).commit;
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (here_.Tip().commit != winner && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(here_.Tip().commit, winner);

  // A remote that hangs in the middle of a call.
  std::mutex mutex;
  std::condition_variable changed;
  bool hangs = false;
  bool release = false;
  remote_.BeforeEach([&] {
    std::unique_lock lock(mutex);
    hangs = true;
    changed.notify_all();
    changed.wait(lock, [&] { return release; });
  });
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, 30s, [&] { return hangs; }));
  }
  EXPECT_TRUE(store_->ReadRef(kMain).ok());
  EXPECT_TRUE(store_->Read(winner, ObjectKind::kCommit).ok());
  EXPECT_EQ(store_->status().tip, winner);
  {
    const std::lock_guard lock(mutex);
    release = true;
    changed.notify_all();
  }
  store_->Stop();
}

}  // namespace
}  // namespace concordfs::vcs
