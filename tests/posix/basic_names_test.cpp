// POSIX: names and what they lead to.

#include <cstdio>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;
using ::testing::UnorderedElementsAre;

TEST_P(Posix, RenameReplacesFilesAtomically) {
  Put("a", "A");
  Put("b", "B");
  const Descriptor old(P("b"), O_RDONLY);
  EXPECT_EQ(rename(P("a").c_str(), P("b").c_str()), 0);
  EXPECT_EQ(Get("b"), "A");
  EXPECT_EQ(Open("a", O_RDONLY), ENOENT);
  EXPECT_EQ(ReadAt(old, 0, 9), "B") << "whoever had it open keeps it";
  EXPECT_EQ(rename(P("b").c_str(), P("b").c_str()), 0);
  EXPECT_THAT(Names(), UnorderedElementsAre("b"));
}

TEST_P(Posix, RenameCarriesOpenDescriptorsAlong) {
  Descriptor fd(P("a"), O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "one"), 3);
  EXPECT_EQ(rename(P("a").c_str(), P("b").c_str()), 0);
  EXPECT_EQ(Write(fd, "two"), 3);
  EXPECT_EQ(ReadAt(fd, 0, 9), "onetwo");
  EXPECT_EQ(fd.Close(), 0);
  EXPECT_EQ(Get("b"), "onetwo");
  EXPECT_EQ(Open("a", O_RDONLY), ENOENT);
}

TEST_P(Posix, RenameMovesDirectories) {
  ASSERT_EQ(mkdir(P("d").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(P("d/sub").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(P("e").c_str(), 0755), 0);
  Put("d/f", "f");
  Put("d/sub/g", "g");
  EXPECT_EQ(rename(P("d").c_str(), P("e").c_str()), 0) << "onto an empty one";
  EXPECT_EQ(Get("e/f"), "f");
  EXPECT_EQ(Get("e/sub/g"), "g");
  EXPECT_EQ(Open("d/f", O_RDONLY), ENOENT);
  EXPECT_EQ(rename(P("e/sub").c_str(), P("up").c_str()), 0);
  EXPECT_EQ(Get("up/g"), "g");
}

TEST_P(Posix, RenameReportsItsErrors) {
  Put("f", "f");
  ASSERT_EQ(mkdir(P("empty").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(P("full").c_str(), 0755), 0);
  Put("full/x", "x");
  const auto error = [this](const char* from, const char* to) {
    return ErrnoOf(rename(P(from).c_str(), P(to).c_str()));
  };
  EXPECT_EQ(error("missing", "f"), ENOENT);
  EXPECT_EQ(error("f", "missing/f"), ENOENT);
  EXPECT_EQ(error("f", "empty"), EISDIR);
  EXPECT_EQ(error("empty", "f"), ENOTDIR);
  EXPECT_EQ(error("f", "f/g"), ENOTDIR);
  EXPECT_THAT(error("empty", "full"), AnyOf(ENOTEMPTY, EEXIST));
  EXPECT_EQ(error("full", "full/sub"), EINVAL);
  EXPECT_EQ(Get("f"), "f");
  EXPECT_EQ(Get("full/x"), "x");
}

TEST_P(Posix, RenameWithoutReplacingAndByExchange) {
  Put("a", "A");
  Put("b", "B");
  ASSERT_EQ(mkdir(P("d").c_str(), 0755), 0);
  Put("d/x", "x");
  EXPECT_EQ(ErrnoOf(renameat2(AT_FDCWD, P("a").c_str(), AT_FDCWD, P("b").c_str(), RENAME_NOREPLACE)), EEXIST);
  EXPECT_EQ(renameat2(AT_FDCWD, P("a").c_str(), AT_FDCWD, P("c").c_str(), RENAME_NOREPLACE), 0);
  EXPECT_EQ(renameat2(AT_FDCWD, P("b").c_str(), AT_FDCWD, P("c").c_str(), RENAME_EXCHANGE), 0);
  EXPECT_EQ(Get("b"), "A");
  EXPECT_EQ(Get("c"), "B");
  EXPECT_EQ(renameat2(AT_FDCWD, P("b").c_str(), AT_FDCWD, P("d").c_str(), RENAME_EXCHANGE), 0) << std::strerror(errno);
  EXPECT_EQ(Get("d"), "A");
  EXPECT_EQ(Get("b/x"), "x");
  EXPECT_EQ(ErrnoOf(renameat2(AT_FDCWD, P("b").c_str(), AT_FDCWD, P("missing").c_str(), RENAME_EXCHANGE)), ENOENT);
  EXPECT_EQ(ErrnoOf(renameat2(AT_FDCWD, P("c").c_str(), AT_FDCWD, P("d").c_str(), RENAME_EXCHANGE | RENAME_NOREPLACE)),
            EINVAL);
}

TEST_P(Posix, UnlinkAndRmdirReportTheirErrors) {
  Put("f", "f");
  ASSERT_EQ(mkdir(P("d").c_str(), 0755), 0);
  Put("d/x", "x");
  EXPECT_EQ(ErrnoOf(unlink(P("d").c_str())), EISDIR);
  EXPECT_EQ(ErrnoOf(unlink(P("missing").c_str())), ENOENT);
  EXPECT_EQ(ErrnoOf(unlink(P("f/x").c_str())), ENOTDIR);
  EXPECT_EQ(ErrnoOf(rmdir(P("f").c_str())), ENOTDIR);
  EXPECT_EQ(ErrnoOf(rmdir(P("d").c_str())), ENOTEMPTY);
  EXPECT_EQ(ErrnoOf(rmdir(P("missing").c_str())), ENOENT);
  EXPECT_EQ(ErrnoOf(rmdir(P("d/.").c_str())), EINVAL);
  EXPECT_EQ(unlink(P("d/x").c_str()), 0);
  EXPECT_EQ(rmdir(P("d").c_str()), 0);
  EXPECT_THAT(Names(), UnorderedElementsAre("f"));
}

TEST_P(Posix, UnlinkedFilesLiveOnWhileTheyAreOpen) {
  Put("f", "text");
  const Descriptor fd(P("f"), O_RDWR);
  EXPECT_EQ(unlink(P("f").c_str()), 0);
  EXPECT_EQ(Open("f", O_RDONLY), ENOENT);
  EXPECT_EQ(ReadAt(fd, 0, 9), "text");
  EXPECT_EQ(pwrite(fd, "more", 4, 4), 4);
  EXPECT_EQ(ReadAt(fd, 0, 9), "textmore");
  EXPECT_EQ(ftruncate(fd, 2), 0);
  struct stat status {};
  ASSERT_EQ(fstat(fd, &status), 0);
  EXPECT_EQ(status.st_size, 2);
}

TEST_P(Posix, UnlinkedNamesCanBeMadeAnew) {
  Put("f", "old");
  const Descriptor old(P("f"), O_RDWR);
  EXPECT_EQ(Write(old, "OLD"), 3);
  EXPECT_EQ(unlink(P("f").c_str()), 0);
  Put("f", "new");
  EXPECT_EQ(ReadAt(old, 0, 9), "OLD");
  EXPECT_EQ(Get("f"), "new");
  struct stat old_status {};
  struct stat new_status {};
  ASSERT_EQ(fstat(old, &old_status), 0);
  ASSERT_EQ(stat(P("f").c_str(), &new_status), 0);
  EXPECT_NE(old_status.st_ino, new_status.st_ino);
}

TEST_P(Posix, UnlinkedNamesCanBeMadeAnewManyTimes) {
  for (int i = 0; i < 50; ++i) {
    const std::string text = std::to_string(i);
    Put("f", text);
    ASSERT_EQ(Get("f"), text);
    ASSERT_EQ(SizeOf("f"), static_cast<off_t>(text.size()));
    ASSERT_EQ(unlink(P("f").c_str()), 0);
    ASSERT_EQ(Open("f", O_RDONLY), ENOENT);
  }
}

TEST_P(Posix, MkdirReportsItsErrors) {
  Put("f", "f");
  EXPECT_EQ(mkdir(P("d").c_str(), 0755), 0);
  EXPECT_EQ(ErrnoOf(mkdir(P("d").c_str(), 0755)), EEXIST);
  EXPECT_EQ(ErrnoOf(mkdir(P("f").c_str(), 0755)), EEXIST);
  EXPECT_EQ(ErrnoOf(mkdir(P("missing/d").c_str(), 0755)), ENOENT);
  EXPECT_EQ(ErrnoOf(mkdir(P("f/d").c_str(), 0755)), ENOTDIR);
  struct stat status {};
  ASSERT_EQ(stat(P("d").c_str(), &status), 0);
  EXPECT_TRUE(S_ISDIR(status.st_mode));
}

TEST_P(Posix, MakingAndFillingADirectoryThatWasJustRemoved) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(mkdir(P("d").c_str(), 0755), 0) << i << std::strerror(errno);
    Put("d/f", "x");
    ASSERT_EQ(unlink(P("d/f").c_str()), 0);
    ASSERT_EQ(rmdir(P("d").c_str()), 0) << i << std::strerror(errno);
  }
}

TEST_P(Posix, SymlinksHoldAndFollowTheirTarget) {
  Put("f", "text");
  EXPECT_EQ(symlink("f", P("l").c_str()), 0);
  EXPECT_EQ(Get("l"), "text");
  EXPECT_EQ(SizeOf("l"), 1);
  char target[2000];
  EXPECT_EQ(readlink(P("l").c_str(), target, sizeof(target)), 1);
  EXPECT_EQ(ErrnoOf(readlink(P("f").c_str(), target, sizeof(target))), EINVAL);
  EXPECT_EQ(ErrnoOf(symlink("f", P("l").c_str())), EEXIST);
  EXPECT_EQ(Open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
  const std::string longer(1000, 'x');
  EXPECT_EQ(symlink(longer.c_str(), P("long").c_str()), 0);
  EXPECT_EQ(readlink(P("long").c_str(), target, sizeof(target)), 1000);
  EXPECT_EQ(SizeOf("long"), 1000);
}

TEST_P(Posix, SymlinksThatLeadNowhere) {
  ASSERT_EQ(symlink("missing", P("l").c_str()), 0);
  EXPECT_EQ(Open("l", O_RDONLY), ENOENT);
  EXPECT_EQ(Open("l", O_WRONLY | O_CREAT), 0) << "creates the target";
  EXPECT_EQ(SizeOf("missing"), 0);
  ASSERT_EQ(symlink("b", P("a").c_str()), 0);
  ASSERT_EQ(symlink("a", P("b").c_str()), 0);
  EXPECT_EQ(Open("a", O_RDONLY), ELOOP);
}

TEST_P(Posix, NamesHaveAtMost255Bytes) {
  const std::string longest(255, 'n');
  EXPECT_EQ(Open(longest, O_WRONLY | O_CREAT), 0);
  EXPECT_EQ(Open(longest + "n", O_WRONLY | O_CREAT), ENAMETOOLONG);
  EXPECT_EQ(Open(longest + "n", O_RDONLY), ENAMETOOLONG);
  EXPECT_EQ(ErrnoOf(mkdir(P(longest + "n").c_str(), 0755)), ENAMETOOLONG);
  EXPECT_EQ(ErrnoOf(symlink("x", P(longest + "n").c_str())), ENAMETOOLONG);
  EXPECT_EQ(ErrnoOf(rename(P(longest).c_str(), P(longest + "n").c_str())), ENAMETOOLONG);
  EXPECT_EQ(Open(std::string(5000, 'x'), O_RDONLY), ENAMETOOLONG);
}

}  // namespace
}  // namespace concordfs::mounttest
