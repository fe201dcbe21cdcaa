// Disks that are full, read-only, or fail. Needs root, to mount a tmpfs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "tests/support/tmpfs_mount.h"
#include "tests/vcs/git_repo.h"

namespace {

// While set, syncing a folder of this name fails, as on a failing disk. The file itself was renamed into place by then.
std::atomic<const char*> failing_folder_sync = nullptr;
// While set, syncing the data of a file whose path has this in it fails.
std::atomic<const char*> failing_data_sync = nullptr;

std::string NameOfDescriptor(int fd) {
  std::array<char, 4096> target;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t count = ::readlink(link.c_str(), target.data(), target.size());
  return count < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(count));
}

}  // namespace

// Takes the place of libc's for this program and all its libraries.
extern "C" int fsync(int fd) {
  const char* folder = failing_folder_sync;
  if (folder != nullptr && NameOfDescriptor(fd).ends_with(folder)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
extern "C" int fdatasync(int fd) {
  const char* part = failing_data_sync;
  if (part != nullptr && NameOfDescriptor(fd).find(part) != std::string::npos) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace concordfs::vcs::git {
namespace {

TEST(GitStoreDisk, InitThatFailsHalfWayLeavesNothing) {
  TmpfsMount disk("size=40k");
  std::string filler(32U << 10, 'x');
  WriteFile(disk.path() / "filler", filler);
  const stdfs::path made = disk.path() / "new";
  EXPECT_CODE(InitRepository(made, "main"), Code::kNoSpace);
  EXPECT_FALSE(stdfs::exists(made));
  const stdfs::path given = disk.path() / "given";
  stdfs::create_directory(given);
  EXPECT_CODE(InitRepository(given, "main"), Code::kNoSpace);
  EXPECT_TRUE(stdfs::is_empty(given));
}

// Disks.

TEST(GitStoreDisk, AFullDiskIsNoSpaceAndMovesNothing) {
  TmpfsMount disk("size=2m");
  Repo repo(disk.path() / "repo");
  ASSERT_OK(repo.Commit("before", "before"));
  const ObjectId head = repo.Head();

  const std::string large = RandomBytes(3'000'000);
  EXPECT_CODE(repo.store().AddBlob(large), Code::kNoSpace);
  const int fd = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::pwrite(fd, large.data(), large.size(), 0), static_cast<ssize_t>(large.size()));
  EXPECT_CODE(repo.store().AddBlob(fd, large.size()), Code::kNoSpace);
  ::close(fd);

  // Fills the disk to the last byte; whatever part of a commit then fails, the branch stays.
  const int filler = ::open((disk.path() / "filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(filler, 0);
  const std::string page(4096, 'x');
  while (::write(filler, page.data(), page.size()) > 0) {
  }
  EXPECT_EQ(errno, ENOSPC);
  ::close(filler);
  EXPECT_CODE(repo.Commit("while full", "refused"), Code::kNoSpace);
  EXPECT_EQ(repo.Head(), head);

  // The same commit with one page more each time: each of its steps (blob, tree, commit, ref) meets the full disk.
  int refused = 0;
  for (;;) {
    auto committed = repo.Commit("while nearly full", "tried");
    if (committed) break;
    ASSERT_EQ(committed.code(), Code::kNoSpace) << committed.error().message;
    ASSERT_EQ(repo.Head(), head);
    ASSERT_FALSE(stdfs::exists(repo.path() / "refs/heads/main.lock"));
    ASSERT_LT(++refused, 100);
    const auto size = stdfs::file_size(disk.path() / "filler");
    stdfs::resize_file(disk.path() / "filler", size - page.size());
  }
  EXPECT_GT(refused, 1);
  repo.ExpectFsckClean();
}

TEST(GitStoreDisk, AReadOnlyDiskIsReadOnlyAndCanBeRead) {
  TmpfsMount disk("size=4m");
  Repo repo(disk.path() / "repo");
  ASSERT_OK(repo.Commit("before", "before"));
  auto blob = repo.store().AddBlob("stored before");
  ASSERT_OK(blob);
  const ObjectId head = repo.Head();
  disk.MakeReadOnly();
  repo.Reopen();
  EXPECT_EQ(repo.Head(), head);
  ASSERT_OK(repo.store().Read(*blob, ObjectKind::kBlob));
  EXPECT_CODE(repo.store().AddBlob("new"), Code::kReadOnly);
  EXPECT_CODE(repo.Commit("new", "new"), Code::kReadOnly);
  EXPECT_CODE(repo.store().DeleteRef(kMain, head), Code::kReadOnly);
  // Only the ref has to be written for this one.
  Publication publication;
  publication.ref = "refs/heads/other";
  publication.tip = head;
  EXPECT_CODE(repo.store().Publish(publication), Code::kReadOnly);
}

// Uncertain outcomes: the error comes after the rename.

class GitStorePower : public GitStore {
 protected:
  GitStorePower() { repo_.Reopen(Durability::kPower); }
  ~GitStorePower() override {
    failing_folder_sync = nullptr;
    failing_data_sync = nullptr;
  }
};

TEST_F(GitStorePower, AnErrorAfterTheRefMovedIsASuccess) {
  auto blob = store().AddBlob("x");
  ASSERT_OK(blob);
  Publication publication = repo_.CommitOf(*blob, repo_.Head(), "one");
  publication.ref = "refs/heads/new";  // made by libgit2, which syncs its folder
  publication.expected.reset();
  failing_folder_sync = "/refs/heads";
  const auto published = store().Publish(publication);
  failing_folder_sync = nullptr;
  EXPECT_EQ(repo_.Head(publication.ref), publication.tip)
      << "the disk has to fail after the rename, or this tests nothing";
  EXPECT_TRUE(published.ok()) << published.error().message;
}

TEST_F(GitStorePower, WhatTheJournalCantHoldIsNotPublished) {
  const ObjectId before = repo_.Head();
  auto blob = store().AddBlob("x");
  ASSERT_OK(blob);
  const Publication publication = repo_.CommitOf(*blob, before, "one");
  failing_data_sync = "/concordfs/journals/";
  EXPECT_CODE(store().Publish(publication), Code::kIo);
  // Its objects are there now, but nobody knows whether they would survive: still no.
  EXPECT_CODE(store().Publish(publication), Code::kIo);
  failing_data_sync = nullptr;
  EXPECT_EQ(repo_.Head(), before);
  ASSERT_OK(store().Publish(publication));
  EXPECT_EQ(repo_.Head(), publication.tip);
}

TEST_F(GitStorePower, ABlobThatCantBeSyncedIsNotAdded) {
  const std::string content = "x";
  const std::string folder = "/objects/" + store().Hash(ObjectKind::kBlob, content).Hex().substr(0, 2);
  failing_folder_sync = folder.c_str();
  EXPECT_CODE(store().AddBlob(content), Code::kIo);
  EXPECT_CODE(store().AddBlob(content), Code::kIo);
  failing_folder_sync = nullptr;
  ASSERT_OK(store().AddBlob(content));
}

}  // namespace
}  // namespace concordfs::vcs::git
