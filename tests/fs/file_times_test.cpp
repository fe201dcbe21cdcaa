// The times of what nobody touched here.
#include "fs/file_times.h"

#include <gtest/gtest.h>

#include "tests/model/branch.h"
#include "tests/support/expect_result.h"
#include "tests/support/memory_store.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"

namespace concordfs::fs {
namespace {

using testing::Branch;
using testing::Changes;
using testing::Files;
using testing::Path;

class FileTimesTest : public ::testing::Test {
 protected:
  FileTimesTest() { Remount(); }

  void Remount() {
    if (attributes_) {
      ASSERT_OK(attributes_->Flush());
    }
    times_.reset();
    auto opened = AttributeStore::Open(folder_.path(), "refs/heads/main", LogAccess::kReadWrite);
    ASSERT_OK(opened);
    attributes_ = *std::move(opened);
    trees_ = std::make_unique<vcs::TreeReader>(store_);
    times_ = std::make_unique<FileTimes>(*attributes_, *trees_);
  }
  // A commit by others, noted at that time.
  vcs::Head Outside(const Changes& changes, time_t time) {
    const vcs::Head head = branch_.Commit(changes);
    times_->NoteHead(head, timespec{time, 7});
    return head;
  }
  // A commit of our own: the path's time goes to its record, and the head is no epoch.
  void Publish(const std::string& path, const vcs::Version& version, time_t time) {
    branch_.Commit({{path, version}});
    Attributes change;
    change.mtime = timespec{time, 9};
    change.version = version;
    attributes_->UpdateFile(Path(path), change);
  }
  // Seconds; -1: unknown.
  time_t TimeOf(const std::string& path) {
    const auto version = branch_.At(path);
    if (!version) throw std::runtime_error(path + " is not there");
    const auto time = times_->MtimeOfFile(Path(path), *version);
    if (!time) throw std::runtime_error(time.error().message);
    return *time ? (*time)->tv_sec : -1;
  }
  time_t TimeOfDirectory(const std::string& path) {
    const auto time = times_->MtimeOfDirectory(Path(path));
    if (!time) throw std::runtime_error(time.error().message);
    return *time ? (*time)->tv_sec : -1;
  }

  vcs::MemoryStore memory_;
  vcs::FailingStore store_{memory_};
  Branch branch_{memory_};
  TempDir folder_;
  std::unique_ptr<vcs::TreeReader> trees_;
  std::unique_ptr<AttributeStore> attributes_;
  std::unique_ptr<FileTimes> times_;
  const vcs::Version a_ = branch_.Blob("a");
  const vcs::Version b_ = branch_.Blob("b");
  const vcs::Version c_ = branch_.Blob("c");
};

TEST_F(FileTimesTest, LeavesUntouchedFilesAsOldAsTheFirstHeadWhateverElseIsPublished) {
  Outside({{"d/f", a_}, {"d/g", a_}, {"top", a_}}, 100);
  Publish("d/g", b_, 200);
  Publish("d/new", a_, 210);
  Outside({{"top", b_}}, 300);
  for (int mount = 0; mount < 3; ++mount) {
    EXPECT_EQ(TimeOf("d/f"), 100);
    EXPECT_EQ(TimeOf("d/g"), 200);
    EXPECT_EQ(TimeOf("d/new"), 210);
    EXPECT_EQ(TimeOf("top"), 300);
    Remount();
    times_->NoteHead(branch_.Tip(), timespec{1000 + mount, 0});
    Publish("other", mount % 2 == 0 ? a_ : b_, 500 + mount);
  }
}

TEST_F(FileTimesTest, KnowsTheNanoseconds) {
  Outside({{"f", a_}}, 100);
  const auto time = times_->MtimeOfFile(Path("f"), a_);
  ASSERT_OK(time);
  ASSERT_TRUE(*time);
  EXPECT_EQ((*time)->tv_nsec, 7);
}

TEST_F(FileTimesTest, GivesAFileThatOthersChangedTheTimeOfThat) {
  Outside({{"f", a_}, {"g", a_}}, 100);
  Outside({{"f", b_}}, 200);
  Outside({{"x", b_}}, 300);
  EXPECT_EQ(TimeOf("f"), 200);
  EXPECT_EQ(TimeOf("g"), 100);
}

TEST_F(FileTimesTest, TakesAFileThatWasChangedBackForAChangedOne) {
  Outside({{"f", a_}}, 100);
  Outside({{"f", b_}}, 200);
  Outside({{"f", a_}}, 300);
  EXPECT_EQ(TimeOf("f"), 300);
}

TEST_F(FileTimesTest, TakesAChangeOfTheExecBitForAChange) {
  Outside({{"f", a_}}, 100);
  Outside({{"f", vcs::Version{a_.blob, vcs::FileMode::kExecutable}}}, 200);
  EXPECT_EQ(TimeOf("f"), 200);
}

TEST_F(FileTimesTest, TakesAFileThatWasRemovedAndMadeAgainForANewOne) {
  Outside({{"d/f", a_}, {"d/g", a_}, {"e/f", a_}}, 100);
  Outside({{"d/f", std::nullopt}, {"e/f", std::nullopt}}, 200);
  Outside({{"d/f", a_}, {"e/f", a_}}, 300);
  EXPECT_EQ(TimeOf("d/f"), 300);
  EXPECT_EQ(TimeOf("d/g"), 100);
  EXPECT_EQ(TimeOf("e/f"), 300) << "its directory was gone, too";
}

TEST_F(FileTimesTest, TakesAFileThatWasADirectoryForANewOne) {
  Outside({{"f", a_}}, 100);
  Outside({{"f", std::nullopt}, {"f/x", a_}}, 200);
  Outside({{"f/x", std::nullopt}, {"f", a_}}, 300);
  EXPECT_EQ(TimeOf("f"), 300);
}

TEST_F(FileTimesTest, GivesAFileThatOthersSetBackNoTimeBeforeItsPublication) {
  Outside({{"f", a_}}, 100);
  Publish("f", b_, 200);
  Outside({{"f", a_}}, 300);  // a revert: for make it is newer than what was built of b
  EXPECT_EQ(TimeOf("f"), 300);
  Remount();
  EXPECT_EQ(TimeOf("f"), 300);
  Outside({{"x", a_}}, 400);
  EXPECT_EQ(TimeOf("f"), 300);
}

TEST_F(FileTimesTest, KnowsNothingOfAVersionThatNoEpochHas) {
  EXPECT_FALSE(*times_->MtimeOfFile(Path("f"), a_)) << "without any epoch";
  EXPECT_EQ(TimeOfDirectory("d"), -1);
  Outside({{"f", a_}}, 100);
  branch_.Commit({{"f", b_}, {"d/g", a_}});  // of our own, and its record was lost
  EXPECT_EQ(TimeOf("f"), -1);
  EXPECT_EQ(TimeOf("d/g"), -1);
  EXPECT_EQ(TimeOfDirectory("d"), -1);
  Remount();
  times_->NoteHead(branch_.Tip(), timespec{200, 0});
  EXPECT_EQ(TimeOf("f"), 200) << "from the next mount on it is an epoch's";
}

TEST_F(FileTimesTest, CountsAPrunedEpochForNothing) {
  Outside({{"d/f", a_}, {"d/g", a_}, {"top", a_}}, 100);
  const vcs::Head rewound = Outside({{"d/f", b_}, {"top", b_}}, 200);
  // The branch was rewound, and the commit and its trees are gone.
  const auto tip = branch_.AddCommit(Files{{"d/f", a_}, {"d/g", a_}, {"top", a_}, {"x", a_}}, {}, "outside");
  memory_.ForceRef("refs/heads/main", tip.commit);
  times_->NoteHead(tip, timespec{300, 0});
  EXPECT_EQ(TimeOf("top"), 300);
  const auto d = trees_->Find(rewound.root, Path("d"));
  ASSERT_OK(d);
  memory_.Damage(rewound.root);
  memory_.Damage((*d)->id);
  Remount();
  EXPECT_EQ(TimeOf("top"), 100);
  EXPECT_EQ(TimeOf("d/f"), 100);
  EXPECT_EQ(TimeOf("x"), 300);
  const auto operations = store_.operations();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(TimeOf("top"), 100);
  EXPECT_EQ(store_.operations(), operations) << "what is gone is looked for once";
}

TEST_F(FileTimesTest, CountsAPrunedPartOfAnEpochForNothing) {
  Outside({{"d/f", a_}, {"e/f", a_}}, 100);
  const vcs::Head pruned = Outside({{"d/f", b_}, {"e/f", b_}}, 200);
  Outside({{"d/f", a_}, {"e/f", a_}}, 300);
  const auto d = trees_->Find(pruned.root, Path("d"));
  ASSERT_OK(d);
  memory_.Damage((*d)->id);
  Remount();
  // In this repository d and e have the same tree.
  EXPECT_EQ(TimeOf("d/f"), 100);
}

TEST_F(FileTimesTest, ReportsADiskThatFailsAndRecovers) {
  Outside({{"d/f", a_}}, 100);
  Remount();
  store_.FailNth(1, Code::kIo);
  EXPECT_CODE(times_->MtimeOfFile(Path("d/f"), a_), Code::kIo);
  store_.FailNth(2, Code::kIo);
  EXPECT_CODE(times_->MtimeOfDirectory(Path("d")), Code::kIo);
  EXPECT_EQ(TimeOf("d/f"), 100);
}

TEST_F(FileTimesTest, KeepsTheTimesOfWhatCameWithEpochsThatAreNoMore) {
  Outside({{"first", a_}, {"f", a_}}, 100);
  Outside({{"second", a_}, {"f", b_}}, 200);
  Outside({{"third", a_}, {"f", a_}}, 300);
  constexpr auto kMax = static_cast<time_t>(AttributeState::kMaxEpochs);
  for (time_t i = 4; i <= kMax; ++i) Outside({{"n" + std::to_string(i), a_}}, i * 100);
  EXPECT_EQ(TimeOf("second"), 200);
  Outside({{"last", a_}}, 10000);
  EXPECT_EQ(attributes_->Epochs()->size(), AttributeState::kMaxEpochs);
  for (int mount = 0; mount < 2; ++mount) {
    EXPECT_EQ(TimeOf("first"), 100);
    EXPECT_EQ(TimeOf("second"), 200);
    EXPECT_EQ(TimeOf("third"), 300);
    EXPECT_EQ(TimeOf("f"), 300) << "it was changed and changed back";
    EXPECT_EQ(TimeOf("n" + std::to_string(kMax)), kMax * 100);
    EXPECT_EQ(TimeOf("last"), 10000);
    Remount();
  }
  for (time_t i = 0; i < 2 * kMax; ++i) Outside({{"m", i % 2 == 0 ? a_ : b_}}, 20000 + i);
  for (int mount = 0; mount < 2; ++mount) {
    EXPECT_EQ(TimeOf("first"), 100);
    EXPECT_EQ(TimeOf("second"), 200);
    EXPECT_EQ(TimeOf("f"), 300);
    EXPECT_EQ(TimeOf("last"), 10000);
    EXPECT_EQ(TimeOf("m"), 20000 + 2 * kMax - 1);
    EXPECT_EQ(TimeOfDirectory(""), 20000) << "when m came";
    Remount();
  }
}

TEST_F(FileTimesTest, MakesWhatItCantRecordYoungerNeverOlder) {
  Outside({{"first", a_}}, 100);
  Changes many;
  for (int i = 0; i < 20'001; ++i) many["d" + std::to_string(i / 100) + "/n" + std::to_string(i)] = a_;
  Outside(many, 200);
  for (std::size_t i = 2; i < AttributeState::kMaxEpochs; ++i) Outside({{"x", i % 2 == 0 ? b_ : a_}}, 300 + i);
  EXPECT_EQ(TimeOf("d0/n7"), 200);
  Outside({{"last", a_}}, 10000);
  EXPECT_EQ(TimeOf("first"), 200) << "not known any better";
  EXPECT_EQ(TimeOf("d0/n7"), 200);
  EXPECT_EQ(TimeOf("d200/n20000"), 200);
}

TEST_F(FileTimesTest, DropsPrunedEpochsRatherThanTheirNeighbours) {
  Outside({{"first", a_}}, 100);
  const vcs::Head pruned = Outside({{"x", c_}}, 200);
  for (std::size_t i = 2; i < AttributeState::kMaxEpochs; ++i) Outside({{"x", i % 2 == 0 ? b_ : a_}}, 300 + i);
  memory_.Damage(pruned.root);
  Remount();
  Outside({{"last", a_}}, 10000);
  EXPECT_EQ(attributes_->Epochs()->size(), AttributeState::kMaxEpochs);
  EXPECT_EQ(TimeOf("first"), 100);
}

TEST_F(FileTimesTest, ChangesADirectorysTimeWithItsNamesOnly) {
  Outside({{"d/f", a_}, {"d/s/g", a_}}, 100);
  Outside({{"d/f", b_}}, 200);
  EXPECT_EQ(TimeOfDirectory("d"), 100);
  Outside({{"d/s/h", b_}}, 300);
  EXPECT_EQ(TimeOfDirectory("d"), 100);
  EXPECT_EQ(TimeOfDirectory("d/s"), 300);
  Outside({{"d/new", b_}}, 400);
  EXPECT_EQ(TimeOfDirectory("d"), 400);
  EXPECT_EQ(TimeOfDirectory(""), 100);
}

TEST_F(FileTimesTest, HoldsADirectorysRecordUntilOthersChangeItsNames) {
  Outside({{"d/f", a_}}, 100);
  Attributes change;
  change.mtime = timespec{50, 0};  // as tar and rsync set them: older than the epoch
  attributes_->UpdateDirectory(Path("d"), change);
  attributes_->UpdateDirectory(Path("ours"), change);
  EXPECT_EQ(TimeOfDirectory("d"), 50);
  EXPECT_EQ(TimeOfDirectory("ours"), 50) << "git knows nothing of it";
  Outside({{"d/f", b_}}, 200);
  EXPECT_EQ(TimeOfDirectory("d"), 50);
  Outside({{"d/g", b_}}, 300);
  EXPECT_EQ(TimeOfDirectory("d"), 300);
  attributes_->UpdateDirectory(Path("d"), change);
  EXPECT_EQ(TimeOfDirectory("d"), 50);
}

TEST_F(FileTimesTest, HoldsADirectorysRecordOverWhatIsPublishedHereAndOthersDoNext) {
  Outside({{"d/f", a_}, {"e/f", a_}}, 100);
  Attributes change;
  change.mtime = timespec{50, 0};  // when the name was made; its publication comes later
  attributes_->UpdateDirectory(Path("d"), change);
  Publish("d/new", a_, 200);
  times_->FollowOwn(branch_.Tip());
  Publish("d/f", b_, 210);
  times_->FollowOwn(branch_.Tip());
  Outside({{"top", a_}}, 300);
  for (int mount = 0; mount < 2; ++mount) {
    EXPECT_EQ(TimeOfDirectory("d"), 50);
    EXPECT_EQ(TimeOfDirectory("e"), 100);
    Remount();
  }
  Outside({{"d/theirs", a_}}, 400);
  EXPECT_EQ(TimeOfDirectory("d"), 400);
}

TEST_F(FileTimesTest, LeavesUntouchedFilesAsOldAsTheyWereOverWhatIsPublishedHere) {
  Outside({{"d/f", a_}, {"first", a_}}, 100);
  Outside({{"d/g", a_}}, 200);
  for (time_t i = 0; i < 3; ++i) {
    Publish("d/own", i % 2 == 0 ? a_ : b_, 300 + i);
    times_->FollowOwn(branch_.Tip());
    for (int mount = 0; mount < 2; ++mount) {
      EXPECT_EQ(TimeOf("d/f"), 100);
      EXPECT_EQ(TimeOf("first"), 100);
      EXPECT_EQ(TimeOf("d/g"), 200);
      EXPECT_EQ(TimeOf("d/own"), 300 + i);
      EXPECT_EQ(attributes_->Epochs()->size(), 2U);
      Remount();
      times_->NoteHead(branch_.Tip(), timespec{1000, 0});
    }
  }
}

TEST_F(FileTimesTest, GivesAFileThatOthersChangedAfterAPublicationHereTheTimeOfThat) {
  Outside({{"f", a_}, {"own", a_}, {"back", a_}}, 100);
  Publish("own", b_, 200);
  Publish("back", b_, 210);
  times_->FollowOwn(branch_.Tip());
  Outside({{"f", b_}, {"back", a_}}, 300);
  for (int mount = 0; mount < 2; ++mount) {
    EXPECT_EQ(TimeOf("f"), 300);
    EXPECT_EQ(TimeOf("back"), 300) << "as it was before the publication, and changed all the same";
    EXPECT_EQ(TimeOf("own"), 200);
    Remount();
  }
}

TEST_F(FileTimesTest, WritesNothingForAStatAndReadsEachTreeOnce) {
  Files files;
  Changes changes;
  for (int i = 0; i < 200; ++i) changes["d/e/f" + std::to_string(i)] = a_;
  Outside(changes, 100);
  for (time_t i = 0; i < 20; ++i) Outside({{"x", i % 2 == 0 ? a_ : b_}}, 200 + i);
  Remount();
  const auto size = attributes_->log_size();
  for (int i = 0; i < 200; ++i) EXPECT_EQ(TimeOf("d/e/f" + std::to_string(i)), 100);
  EXPECT_EQ(store_.operations(), 3U + 2U) << "the first root, its two alternatives, d and e";
  ASSERT_OK(attributes_->Flush());
  EXPECT_EQ(attributes_->log_size(), size);
}

}  // namespace
}  // namespace concordfs::fs
