// Locks are on the file at a path: across its versions, agents' working copies, and files that take its place.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs/filesystem.h"
#include "tests/model/mount.h"

namespace concordfs::fs {
namespace {

using testing::kAndrew;
using testing::kBenson;
using testing::Kernel;
using testing::Mount;

constexpr LockOwner kAndrewsProcess = 101;
constexpr LockOwner kBensonsProcess = 102;

class FilesystemLocks : public ::testing::Test {
 protected:
  Kernel& kernel() { return *mount_.kernel; }
  Filesystem& filesystem() { return *mount_.filesystem; }
  Kernel::File Open(const Caller& caller, const std::string& path, int flags) {
    const auto file = kernel().Open(caller, path, flags);
    if (!file) throw std::runtime_error("open " + path + ": " + file.error().message);
    return *file;
  }
  // An exclusive flock of the open file; the answer so far.
  std::shared_ptr<std::string> Lock(const Kernel::File& file, bool waits = false) {
    LockRequest request;
    request.kind = LockKind::kFlock;
    request.owner = 1000 + file.opened.handle;
    return Send(file, request, waits);
  }
  std::shared_ptr<std::string> LockRecord(const Kernel::File& file, LockOwner owner, bool waits = false) {
    LockRequest request;
    request.owner = owner;
    return Send(file, request, waits);
  }
  void Unlock(const Kernel::File& file) {
    LockRequest request;
    request.kind = LockKind::kFlock;
    request.type = LockType::kUnlock;
    request.owner = 1000 + file.opened.handle;
    filesystem().SetLock(file.opened.handle, file.node, request, [](const Result<void>& done) { EXPECT_TRUE(done); });
  }
  void Save(const Caller& caller, const std::string& content) {  // as editors do
    ASSERT_TRUE(kernel().Cat(caller, "f"));
    ASSERT_TRUE(kernel().Echo(caller, "f.new", content));
    ASSERT_TRUE(kernel().Rename(caller, "f.new", "f"));
  }

  std::shared_ptr<std::string> Send(const Kernel::File& file, LockRequest request, bool waits) {
    request.type = LockType::kExclusive;
    request.waits = waits;
    request.ticket = filesystem().AnnounceLock();
    auto answer = std::make_shared<std::string>();
    filesystem().SetLock(file.opened.handle, file.node, request, [answer](const Result<void>& result) {
      EXPECT_EQ(*answer, "");
      *answer = result ? "ok" : CodeName(result.code());
    });
    return answer;
  }

  Mount mount_{{{"f", "A"}, {"g", "A"}}};
};

TEST_F(FilesystemLocks, ExcludeAgentsWithWorkingCopiesOfTheirOwn) {
  Kernel::File one = Open(kAndrew, "f", O_RDWR);
  Kernel::File two = Open(kBenson, "f", O_RDWR);
  Kernel::File reader = Open(kBenson, "f", O_RDONLY);
  ASSERT_NE(one.node, two.node);
  EXPECT_EQ(*Lock(one), "ok");
  EXPECT_EQ(*Lock(two), "would block");
  EXPECT_EQ(*Lock(reader), "would block");
  EXPECT_EQ(*Lock(Open(kBenson, "g", O_RDWR)), "ok") << "another file";
  Unlock(one);
  EXPECT_EQ(*Lock(two), "ok");
}

TEST_F(FilesystemLocks, HoldAcrossVersions) {
  Kernel::File old = Open(kAndrew, "f", O_RDONLY);
  ASSERT_EQ(*Lock(old), "ok");
  ASSERT_TRUE(kernel().Echo(kAndrew, "f", "B"));
  ASSERT_TRUE(kernel().Echo(kBenson, "f", "C"));
  mount_.branch.Commit({{"f", mount_.branch.Blob("pushed")}});
  mount_.Synchronize();
  Kernel::File fresh = Open(kBenson, "f", O_RDONLY);
  ASSERT_NE(old.node, fresh.node);
  const auto waiting = Lock(fresh, true);
  EXPECT_EQ(*waiting, "");
  Unlock(old);
  EXPECT_EQ(*waiting, "ok");
}

TEST_F(FilesystemLocks, GoOverToTheFileThatTakesTheName) {
  Kernel::File old = Open(kAndrew, "f", O_RDONLY);
  Kernel::File waiter = Open(kBenson, "f", O_RDONLY);
  ASSERT_EQ(*Lock(old), "ok");
  const auto waiting = Lock(waiter, true);
  for (const char* content : {"B", "C"}) Save(kAndrew, content);
  Kernel::File fresh = Open(kBenson, "f", O_RDWR);
  EXPECT_EQ(*Lock(fresh), "would block");
  kernel().Release(old);
  EXPECT_EQ(*waiting, "ok");
  EXPECT_EQ(*Lock(fresh), "would block");
  kernel().Release(waiter);
  EXPECT_EQ(*Lock(fresh), "ok");
}

TEST_F(FilesystemLocks, ExcludeWhoOpenedTheFileThatWasReplaced) {
  Kernel::File old = Open(kAndrew, "f", O_RDONLY);
  Save(kBenson, "B");
  Kernel::File fresh = Open(kBenson, "f", O_RDONLY);
  EXPECT_EQ(*Lock(fresh), "ok");
  EXPECT_EQ(*Lock(old), "would block");
}

TEST_F(FilesystemLocks, OfBothFilesAreKeptByARename) {
  Kernel::File target = Open(kBenson, "f", O_RDONLY);
  ASSERT_TRUE(kernel().Cat(kAndrew, "f"));
  Kernel::File source = Open(kAndrew, "g", O_RDONLY);
  ASSERT_EQ(*Lock(target), "ok");
  ASSERT_EQ(*Lock(source), "ok");
  ASSERT_TRUE(kernel().Rename(kAndrew, "g", "f"));
  Kernel::File fresh = Open(kBenson, "f", O_RDONLY);
  Unlock(source);
  EXPECT_EQ(*Lock(fresh), "would block");
  Unlock(target);
  EXPECT_EQ(*Lock(fresh), "ok");
}

TEST_F(FilesystemLocks, GoWithAFileThatIsRenamed) {
  Kernel::File file = Open(kAndrew, "f", O_RDONLY);
  ASSERT_EQ(*Lock(file), "ok");
  ASSERT_TRUE(kernel().Rename(kAndrew, "f", "moved"));
  EXPECT_EQ(*Lock(Open(kBenson, "moved", O_RDONLY)), "would block");
  ASSERT_TRUE(kernel().Echo(kAndrew, "f", "another file"));
  EXPECT_EQ(*Lock(Open(kBenson, "f", O_RDONLY)), "ok");
}

TEST_F(FilesystemLocks, OfAProcessGoWhenItClosesAnyDescriptor) {
  Kernel::File one = Open(kAndrew, "f", O_RDWR);
  Kernel::File two = Open(kAndrew, "f", O_RDWR);
  Kernel::File other = Open(kBenson, "f", O_RDWR);
  ASSERT_EQ(*LockRecord(one, kAndrewsProcess), "ok");
  const auto waiting = LockRecord(other, kBensonsProcess, true);
  ASSERT_EQ(*waiting, "");
  filesystem().DropLocks(two.node, kAndrewsProcess);
  EXPECT_EQ(*waiting, "ok");
}

TEST_F(FilesystemLocks, ThroughAReadOnlyDescriptorGoAtItsLastClose) {  // no flush comes for it
  Kernel::File reader = Open(kAndrew, "f", O_RDONLY);
  ASSERT_TRUE(reader.opened.no_flush);
  Kernel::File other = Open(kBenson, "f", O_RDWR);
  ASSERT_EQ(*LockRecord(reader, kAndrewsProcess), "ok");
  ASSERT_EQ(*LockRecord(other, kBensonsProcess), "would block");
  kernel().Release(reader);
  EXPECT_EQ(*LockRecord(other, kBensonsProcess), "ok");
}

TEST_F(FilesystemLocks,
       OfAHandleAreNotAnothersWhoHasItsOwnersName) {  // the kernel reuses addresses before it tells of a close
  Kernel::File one = Open(kAndrew, "f", O_RDONLY);
  Kernel::File two = Open(kBenson, "f", O_RDONLY);
  const auto flock = [&](const Kernel::File& file, bool waits) {
    LockRequest request;
    request.kind = LockKind::kFlock;
    request.owner = 77;
    return Send(file, request, waits);
  };
  ASSERT_EQ(*flock(one, false), "ok");
  const auto waiting = flock(two, true);
  EXPECT_EQ(*waiting, "");
  kernel().Release(one);
  EXPECT_EQ(*waiting, "ok");
  EXPECT_EQ(*Lock(Open(kAndrew, "f", O_RDONLY)), "would block");
}

TEST_F(FilesystemLocks, TellWhatIsInTheWay) {
  Kernel::File one = Open(kAndrew, "f", O_RDWR);
  Kernel::File two = Open(kBenson, "f", O_RDWR);
  LockRequest question;
  question.type = LockType::kExclusive;
  question.owner = kBensonsProcess;
  EXPECT_FALSE(filesystem().GetLock(two.node, question));
  ASSERT_EQ(*LockRecord(one, kAndrewsProcess), "ok");
  const auto held = filesystem().GetLock(two.node, question);
  ASSERT_TRUE(held);
  EXPECT_EQ(held->type, LockType::kExclusive);
  EXPECT_EQ(held->owner, kAndrewsProcess);
}

TEST_F(FilesystemLocks, AreWaitedForUntilTheFileSystemStops) {
  Kernel::File one = Open(kAndrew, "f", O_RDWR);
  Kernel::File two = Open(kBenson, "f", O_RDWR);
  ASSERT_EQ(*Lock(one), "ok");
  const auto waiting = Lock(two, true);
  filesystem().Drain();
  EXPECT_EQ(*waiting, "");
  filesystem().Stop();
  EXPECT_EQ(*waiting, "interrupted");
}

TEST_F(FilesystemLocks, OfNodesThatAreNotVersionedGoByTheNodeAlone) {
  constexpr NodeId kPlain = (1ULL << 63) + 5;
  const auto ask = [&](HandleId handle, LockOwner owner) {
    LockRequest request;
    request.type = LockType::kExclusive;
    request.owner = owner;
    request.ticket = filesystem().AnnounceLock();
    std::string answer;
    filesystem().SetLock(handle, kPlain, request,
                         [&](const Result<void>& result) { answer = result ? "ok" : CodeName(result.code()); });
    return answer;
  };
  constexpr HandleId kFirst = (1ULL << 63) + 1;
  constexpr HandleId kSecond = (1ULL << 63) + 2;
  EXPECT_EQ(ask(kFirst, 1), "ok");
  EXPECT_EQ(ask(kSecond, 2), "would block");
  filesystem().DropLocks(kPlain, 1);
  EXPECT_EQ(ask(kSecond, 2), "ok");
  filesystem().Release(kFirst);
  EXPECT_EQ(ask(kFirst, 1), "would block");
  filesystem().Release(kSecond);
  EXPECT_EQ(ask(kFirst, 1), "ok");
  filesystem().Release(kFirst);
}

}  // namespace
}  // namespace concordfs::fs
