// POSIX: rename, beyond the basics.
#include <sys/sysmacros.h>

#include <cstdio>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;
using ::testing::UnorderedElementsAre;

TEST_P(Posix, RenameKeepsTheFileItself) {
  Put("a", "text");
  ASSERT_EQ(chmod(P("a").c_str(), 0640), 0);
  const struct stat before = Stat("a");
  ASSERT_EQ(rename(P("a").c_str(), P("b").c_str()), 0);
  const struct stat after = Stat("b");
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_size, before.st_size);
  EXPECT_EQ(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
  EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

TEST_P(Posix, RenameOfADirectoryKeepsItAndItsHandles) {
  MakeDirectory("d");
  MakeDirectory("d/sub");
  Put("d/f", "f");
  const ino_t before = Stat("d").st_ino;
  const Descriptor folder(P("d"), O_RDONLY | O_DIRECTORY);
  const Descriptor below(P("d/sub"), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(rename(P("d").c_str(), P("e").c_str()), 0);
  EXPECT_EQ(Stat("e").st_ino, before);
  struct stat status {};
  EXPECT_EQ(fstatat(folder, "f", &status, 0), 0) << "the handle leads to where it is now";
  EXPECT_EQ(fstatat(below, "../f", &status, 0), 0);
  const int made = openat(folder, "g", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  EXPECT_GE(made, 0) << std::strerror(errno);
  EXPECT_EQ(write(made, "g", 1), 1);
  EXPECT_EQ(close(made), 0);
  EXPECT_EQ(mkdirat(below, "deeper", 0755), 0);
  EXPECT_EQ(Get("e/g"), "g");
  EXPECT_THAT(Names("e/sub"), UnorderedElementsAre("deeper"));
}

TEST_P(Posix, RenameMovesTheWorkingDirectory) {
  MakeDirectory("d");
  Put("d/f", "f");
  EXPECT_EQ(As(0, 0,
               [this] {
                 if (chdir(P("d").c_str()) != 0) return 1;
                 if (rename(P("d").c_str(), P("e").c_str()) != 0) return 2;
                 struct stat status {};
                 if (stat("f", &status) != 0) return 3;
                 char path[4096];
                 if (getcwd(path, sizeof(path)) == nullptr) return 4;
                 return P("e") == path ? 0 : 5;
               }),
            0);
}

TEST_P(Posix, RenameReplacesLinksNotTheirTargets) {
  Put("f", "f");
  Put("g", "g");
  MakeDirectory("d");
  ASSERT_EQ(symlink("f", P("l").c_str()), 0);
  ASSERT_EQ(symlink("d", P("to-d").c_str()), 0);
  EXPECT_EQ(rename(P("g").c_str(), P("l").c_str()), 0);
  EXPECT_EQ(Get("f"), "f");
  EXPECT_TRUE(S_ISREG(Stat("l").st_mode));
  EXPECT_EQ(rename(P("to-d").c_str(), P("moved").c_str()), 0);
  EXPECT_TRUE(S_ISLNK(Stat("moved").st_mode));
  EXPECT_EQ(ErrnoOf(rename(P("d").c_str(), P("moved").c_str())), ENOTDIR);
  EXPECT_EQ(rename(P("f").c_str(), P("moved").c_str()), 0);
}

TEST_P(Posix, RenameBetweenKinds) {
  Put("f", "f");
  MakeDirectory("d");
  MakeDirectory("full");
  Put("full/x", "x");
  EXPECT_EQ(ErrnoOf(rename(P("f").c_str(), P("d").c_str())), EISDIR);
  EXPECT_EQ(ErrnoOf(rename(P("f").c_str(), P("full").c_str())), EISDIR);
  EXPECT_EQ(ErrnoOf(rename(P("d").c_str(), P("f").c_str())), ENOTDIR);
  EXPECT_THAT(ErrnoOf(rename(P("d").c_str(), P("full").c_str())), AnyOf(ENOTEMPTY, EEXIST));
  EXPECT_EQ(rename(P("full").c_str(), P("d").c_str()), 0);
  EXPECT_EQ(Get("d/x"), "x");
}

TEST_P(Posix, RenameIntoItselfIsEINVAL) {
  MakeDirectory("d");
  MakeDirectory("d/e");
  MakeDirectory("d/e/f");
  EXPECT_EQ(ErrnoOf(rename(P("d").c_str(), P("d/e/x").c_str())), EINVAL);
  EXPECT_EQ(ErrnoOf(rename(P("d").c_str(), P("d/e/f").c_str())), EINVAL);
  EXPECT_THAT(ErrnoOf(rename(P("d/e/f").c_str(), P("d").c_str())), AnyOf(ENOTEMPTY, EEXIST));
  EXPECT_THAT(ErrnoOf(rename(P("d/e/..").c_str(), P("x").c_str())), AnyOf(EBUSY, EINVAL));
  EXPECT_THAT(ErrnoOf(rename(P("d/.").c_str(), P("x").c_str())), AnyOf(EBUSY, EINVAL));
  EXPECT_EQ(rename(P("d").c_str(), P("d").c_str()), 0);
}

TEST_P(Posix, RenameToAnotherFileSystemIsEXDEV) {
  Put("f", "f");
  const std::string other = place().IsInMount() ? "/dev/shm/concordfs-other" : "/tmp/concordfs-other";
  EXPECT_EQ(ErrnoOf(rename(P("f").c_str(), other.c_str())), EXDEV);
  EXPECT_EQ(ErrnoOf(link(P("f").c_str(), other.c_str())), EXDEV);
}

TEST_P(Posix, RenameInAStickyDirectoryIsForOwners) {
  MakeDirectory("sticky");
  ASSERT_EQ(chmod(P("sticky").c_str(), 01777), 0);
  Put("sticky/roots", "x");
  MakeDirectory("sticky/directory");
  const auto rename_as_stranger = [this](const char* from, const char* to) {
    return AsStranger([&] { return ErrnoOf(rename(P(from).c_str(), P(to).c_str())); });
  };
  EXPECT_THAT(rename_as_stranger("sticky/roots", "sticky/mine"), AnyOf(EPERM, EACCES));
  EXPECT_THAT(AsStranger([&] { return ErrnoOf(unlink(P("sticky/roots").c_str())); }), AnyOf(EPERM, EACCES));
  EXPECT_THAT(AsStranger([&] { return ErrnoOf(rmdir(P("sticky/directory").c_str())); }), AnyOf(EPERM, EACCES));
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(mknod(P("sticky/own").c_str(), S_IFREG | 0644, 0)); }), 0);
  EXPECT_THAT(rename_as_stranger("sticky/own", "sticky/roots"), AnyOf(EPERM, EACCES)) << "replaces another's";
  EXPECT_EQ(rename_as_stranger("sticky/own", "sticky/owned"), 0);
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(unlink(P("sticky/owned").c_str())); }), 0);
}

TEST_P(Posix, RenameOfADirectoryOfOthersNeedsToChangeItsParent) {
  MakeDirectory("open");
  ASSERT_EQ(chmod(P("open").c_str(), 0777), 0);
  MakeDirectory("elsewhere");
  ASSERT_EQ(chmod(P("elsewhere").c_str(), 0777), 0);
  MakeDirectory("open/roots");
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(rename(P("open/roots").c_str(), P("elsewhere/x").c_str())); }), EACCES)
      << "its .. can't be written";
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(rename(P("open/roots").c_str(), P("open/renamed").c_str())); }), 0);
}

TEST_P(Posix, RenameOntoAnotherLinkOfTheSameFileDoesNothing) {
  Put("a", "x");
  if (!place().HasHardLinks()) {
    EXPECT_EQ(ErrnoOf(link(P("a").c_str(), P("b").c_str())), EPERM);
    return;
  }
  ASSERT_EQ(link(P("a").c_str(), P("b").c_str()), 0);
  EXPECT_EQ(rename(P("a").c_str(), P("b").c_str()), 0);
  EXPECT_THAT(Names(), UnorderedElementsAre("a", "b"));
  EXPECT_EQ(Stat("a").st_nlink, 2U);
}

TEST_P(Posix, RenameLeavesAnOpenTargetReadable) {
  Put("a", "A");
  Put("b", "B");
  Descriptor target(P("b"), O_RDWR);
  ASSERT_EQ(rename(P("a").c_str(), P("b").c_str()), 0);
  EXPECT_EQ(ReadAt(target, 0, 9), "B");
  EXPECT_EQ(pwrite(target, "late", 4, 0), 4);
  EXPECT_EQ(ReadAt(target, 0, 9), "late");
  EXPECT_EQ(target.Close(), 0);
  EXPECT_EQ(Get("b"), "A");
}

TEST_P(Posix, RenameOverAnOpenDirectory) {
  MakeDirectory("a");
  Put("a/f", "f");
  MakeDirectory("b");
  const Descriptor replaced(P("b"), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(rename(P("a").c_str(), P("b").c_str()), 0);
  EXPECT_EQ(ErrnoOf(openat(replaced, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0644)), ENOENT) << "it was removed";
  EXPECT_EQ(Get("b/f"), "f");
}

TEST_P(Posix, RenameMovesSpecialFiles) {
  if (!place().HasSpecialFiles()) {
    EXPECT_EQ(ErrnoOf(mkfifo(P("fifo").c_str(), 0644)), EPERM);
    return;
  }
  ASSERT_EQ(mkfifo(P("fifo").c_str(), 0644), 0);
  Put("f", "f");
  EXPECT_EQ(rename(P("fifo").c_str(), P("f").c_str()), 0);
  EXPECT_TRUE(S_ISFIFO(Stat("f").st_mode));
  EXPECT_EQ(rename(P("f").c_str(), P("g").c_str()), 0);
  EXPECT_TRUE(S_ISFIFO(Stat("g").st_mode));
}

TEST_P(Posix, RenameMovesTheTimesOfDirectories) {
  MakeDirectory("a");
  MakeDirectory("b");
  Put("a/f", "f");
  Put("b/g", "g");
  Moved target;
  const Moved source =
      MovedBy("a", [&] { target = MovedBy("b", [&] { ASSERT_EQ(rename(P("a/f").c_str(), P("b/f").c_str()), 0); }); });
  EXPECT_EQ(source, kBoth);
  EXPECT_EQ(target, kBoth);
  EXPECT_EQ(MovedBy("b", [&] { EXPECT_EQ(ErrnoOf(rename(P("b/missing").c_str(), P("b/x").c_str())), ENOENT); }),
            kNothing);
}

}  // namespace
}  // namespace concordfs::mounttest
