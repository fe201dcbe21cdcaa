// POSIX: mode bits and owners, and who may do what by them.
#include <sys/statvfs.h>

#include <array>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;

constexpr uid_t kOwner = 65533;
constexpr gid_t kGroup = 65532;

int OpenAs(uid_t user, gid_t group, const std::string& path, int flags) {
  return As(user, group, [&] {
    const int fd = open(path.c_str(), flags | O_CLOEXEC);
    if (fd < 0) return errno;
    close(fd);
    return 0;
  });
}

TEST_P(Posix, ChmodKeepsEveryBit) {
  Put("f", "x");
  MakeDirectory("d");
  for (const std::string name : {"f", "d"}) {
    for (const mode_t mode : {0000U, 0400U, 0111U, 0640U, 0777U, 01755U, 02755U, 04755U, 07777U, 0644U}) {
      ASSERT_EQ(chmod(P(name).c_str(), mode), 0) << std::strerror(errno);
      EXPECT_EQ(Mode(name), mode) << name << " in octal: " << std::oct << Mode(name) << " for " << mode;
    }
  }
}

TEST_P(Posix, ChmodThroughLinksAndDescriptors) {
  Put("f", "x");
  MakeDirectory("d");
  ASSERT_EQ(symlink("f", P("l").c_str()), 0);
  EXPECT_EQ(chmod(P("l").c_str(), 0750), 0);
  EXPECT_EQ(Mode("f"), 0750U);
  EXPECT_EQ(Mode("l"), 0777U);
  const Descriptor fd(P("f"), O_RDONLY);
  EXPECT_EQ(fchmod(fd, 0604), 0);
  EXPECT_EQ(Mode("f"), 0604U);
  const Descriptor folder(P("d"), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(fchmod(folder, 0711), 0);
  EXPECT_EQ(Mode("d"), 0711U);
  EXPECT_EQ(ErrnoOf(fchmod(-1, 0600)), EBADF);
}

TEST_P(Posix, ChmodOfAnUnlinkedFile) {
  Put("f", "x");
  const Descriptor fd(P("f"), O_RDWR);
  ASSERT_EQ(unlink(P("f").c_str()), 0);
  EXPECT_EQ(fchmod(fd, 0600), 0) << std::strerror(errno);
  struct stat status {};
  ASSERT_EQ(fstat(fd, &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(status.st_nlink, 0U);
}

TEST_P(Posix, ChmodIsForTheOwner) {
  Put("f", "x");
  MakeDirectory("d");
  ASSERT_EQ(chown(P("f").c_str(), kOwner, kGroup), 0) << std::strerror(errno);
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(chmod(P("f").c_str(), 0777)); }), EPERM);
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(chmod(P("d").c_str(), 0777)); }), EPERM);
  EXPECT_EQ(As(kStranger, kGroup, [&] { return ErrnoOf(chmod(P("f").c_str(), 0777)); }), EPERM) << "the group can't";
  EXPECT_EQ(As(kOwner, kGroup, [&] { return ErrnoOf(chmod(P("f").c_str(), 0600)); }), 0);
  EXPECT_EQ(Mode("f"), 0600U);
}

TEST_P(Posix, ChmodDropsSetgidOfAForeignGroup) {
  Put("f", "x");
  ASSERT_EQ(chown(P("f").c_str(), kOwner, kGroup), 0) << std::strerror(errno);
  EXPECT_EQ(As(kOwner, kStrangersGroup, [&] { return ErrnoOf(chmod(P("f").c_str(), 02755)); }), 0);
  EXPECT_EQ(Mode("f"), 0755U);
  EXPECT_EQ(As(kOwner, kGroup, [&] { return ErrnoOf(chmod(P("f").c_str(), 02755)); }), 0);
  EXPECT_EQ(Mode("f"), 02755U);
}

TEST_P(Posix, CreationTakesTheModeLessTheMask) {
  const auto check = [this](mode_t mask) {
    const Umask set(mask);
    const std::string suffix = std::to_string(mask);
    ASSERT_EQ(Open("f" + suffix, O_RDWR | O_CREAT, 0666), 0);
    EXPECT_EQ(Mode("f" + suffix), 0666U & ~mask);
    ASSERT_EQ(Open("x" + suffix, O_RDWR | O_CREAT, 0777), 0);
    EXPECT_EQ(Mode("x" + suffix), 0777U & ~mask);
    ASSERT_EQ(mkdir(P("d" + suffix).c_str(), 0777), 0);
    EXPECT_EQ(Mode("d" + suffix), 0777U & ~mask);
    ASSERT_EQ(mknod(P("n" + suffix).c_str(), S_IFREG | 0640, 0), 0);
    EXPECT_EQ(Mode("n" + suffix), 0640U & ~mask);
    ASSERT_EQ(symlink("f", P("l" + suffix).c_str()), 0);
    EXPECT_EQ(Mode("l" + suffix), 0777U);
  };
  for (const mode_t mask : {0000U, 0022U, 0077U, 0027U, 0777U}) check(mask);
}

TEST_P(Posix, CreationWithAModeThatForbidsIt) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT, 0000);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(Write(fd, "x"), 1) << "the mode is for later opens";
  EXPECT_EQ(ReadAt(fd, 0, 9), "x");
  EXPECT_EQ(Mode("f"), 0U);
  EXPECT_EQ(OpenAs(kStranger, kStrangersGroup, P("f"), O_RDONLY), EACCES);
}

TEST_P(Posix, CreationBelongsToItsMaker) {
  MakeDirectory("d");
  ASSERT_EQ(chmod(P("d").c_str(), 0777), 0);
  EXPECT_EQ(As(kOwner, kGroup,
               [&] {
                 const int fd = open(P("d/f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
                 if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) != 0) return errno;
                 if (mkdir(P("d/sub").c_str(), 0755) != 0 || symlink("f", P("d/l").c_str()) != 0) return errno;
                 return 0;
               }),
            0);
  for (const std::string name : {"d/f", "d/sub", "d/l"}) {
    EXPECT_EQ(Stat(name).st_uid, kOwner) << name;
    EXPECT_EQ(Stat(name).st_gid, kGroup) << name;
  }
  EXPECT_EQ(Get("d/f"), "x");
}

TEST_P(Posix, CreationInASetgidDirectoryTakesItsGroup) {
  MakeDirectory("d");
  ASSERT_EQ(chown(P("d").c_str(), 0, kGroup), 0) << std::strerror(errno);
  ASSERT_EQ(chmod(P("d").c_str(), 02777), 0);
  const Umask none(0);
  EXPECT_EQ(AsStranger([&] {
              if (mkdir(P("d/sub").c_str(), 0755) != 0) return errno;
              return ErrnoOf(mknod(P("d/f").c_str(), S_IFREG | 0644, 0));
            }),
            0);
  EXPECT_EQ(Stat("d/sub").st_gid, kGroup);
  EXPECT_EQ(Mode("d/sub"), 02755U);
  EXPECT_EQ(Stat("d/f").st_gid, kGroup);
  EXPECT_EQ(Mode("d/f"), 0644U);
}

TEST_P(Posix, ChownSetsOwnerAndGroup) {
  Put("f", "x");
  MakeDirectory("d");
  ASSERT_EQ(symlink("f", P("l").c_str()), 0);
  EXPECT_EQ(chown(P("f").c_str(), 123, 456), 0) << std::strerror(errno);
  EXPECT_EQ(chown(P("d").c_str(), 123, static_cast<gid_t>(-1)), 0) << std::strerror(errno);
  EXPECT_EQ(Stat("f").st_uid, 123U);
  EXPECT_EQ(Stat("f").st_gid, 456U);
  EXPECT_EQ(Stat("d").st_uid, 123U);
  EXPECT_EQ(Stat("d").st_gid, 0U);
  EXPECT_EQ(lchown(P("l").c_str(), 7, 8), 0) << std::strerror(errno);
  EXPECT_EQ(Stat("l").st_uid, 7U);
  EXPECT_EQ(Stat("f").st_uid, 123U);
  EXPECT_EQ(chown(P("l").c_str(), 9, 10), 0) << std::strerror(errno);
  EXPECT_EQ(Stat("f").st_gid, 10U);
  const Descriptor fd(P("f"), O_RDONLY);
  EXPECT_EQ(fchown(fd, 11, 12), 0) << std::strerror(errno);
  EXPECT_EQ(Stat("f").st_uid, 11U);
  EXPECT_EQ(ErrnoOf(fchown(-1, 1, 1)), EBADF);
  EXPECT_EQ(Get("f"), "x");
}

TEST_P(Posix, ChownIsForTheSuperuser) {
  Put("f", "x");
  ASSERT_EQ(chown(P("f").c_str(), kOwner, kGroup), 0) << std::strerror(errno);
  const auto change = [&](uid_t user, gid_t group, uid_t to, gid_t to_group) {
    return As(user, group, [&] { return ErrnoOf(chown(P("f").c_str(), to, to_group)); });
  };
  EXPECT_EQ(change(kOwner, kGroup, kStranger, kGroup), EPERM) << "no giving away";
  EXPECT_EQ(change(kOwner, kGroup, kOwner, kStrangersGroup), EPERM) << "no group of others";
  EXPECT_EQ(change(kStranger, kStrangersGroup, kStranger, kStrangersGroup), EPERM) << "no taking";
  EXPECT_EQ(change(kOwner, kStrangersGroup, static_cast<uid_t>(-1), kStrangersGroup), 0) << "to a group of one's own";
  EXPECT_EQ(Stat("f").st_gid, kStrangersGroup);
}

TEST_P(Posix, ChownTakesSetuidAway) {
  Put("f", "x");
  ASSERT_EQ(chown(P("f").c_str(), kOwner, kGroup), 0) << std::strerror(errno);
  ASSERT_EQ(chmod(P("f").c_str(), 06755), 0);
  EXPECT_EQ(As(kOwner, kGroup, [&] { return ErrnoOf(chown(P("f").c_str(), kOwner, kGroup)); }), 0);
  EXPECT_EQ(Mode("f"), 0755U);
  MakeDirectory("d");
  ASSERT_EQ(chmod(P("d").c_str(), 02755), 0);
  ASSERT_EQ(chown(P("d").c_str(), kOwner, kGroup), 0);
  EXPECT_EQ(Mode("d"), 02755U) << "a directory's setgid means something else";
}

TEST_P(Posix, WritingByOthersTakesSetuidAway) {
  const auto prepare = [this] {
    Put("f", "text");
    ASSERT_EQ(chmod(P("f").c_str(), 06777), 0);
    ASSERT_EQ(Mode("f"), 06777U);
  };
  prepare();
  EXPECT_EQ(AsStranger([&] {
              const int fd = open(P("f").c_str(), O_WRONLY | O_CLOEXEC);
              return fd >= 0 && write(fd, "T", 1) == 1 && close(fd) == 0 ? 0 : errno;
            }),
            0);
  EXPECT_EQ(Mode("f"), 0777U) << "write";
  prepare();
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(truncate(P("f").c_str(), 1)); }), 0);
  EXPECT_EQ(Mode("f"), 0777U) << "truncate";
  prepare();
  EXPECT_EQ(OpenAs(kStranger, kStrangersGroup, P("f"), O_WRONLY | O_TRUNC), 0);
  EXPECT_EQ(Mode("f"), 0777U) << "O_TRUNC";
}

TEST_P(Posix, AccessFollowsTheClassOfTheCaller) {
  Put("f", "x");
  ASSERT_EQ(chown(P("f").c_str(), kOwner, kGroup), 0) << std::strerror(errno);
  struct Caller {
    uid_t user;
    gid_t group;
    unsigned shift;
  };
  for (const Caller caller :
       {Caller{kOwner, kGroup, 6}, Caller{kStranger, kGroup, 3}, Caller{kStranger, kStrangersGroup, 0}}) {
    for (const unsigned bits : {0U, 1U, 2U, 4U, 6U, 7U}) {
      // The other classes have what this one lacks: the first class that fits decides.
      const unsigned others = ~bits & 7U;
      const mode_t mode = (0111U * others & ~(7U << caller.shift)) | bits << caller.shift;
      ASSERT_EQ(chmod(P("f").c_str(), mode), 0);
      const int read = (bits & 4U) != 0 ? 0 : EACCES;
      const int write = (bits & 2U) != 0 ? 0 : EACCES;
      EXPECT_EQ(OpenAs(caller.user, caller.group, P("f"), O_RDONLY), read) << std::oct << mode << " " << caller.shift;
      EXPECT_EQ(OpenAs(caller.user, caller.group, P("f"), O_WRONLY), write) << std::oct << mode << " " << caller.shift;
      EXPECT_EQ(OpenAs(caller.user, caller.group, P("f"), O_RDWR), read != 0 ? read : write) << std::oct << mode;
      EXPECT_EQ(As(caller.user, caller.group, [&] { return ErrnoOf(access(P("f").c_str(), X_OK)); }),
                (bits & 1U) != 0 ? 0 : EACCES)
          << std::oct << mode;
      EXPECT_EQ(As(caller.user, caller.group, [&] { return ErrnoOf(truncate(P("f").c_str(), 1)); }), write)
          << std::oct << mode;
    }
  }
}

TEST_P(Posix, AccessToDirectories) {
  MakeDirectory("d");
  Put("d/f", "x");
  const auto list = [this] {
    return AsStranger([&] {
      DIR* const folder = opendir(P("d").c_str());
      if (folder == nullptr) return errno;
      closedir(folder);
      return 0;
    });
  };
  ASSERT_EQ(chmod(P("d").c_str(), 0711), 0);
  EXPECT_EQ(list(), EACCES);
  EXPECT_EQ(OpenAs(kStranger, kStrangersGroup, P("d/f"), O_RDONLY), 0);
  ASSERT_EQ(chmod(P("d").c_str(), 0744), 0);
  EXPECT_EQ(list(), 0);
  EXPECT_EQ(OpenAs(kStranger, kStrangersGroup, P("d/f"), O_RDONLY), EACCES);
  ASSERT_EQ(chmod(P("d").c_str(), 0777), 0);
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(unlink(P("d/f").c_str())); }), 0) << "the directory's bits, not the file's";
}

TEST_P(Posix, ExecutionNeedsTheBit) {
  Put("program", "#!/bin/sh\nexit 7\n");
  const auto run = [this] {
    return As(0, 0, [this] {
      execl(P("program").c_str(), "program", static_cast<char*>(nullptr));
      return errno;
    });
  };
  ASSERT_EQ(chmod(P("program").c_str(), 0644), 0);
  EXPECT_EQ(run(), EACCES);
  ASSERT_EQ(chmod(P("program").c_str(), 0755), 0);
  EXPECT_EQ(run(), 7);
}

}  // namespace
}  // namespace concordfs::mounttest
