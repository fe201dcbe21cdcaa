// What the store of attributes keeps, finds, and shares between daemons.
#include "fs/attribute_store.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/support/expect_result.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tmpfs_mount.h"

namespace concordfs::fs {
namespace {

using testing::kMain;
using testing::Path;

namespace stdfs = std::filesystem;

vcs::Version VersionOf(std::uint8_t id, vcs::FileMode mode = vcs::FileMode::kRegular) {
  vcs::ObjectId::Bytes bytes{};
  bytes[0] = id;
  return vcs::Version{vcs::ObjectId(bytes), mode};
}

vcs::Head HeadOf(std::uint8_t id) {
  return vcs::Head{VersionOf(id).blob, VersionOf(id).blob, id};
}

Attributes WithMode(mode_t mode) {
  Attributes change;
  change.mode = mode;
  return change;
}

Attributes WithMtime(time_t seconds, const vcs::MaybeVersion& version) {
  Attributes change;
  change.mtime = timespec{seconds, 123456789};
  change.version = version;
  return change;
}

std::string ReadText(const stdfs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class AttributeStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<AttributeStore> Open(LogAccess access = LogAccess::kReadWrite) const {
    auto store = AttributeStore::Open(folder_.path(), kMain, access);
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  stdfs::path Log() const { return AttributesFolder(folder_.path(), kMain) / "log"; }
  // Changes one record so often that the log is far larger than it has to be.
  static void Bloat(AttributeStore& store) {
    for (mode_t i = 0; i < 4000; ++i) store.UpdateFile(Path("bloated"), WithMode(0600 + (i & 070)));
    ASSERT_OK(store.Flush());
  }

  TempDir folder_;
  const vcs::Version now_ = VersionOf(1);
};

TEST_F(AttributeStoreTest, KeepsEveryAttributeAcrossAReopen) {
  Attributes all;
  all.mode = 04711;
  all.uid = 4294967294;
  all.gid = 12;
  all.atime = timespec{-5, 999999999};
  all.mtime = timespec{1LL << 33, 1};
  all.ctime = timespec{0, 0};
  all.birth = timespec{1700000000, 42};
  all.version = VersionOf(9, vcs::FileMode::kExecutable);
  {
    const auto store = Open();
    store->UpdateFile(Path("a/b"), all);
    ASSERT_OK(store->Flush());
  }
  const auto found = Open()->FindFile(Path("a/b"), *all.version);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mode, all.mode);
  EXPECT_EQ(found->uid, all.uid);
  EXPECT_EQ(found->gid, all.gid);
  EXPECT_EQ(found->version, all.version);
  for (const auto time : {&Attributes::atime, &Attributes::mtime, &Attributes::ctime, &Attributes::birth}) {
    ASSERT_TRUE((*found).*time);
    EXPECT_EQ(((*found).*time)->tv_sec, (all.*time)->tv_sec);
    EXPECT_EQ(((*found).*time)->tv_nsec, (all.*time)->tv_nsec);
  }
}

TEST_F(AttributeStoreTest, KnowsNothingOfAPathWithoutRecordAndWritesNothingForIt) {
  const auto store = Open();
  EXPECT_FALSE(store->FindFile(Path("a"), now_));
  EXPECT_FALSE(store->FindDirectory(Path("a")));
  store->Forget(Path("a"));
  store->ForgetBelow(vcs::RepoPath());
  store->Rename(Path("a"), Path("b"));
  store->Exchange(Path("a"), Path("b"));
  ASSERT_OK(store->Flush());
  ASSERT_OK(store->Sync());
  EXPECT_FALSE(stdfs::exists(folder_.path() / "concordfs"));
}

TEST_F(AttributeStoreTest, ChangesOnlyWhatAnUpdateNames) {
  const auto store = Open();
  store->UpdateFile(Path("a"), WithMode(0640));
  store->UpdateFile(Path("a"), WithMtime(50, now_));
  Attributes owner;
  owner.uid = 7;
  store->UpdateFile(Path("a"), owner);
  const auto found = store->FindFile(Path("a"), now_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mode, 0640U);
  EXPECT_EQ(found->uid, 7U);
  EXPECT_FALSE(found->gid);
  EXPECT_EQ(found->mtime->tv_sec, 50);
}

TEST_F(AttributeStoreTest, CountsTimesOnlyForTheirVersion) {
  const auto store = Open();
  Attributes change = WithMtime(50, now_);
  change.ctime = timespec{60, 0};
  change.atime = timespec{70, 0};
  store->UpdateFile(Path("a"), change);
  const auto other = store->FindFile(Path("a"), VersionOf(2));
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->mtime);
  EXPECT_FALSE(other->ctime);
  EXPECT_TRUE(other->atime);
  Attributes of_other;
  of_other.ctime = timespec{80, 0};
  of_other.version = VersionOf(2);
  store->UpdateFile(Path("a"), of_other);
  EXPECT_EQ(store->FindFile(Path("a"), VersionOf(2))->ctime->tv_sec, 80);
  EXPECT_FALSE(store->FindFile(Path("a"), VersionOf(2))->mtime) << "it was another version's";
}

TEST_F(AttributeStoreTest, LetsGitsExecBitWin) {
  const auto store = Open();
  const vcs::Version executable = VersionOf(1, vcs::FileMode::kExecutable);
  store->UpdateFile(Path("plain"), WithMode(0660));
  store->UpdateFile(Path("program"), WithMode(04700));
  EXPECT_EQ(store->FindFile(Path("plain"), now_)->mode, 0660U);
  EXPECT_EQ(store->FindFile(Path("program"), executable)->mode, 04700U);
  EXPECT_EQ(store->FindFile(Path("plain"), executable)->mode, 0770U);
  EXPECT_EQ(store->FindFile(Path("program"), now_)->mode, 0600U) << "private as before, and not set-user-id";
  EXPECT_EQ(store->FindFile(Path("program"), VersionOf(1, vcs::FileMode::kSymlink))->mode, 0777U);
}

TEST_F(AttributeStoreTest, TakesADirectorysRecordForNoFiles) {
  const auto store = Open();
  store->UpdateDirectory(Path("a"), WithMode(0750));
  EXPECT_FALSE(store->FindFile(Path("a"), VersionOf(1, vcs::FileMode::kExecutable)));
  Attributes owner;
  owner.uid = 5;
  store->UpdateFile(Path("a"), owner);
  EXPECT_FALSE(store->FindDirectory(Path("a")));
  EXPECT_FALSE(store->FindFile(Path("a"), VersionOf(1, vcs::FileMode::kExecutable))->mode);
}

TEST_F(AttributeStoreTest, MovesADirectoryWithAllBelowItAndNothingElse) {
  const auto store = Open();
  store->UpdateDirectory(Path("d"), WithMode(0700));
  mode_t mode = 0600;
  for (const char* path : {"d/x", "d/y/z", "d-", "d.x", "d0", "dd/x", "e/old", "e-"}) {
    store->UpdateFile(Path(path), WithMode(mode++ & ~0100U));
  }
  store->Rename(Path("d"), Path("e"));
  ASSERT_OK(store->Flush());
  for (const auto& at : {Open(), Open(LogAccess::kReadOnly)}) {
    EXPECT_FALSE(at->FindDirectory(Path("d")));
    EXPECT_EQ(at->FindDirectory(Path("e"))->mode, 0700U);
    EXPECT_FALSE(at->FindFile(Path("d/x"), now_));
    EXPECT_EQ(at->FindFile(Path("e/x"), now_)->mode, 0600U);
    EXPECT_EQ(at->FindFile(Path("e/y/z"), now_)->mode, 0601U);
    EXPECT_FALSE(at->FindFile(Path("e/old"), now_)) << "it was replaced";
    for (const char* path : {"d-", "d.x", "d0", "dd/x", "e-"}) EXPECT_TRUE(at->FindFile(Path(path), now_)) << path;
    EXPECT_EQ(at->size(), 8U);
  }
}

TEST_F(AttributeStoreTest, MovesAFileOverAnother) {
  const auto store = Open();
  store->UpdateFile(Path("a"), WithMtime(5, now_));
  store->UpdateFile(Path("b"), WithMode(0600));
  store->Rename(Path("a"), Path("b"));
  EXPECT_FALSE(store->FindFile(Path("b"), now_)->mode);
  EXPECT_EQ(store->FindFile(Path("b"), now_)->mtime->tv_sec, 5);
  store->Rename(Path("c"), Path("b"));  // of which nothing is known
  EXPECT_FALSE(store->FindFile(Path("b"), now_));
  EXPECT_EQ(store->size(), 0U);
}

TEST_F(AttributeStoreTest, ExchangesTwoWithAllBelow) {
  const auto store = Open();
  store->UpdateFile(Path("a/x"), WithMode(0600));
  store->UpdateFile(Path("b"), WithMode(0640));
  store->Exchange(Path("a"), Path("b"));
  EXPECT_EQ(store->FindFile(Path("a"), now_)->mode, 0640U);
  EXPECT_EQ(store->FindFile(Path("b/x"), now_)->mode, 0600U);
  ASSERT_OK(store->Flush());
  EXPECT_EQ(Open()->FindFile(Path("b/x"), now_)->mode, 0600U);
}

TEST_F(AttributeStoreTest, R12KeepsEmptyDirectories) {
  const auto store = Open();
  Attributes kept;
  kept.kept = true;
  for (const char* path : {"b", "a/c", "a"}) store->UpdateDirectory(Path(path), kept);
  store->UpdateDirectory(Path("plain"), WithMode(0700));
  store->Rename(Path("a"), Path("z"));
  kept.kept = false;
  store->UpdateDirectory(Path("b"), kept);
  ASSERT_OK(store->Flush());
  EXPECT_EQ(Open()->KeptDirectories(), (std::vector{Path("z"), Path("z/c")}));
  store->ForgetBelow(Path("z"));
  EXPECT_EQ(store->KeptDirectories(), std::vector{Path("z")});
  store->Forget(Path("z"));
  ASSERT_OK(store->Flush());
  EXPECT_TRUE(Open()->KeptDirectories().empty());
}

TEST_F(AttributeStoreTest, KeepsOddNames) {
  const std::vector<std::string> names = {"new\nline",    "\xff\xfe", "quo\"te", "back\\slash", "\"", "\x01",
                                          "\xef\xbf\xbe", "tab\t",    "ümlaut",  " ",           "{}", "a/\n/b"};
  {
    const auto store = Open();
    for (const auto& name : names) store->UpdateFile(Path(name), WithMode(0600));
    ASSERT_OK(store->Flush());
  }
  const auto store = Open();
  for (const auto& name : names) EXPECT_TRUE(store->FindFile(Path(name), now_)) << vcs::Quoted(name);
  EXPECT_EQ(store->size(), names.size());
}

TEST_F(AttributeStoreTest, GivesEachBranchAFolderOfItsOwn) {
  const auto name = [&](const std::string& ref) { return AttributesFolder(folder_.path(), ref).filename().string(); };
  EXPECT_EQ(name("refs/heads/main"), "main");
  EXPECT_EQ(name("refs/heads/feature/x%y"), "feature%2Fx%25y");
  EXPECT_EQ(name("refs/heads/..."), "%2E..");
  const std::string long_name(1000, 'x');
  EXPECT_NE(name("refs/heads/" + long_name + "1"), name("refs/heads/" + long_name + "2"));
  EXPECT_LE(name("refs/heads/" + long_name).size(), 255U);
  const auto store = AttributeStore::Open(folder_.path(), "refs/heads/a/\xff\n", LogAccess::kReadWrite);
  ASSERT_OK(store);
  (*store)->UpdateFile(Path("a"), WithMode(0600));
  ASSERT_OK((*store)->Sync());
  EXPECT_EQ(Open()->size(), 0U);
}

TEST_F(AttributeStoreTest, SharesALogBetweenDaemons) {
  const auto one = Open();
  const auto two = Open();
  one->UpdateFile(Path("a"), WithMode(0600));
  one->UpdateFile(Path("d/x"), WithMode(0640));
  ASSERT_OK(one->Flush());
  EXPECT_FALSE(two->FindFile(Path("a"), now_));
  ASSERT_OK(two->Refresh());
  EXPECT_EQ(two->FindFile(Path("a"), now_)->mode, 0600U);
  two->Rename(Path("d"), Path("e"));
  ASSERT_OK(two->Flush());
  ASSERT_OK(one->Refresh());
  EXPECT_FALSE(one->FindFile(Path("d/x"), now_));
  EXPECT_EQ(one->FindFile(Path("e/x"), now_)->mode, 0640U);
}

TEST_F(AttributeStoreTest, AgreesWithTheLogWhateverTheOrderOfTwoDaemons) {
  const auto one = Open();
  const auto two = Open();
  one->UpdateFile(Path("a/x"), WithMode(0600));
  ASSERT_OK(one->Flush());
  ASSERT_OK(two->Refresh());
  // Both say something before they hear of each other; the log has `two` first.
  one->Rename(Path("a"), Path("b"));
  one->UpdateFile(Path("c"), WithMode(0600));
  two->UpdateFile(Path("a/x"), WithMode(0640));
  two->UpdateFile(Path("a/y"), WithMode(0644));
  two->UpdateFile(Path("c"), WithMtime(9, now_));
  ASSERT_OK(two->Flush());
  ASSERT_OK(one->Flush());
  ASSERT_OK(two->Refresh());
  for (const auto& store : {Open(), Open(LogAccess::kReadOnly)}) EXPECT_EQ(store->size(), 3U);
  for (const auto* store : {one.get(), two.get()}) {
    EXPECT_EQ(store->size(), 3U);
    EXPECT_EQ(store->FindFile(Path("b/x"), now_)->mode, 0640U);
    EXPECT_EQ(store->FindFile(Path("b/y"), now_)->mode, 0644U);
    EXPECT_EQ(store->FindFile(Path("c"), now_)->mode, 0600U);
    EXPECT_EQ(store->FindFile(Path("c"), now_)->mtime->tv_sec, 9);
  }
}

TEST_F(AttributeStoreTest, DoesNotRepeatItsOwnLines) {
  const auto one = Open();
  const auto two = Open();
  one->UpdateFile(Path("a/x"), WithMode(0600));
  one->Rename(Path("a"), Path("b"));
  ASSERT_OK(one->Flush());
  ASSERT_OK(one->Refresh());
  EXPECT_TRUE(one->FindFile(Path("b/x"), now_)) << "renamed twice, it would be gone";
  one->UpdateFile(Path("a/x"), WithMode(0640));
  two->UpdateFile(Path("other"), WithMode(0600));
  ASSERT_OK(two->Flush());
  ASSERT_OK(one->Flush());
  ASSERT_OK(one->Refresh());
  EXPECT_EQ(one->size(), 3U);
  EXPECT_EQ(Open()->size(), 3U);
}

TEST_F(AttributeStoreTest, WritesALogAnewThatIsFarTooLong) {
  {
    const auto store = Open();
    store->UpdateFile(Path("other"), WithMtime(5, now_));
    Bloat(*store);
    store->UpdateFile(Path("pending"), WithMode(0600));
    EXPECT_GT(store->log_size(), AttributeStore::kMinCompaction);
    ASSERT_OK(store->Refresh());
    EXPECT_LT(store->log_size(), 1000U);
    EXPECT_EQ(stdfs::file_size(Log()), store->log_size());
    store->UpdateFile(Path("later"), WithMode(0600));
    ASSERT_OK(store->Flush());
    EXPECT_EQ(stdfs::file_size(Log()), store->log_size());
    Bloat(*store);
  }
  const auto store = Open();
  EXPECT_LT(store->log_size(), 1000U) << "at open, too";
  for (const char* path : {"other", "pending", "later", "bloated"})
    EXPECT_TRUE(store->FindFile(Path(path), now_)) << path;
  EXPECT_EQ(store->size(), 4U);
}

TEST_F(AttributeStoreTest, LeavesALogAloneThatAnotherDaemonWrites) {
  const auto one = Open();
  auto two = Open();
  two->UpdateFile(Path("two"), WithMode(0600));
  ASSERT_OK(two->Flush());
  Bloat(*one);
  const std::uint64_t size = one->log_size();
  ASSERT_OK(one->Refresh());
  EXPECT_EQ(one->log_size(), size);
  EXPECT_EQ(Open()->log_size(), size) << "at open, too";
  two.reset();
  Bloat(*one);
  ASSERT_OK(one->Refresh());
  EXPECT_LT(one->log_size(), 1000U);
  EXPECT_EQ(Open()->size(), 2U);
}

TEST_F(AttributeStoreTest, FollowsALogThatAnotherDaemonWroteAnew) {
  const auto reader = Open();  // uses it, and has written nothing: nothing of it is lost
  const auto read_only = Open(LogAccess::kReadOnly);
  const auto writer = Open();
  writer->UpdateFile(Path("kept"), WithMode(0600));
  writer->UpdateFile(Path("forgotten"), WithMode(0600));
  ASSERT_OK(writer->Flush());
  ASSERT_OK(reader->Refresh());
  ASSERT_OK(read_only->Refresh());
  Bloat(*writer);
  reader->UpdateFile(Path("mine"), WithMode(0640));
  writer->Forget(Path("forgotten"));
  ASSERT_OK(writer->Flush());
  ASSERT_OK(writer->Refresh());
  EXPECT_LT(writer->log_size(), 1000U);
  EXPECT_TRUE(reader->FindFile(Path("forgotten"), now_));
  ASSERT_OK(reader->Flush());
  ASSERT_OK(writer->Refresh());
  ASSERT_OK(read_only->Refresh());
  for (const auto* store : {reader.get(), writer.get(), read_only.get()}) {
    EXPECT_FALSE(store->FindFile(Path("forgotten"), now_));
    EXPECT_TRUE(store->FindFile(Path("kept"), now_));
    EXPECT_EQ(store->FindFile(Path("mine"), now_)->mode, 0640U);
  }
}

TEST_F(AttributeStoreTest, WritesNothingWhenOnlyReading) {
  const auto writer = Open();
  writer->UpdateFile(Path("a"), WithMode(0600));
  ASSERT_OK(writer->Flush());
  const std::string before = ReadText(Log());
  const auto store = Open(LogAccess::kReadOnly);
  EXPECT_EQ(store->FindFile(Path("a"), now_)->mode, 0600U);
  store->UpdateFile(Path("b"), WithMode(0600));
  store->AddEpoch(HeadOf(1), timespec{1, 0});
  ASSERT_OK(store->Flush());
  ASSERT_OK(store->Sync());
  ASSERT_OK(store->Refresh());
  EXPECT_TRUE(store->FindFile(Path("b"), now_));
  EXPECT_EQ(ReadText(Log()), before);
}

TEST_F(AttributeStoreTest, NumbersEpochsAndSkipsTheSameCommit) {
  const auto store = Open();
  store->AddEpoch(HeadOf(1), timespec{1, 5});
  store->AddEpoch(HeadOf(1), timespec{2, 0});
  store->AddEpoch(HeadOf(2), timespec{3, 0});
  store->UpdateDirectory(Path("d"), WithMtime(4, std::nullopt));
  store->AddEpoch(HeadOf(3), timespec{5, 0});
  store->RemoveEpoch(1);
  ASSERT_OK(store->Flush());
  const auto epochs = Open()->Epochs();
  ASSERT_EQ(epochs->size(), 2U);
  EXPECT_EQ((*epochs)[0].number, 2U);
  EXPECT_EQ((*epochs)[0].commit, HeadOf(2).commit);
  EXPECT_EQ((*epochs)[0].time.tv_sec, 3);
  EXPECT_EQ((*epochs)[1].number, 3U);
  EXPECT_EQ(Open()->FindDirectory(Path("d"))->since, 2U);
}

TEST_F(AttributeStoreTest, MovesItsNewestEpochOverWhatWasPublishedHere) {
  const auto store = Open();
  store->AddEpoch(HeadOf(1), timespec{1, 5});
  store->AddEpoch(HeadOf(2), timespec{2, 5});
  store->AdvanceEpoch(HeadOf(2).commit, HeadOf(3));
  store->AdvanceEpoch(HeadOf(2).commit, HeadOf(4));  // it is not there any more
  store->AddEpoch(HeadOf(3), timespec{9, 0});        // nothing new
  ASSERT_OK(store->Flush());
  for (const auto& epochs : {store->Epochs(), Open()->Epochs()}) {
    ASSERT_EQ(epochs->size(), 2U);
    EXPECT_EQ(epochs->front().commit, HeadOf(1).commit);
    EXPECT_EQ(epochs->back().number, 2U);
    EXPECT_EQ(epochs->back().commit, HeadOf(3).commit);
    EXPECT_EQ(epochs->back().root, HeadOf(3).root);
    EXPECT_EQ(epochs->back().time.tv_sec, 2) << "what came with it is as old as it was";
    EXPECT_EQ(epochs->back().time.tv_nsec, 5);
  }
}

TEST_F(AttributeStoreTest, LeavesAnEpochWhereItIsThatAnotherDaemonNoted) {
  const auto one = Open();
  const auto two = Open();
  one->AddEpoch(HeadOf(1), timespec{1, 0});
  ASSERT_OK(one->Flush());
  ASSERT_OK(two->Refresh());
  two->AddEpoch(HeadOf(2), timespec{2, 0});
  ASSERT_OK(two->Flush());
  one->AdvanceEpoch(HeadOf(1).commit, HeadOf(5));  // has not heard of it yet
  ASSERT_OK(one->Flush());
  ASSERT_OK(two->Refresh());
  one->AdvanceEpoch(HeadOf(1).commit, HeadOf(6));  // has heard of it
  ASSERT_OK(one->Flush());
  for (const auto& epochs : {one->Epochs(), two->Epochs(), Open()->Epochs()}) {
    ASSERT_EQ(epochs->size(), 2U);
    EXPECT_EQ(epochs->front().commit, HeadOf(1).commit);
    EXPECT_EQ(epochs->back().commit, HeadOf(2).commit);
    EXPECT_EQ(epochs->back().time.tv_sec, 2);
  }
}

TEST_F(AttributeStoreTest, TellsWhoseRecordsOthersHaveSet) {
  const auto one = Open();
  const auto two = Open();
  const auto refreshed = [&] {
    const auto paths = two->Refresh();
    EXPECT_TRUE(paths) << paths.error().message;
    return paths ? *paths : std::vector<vcs::RepoPath>();
  };
  one->UpdateFile(Path("a"), WithMode(0600));
  one->UpdateDirectory(Path("d"), WithMode(0700));
  one->UpdateFile(Path("b"), WithMode(0600));
  one->Forget(Path("b"));
  ASSERT_OK(one->Flush());
  EXPECT_EQ(refreshed(), (std::vector{Path("a"), Path("d"), Path("b")}));
  EXPECT_TRUE(refreshed().empty()) << "once";
  two->UpdateFile(Path("own"), WithMode(0600));
  ASSERT_OK(two->Flush());
  EXPECT_TRUE(refreshed().empty());
  one->UpdateFile(Path("e"), WithMode(0600));
  ASSERT_OK(one->Flush());
  two->UpdateFile(Path("own"), WithMode(0640));
  ASSERT_OK(two->Flush());  // takes it over before it writes
  EXPECT_TRUE(two->FindFile(Path("e"), now_));
  EXPECT_EQ(refreshed(), std::vector{Path("e")});
}

TEST_F(AttributeStoreTest, SaysADirectorysTimeOnceForManyFilesThatArePending) {
  const auto store = Open();
  Attributes kept;
  kept.kept = true;
  store->UpdateDirectory(Path("d"), kept);
  constexpr time_t kFiles = 300;
  for (time_t i = 0; i < kFiles; ++i) {
    store->UpdateFile(Path("d/" + std::to_string(i)), WithMtime(i, now_));
    store->UpdateDirectory(Path("d"), WithMtime(i, std::nullopt));
  }
  store->UpdateDirectory(Path("d"), WithMode(0700));
  ASSERT_OK(store->Flush());
  const std::string log = ReadText(Log());
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), kFiles + kFiles / 3 + 1);
  const auto found = Open()->FindDirectory(Path("d"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mtime->tv_sec, kFiles - 1);
  EXPECT_EQ(found->mode, 0700U);
  EXPECT_EQ(found->kept, true);
}

TEST_F(AttributeStoreTest, TakesADirectoryThatIsMadeAgainForANewOneAlsoWhilePending) {
  const auto store = Open();
  Attributes kept;
  kept.kept = true;
  store->UpdateDirectory(Path("a/d"), WithMode(0700));
  store->Forget(Path("a/d"));
  store->UpdateDirectory(Path("a/d"), kept);
  store->UpdateDirectory(Path("b/d"), WithMode(0700));
  store->ForgetBelow(Path("b"));
  store->UpdateDirectory(Path("b/d"), kept);
  store->UpdateDirectory(Path("c/d"), WithMode(0700));
  store->Rename(Path("c"), Path("e"));
  store->UpdateDirectory(Path("c/d"), kept);
  ASSERT_OK(store->Flush());
  const auto again = Open();
  for (const auto* each : {store.get(), again.get()}) {
    for (const char* path : {"a/d", "b/d", "c/d"}) {
      const auto found = each->FindDirectory(Path(path));
      ASSERT_TRUE(found) << path;
      EXPECT_EQ(found->kept, true) << path;
      EXPECT_FALSE(found->mode) << path;
    }
    EXPECT_EQ(each->FindDirectory(Path("e/d"))->mode, 0700U);
  }
}

TEST_F(AttributeStoreTest, SurvivesMorePendingThanIsKept) {
  {
    const auto store = Open();
    store->UpdateFile(Path("a"), WithMode(0600));
    ASSERT_OK(store->Flush());
    store->Forget(Path("a"));
    for (std::size_t i = 0; i <= AttributeStore::kMaxPending; ++i) store->UpdateFile(Path("b"), WithMode(i & 0666));
    store->UpdateFile(Path("c"), WithMode(0600));
    ASSERT_OK(store->Flush());
    EXPECT_LT(store->log_size(), 1000U);
    store->UpdateFile(Path("d"), WithMode(0600));
    ASSERT_OK(store->Flush());
  }
  const auto other = Open();
  EXPECT_EQ(other->size(), 3U);
  const auto store = Open();  // beside another daemon the log can't be replaced
  other->UpdateFile(Path("e"), WithMode(0600));
  ASSERT_OK(other->Flush());
  ASSERT_OK(store->Refresh());
  for (std::size_t i = 0; i <= AttributeStore::kMaxPending; ++i) store->UpdateFile(Path("b"), WithMode(i & 0666));
  store->Forget(Path("c"));
  ASSERT_OK(store->Flush());
  ASSERT_OK(other->Refresh());
  EXPECT_EQ(other->size(), 3U);
  EXPECT_EQ(other->FindFile(Path("b"), now_)->mode, AttributeStore::kMaxPending & 0666);
}

TEST_F(AttributeStoreTest, ServesThreadsWhileItFlushesAndRefreshes) {
  const auto store = Open();
  const auto other = Open();
  std::vector<std::thread> threads;
  constexpr mode_t kChanges = 300;
  for (const char* name : {"a", "b"}) {
    threads.emplace_back([&, name] {
      for (mode_t i = 0; i < kChanges; ++i) {
        store->UpdateDirectory(Path(name + std::to_string(i)), WithMode(i));
        if (i % 3 == 0)
          store->Rename(Path(name + std::to_string(i)), Path(name + std::string("/") + std::to_string(i)));
        EXPECT_EQ(store->FindDirectory(Path(name + std::to_string(i))).has_value(), i % 3 != 0);
        EXPECT_TRUE(store->Flush());
      }
    });
  }
  threads.emplace_back([&] {
    for (mode_t i = 0; i < kChanges; ++i) {
      other->UpdateDirectory(Path("other" + std::to_string(i)), WithMode(i));
      EXPECT_TRUE(other->Flush());
      EXPECT_TRUE(store->Refresh());
    }
  });
  for (auto& thread : threads) thread.join();
  ASSERT_OK(store->Refresh());
  ASSERT_OK(other->Refresh());
  for (const auto* each : {store.get(), other.get()}) {
    EXPECT_EQ(each->size(), 3 * kChanges);
    for (mode_t i = 0; i < kChanges; i += 3) {
      EXPECT_EQ(each->FindDirectory(Path("b/" + std::to_string(i)))->mode, i);
    }
  }
  EXPECT_EQ(Open()->size(), 3 * kChanges);
}

TEST(AttributeStoreDisk, ServesARepositoryThatCantBeWritten) {
  TmpfsMount disk("size=1m");
  {
    const auto store = AttributeStore::Open(disk.path(), kMain, LogAccess::kReadWrite);
    ASSERT_OK(store);
    (*store)->UpdateFile(Path("a"), WithMode(0600));
    ASSERT_OK((*store)->Flush());
  }
  disk.MakeReadOnly();
  for (const char* ref : {kMain, "refs/heads/without-a-log"}) {
    const auto store = AttributeStore::Open(disk.path(), ref, LogAccess::kReadWrite);
    ASSERT_OK(store);
    EXPECT_EQ((*store)->FindFile(Path("a"), VersionOf(1)).has_value(), ref == kMain);
    (*store)->UpdateFile(Path("b"), WithMode(0600));
    ASSERT_OK((*store)->Flush());
    ASSERT_OK((*store)->Sync());
    ASSERT_OK((*store)->Refresh());
    EXPECT_TRUE((*store)->FindFile(Path("b"), VersionOf(1)));
  }
}

TEST(AttributeStoreDisk, KeepsPendingWhatAFullDiskRefuses) {
  TmpfsMount disk("size=256k");
  const auto store = AttributeStore::Open(disk.path(), kMain, LogAccess::kReadWrite);
  ASSERT_OK(store);
  (*store)->UpdateDirectory(Path("d"), WithMode(0700));
  (*store)->UpdateFile(Path("d/x"), WithMode(0600));
  ASSERT_OK((*store)->Flush());
  std::ofstream filler(disk.path() / "filler");
  while (filler.write("0123456789abcdef", 16).flush()) {
  }
  filler.close();
  // Over a page of lines: some may fit in the log's last page, the rest doesn't.
  for (int i = 0; i < 200; ++i) (*store)->UpdateFile(Path("n" + std::to_string(i)), WithMode(0600));
  (*store)->Rename(Path("d"), Path("e"));
  (*store)->UpdateDirectory(Path("d"), WithMode(0750));
  EXPECT_CODE((*store)->Flush(), Code::kNoSpace);
  EXPECT_CODE((*store)->Flush(), Code::kNoSpace);
  EXPECT_TRUE((*store)->FindFile(Path("e/x"), VersionOf(1))) << "in memory it is all the same";
  stdfs::remove(disk.path() / "filler");
  ASSERT_OK((*store)->Flush());
  const auto again = AttributeStore::Open(disk.path(), kMain, LogAccess::kReadOnly);
  ASSERT_OK(again);
  for (const auto* each : {store->get(), again->get()}) {
    EXPECT_EQ(each->size(), 203U);
    EXPECT_EQ(each->FindDirectory(Path("e"))->mode, 0700U);
    EXPECT_EQ(each->FindDirectory(Path("d"))->mode, 0750U);
    EXPECT_TRUE(each->FindFile(Path("e/x"), VersionOf(1)));
  }
}

}  // namespace
}  // namespace concordfs::fs
