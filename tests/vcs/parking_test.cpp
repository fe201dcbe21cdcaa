#include "vcs/parking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/model/branch.h"
#include "tests/support/memory_store.h"
#include "tests/support/paths.h"
#include "vcs/commit.h"
#include "vcs/tree_reader.h"

namespace concordfs::vcs {
namespace {

using testing::Branch;
using testing::Changes;
using testing::Files;
using ::testing::IsEmpty;
using testing::Path;
using ::testing::SizeIs;

class ParkingTest : public ::testing::Test {
 protected:
  // Andrew read f as A in `base_`; meanwhile Benson made it B, Carol wrote elsewhere.
  void SetUp() override {
    base_ = branch_.Commit({{"f", a_}, {"d/g", a_}});
    branch_.Commit({{"f", b_}}, "benson");
    head_ = branch_.Commit({{"other", c_}}, "carol");
  }

  ParkRequest Refusal() const {
    ParkRequest request;
    request.agent = "andrew";
    request.process = "7 vi";
    request.path = Path("f");
    request.base = Base{a_, base_.commit};
    request.content = c_;
    request.head = b_;
    request.head_commit = head_.commit;
    request.reason = "the path was changed meanwhile";
    request.time_s = 7000;
    return request;
  }
  Parked Park(const ParkRequest& request, std::string_view prefix = kRejectedPrefix) {
    const auto parked = parking_.Park(request, prefix);
    if (!parked) throw std::runtime_error(parked.error().message);
    return *parked;
  }
  Commit CommitOf(const Parked& parked) { return *Commit::Parse(*memory_.Read(parked.commit, ObjectKind::kCommit)); }
  // What the parked commit changed, compared with its parent.
  Changes ChangesOf(const Parked& parked) {
    Changes changes;
    const Files before = branch_.FilesOf(parked.parent);
    const Files after = branch_.FilesOf(parked.commit);
    for (const auto& [path, version] : before) {
      if (!after.contains(path)) changes[path] = std::nullopt;
    }
    for (const auto& [path, version] : after) {
      if (!before.contains(path) || before.at(path) != version) changes[path] = version;
    }
    return changes;
  }
  std::vector<Parked> List(std::string_view prefix = kRejectedPrefix) { return *Parking::List(memory_, prefix); }

  MemoryStore memory_;
  FailingStore store_{memory_};
  Branch branch_{memory_};
  TreeReader trees_{store_};
  Parking parking_{store_, trees_};
  const Version a_ = branch_.Blob("a");
  const Version b_ = branch_.Blob("b");
  const Version c_ = branch_.Blob("c");
  Head base_;
  Head head_;
};

TEST_F(ParkingTest, KeepsTheContentInACommitOnTheBaseThatDiffersInExactlyThatPath) {  // R7
  const Parked parked = Park(Refusal());
  EXPECT_EQ(parked.parent, base_.commit);
  EXPECT_EQ(CommitOf(parked).parents, std::vector<ObjectId>{base_.commit});
  EXPECT_EQ(ChangesOf(parked), (Changes{{"f", c_}}));
  EXPECT_EQ(parked.ref, "refs/concordfs/rejected/andrew/" + parked.id);
  EXPECT_EQ(parked.id, parked.commit.Hex().substr(0, 12));
  EXPECT_EQ(*memory_.ReadRef(parked.ref), parked.commit);
  EXPECT_EQ(branch_.Tip().commit, head_.commit) << "the branch is not touched";
}

TEST_F(ParkingTest, SaysWhoWantedWhatAndWhyItWasRefused) {
  const Parked parked = Park(Refusal());
  EXPECT_EQ(parked.agent, "andrew");
  EXPECT_EQ(parked.path, "f");
  EXPECT_EQ(parked.base, ToString(a_));
  EXPECT_EQ(parked.head, ToString(b_));
  EXPECT_EQ(parked.winner, "benson") << "not carol, whose commit is newer";
  EXPECT_EQ(parked.reason, "the path was changed meanwhile");
  EXPECT_EQ(parked.process, "7 vi");
  EXPECT_EQ(parked.time_s, 7000);
  const Commit commit = CommitOf(parked);
  EXPECT_EQ(commit.author.name, "andrew");
  EXPECT_EQ(commit.message.substr(0, commit.message.find('\n')), "Refused: f");
}

TEST_F(ParkingTest, ReadsBackWhatItParked) {
  const Parked parked = Park(Refusal());
  const std::vector<Parked> list = List();
  ASSERT_THAT(list, SizeIs(1));
  const Parked& read = list[0];
  EXPECT_EQ(read.id, parked.id);
  EXPECT_EQ(read.ref, parked.ref);
  EXPECT_EQ(read.agent, parked.agent);
  EXPECT_EQ(read.path, parked.path);
  EXPECT_EQ(read.base, parked.base);
  EXPECT_EQ(read.head, parked.head);
  EXPECT_EQ(read.winner, parked.winner);
  EXPECT_EQ(read.reason, parked.reason);
  EXPECT_EQ(read.process, parked.process);
  EXPECT_EQ(read.commit, parked.commit);
  EXPECT_EQ(read.parent, parked.parent);
  EXPECT_EQ(read.time_s, parked.time_s);
}

TEST_F(ParkingTest, KeepsPathsThatAreNoText) {
  for (const std::string name : {"two words ", "line\nbreak", "\"quoted\"", "\xff\xfe", "back\\slash", " leading"}) {
    ParkRequest request = Refusal();
    request.path = Path("d/" + name);
    request.base.version = std::nullopt;
    const Parked parked = Park(request);
    EXPECT_EQ(parked.path, "d/" + name);
    EXPECT_EQ(ChangesOf(parked), (Changes{{"d/" + name, c_}}));
    EXPECT_EQ(Parking::Find(memory_, parked.id)->path, "d/" + name);
  }
}

TEST_F(ParkingTest, KeepsADeletionAndACreation) {
  ParkRequest deletion = Refusal();
  deletion.content = std::nullopt;
  EXPECT_EQ(ChangesOf(Park(deletion)), (Changes{{"f", std::nullopt}}));
  ParkRequest creation = Refusal();
  creation.path = Path("new/deep/file");
  creation.base.version = std::nullopt;
  EXPECT_EQ(ChangesOf(Park(creation)), (Changes{{"new/deep/file", c_}}));
}

TEST_F(ParkingTest, MakesRoomForContentWhereTheBaseHadADirectoryOrAFileInTheWay) {
  ParkRequest over_directory = Refusal();
  over_directory.path = Path("d");
  EXPECT_EQ(ChangesOf(Park(over_directory)), (Changes{{"d", c_}, {"d/g", std::nullopt}}));
  ParkRequest through_file = Refusal();
  through_file.path = Path("f/x/y");
  EXPECT_EQ(ChangesOf(Park(through_file)), (Changes{{"f/x/y", c_}, {"f", std::nullopt}}));
}

TEST_F(ParkingTest, ParksTheSameRefusalOnce) {
  const Parked first = Park(Refusal());
  ParkRequest repeated = Refusal();
  repeated.time_s += 10;
  repeated.reason = "again";
  EXPECT_EQ(Park(repeated).id, first.id);
  EXPECT_THAT(List(), SizeIs(1));
}

TEST_F(ParkingTest, ParksEveryOtherRefusal) {
  Park(Refusal());
  std::vector<ParkRequest> others(6, Refusal());
  others[0].agent = "andrew2";
  others[1].path = Path("d/g");
  others[2].content = branch_.Blob("d");
  others[3].content->mode = FileMode::kExecutable;
  others[4].head = branch_.Blob("e");
  others[5].base = Base{b_, head_.commit};
  for (std::size_t i = 0; i < others.size(); ++i) {
    Park(others[i]);
    EXPECT_THAT(List(), SizeIs(i + 2)) << "case " << i;
  }
}

TEST_F(ParkingTest, ParksAgainWhatWasDropped) {
  const Parked first = Park(Refusal());
  ASSERT_TRUE(memory_.DeleteRef(first.ref, first.commit));
  const Parked again = Park(Refusal());
  EXPECT_THAT(List(), SizeIs(1));
  EXPECT_EQ(*memory_.ReadRef(again.ref), again.commit);
}

TEST_F(ParkingTest, FindsItParkedAlreadyAfterARestart) {
  const Parked first = Park(Refusal());
  Parking restarted(store_, trees_);  // remembers nothing
  const auto again = restarted.Park(Refusal());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->id, first.id);
  EXPECT_THAT(List(), SizeIs(1));
}

TEST_F(ParkingTest, KeepsRecoveredContentApart) {
  const Parked recovered = Park(Refusal(), kRecoveredPrefix);
  EXPECT_EQ(recovered.ref, "refs/concordfs/recovered/andrew/" + recovered.id);
  EXPECT_THAT(List(), IsEmpty());
  EXPECT_THAT(List(kRecoveredPrefix), SizeIs(1));
  Park(Refusal());
  EXPECT_THAT(List(), SizeIs(1)) << "the same content may be both";
  EXPECT_EQ(CommitOf(recovered).message.substr(0, 12), "Recovered: f");
}

TEST_F(ParkingTest, NamesNoWinnerWhereNobodyCanTell) {
  ParkRequest request = Refusal();
  request.head = branch_.Blob("never at head");
  EXPECT_EQ(Park(request).winner, "");
  request.head_commit = ObjectId();
  EXPECT_EQ(Park(request).winner, "");
}

TEST_F(ParkingTest, NamesWhoDeletedTheFile) {
  head_ = branch_.Commit({{"f", std::nullopt}}, "dora");
  ParkRequest request = Refusal();
  request.head = std::nullopt;
  request.head_commit = head_.commit;
  EXPECT_EQ(Park(request).winner, "dora");
}

TEST_F(ParkingTest, ListsTheOldestFirst) {
  for (const int time : {30, 10, 20}) {
    ParkRequest request = Refusal();
    request.time_s = time;
    request.content = branch_.Blob(std::to_string(time));
    Park(request);
  }
  std::vector<std::int64_t> times;
  for (const Parked& parked : List()) times.push_back(parked.time_s);
  EXPECT_EQ(times, (std::vector<std::int64_t>{10, 20, 30}));
}

TEST_F(ParkingTest, LeavesOutWhatCannotBeRead) {
  const Parked broken = Park(Refusal());
  ParkRequest other = Refusal();
  other.path = Path("d/g");
  const Parked good = Park(other);
  memory_.Damage(broken.commit);
  const std::vector<Parked> list = List();
  ASSERT_THAT(list, SizeIs(1));
  EXPECT_EQ(list[0].id, good.id);
}

TEST_F(ParkingTest, FindsByTheStartOfAnIdAsLongAsOnlyOneHasIt) {
  std::vector<Parked> all;
  for (int i = 0; i < 17; ++i) {  // of seventeen ids, two start with the same digit
    ParkRequest request = Refusal();
    request.content = branch_.Blob("content " + std::to_string(i));
    all.push_back(Park(request, i % 2 == 0 ? kRejectedPrefix : kRecoveredPrefix));
  }
  for (const Parked& parked : all) EXPECT_EQ(Parking::Find(memory_, parked.id)->commit, parked.commit);
  int ambiguous = 0;
  for (const char digit : std::string("0123456789abcdef")) {
    const auto found = Parking::Find(memory_, std::string(1, digit));
    const auto count = std::count_if(all.begin(), all.end(), [&](const Parked& one) { return one.id[0] == digit; });
    ASSERT_EQ(found.ok(), count == 1) << digit;
    if (count > 1) {
      EXPECT_EQ(found.code(), Code::kInvalidArgument);
      ++ambiguous;
    }
    if (count == 0) {
      EXPECT_EQ(found.code(), Code::kNotFound);
    }
  }
  EXPECT_GT(ambiguous, 0);
  for (const char* none : {"", "x", "andrew"}) {
    const auto found = Parking::Find(memory_, none);
    ASSERT_FALSE(found) << none;
    EXPECT_EQ(found.code(), Code::kNotFound) << none;
  }
}

TEST_F(ParkingTest, FailsWithoutTheBasesCommit) {
  ParkRequest request = Refusal();
  request.base.commit = ObjectId();
  const auto parked = parking_.Park(request);
  ASSERT_FALSE(parked);
  EXPECT_EQ(parked.code(), Code::kNotFound);
  EXPECT_THAT(List(), IsEmpty());
}

// For every n: an error and no ref, or a parked commit that says all; and the next attempt parks it.
TEST_F(ParkingTest, EitherParksOrFailsWhateverOperationOfTheStoreFails) {
  for (const bool parked_before : {false, true}) {
    std::uint64_t failures = 1;
    for (std::uint64_t n = 1; failures > 0; ++n) {
      SCOPED_TRACE("operation " + std::to_string(n) + " fails");
      ASSERT_LT(n, 100U);
      TreeReader trees(store_);
      Parking parking(store_, trees);
      ParkRequest request = Refusal();
      request.content = branch_.Blob("content " + std::to_string(n));
      if (parked_before) {
        ASSERT_TRUE(parking.Park(request));
      }
      const std::uint64_t failed_before = store_.failures();
      const std::size_t count_before = List().size();
      store_.FailNth(n, Code::kNoSpace);
      const auto parked = parking.Park(request);
      failures = store_.failures() - failed_before;
      store_.Heal();
      if (parked) {
        EXPECT_EQ(ChangesOf(*parked), (Changes{{"f", request.content}}));
      } else {
        EXPECT_EQ(parked.code(), Code::kNoSpace);
        EXPECT_THAT(List(), SizeIs(count_before));
      }
      const auto again = parking.Park(request);
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_EQ(ChangesOf(*again), (Changes{{"f", request.content}}));
      EXPECT_THAT(List(), SizeIs(count_before + (parked_before ? 0 : 1)));
    }
  }
}

TEST_F(ParkingTest, ParksFromManyThreads) {
  std::vector<std::thread> threads;
  std::vector<Version> contents;
  for (int i = 0; i < 5; ++i) contents.push_back(branch_.Blob(std::to_string(i)));
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (const Version& content : contents) {
        ParkRequest request = Refusal();
        request.content = content;
        EXPECT_TRUE(parking_.Park(request));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(List(), SizeIs(5)) << "each content once";
}

}  // namespace
}  // namespace concordfs::vcs
