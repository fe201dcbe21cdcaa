// Refs in files and in packed-refs, the locks of others, and stock git at work beside the store.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "tests/vcs/git_repo.h"

namespace concordfs::vcs::git {
namespace {

using ::testing::HasSubstr;

// Refs.

TEST_F(GitStore, ReadsSymbolicPackedAndBrokenRefs) {
  const ObjectId head = repo_.Head();
  ASSERT_EQ(repo_.Git("symbolic-ref refs/heads/alias refs/heads/main").status, 0);
  EXPECT_EQ(repo_.Head("refs/heads/alias"), head);
  EXPECT_EQ(repo_.Head("HEAD"), head);
  ASSERT_EQ(repo_.Git("pack-refs --all --prune").status, 0);
  ASSERT_FALSE(stdfs::exists(repo_.path() / kMain));
  EXPECT_EQ(repo_.Head(), head);
  EXPECT_EQ(repo_.Head("refs/heads/alias"), head);

  ASSERT_EQ(repo_.Git("symbolic-ref refs/heads/dangling refs/heads/none").status, 0);
  auto dangling = store().ReadRef("refs/heads/dangling");
  ASSERT_OK(dangling);
  EXPECT_EQ(*dangling, std::nullopt);
  for (const char* text : {"", "0123", "this is no id, and much longer than forty characters\n"}) {
    WriteFile(repo_.path() / "refs/heads/broken", text);
    EXPECT_CODE(store().ReadRef("refs/heads/broken"), Code::kCorrupt);
  }
}

TEST_F(GitStore, PublishMovesWhatASymbolicRefPointsAt) {
  ASSERT_EQ(repo_.Git("symbolic-ref refs/heads/alias refs/heads/main").status, 0);
  auto blob = store().AddBlob("x");
  ASSERT_OK(blob);
  Publication publication = repo_.CommitOf(*blob, repo_.Head(), "one");
  publication.ref = "refs/heads/alias";
  ASSERT_OK(store().Publish(publication));
  EXPECT_EQ(repo_.Head(), publication.tip);
  EXPECT_EQ(repo_.Git("symbolic-ref refs/heads/alias").output, "refs/heads/main\n");
}

TEST_F(GitStore, PublishMovesAPackedRef) {
  ASSERT_EQ(repo_.Git("pack-refs --all --prune").status, 0);
  auto tip = repo_.Commit("x", "one");
  ASSERT_OK(tip);
  EXPECT_EQ(repo_.Git("rev-parse main").output, tip->Hex() + "\n");
}

TEST_F(GitStore, DeletesAPackedRefAndOnlyThat) {
  const ObjectId head = repo_.Head();
  ASSERT_EQ(repo_
                .Git("tag -a -m x annotated && git -C " + repo_.path().string() +
                     " update-ref refs/concordfs/rejected/a/1 " + head.Hex())
                .status,
            0);
  ASSERT_EQ(repo_.Git("pack-refs --all --prune").status, 0);
  std::string expected = repo_.Git("for-each-ref").output;
  const std::string line = head.Hex() + " commit\trefs/concordfs/rejected/a/1\n";
  ASSERT_NE(expected.find(line), std::string::npos) << expected;
  expected.erase(expected.find(line), line.size());
  ASSERT_OK(store().DeleteRef("refs/concordfs/rejected/a/1", head));
  EXPECT_EQ(repo_.Git("for-each-ref").output, expected);
  EXPECT_FALSE(stdfs::exists(repo_.path() / "packed-refs.lock"));
  repo_.ExpectFsckClean();
}

TEST_F(GitStore, LocksOfOthersAreWaitedForAndThenReported) {
  const stdfs::path lock = repo_.path() / "refs/heads/main.lock";
  WriteFile(lock, "");
  const ObjectId before = repo_.Head();
  EXPECT_CODE(repo_.Commit("x", "refused"), Code::kLocked);
  EXPECT_EQ(repo_.Head(), before);
  EXPECT_CODE(store().DeleteRef(kMain, before), Code::kLocked);

  auto blob = store().AddBlob("x");
  ASSERT_OK(blob);
  const Publication publication = repo_.CommitOf(*blob, before, "waits");
  std::thread owner([&] {
    while (!stdfs::exists(repo_.LooseFile(publication.tip))) std::this_thread::yield();  // next comes the ref
    stdfs::remove(lock);
  });
  const auto published = store().Publish(publication);
  owner.join();
  ASSERT_OK(published);
}

// git takes a ref that was deleted between its being listed and its being read for one of a missing object, and gives up.
bool LostADeletedRef(const std::string& output) {
  const std::string parked = " refs/concordfs/rejected/";
  return output.find("bad object" + parked) != std::string::npos ||
         output.find("unable to parse object:" + parked) != std::string::npos;
}

TEST_F(GitStore, PublishBesideAStockGitThatPacksAndPrunes) {
  std::atomic<bool> done = false;
  std::atomic<int> rounds = 0;
  std::thread gc([&] {
    while (!done) {
      // Without --prune=now, which corrupts any repository that is written to.
      const Outcome packed = repo_.Git("pack-refs --all --prune && git -C " + repo_.path().string() +
                                       " gc -q && git -C " + repo_.path().string() + " prune-packed");
      EXPECT_TRUE(packed.status == 0 || LostADeletedRef(packed.output)) << packed.output;
      rounds += packed.status == 0 ? 1 : 0;
    }
  });
  int commits = 0;
  std::vector<std::pair<std::string, ObjectId>> parked;
  while ((rounds < 4 || commits < 200) && !::testing::Test::HasFailure()) {
    // On a busy machine more could be written while a `git gc` runs than it packs: none would end before the next is longer.
    if (commits > 200 * (rounds + 1)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    auto tip = repo_.Commit("content " + std::to_string(commits), std::to_string(commits));
    EXPECT_TRUE(tip.ok()) << tip.error().message;
    if (!tip) break;
    ++commits;
    // Refs come and go beside, too, as parked changes do.
    Publication park = repo_.CommitOf(store().Hash(ObjectKind::kBlob, "content 0"), std::nullopt, "park");
    park.ref = "refs/concordfs/rejected/agent/" + std::to_string(commits);
    const auto made = store().Publish(park);
    EXPECT_TRUE(made.ok()) << made.error().message;
    parked.emplace_back(park.ref, park.tip);
    if (parked.size() < 5) continue;
    const auto deleted = store().DeleteRef(parked.front().first, parked.front().second);
    EXPECT_TRUE(deleted.ok()) << deleted.error().message;
    parked.erase(parked.begin());
  }
  done = true;
  gc.join();
  EXPECT_EQ(repo_.Git("rev-list --count main").output, std::to_string(commits + 1) + "\n");
  repo_.ExpectFsckClean();
}

TEST_F(GitStore, WritesAReflogWhereThereIsOneUnderItsOwnName) {
  ASSERT_EQ(repo_.Git("config core.logAllRefUpdates true").status, 0);
  repo_.Reopen();
  ASSERT_OK(repo_.Commit("x", "a reason"));
  EXPECT_THAT(ReadFile(repo_.path() / "logs/refs/heads/main"), HasSubstr("ConcordFS <concordfs@localhost>"));
  EXPECT_THAT(ReadFile(repo_.path() / "logs/refs/heads/main"), HasSubstr("a reason"));
}

// Dead locks.

TEST_F(GitStore, ALockThatNobodyOwnsIsCleared) {
  WriteFile(repo_.path() / "refs/heads/main.lock", "");
  WriteFile(repo_.path() / "packed-refs.lock", "");
  auto cleared = ClearDeadLock(repo_.path(), kMain);
  ASSERT_OK(cleared);
  EXPECT_TRUE(*cleared);
  ASSERT_OK(repo_.Commit("x", "one"));
  cleared = ClearDeadLock(repo_.path(), kMain);
  ASSERT_OK(cleared);
  EXPECT_FALSE(*cleared) << "there is none any more";
}

TEST_F(GitStore, ALockThatSomebodyHasOpenIsRespected) {
  const stdfs::path lock = repo_.path() / "refs/heads/main.lock";
  const int fd = ::open(lock.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  auto cleared = ClearDeadLock(repo_.path(), kMain);
  ASSERT_OK(cleared);
  EXPECT_FALSE(*cleared);
  EXPECT_TRUE(stdfs::exists(lock));
  ::close(fd);
  cleared = ClearDeadLock(repo_.path(), kMain);
  ASSERT_OK(cleared);
  EXPECT_TRUE(*cleared);
}

TEST_F(GitStore, TheLockOfALivingGitIsRespected) {
  // `git update-ref --stdin` holds the lock between "prepare" and "commit", without having the file open.
  const std::string script = "git -C " + repo_.path().string() + " update-ref --stdin";
  FILE* git = ::popen((script + " > " + (folder_.path() / "out").string()).c_str(), "we");
  ASSERT_NE(git, nullptr);
  std::fprintf(git, "start\nupdate %s %s\nprepare\n", kMain, repo_.Head().Hex().c_str());
  std::fflush(git);
  const stdfs::path lock = repo_.path() / "refs/heads/main.lock";
  while (ReadFile(folder_.path() / "out").find("prepare: ok") == std::string::npos) std::this_thread::yield();
  ASSERT_TRUE(stdfs::exists(lock));
  auto cleared = ClearDeadLock(repo_.path(), kMain);
  ASSERT_OK(cleared);
  EXPECT_FALSE(*cleared);
  EXPECT_TRUE(stdfs::exists(lock));
  std::fprintf(git, "abort\n");
  EXPECT_EQ(::pclose(git), 0);
}

TEST_F(GitStore, ClearDeadLockStaysWithinTheRepository) {
  WriteFile(folder_.path() / "outside.lock", "");
  EXPECT_CODE(ClearDeadLock(repo_.path(), "../outside"), Code::kInvalidName);
  EXPECT_TRUE(stdfs::exists(folder_.path() / "outside.lock"));
  EXPECT_CODE(ClearDeadLock(folder_.path() / "none", kMain), Code::kNotFound);
}

}  // namespace
}  // namespace concordfs::vcs::git
