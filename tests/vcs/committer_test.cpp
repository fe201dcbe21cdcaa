#include "vcs/committer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <latch>
#include <mutex>
#include <thread>

#include "tests/model/branch.h"
#include "tests/support/memory_store.h"
#include "tests/support/paths.h"

namespace concordfs::vcs {
namespace {

using testing::Branch;
using ::testing::ElementsAre;
using testing::Files;
using testing::PastCommit;
using testing::Path;

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;
using Kind = Outcome::Kind;

constexpr auto kPatience = 30s;  // how long a test waits for what must come
constexpr auto kNever = std::chrono::milliseconds(1h);

// Remembers what it hears.
class RecordingObserver : public HeadObserver {
 public:
  struct Move {
    Head before;
    Head after;
    bool outside;
    std::vector<Decided> decided;
  };

  void OnHeadMoved(const HeadMove& move) override {
    if (while_handling_) while_handling_(move);
    const std::lock_guard lock(mutex_);
    moves_.push_back(Move{move.before, move.after, move.outside, {move.decided.begin(), move.decided.end()}});
    changed_.notify_all();
  }
  void OnBranchUnreadable(const Error& error) override {
    const std::lock_guard lock(mutex_);
    complaints_.push_back(error);
    changed_.notify_all();
  }

  // Set before the committer starts.
  void WhileHandling(std::function<void(const HeadMove&)> callback) { while_handling_ = std::move(callback); }
  std::vector<Move> moves() const {
    const std::lock_guard lock(mutex_);
    return moves_;
  }
  std::vector<Error> complaints() const {
    const std::lock_guard lock(mutex_);
    return complaints_;
  }
  // Waits until it has heard of the branch at that commit, and of so many complaints.
  bool WaitForHead(const ObjectId& commit) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return !moves_.empty() && moves_.back().after.commit == commit; });
  }
  bool WaitForComplaints(std::size_t count) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return complaints_.size() >= count; });
  }

 private:
  std::function<void(const HeadMove&)> while_handling_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Move> moves_;
  std::vector<Error> complaints_;
};

// A branch, and the committer that serves it.
class World {
 public:
  World() = default;
  ~World() { memory_.SetBeforeSwap({}); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // The branch gets these files, and a committer that looks at it by itself only every `watch_period`.
  void StartOn(const Files& files, std::chrono::milliseconds watch_period = kNever) {
    testing::Changes changes;
    for (const auto& [path, version] : files) changes[path] = version;
    start_ = branch_.Commit(changes);
    committer_.emplace(store_, trees_, CommitterOptions{"refs/heads/main", watch_period, [] { return 5000; }});
    committer_->Start(start_, &observer_);
  }

  Base On(const MaybeVersion& version) const { return Base{version, start_.commit}; }
  std::future<Outcome> Submit(const std::string& path, const MaybeVersion& base, const MaybeVersion& content,
                              bool follows_renames = false, const std::string& agent = "andrew") {
    return committer_->Submit({PublishChange{Path(path), On(base), content, follows_renames}, agent, "", "", nullptr});
  }
  std::future<Outcome> SubmitRename(const std::string& from, const std::string& to,
                                    const std::optional<Base>& to_base = {}) {
    return committer_->Submit(
        {PublishRename{Path(from), Path(to), to_base, {}, false, {}, false}, "andrew", "", "", nullptr});
  }
  static Outcome Wait(std::future<Outcome> future) {
    if (future.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("no outcome");
    return future.get();
  }
  Outcome Change(const std::string& path, const MaybeVersion& base, const MaybeVersion& content) {
    return Wait(Submit(path, base, content));
  }
  // Runs once, right before the next move of the branch.
  void BeforeNextSwap(std::function<void()> action) {
    memory_.SetBeforeSwap([this, action = std::move(action)](const Publication&) {
      memory_.SetBeforeSwap({});
      action();
    });
  }

  // The commits of the branch that came after the one that it started with, by outsiders or by the committer.
  std::vector<PastCommit> NewHistory() {
    std::vector<PastCommit> history = branch_.History();
    history.erase(history.begin());
    return history;
  }
  std::vector<ObjectId> NewCommits() {
    std::vector<ObjectId> ids;
    for (const PastCommit& past : NewHistory()) ids.push_back(past.id);
    return ids;
  }

  MemoryStore memory_;
  FailingStore store_{memory_};
  Branch branch_{memory_};
  TreeReader trees_{store_};
  RecordingObserver observer_;
  Head start_;
  const Version a_ = branch_.Blob("a");
  const Version b_ = branch_.Blob("b");
  const Version c_ = branch_.Blob("c");
  std::optional<Committer> committer_;  // last: its thread uses all of the above
};

// Holds the committer right before it moves the branch, for as long as this is in scope: what is submitted meanwhile
// waits together.
class Held {
 public:
  Held(World& world, const std::string& path) : world_(world) {
    world.memory_.SetBeforeSwap([this](const Publication&) {
      if (held_.exchange(true)) return;
      reached_.count_down();
      released_.wait();
    });
    outcome_ = world.Submit(path, std::nullopt, world.a_);
    reached_.wait();
    world.memory_.SetBeforeSwap({});
  }
  ~Held() {
    if (outcome_.valid()) Release();
  }
  Outcome Release() {
    released_.count_down();
    return World::Wait(std::move(outcome_));
  }

 private:
  World& world_;
  std::atomic<bool> held_ = false;
  std::latch reached_{1};
  std::latch released_{1};
  std::future<Outcome> outcome_;
};

class CommitterTest : public ::testing::Test, public World {};

TEST_F(CommitterTest, PublishesAChangeBeforeItAnswers) {  // R4
  StartOn({{"f", a_}});
  const Outcome outcome = Change("f", a_, b_);
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_THAT(NewCommits(), ElementsAre(outcome.commit));
  EXPECT_EQ(branch_.At("f"), MaybeVersion(b_));
  EXPECT_EQ(NewHistory()[0].commit.author.time_s, 5000);
}

TEST_F(CommitterTest, PublishesInTheOrderOfArrival) {
  StartOn({});
  Held held(*this, "first");
  std::vector<std::future<Outcome>> futures;
  for (int i = 0; i < 40; ++i) futures.push_back(Submit("f" + std::to_string(i), std::nullopt, b_));
  std::vector<ObjectId> expected = {held.Release().commit};
  for (auto& future : futures) expected.push_back(Wait(std::move(future)).commit);
  EXPECT_EQ(NewCommits(), expected);
}

TEST_F(CommitterTest, DecidesInOneGoWhoWaitsTogetherEachWithACommitOfItsOwn) {
  StartOn({{"f", a_}});
  Held held(*this, "first");
  auto update = Submit("f", a_, b_);
  auto stale = Submit("f", a_, c_);
  auto on_top = Submit("f", b_, c_);
  auto same = Submit("f", a_, c_);
  auto other = Submit("g", std::nullopt, b_);
  held.Release();
  EXPECT_EQ(Wait(std::move(update)).kind, Kind::kPublished);
  const Outcome refused = Wait(std::move(stale));
  EXPECT_EQ(refused.kind, Kind::kRefused);
  EXPECT_EQ(refused.now, MaybeVersion(b_));
  EXPECT_EQ(Wait(std::move(on_top)).kind, Kind::kPublished);
  EXPECT_EQ(Wait(std::move(same)).kind, Kind::kUnchanged);
  EXPECT_EQ(Wait(std::move(other)).kind, Kind::kPublished);
  EXPECT_EQ(NewCommits().size(), 4U);
  const CommitterCounters counters = committer_->counters();
  EXPECT_EQ(counters.batches, 2U) << "the first one, and then all that waited";
  EXPECT_EQ(counters.commits, 4U);
  EXPECT_EQ(counters.refusals, 1U);
  EXPECT_EQ(counters.unchanged, 1U);
  EXPECT_EQ(counters.failures, 0U);
  EXPECT_EQ(counters.queue_depth, 0U);
  EXPECT_EQ(observer_.moves().back().decided.size(), 5U);
}

TEST_F(CommitterTest, CountsWhoWaits) {
  StartOn({});
  Held held(*this, "first");
  auto one = Submit("f", std::nullopt, b_);
  auto two = Submit("g", std::nullopt, b_);
  EXPECT_EQ(committer_->counters().queue_depth, 2U);
  held.Release();
  Wait(std::move(one));
  Wait(std::move(two));
  EXPECT_EQ(committer_->counters().queue_depth, 0U);
}

TEST_F(CommitterTest, LetsExactlyOneOfManyWritersOnOneBaseWin) {  // R5
  StartOn({{"f", a_}});
  constexpr int kWriters = 8;
  constexpr int kRounds = 25;
  MaybeVersion base = a_;
  for (int round = 0; round < kRounds; ++round) {
    std::latch ready{kWriters};
    std::atomic<int> wins = 0;
    std::atomic<int> refusals = 0;
    std::vector<std::thread> threads;
    std::vector<Version> versions;
    for (int i = 0; i < kWriters; ++i)
      versions.push_back(branch_.Blob(std::to_string(round) + "/" + std::to_string(i)));
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&, i] {
        ready.arrive_and_wait();
        const Outcome outcome = Wait(Submit("f", base, versions[i], false, "agent" + std::to_string(i)));
        if (outcome.kind == Kind::kPublished) ++wins;
        if (outcome.kind == Kind::kRefused) ++refusals;
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(wins, 1) << "in round " << round;
    ASSERT_EQ(refusals, kWriters - 1);
    base = branch_.At("f");
  }
  EXPECT_EQ(NewCommits().size(), static_cast<std::size_t>(kRounds));
}

TEST_F(CommitterTest, TellsTheObserverBeforeTheSubmitter) {
  std::future<Outcome> future;
  std::atomic<bool> was_ready = false;
  std::latch submitted{1};
  observer_.WhileHandling([&](const HeadMove&) {
    submitted.wait();
    was_ready = future.wait_for(0ms) == std::future_status::ready;
  });
  StartOn({});
  future = Submit("f", std::nullopt, a_);
  submitted.count_down();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  EXPECT_FALSE(was_ready);
  const auto moves = observer_.moves();
  ASSERT_EQ(moves.size(), 1U);
  EXPECT_EQ(moves[0].before.commit, start_.commit);
  EXPECT_EQ(moves[0].after.commit, future.get().commit);
  EXPECT_FALSE(moves[0].outside);
}

TEST_F(CommitterTest, TellsTheObserverAlsoOfWhatMovesNothing) {
  StartOn({{"f", b_}});
  ASSERT_EQ(Change("f", a_, c_).kind, Kind::kRefused);
  const auto moves = observer_.moves();
  ASSERT_EQ(moves.size(), 1U);
  EXPECT_EQ(moves[0].before.commit, moves[0].after.commit);
  EXPECT_EQ(moves[0].decided.size(), 1U);
}

TEST_F(CommitterTest, PublishesOnTopAfterASwapLostToAnotherPath) {  // R11
  StartOn({{"f", a_}});
  Head outside;
  BeforeNextSwap([&] { outside = branch_.Commit({{"elsewhere", c_}}); });
  const Outcome outcome = Change("f", a_, b_);
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_THAT(NewCommits(), ElementsAre(outside.commit, outcome.commit));
  EXPECT_EQ(branch_.FilesOf(outcome.commit), (Files{{"elsewhere", c_}, {"f", b_}}));
  EXPECT_EQ(committer_->counters().lost_swaps, 1U);
  EXPECT_EQ(committer_->counters().outside_moves, 1U);
  const auto moves = observer_.moves();
  ASSERT_EQ(moves.size(), 2U);
  EXPECT_TRUE(moves[0].outside);
  EXPECT_TRUE(moves[0].decided.empty());
  EXPECT_EQ(moves[0].after.commit, outside.commit);
  EXPECT_EQ(moves[1].before.commit, outside.commit);
}

TEST_F(CommitterTest, RefusesAfterASwapLostToTheSamePath) {
  StartOn({{"f", a_}});
  Head outside;
  BeforeNextSwap([&] { outside = branch_.Commit({{"f", c_}}); });
  const Outcome outcome = Change("f", a_, b_);
  EXPECT_EQ(outcome.kind, Kind::kRefused);
  EXPECT_EQ(outcome.now, MaybeVersion(c_));
  EXPECT_EQ(outcome.commit, outside.commit);
  EXPECT_THAT(NewCommits(), ElementsAre(outside.commit));
}

TEST_F(CommitterTest, AcceptsWithoutACommitAfterASwapLostToTheSameBytes) {
  StartOn({{"f", a_}});
  Head outside;
  BeforeNextSwap([&] { outside = branch_.Commit({{"f", b_}}); });
  EXPECT_EQ(Change("f", a_, b_).kind, Kind::kUnchanged);
  EXPECT_THAT(NewCommits(), ElementsAre(outside.commit));
}

TEST_F(CommitterTest, RefusesAfterASwapLostToADirectoryInItsPlace) {
  StartOn({{"f", a_}});
  BeforeNextSwap([&] { branch_.Commit({{"f", std::nullopt}, {"f/g", c_}}); });
  const Outcome outcome = Change("f", a_, b_);
  EXPECT_EQ(outcome.kind, Kind::kRefused);
  EXPECT_TRUE(outcome.occupied);
}

TEST_F(CommitterTest, DecidesEachOfABatchAgainAfterALostSwap) {
  StartOn({{"f", a_}, {"g", a_}});
  Held held(*this, "first");
  auto on_f = Submit("f", a_, b_);
  auto on_g = Submit("g", a_, b_);
  auto on_top_of_f = Submit("f", b_, c_);
  auto rename = SubmitRename("g", "h");
  // The branch moves below the held one, and once more below all of them.
  branch_.Commit({{"unrelated", c_}});
  memory_.SetBeforeSwap([this, turns = std::make_shared<std::atomic<int>>(0)](const Publication& publication) {
    if (publication.ref == "refs/heads/main" && publication.reason != "" && ++*turns == 2) branch_.Commit({{"f", c_}});
  });
  const Outcome first = held.Release();
  EXPECT_EQ(first.kind, Kind::kPublished);
  EXPECT_EQ(Wait(std::move(on_f)).kind, Kind::kRefused);
  EXPECT_EQ(Wait(std::move(on_g)).kind, Kind::kPublished);
  EXPECT_EQ(Wait(std::move(on_top_of_f)).kind, Kind::kUnchanged) << "c is what is there";
  EXPECT_EQ(Wait(std::move(rename)).kind, Kind::kPublished);
  EXPECT_EQ(branch_.FilesOf(branch_.Tip().commit), (Files{{"f", c_}, {"first", a_}, {"h", b_}, {"unrelated", c_}}));
  EXPECT_EQ(committer_->counters().lost_swaps, 2U);
}

TEST_F(CommitterTest, GivesUpWhereTheBranchNeverRests) {
  StartOn({{"f", a_}});
  std::atomic<int> moves = 0;
  memory_.SetBeforeSwap([&](const Publication& publication) {
    if (publication.reason.empty()) return;  // the outsider's own
    branch_.Commit({{"other" + std::to_string(moves++ % 4), branch_.Blob(std::to_string(moves))}});
  });
  const Outcome outcome = Change("f", a_, b_);
  EXPECT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_NE(outcome.error.code, Code::kStale) << "nobody touched f (R6)";
  memory_.SetBeforeSwap({});
  EXPECT_EQ(branch_.At("f"), MaybeVersion(a_));
  EXPECT_EQ(Change("f", a_, b_).kind, Kind::kPublished) << "and works again when it does";
}

TEST_F(CommitterTest, SeesAnOutsideMoveByItself) {  // R11
  StartOn({{"f", a_}}, 1ms);
  const Head outside = branch_.Commit({{"f", b_}});
  ASSERT_TRUE(observer_.WaitForHead(outside.commit));
  EXPECT_TRUE(observer_.moves().back().outside);
  EXPECT_EQ(observer_.moves().back().after.root, outside.root);
  EXPECT_EQ(Change("f", a_, c_).kind, Kind::kRefused);
  EXPECT_EQ(Change("f", b_, c_).kind, Kind::kPublished);
  EXPECT_EQ(committer_->counters().outside_moves, 1U);
}

TEST_F(CommitterTest, TakesItsOwnCommitsForNoOutsideMove) {
  StartOn({{"f", a_}}, 1ms);
  MaybeVersion base = a_;
  for (int i = 0; i < 50; ++i) {
    const Version next = branch_.Blob(std::to_string(i));
    ASSERT_EQ(Change("f", base, next).kind, Kind::kPublished);
    base = next;
  }
  EXPECT_EQ(committer_->counters().outside_moves, 0U);
}

TEST_F(CommitterTest, FollowsABranchThatWasRewoundFromOutside) {
  StartOn({{"f", a_}}, 1ms);
  ASSERT_EQ(Change("f", a_, b_).kind, Kind::kPublished);
  memory_.ForceRef("refs/heads/main", start_.commit);
  ASSERT_TRUE(observer_.WaitForHead(start_.commit));
  EXPECT_EQ(Change("f", b_, c_).kind, Kind::kRefused);
  EXPECT_EQ(Change("f", a_, c_).kind, Kind::kPublished);
}

TEST_F(CommitterTest, ComplainsOnceOfABranchThatIsGoneAndGoesOnWhenItIsBack) {
  StartOn({{"f", a_}}, 1ms);
  memory_.ForceRef("refs/heads/main", std::nullopt);
  ASSERT_TRUE(observer_.WaitForComplaints(1));
  const Outcome failed = Change("f", a_, b_);
  EXPECT_EQ(failed.kind, Kind::kFailed);
  EXPECT_NE(failed.error.code, Code::kStale);
  EXPECT_EQ(Change("f", a_, a_).kind, Kind::kUnchanged) << "what needs no commit needs no branch";
  EXPECT_EQ(observer_.complaints().size(), 1U) << "and not with every look at it";

  const Head again = branch_.AddCommit({{"f", b_}}, {}, "outside");
  memory_.ForceRef("refs/heads/main", again.commit);
  ASSERT_TRUE(observer_.WaitForHead(again.commit));
  EXPECT_EQ(Change("f", a_, c_).kind, Kind::kRefused);
  EXPECT_EQ(Change("f", b_, c_).kind, Kind::kPublished);
  memory_.ForceRef("refs/heads/main", std::nullopt);
  EXPECT_TRUE(observer_.WaitForComplaints(2));
}

TEST_F(CommitterTest, GoesOnWhenTheBranchComesBackWhereItWas) {
  StartOn({{"f", a_}}, 1ms);
  memory_.ForceRef("refs/heads/main", std::nullopt);
  ASSERT_TRUE(observer_.WaitForComplaints(1));
  memory_.ForceRef("refs/heads/main", start_.commit);
  EXPECT_EQ(Change("f", a_, b_).kind, Kind::kPublished);
}

TEST_F(CommitterTest, FailsWhileTheBranchPointsAtSomethingUnreadable) {
  StartOn({{"f", a_}}, 1ms);
  const Head broken = branch_.AddCommit({{"f", b_}}, {start_.commit}, "outside");
  memory_.Damage(broken.commit);
  memory_.ForceRef("refs/heads/main", broken.commit);
  ASSERT_TRUE(observer_.WaitForComplaints(1));
  EXPECT_EQ(observer_.complaints()[0].code, Code::kCorrupt);
  EXPECT_EQ(Change("f", a_, c_).kind, Kind::kFailed);
  memory_.ForceRef("refs/heads/main", start_.commit);
  EXPECT_EQ(Change("f", a_, c_).kind, Kind::kPublished);
}

TEST_F(CommitterTest, AppliesARenameToTheQueuedChangesThatFollow) {  // R9
  StartOn({{"d/f", a_}, {"d/g", a_}});
  Held held(*this, "first");
  auto follows = Submit("d/f", a_, b_, true);
  auto stays = Submit("d/g", a_, b_, false);
  committer_->FollowRename(Path("d"), Path("e"));
  branch_.Commit({{"d/f", std::nullopt}, {"e/f", a_}});
  held.Release();
  const Outcome outcome = Wait(std::move(follows));
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_EQ(outcome.path.text(), "e/f");
  EXPECT_EQ(Wait(std::move(stays)).path.text(), "d/g");
}

TEST_F(CommitterTest, LetsAChangeFollowTheRenameThatWasQueuedBeforeIt) {
  StartOn({{"f", a_}});
  Held held(*this, "first");
  auto rename = SubmitRename("f", "g");
  auto follows = Submit("f", a_, b_, true);
  held.Release();
  EXPECT_EQ(Wait(std::move(rename)).kind, Kind::kPublished);
  const Outcome outcome = Wait(std::move(follows));
  EXPECT_EQ(outcome.kind, Kind::kPublished);
  EXPECT_EQ(outcome.path.text(), "g");
  EXPECT_EQ(branch_.FilesOf(outcome.commit), (Files{{"first", a_}, {"g", b_}}));
}

TEST_F(CommitterTest, DecidesWhatIsQueuedBeforeItStops) {
  StartOn({{"f", a_}});
  auto held = std::make_unique<Held>(*this, "first");
  auto one = Submit("f", a_, b_);
  auto two = Submit("g", std::nullopt, b_);
  std::thread stopper([&] { committer_->Stop(); });
  held.reset();
  stopper.join();
  EXPECT_EQ(Wait(std::move(one)).kind, Kind::kPublished);
  EXPECT_EQ(Wait(std::move(two)).kind, Kind::kPublished);
  const Outcome late = Change("f", b_, c_);
  EXPECT_EQ(late.kind, Kind::kFailed);
  EXPECT_EQ(late.error.code, Code::kIo);
  EXPECT_EQ(branch_.At("f"), MaybeVersion(b_));
  committer_->Stop();  // again: nothing to do
}

TEST_F(CommitterTest, SaysWhatIsWrongWithABranchThatCannotBeServed) {
  branch_.Commit({{"f", a_}});
  Committer none(store_, trees_, CommitterOptions{"refs/heads/none", kNever, {}});
  const auto missing = none.ReadBranch();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.code(), Code::kNotFound);
  Committer main(store_, trees_, CommitterOptions{"refs/heads/main", kNever, {}});
  const auto head = main.ReadBranch();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->commit, branch_.Tip().commit);
  store_.FailNth(1, Code::kIo);
  EXPECT_FALSE(main.ReadBranch());
}

// The update, the same bytes once more and a stale change, decided together. The outcomes, in that order.
std::vector<Outcome> RunThreeTogether(World& world, std::uint64_t failing_operation) {
  world.StartOn({{"f", world.a_}});
  Held held(world, "first");
  std::vector<std::future<Outcome>> futures;
  futures.push_back(world.Submit("f", world.a_, world.b_));
  futures.push_back(world.Submit("f", world.a_, world.b_));
  futures.push_back(world.Submit("f", world.c_, world.branch_.Blob("d")));
  if (failing_operation > 0) world.store_.FailNth(failing_operation, Code::kNoSpace);
  held.Release();
  std::vector<Outcome> outcomes;
  for (auto& future : futures) outcomes.push_back(World::Wait(std::move(future)));
  return outcomes;
}

TEST(CommitterBatch, DecidesAgainWhatWasDecidedOnTopOfAFailedPublish) {
  std::uint64_t publish = 0;  // the last operation that the three need
  {
    World world;
    const auto outcomes = RunThreeTogether(world, 0);
    ASSERT_EQ(outcomes[0].kind, Kind::kPublished);
    ASSERT_EQ(outcomes[1].kind, Kind::kUnchanged) << "the bytes are there already";
    const std::uint64_t all = world.store_.operations();
    World first_alone;
    first_alone.StartOn({{"f", first_alone.a_}});
    first_alone.Change("first", std::nullopt, first_alone.a_);
    publish = all - first_alone.store_.operations();
  }
  World world;
  const auto outcomes = RunThreeTogether(world, publish);
  EXPECT_EQ(outcomes[0].kind, Kind::kFailed);
  EXPECT_EQ(outcomes[0].error.code, Code::kNoSpace);
  EXPECT_EQ(outcomes[0].path.text(), "f");
  EXPECT_EQ(outcomes[1].kind, Kind::kPublished) << "it can't stand on what is not in history";
  EXPECT_EQ(outcomes[2].kind, Kind::kRefused);
  EXPECT_EQ(world.NewCommits().back(), outcomes[1].commit);
  EXPECT_EQ(world.committer_->counters().failures, 1U);
}

// Every kind of request, each on what is in history when it is made: one by one, or, with a committer that is held, all
// queued before the first is decided. What the submitters were told.
std::vector<Outcome> RunScenario(World& world, Held* held) {
  std::vector<std::future<Outcome>> futures;
  std::vector<Outcome> outcomes;
  const auto settle = [&] {
    for (auto& future : futures) outcomes.push_back(World::Wait(std::move(future)));
    futures.clear();
  };
  const auto next = [&](std::future<Outcome> future) {
    futures.push_back(std::move(future));
    if (held == nullptr) settle();
  };
  Branch& branch = world.branch_;
  next(world.Submit("new/x", std::nullopt, world.b_));
  next(world.Submit("f", branch.At("f"), world.b_));
  next(world.Submit("f", world.a_, world.c_));  // stale, if the one before was published
  next(world.Submit("d/e/g", branch.At("d/e/g"), world.c_));
  next(world.SubmitRename("d", "p/q"));
  next(world.Submit("gone", branch.At("gone"), std::nullopt));
  next(world.Submit("new/x", std::nullopt, world.c_));
  next(world.Submit("f", branch.At("f"), branch.At("f")));
  if (held != nullptr) outcomes.push_back(held->Release());
  settle();
  return outcomes;
}

void ExpectHistoryIsWhatWasAcknowledged(World& world, const std::vector<Outcome>& outcomes) {
  std::vector<ObjectId> acknowledged;
  for (const Outcome& outcome : outcomes) {
    if (outcome.kind == Kind::kPublished) acknowledged.push_back(outcome.commit);
    if (outcome.kind == Kind::kFailed) {
      EXPECT_EQ(outcome.error.code, Code::kNoSpace) << outcome.error.message;
    }
  }
  EXPECT_EQ(world.NewCommits(), acknowledged);
  for (const PastCommit& past : world.NewHistory()) {
    for (const auto& [path, version] : world.branch_.FilesOf(past.id)) world.branch_.Content(version);
  }
}

enum class Queue { kOneByOne, kTogether };

struct FailureCase {
  const char* name;
  Queue queue;
  bool until_healed;  // all operations fail from the n-th on, as on a full disk; else only the n-th
};

class CommitterFailure : public ::testing::TestWithParam<FailureCase> {};

// For every n there is: nothing that was acknowledged is missing, nothing that was refused or failed is in history, and
// it works again afterwards.
TEST_P(CommitterFailure, AtAnyOperationOfTheStoreLosesNothing) {
  std::uint64_t failures = 1;
  for (std::uint64_t n = 1; failures > 0; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n) + " fails");
    ASSERT_LT(n, 500U);
    World world;
    world.StartOn({{"f", world.a_}, {"d/e/g", world.a_}, {"d/h", world.a_}, {"gone", world.a_}});
    std::optional<Held> held;
    if (GetParam().queue == Queue::kTogether) held.emplace(world, "first");
    if (GetParam().until_healed) {
      world.store_.FailFrom(n, Code::kNoSpace);
    } else {
      world.store_.FailNth(n, Code::kNoSpace);
    }
    std::vector<Outcome> outcomes = RunScenario(world, held ? &*held : nullptr);
    failures = world.store_.failures();
    world.store_.Heal();
    ExpectHistoryIsWhatWasAcknowledged(world, outcomes);
    const Outcome after = world.Change("f", world.branch_.At("f"), world.branch_.Blob("after"));
    ASSERT_EQ(after.kind, Kind::kPublished);
    outcomes.push_back(after);
    ExpectHistoryIsWhatWasAcknowledged(world, outcomes);
    if (failures == 0) {
      EXPECT_GT(n, 3U) << "the scenario must need some operations";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, CommitterFailure,
                         ::testing::Values(FailureCase{"OneByOne", Queue::kOneByOne, false},
                                           FailureCase{"Together", Queue::kTogether, false},
                                           FailureCase{"OneByOneUntilHealed", Queue::kOneByOne, true},
                                           FailureCase{"TogetherUntilHealed", Queue::kTogether, true}),
                         [](const auto& one) { return std::string(one.param.name); });

// A store whose publications take long, as those on a network do.
class SlowStore : public FailingStore {
 public:
  explicit SlowStore(MemoryStore& memory) : FailingStore(memory), memory_(memory) {}
  Result<void> Publish(const Publication& publication) override {
    Publication slow = publication;
    slow.before_move = [] {
      std::this_thread::sleep_for(40ms);  // what is measured is how long it takes
      return Result<void>();
    };
    return memory_.Publish(slow);
  }

 private:
  MemoryStore& memory_;
};

TEST(CommitterBatch, OfWhoComesAgainIsWholeWherePublicationsTakeLong) {
  MemoryStore memory;
  SlowStore store(memory);
  Branch branch(memory);
  TreeReader trees(store);
  RecordingObserver observer;
  const Head start = branch.Commit({});
  Committer committer(store, trees, CommitterOptions{"refs/heads/main", kNever, [] { return 5000; }});
  committer.Start(start, &observer);
  constexpr int kWriters = 8;
  constexpr int kRounds = 10;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, i] {
      MaybeVersion base;
      for (int round = 0; round < kRounds; ++round) {
        const Version next = branch.Blob(std::to_string(i) + "/" + std::to_string(round));
        const Outcome outcome = committer.Serve(committer.Enqueue(
            {PublishChange{Path("f" + std::to_string(i)), Base{base, start.commit}, next}, "andrew", "", "", nullptr}));
        EXPECT_EQ(outcome.kind, Kind::kPublished);
        base = next;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_LT(committer.counters().batches, kRounds + kRounds / 2U) << "not two halves that take turns";
}

// A store that loses the answer of publications: the branch moves when the test says so, or never.
class DoubtfulStore : public FailingStore {
 public:
  explicit DoubtfulStore(MemoryStore& memory) : FailingStore(memory), memory_(memory) {}

  Result<void> Publish(const Publication& publication) override {
    if (!doubtful_) return FailingStore::Publish(publication);
    Publication stored = publication;
    stored.before_move = [] { return Result<void>(Error{Code::kInDoubt, "no answer"}); };
    pushed_.push_back(publication.tip);
    return memory_.Publish(stored);
  }
  void SetDoubtful(bool doubtful) { doubtful_ = doubtful; }
  // The tips of all that was published without an answer.
  const std::vector<ObjectId>& pushed() const { return pushed_; }

 private:
  MemoryStore& memory_;
  std::atomic<bool> doubtful_ = false;
  std::vector<ObjectId> pushed_;
};

// A store on which somebody has rules: no commit may be called "Create bad...".
class DecliningStore : public FailingStore {
 public:
  explicit DecliningStore(MemoryStore& memory) : FailingStore(memory), memory_(memory) {}
  Result<void> Publish(const Publication& publication) override {
    ++asked_;
    for (const NewObject& object : publication.objects) {
      const std::string_view text = object.bytes;
      if (object.kind == ObjectKind::kCommit && text.find("Create bad") != std::string_view::npos) {
        return Error{Code::kDeclined, "no bad ones"};
      }
    }
    return memory_.Publish(publication);
  }
  int asked() const { return asked_; }

 private:
  MemoryStore& memory_;
  std::atomic<int> asked_ = 0;
};

// Submits one file each of these names at once, and returns the outcomes.
std::vector<Outcome> CreateTogether(DecliningStore& store, MemoryStore& memory, const std::vector<std::string>& names) {
  Branch branch(memory);
  TreeReader trees(store);
  RecordingObserver observer;
  const Head start = branch.Commit({});
  Committer committer(store, trees, CommitterOptions{"refs/heads/main", kNever, [] { return 5000; }});
  std::vector<std::future<Outcome>> futures;
  for (const std::string& name : names) {
    futures.push_back(committer.Submit(
        {PublishChange{Path(name), Base{std::nullopt, start.commit}, branch.Blob(name)}, "andrew", "", "", nullptr}));
  }
  committer.Start(start, &observer);
  std::vector<Outcome> outcomes;
  for (auto& future : futures) outcomes.push_back(future.get());
  return outcomes;
}

TEST(CommitterBatch, ThatIsDeclinedIsTakenApartSoThatOnlyTheCulpritHearsOfIt) {
  MemoryStore memory;
  DecliningStore store(memory);
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) names.push_back((i == 17 ? "bad" : "good") + std::to_string(i));
  const auto outcomes = CreateTogether(store, memory, names);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].kind, i == 17 ? Kind::kFailed : Kind::kPublished) << i;
  }
  EXPECT_EQ(outcomes[17].error.code, Code::kDeclined);
  EXPECT_LT(store.asked(), 20);
}

TEST(CommitterBatch, OfNothingButDeclinedOnesIsNotTriedForEver) {
  MemoryStore memory;
  DecliningStore store(memory);
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) names.push_back("bad" + std::to_string(i));
  for (const Outcome& outcome : CreateTogether(store, memory, names)) EXPECT_EQ(outcome.error.code, Code::kDeclined);
  EXPECT_LT(store.asked(), 60);
}

class InDoubt : public ::testing::Test {
 protected:
  InDoubt() {
    start_ = branch_.Commit({{"f", a_}});
    committer_.emplace(store_, trees_, CommitterOptions{"refs/heads/main", kNever, [] { return 5000; }});
    committer_->Start(start_, &observer_);
    store_.SetDoubtful(true);
  }
  Outcome Change(const std::string& path, const MaybeVersion& base, const MaybeVersion& content,
                 const std::string& agent = "andrew") {
    auto future = committer_->Submit(
        {PublishChange{Path(path), Base{base, start_.commit}, content, false}, agent, "", "", nullptr});
    if (future.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("no outcome");
    return future.get();
  }

  MemoryStore memory_;
  DoubtfulStore store_{memory_};
  Branch branch_{memory_};
  TreeReader trees_{store_};
  RecordingObserver observer_;
  Version a_ = branch_.Blob("a");
  Version b_ = branch_.Blob("b");
  Version c_ = branch_.Blob("c");
  Head start_;
  std::optional<Committer> committer_;
};

TEST_F(InDoubt, IsAFailureUntilMoreIsKnown) {  // V14
  const Outcome outcome = Change("f", a_, b_);
  ASSERT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_EQ(outcome.error.code, Code::kInDoubt);
  EXPECT_EQ(branch_.Tip().commit, start_.commit);
}

TEST_F(InDoubt, WhatLandedIsItsSubmittersAndMakesItNotStale) {  // V14, V8
  ASSERT_EQ(Change("f", a_, b_).kind, Kind::kFailed);
  memory_.ForceRef("refs/heads/main", store_.pushed().at(0));
  store_.SetDoubtful(false);
  // Written again, on the base that it knew when it was told of the failure.
  EXPECT_EQ(Change("f", a_, c_).kind, Kind::kPublished);
  EXPECT_EQ(branch_.At("f"), MaybeVersion(c_));
  const auto moves = observer_.moves();
  const auto outside = std::find_if(moves.begin(), moves.end(), [](const auto& move) { return move.outside; });
  ASSERT_NE(outside, moves.end());
  ASSERT_EQ(outside->decided.size(), 1U);
  EXPECT_EQ(outside->decided[0].outcome.now, MaybeVersion(b_));
  EXPECT_EQ(committer_->counters().commits, 2U);
}

TEST_F(InDoubt, WhatLandedIsFoundBelowOthersCommits) {
  ASSERT_EQ(Change("f", a_, b_).kind, Kind::kFailed);
  memory_.ForceRef("refs/heads/main", store_.pushed().at(0));
  branch_.Commit({{"g", c_}});
  store_.SetDoubtful(false);
  EXPECT_EQ(Change("f", a_, c_).kind, Kind::kPublished);
}

TEST_F(InDoubt, WhatLandedMakesOthersStale) {
  ASSERT_EQ(Change("f", a_, b_).kind, Kind::kFailed);
  memory_.ForceRef("refs/heads/main", store_.pushed().at(0));
  store_.SetDoubtful(false);
  EXPECT_EQ(Change("f", a_, c_, "benson").kind, Kind::kRefused);
}

TEST_F(InDoubt, OfSeveralTheOneThatLandedCounts) {
  ASSERT_EQ(Change("f", a_, b_).kind, Kind::kFailed);
  ASSERT_EQ(Change("g", std::nullopt, b_).kind, Kind::kFailed);
  memory_.ForceRef("refs/heads/main", store_.pushed().at(1));
  store_.SetDoubtful(false);
  EXPECT_EQ(Change("g", std::nullopt, c_).kind, Kind::kPublished);
  EXPECT_EQ(Change("f", a_, c_).kind, Kind::kPublished) << "never landed: nobody changed it";
}

TEST_F(InDoubt, IsOverWhenTheBranchWentElsewhere) {
  ASSERT_EQ(Change("f", a_, b_).kind, Kind::kFailed);
  branch_.Commit({{"f", c_}});
  store_.SetDoubtful(false);
  EXPECT_EQ(Change("f", a_, b_).kind, Kind::kRefused) << "somebody else was first";
}

}  // namespace
}  // namespace concordfs::vcs
