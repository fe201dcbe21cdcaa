// Who gets which lock, and when: order, deadlocks, cancelling, bounds.
#include "fs/locks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/model/seed.h"

namespace concordfs::fs {
namespace {

constexpr auto kRecord = LockKind::kRecord;
constexpr auto kFlock = LockKind::kFlock;
constexpr auto kShared = LockType::kShared;
constexpr auto kExclusive = LockType::kExclusive;

class LocksTest : public ::testing::Test {
 protected:
  // A request's answer: empty while it waits, then "ok" or the code's name.
  using Answer = std::shared_ptr<std::string>;
  struct Pending {
    LockTicket ticket = 0;
    Answer answer;
  };
  static constexpr std::uint64_t kEnd = kLockToTheEnd;

  Pending Ask(const Locks::Table& table, LockRequest request) {
    Pending pending{0, std::make_shared<std::string>()};
    if (request.type != LockType::kUnlock) pending.ticket = request.ticket = locks_.Announce();
    Send(table, request, pending.answer);
    return pending;
  }
  void Send(const Locks::Table& table, const LockRequest& request, const Answer& answer) {
    locks_.Set(table, request, [answer](const Result<void>& result) {
      EXPECT_EQ(*answer, "") << "answered twice";
      *answer = result ? "ok" : CodeName(result.code());
    });
  }
  static LockRequest Of(LockKind kind, LockType type, LockOwner owner, std::uint64_t start = 0,
                        std::uint64_t end = kEnd) {
    LockRequest request;
    request.kind = kind;
    request.type = type;
    request.owner = owner;
    request.start = start;
    request.end = end;
    return request;
  }
  Pending Wait(const Locks::Table& table, LockKind kind, LockType type, LockOwner owner, std::uint64_t start = 0,
               std::uint64_t end = kEnd) {
    LockRequest request = Of(kind, type, owner, start, end);
    request.waits = true;
    return Ask(table, request);
  }
  std::string Try(const Locks::Table& table, LockKind kind, LockType type, LockOwner owner, std::uint64_t start = 0,
                  std::uint64_t end = kEnd) {
    return *Ask(table, Of(kind, type, owner, start, end)).answer;
  }
  void Unlock(const Locks::Table& table, LockKind kind, LockOwner owner, std::uint64_t start = 0,
              std::uint64_t end = kEnd) {
    EXPECT_EQ(Try(table, kind, LockType::kUnlock, owner, start, end), "ok");
  }

  std::int64_t now_ms_ = 5000;
  Locks locks_{[this] { return now_ms_; }};
  const Locks::Table f_ = std::make_shared<LockTable>();
  const Locks::Table g_ = std::make_shared<LockTable>();
};

TEST_F(LocksTest, RefusesWhoDoesNotWait) {
  EXPECT_EQ(Try(f_, kRecord, kExclusive, 1), "ok");
  EXPECT_EQ(Try(f_, kRecord, kShared, 2), "would block");
  EXPECT_EQ(Try(f_, kFlock, kExclusive, 2), "ok") << "the other family";
  EXPECT_EQ(Try(g_, kRecord, kExclusive, 2), "ok") << "another file";
  Unlock(f_, kRecord, 1);
  EXPECT_EQ(Try(f_, kRecord, kShared, 2), "ok");
}

TEST_F(LocksTest, GrantsInTheOrderOfArrival) {
  ASSERT_EQ(Try(f_, kFlock, kExclusive, 1), "ok");
  std::vector<Pending> waiting;
  for (LockOwner owner = 2; owner <= 6; ++owner) waiting.push_back(Wait(f_, kFlock, kExclusive, owner));
  for (LockOwner owner = 1; owner <= 5; ++owner) {
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      EXPECT_EQ(*waiting[i].answer, i + 2 <= owner ? "ok" : "") << i << " while " << owner << " has it";
    }
    Unlock(f_, kFlock, owner);
  }
  EXPECT_EQ(*waiting.back().answer, "ok");
}

TEST_F(LocksTest, GrantsAllReadersAtOnce) {
  ASSERT_EQ(Try(f_, kFlock, kExclusive, 1), "ok");
  const Pending two = Wait(f_, kFlock, kShared, 2);
  const Pending three = Wait(f_, kFlock, kShared, 3);
  Unlock(f_, kFlock, 1);
  EXPECT_EQ(*two.answer, "ok");
  EXPECT_EQ(*three.answer, "ok");
}

TEST_F(LocksTest, GrantsRangesThatAreFreeToWhoCameLater) {
  ASSERT_EQ(Try(f_, kRecord, kExclusive, 1, 0, 9), "ok");
  const Pending first = Wait(f_, kRecord, kExclusive, 2, 0, 9);
  EXPECT_EQ(*Wait(f_, kRecord, kExclusive, 3, 10, 19).answer, "ok");
  Unlock(f_, kRecord, 1, 5, 9);
  EXPECT_EQ(*first.answer, "");
  Unlock(f_, kRecord, 1, 0, 4);
  EXPECT_EQ(*first.answer, "ok");
}

TEST_F(LocksTest, DoesNotLetReadersThatComeAndGoStarveAWriter) {
  ASSERT_EQ(Try(f_, kFlock, kShared, 1), "ok");
  const Pending writer = Wait(f_, kFlock, kExclusive, 2);
  const Pending reader = Wait(f_, kFlock, kShared, 3);
  EXPECT_EQ(*reader.answer, "") << "it came after the writer";
  Unlock(f_, kFlock, 1);
  EXPECT_EQ(*writer.answer, "ok");
  Unlock(f_, kFlock, 2);
  EXPECT_EQ(*reader.answer, "ok");
}

TEST_F(LocksTest, LetsTheQueueMoveOnWhenAWaiterGivesUp) {
  ASSERT_EQ(Try(f_, kFlock, kShared, 1), "ok");
  const Pending writer = Wait(f_, kFlock, kExclusive, 2);
  const Pending reader = Wait(f_, kFlock, kShared, 3);
  locks_.Cancel(writer.ticket);
  EXPECT_EQ(*writer.answer, "interrupted");
  EXPECT_EQ(*reader.answer, "ok");
  locks_.Cancel(reader.ticket);  // too late: nothing
  EXPECT_EQ(Try(f_, kFlock, kExclusive, 4), "would block");
}

TEST_F(LocksTest, GivesWayToTheQueueAfterAWhile) {  // the reader in front may wait for the one behind
  ASSERT_EQ(Try(f_, kFlock, kShared, 1), "ok");
  const Pending writer = Wait(f_, kFlock, kExclusive, 2);
  const Pending child = Wait(f_, kFlock, kShared, 3);
  now_ms_ += Locks::kPatience_ms - 1;
  locks_.GiveWay();
  EXPECT_EQ(*child.answer, "");
  now_ms_ += 1;
  locks_.GiveWay();
  EXPECT_EQ(*child.answer, "ok");
  EXPECT_EQ(*writer.answer, "");
  const Pending late = Wait(f_, kFlock, kShared, 4);
  now_ms_ += 2 * Locks::kPatience_ms - 1;
  locks_.GiveWay();
  EXPECT_EQ(*late.answer, "") << "each time it takes longer";
  Unlock(f_, kFlock, 1);
  Unlock(f_, kFlock, 3);
  EXPECT_EQ(*writer.answer, "ok");
}

TEST_F(LocksTest, DoesNotQueueWhoHoldsSomethingAlready) {
  ASSERT_EQ(Try(f_, kRecord, kShared, 1, 0, 9), "ok");
  const Pending writer = Wait(f_, kRecord, kExclusive, 2, 0, 19);
  EXPECT_EQ(*Wait(f_, kRecord, kShared, 1, 10, 19).answer, "ok") << "the writer waits for it";
  Unlock(f_, kRecord, 1);
  EXPECT_EQ(*writer.answer, "ok");
}

TEST_F(LocksTest, ConvertsFlocks) {
  ASSERT_EQ(Try(f_, kFlock, kExclusive, 1), "ok");
  const Pending reader = Wait(f_, kFlock, kShared, 2);
  EXPECT_EQ(Try(f_, kFlock, kShared, 1), "ok");
  EXPECT_EQ(*reader.answer, "ok");
  EXPECT_EQ(Try(f_, kFlock, kExclusive, 1), "would block");
  EXPECT_EQ(Try(f_, kFlock, kExclusive, 2), "ok") << "the refused conversion gave its lock up, as the kernel does";
}

TEST_F(LocksTest, LetsTwoReadersUpgradeOneAfterTheOther) {
  ASSERT_EQ(Try(f_, kFlock, kShared, 1), "ok");
  ASSERT_EQ(Try(f_, kFlock, kShared, 2), "ok");
  const Pending first = Wait(f_, kFlock, kExclusive, 1);
  EXPECT_EQ(*first.answer, "");
  EXPECT_EQ(*Wait(f_, kFlock, kExclusive, 2).answer, "ok") << "the first one has given its lock up to wait";
  Unlock(f_, kFlock, 2);
  EXPECT_EQ(*first.answer, "ok");
}

TEST_F(LocksTest, FindsADeadlockOfTwo) {
  ASSERT_EQ(Try(f_, kRecord, kExclusive, 1), "ok");
  ASSERT_EQ(Try(g_, kRecord, kExclusive, 2), "ok");
  const Pending one = Wait(g_, kRecord, kExclusive, 1);
  EXPECT_EQ(*one.answer, "");
  EXPECT_EQ(*Wait(f_, kRecord, kShared, 2).answer, "deadlock");
  Unlock(g_, kRecord, 2);
  EXPECT_EQ(*one.answer, "ok");
}

TEST_F(LocksTest, FindsADeadlockOfManyAcrossFiles) {
  constexpr LockOwner kCount = 20;
  std::vector<Locks::Table> files;
  for (LockOwner owner = 0; owner < kCount; ++owner) {
    files.push_back(std::make_shared<LockTable>());
    ASSERT_EQ(Try(files.back(), kRecord, kExclusive, owner), "ok");
  }
  std::vector<Pending> waiting;
  for (LockOwner owner = 0; owner + 1 < kCount; ++owner) {
    waiting.push_back(Wait(files[owner + 1], kRecord, kExclusive, owner));
    EXPECT_EQ(*waiting.back().answer, "");
  }
  EXPECT_EQ(*Wait(files[0], kRecord, kExclusive, kCount - 1).answer, "deadlock");
  locks_.Cancel(waiting[7].ticket);
  EXPECT_EQ(*Wait(files[0], kRecord, kExclusive, kCount - 1).answer, "") << "the ring is open";
}

TEST_F(LocksTest, FindsADeadlockOfTwoReadersWhoUpgrade) {
  ASSERT_EQ(Try(f_, kRecord, kShared, 1), "ok");
  ASSERT_EQ(Try(f_, kRecord, kShared, 2), "ok");
  const Pending first = Wait(f_, kRecord, kExclusive, 1);
  EXPECT_EQ(*Wait(f_, kRecord, kExclusive, 2).answer, "deadlock");
  Unlock(f_, kRecord, 2);
  EXPECT_EQ(*first.answer, "ok");
}

TEST_F(LocksTest, TakesNoWaitForADeadlock) {
  ASSERT_EQ(Try(f_, kRecord, kExclusive, 1), "ok");
  ASSERT_EQ(Try(g_, kRecord, kExclusive, 2), "ok");
  const Pending three = Wait(f_, kRecord, kExclusive, 3);
  const Pending four = Wait(f_, kRecord, kExclusive, 4);
  const Pending two = Wait(f_, kRecord, kExclusive, 2);
  EXPECT_EQ(*two.answer, "") << "owner 1 waits for nobody";
  locks_.Drop(f_, kRecord, 1);
  EXPECT_EQ(*three.answer, "ok");
}

TEST_F(LocksTest, CancelsARequestThatIsStillToCome) {
  ASSERT_EQ(Try(f_, kFlock, kExclusive, 1), "ok");
  for (const LockOwner owner : {1, 2}) {
    LockRequest request = Of(kFlock, kExclusive, owner);
    request.waits = true;
    request.ticket = locks_.Announce();
    locks_.Cancel(request.ticket);
    const auto answer = std::make_shared<std::string>();
    Send(f_, request, answer);
    EXPECT_EQ(*answer, owner == 1 ? "ok" : "interrupted") << "only what would have to wait";
  }
}

TEST_F(LocksTest, GivesAllOfAnOwnerToWhoWaits) {
  ASSERT_EQ(Try(f_, kRecord, kExclusive, 1, 0, 4), "ok");
  ASSERT_EQ(Try(f_, kRecord, kExclusive, 1, 10, 14), "ok");
  const Pending two = Wait(f_, kRecord, kShared, 2, 3, 3);
  const Pending three = Wait(f_, kRecord, kExclusive, 3, 12, 20);
  locks_.Drop(f_, kRecord, 1);
  EXPECT_EQ(*two.answer, "ok");
  EXPECT_EQ(*three.answer, "ok");
}

TEST_F(LocksTest, WaitsForWhatIsBeingClosed) {  // the kernel tells of a last close when close(2) has returned
  ASSERT_EQ(Try(f_, kFlock, kExclusive, 1), "ok");
  locks_.MarkEnding(f_, kFlock, 1);
  const Pending two = Ask(f_, Of(kFlock, kExclusive, 2));
  const Pending three = Ask(f_, Of(kFlock, kExclusive, 3));
  EXPECT_EQ(*two.answer, "");
  locks_.Drop(f_, kFlock, 1);
  EXPECT_EQ(*two.answer, "ok");
  EXPECT_EQ(*three.answer, "would block") << "by then somebody else has it";
}

TEST_F(LocksTest, MergesWhoWaits) {
  ASSERT_EQ(Try(f_, kFlock, kExclusive, 1), "ok");
  ASSERT_EQ(Try(g_, kFlock, kExclusive, 2), "ok");
  const Pending three = Wait(f_, kFlock, kExclusive, 3);
  locks_.Merge(f_, g_);
  EXPECT_EQ(locks_.count(), 3U);
  Unlock(f_, kFlock, 1);
  EXPECT_EQ(*three.answer, "");
  Unlock(g_, kFlock, 2);
  EXPECT_EQ(*three.answer, "ok");
  const Pending four = Wait(g_, kFlock, kShared, 4);
  locks_.Merge(f_, g_);  // they are one already
  locks_.Cancel(four.ticket);
  EXPECT_EQ(*four.answer, "interrupted");
  EXPECT_EQ(locks_.count(), 1U);
}

TEST_F(LocksTest, AnswersEveryoneAtTheEnd) {
  ASSERT_EQ(Try(f_, kFlock, kExclusive, 1), "ok");
  const Pending two = Wait(f_, kFlock, kExclusive, 2);
  const Pending three = Wait(f_, kFlock, kShared, 3);
  locks_.CancelAll();
  EXPECT_EQ(*two.answer, "interrupted");
  EXPECT_EQ(*three.answer, "interrupted");
  EXPECT_EQ(*Wait(f_, kFlock, kShared, 4).answer, "interrupted");
}

TEST_F(LocksTest, HasABound) {
  for (std::uint64_t i = 0; i < Locks::kMaxLocks; ++i) {
    ASSERT_EQ(Try(f_, kRecord, kExclusive, 1, 2 * i, 2 * i), "ok");
  }
  EXPECT_EQ(locks_.count(), Locks::kMaxLocks);
  EXPECT_EQ(Try(g_, kRecord, kExclusive, 1), "no locks left");
  EXPECT_EQ(Try(g_, kFlock, kExclusive, 2), "no locks left");
  Unlock(f_, kRecord, 1, 0, 0);
  EXPECT_EQ(Try(g_, kFlock, kExclusive, 2), "ok");
}

// Threads that lock, wait, cancel and go: nobody who excludes another ever is in at once, everyone is answered once.
class Crowd {
 public:
  void Run(LockOwner owner, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int step = 0; step < 2000; ++step) {
      File& file = files_[random() % files_.size()];
      LockRequest request;
      request.kind = kFlock;
      request.owner = owner;
      request.type = random() % 3 == 0 ? kExclusive : kShared;
      request.waits = random() % 4 != 0;
      request.ticket = locks_.Announce();
      const auto done = std::make_shared<std::promise<bool>>();
      locks_.Set(file.table, request, [done](const Result<void>& result) {
        done->set_value(result.ok());  // throws if it comes twice
      });
      if (random() % 5 == 0) locks_.Cancel(request.ticket);
      if (random() % 50 == 0) locks_.GiveWay();
      if (!done->get_future().get()) continue;
      Enter(file, request.type);
      locks_.Drop(file.table, kFlock, owner);
    }
  }
  std::size_t LocksLeft() { return locks_.count(); }
  int collisions() const { return collisions_; }

 private:
  struct File {
    Locks::Table table = std::make_shared<LockTable>();
    std::atomic<int> readers = 0;
    std::atomic<int> writers = 0;
  };
  void Enter(File& file, LockType type) {
    std::atomic<int>& kind = type == kExclusive ? file.writers : file.readers;
    const int before = kind.fetch_add(1);
    const bool alone = type == kExclusive ? before == 0 && file.readers == 0 : file.writers == 0;
    if (!alone) ++collisions_;
    --kind;
  }

  Locks locks_;
  std::array<File, 2> files_;
  std::atomic<int> collisions_ = 0;
};

TEST(Locks, HoldForManyThreads) {
  constexpr LockOwner kThreads = 6;
  const std::uint64_t seed = testing::Seed();
  Crowd crowd;
  std::latch start{kThreads};
  std::vector<std::thread> threads;
  for (LockOwner owner = 1; owner <= kThreads; ++owner) {
    threads.emplace_back([&, owner] {
      start.arrive_and_wait();
      crowd.Run(owner, seed + owner);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(crowd.collisions(), 0);
  EXPECT_EQ(crowd.LocksLeft(), 0U);
}

}  // namespace
}  // namespace concordfs::fs
