// POSIX: which operation moves which time, and which doesn't.
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/xattr.h>

#include <ctime>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

constexpr timespec kOld{1'000'000'000, 123'456'789};
constexpr timespec kOlder{900'000'000, 987'654'321};

bool operator==(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

TEST_P(Posix, TimesMoveWithContent) {
  Put("f", "text");
  EXPECT_EQ(MovedBy("f",
                    [this] {
                      const Descriptor fd(P("f"), O_WRONLY);
                      ASSERT_EQ(Write(fd, "T"), 1);
                    }),
            kBoth)
      << "write";
  EXPECT_EQ(MovedBy("f", [this] { ASSERT_EQ(truncate(P("f").c_str(), 2), 0); }), kBoth) << "truncate";
  EXPECT_EQ(MovedBy("f",
                    [this] {
                      const Descriptor fd(P("f"), O_RDWR);
                      ASSERT_EQ(ftruncate(fd, 8000), 0);
                    }),
            kBoth)
      << "ftruncate";
  EXPECT_EQ(MovedBy("f",
                    [this] {
                      const Descriptor fd(P("f"), O_RDWR);
                      ASSERT_EQ(fallocate(fd, 0, 0, 9000), 0);
                    }),
            kBoth)
      << "fallocate that makes it larger";
  EXPECT_EQ(MovedBy("f",
                    [this] {
                      const Descriptor fd(P("f"), O_RDWR);
                      void* const mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                      ASSERT_NE(mapped, MAP_FAILED);
                      std::memcpy(mapped, "mapped", 6);
                      ASSERT_EQ(msync(mapped, 4096, MS_SYNC), 0);
                      ASSERT_EQ(munmap(mapped, 4096), 0);
                    }),
            kBoth)
      << "a shared mapping";
  EXPECT_EQ(MovedBy("f", [this] { ASSERT_EQ(Open("f", O_WRONLY | O_TRUNC), 0); }), kBoth) << "O_TRUNC";
}

TEST_P(Posix, TimesMoveWhileTheWriterIsOpen) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT);
  ASSERT_EQ(Write(fd, "one"), 3);
  struct stat before {};
  ASSERT_EQ(fstat(fd, &before), 0);
  PassTheClockTick();
  ASSERT_EQ(Write(fd, "two"), 3);
  struct stat after {};
  ASSERT_EQ(fstat(fd, &after), 0);
  EXPECT_TRUE(IsBefore(before.st_mtim, after.st_mtim));
  EXPECT_TRUE(IsBefore(before.st_ctim, after.st_ctim));
}

TEST_P(Posix, TimesStayWhereNothingChanges) {
  Put("f", "text");
  MakeDirectory("d");
  EXPECT_EQ(MovedBy("f", [this] { EXPECT_EQ(Get("f"), "text"); }), kNothing) << "read";
  EXPECT_EQ(MovedBy("f", [this] { ASSERT_EQ(Open("f", O_RDWR), 0); }), kNothing) << "open for writing";
  EXPECT_EQ(MovedBy("f",
                    [this] {
                      const Descriptor fd(P("f"), O_RDWR);
                      ASSERT_EQ(write(fd, "", 0), 0);
                    }),
            kNothing)
      << "a write of nothing";
  EXPECT_EQ(MovedBy("f",
                    [this] {
                      const Descriptor fd(P("f"), O_RDWR);
                      ASSERT_EQ(fsync(fd), 0);
                    }),
            kNothing)
      << "fsync";
  EXPECT_EQ(MovedBy("d", [this] { EXPECT_TRUE(Names("d").empty()); }), kNothing) << "readdir";
  EXPECT_EQ(MovedBy("d", [this] { EXPECT_EQ(Open("d/missing", O_RDONLY), ENOENT); }), kNothing) << "a failed open";
  EXPECT_EQ(MovedBy("d", [this] { EXPECT_EQ(ErrnoOf(unlink(P("d/missing").c_str())), ENOENT); }), kNothing);
  EXPECT_EQ(MovedBy("f", [this] { EXPECT_EQ(ErrnoOf(truncate(P("f").c_str(), -1)), EINVAL); }), kNothing);
}

TEST_P(Posix, TimesOfStatusMoveWithAttributes) {
  Put("f", "text");
  MakeDirectory("d");
  for (const std::string name : {"f", "d"}) {
    EXPECT_EQ(MovedBy(name, [&] { ASSERT_EQ(chmod(P(name).c_str(), 0711), 0); }), kStatus) << "chmod of " << name;
    EXPECT_EQ(MovedBy(name, [&] { ASSERT_EQ(chown(P(name).c_str(), 12, 34), 0) << std::strerror(errno); }), kStatus)
        << "chown of " << name;
    const timespec same[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    EXPECT_EQ(MovedBy(name, [&] { ASSERT_EQ(utimensat(AT_FDCWD, P(name).c_str(), same, 0), 0); }), kStatus)
        << "utimensat of " << name;
  }
  if (place().HasExtendedAttributes()) {
    EXPECT_EQ(MovedBy("f", [&] { ASSERT_EQ(setxattr(P("f").c_str(), "user.suite", "v", 1, 0), 0); }), kStatus);
  }
}

TEST_P(Posix, TimesOfAFileMoveWithItsName) {
  Put("f", "text");
  PassTheClockTick();
  const struct stat before = Stat("f");
  ASSERT_EQ(rename(P("f").c_str(), P("g").c_str()), 0);
  const struct stat after = Stat("g");
  EXPECT_TRUE(before.st_mtim == after.st_mtim);
  EXPECT_TRUE(IsBefore(before.st_ctim, after.st_ctim)) << "as on the file systems of Linux";
  const Descriptor fd(P("g"), O_RDONLY);
  PassTheClockTick();
  ASSERT_EQ(unlink(P("g").c_str()), 0);
  struct stat unlinked {};
  ASSERT_EQ(fstat(fd, &unlinked), 0);
  EXPECT_TRUE(IsBefore(after.st_ctim, unlinked.st_ctim));
  EXPECT_TRUE(after.st_mtim == unlinked.st_mtim);
}

TEST_P(Posix, TimesOfADirectoryMoveWithItsEntries) {
  MakeDirectory("d");
  const auto moved = [this](const std::function<int()>& call) {
    return MovedBy("d", [&] { EXPECT_EQ(call(), 0) << std::strerror(errno); });
  };
  EXPECT_EQ(moved([this] { return Open("d/f", O_WRONLY | O_CREAT); }), kBoth) << "creation";
  EXPECT_EQ(moved([this] { return mkdir(P("d/sub").c_str(), 0755); }), kBoth) << "mkdir";
  EXPECT_EQ(moved([this] { return symlink("f", P("d/l").c_str()); }), kBoth) << "symlink";
  EXPECT_EQ(moved([this] { return mknod(P("d/node").c_str(), S_IFREG | 0644, 0); }), kBoth) << "mknod";
  EXPECT_EQ(moved([this] { return rename(P("d/f").c_str(), P("d/g").c_str()); }), kBoth) << "rename";
  EXPECT_EQ(moved([this] { return unlink(P("d/g").c_str()); }), kBoth) << "unlink";
  EXPECT_EQ(moved([this] { return rmdir(P("d/sub").c_str()); }), kBoth) << "rmdir";
  EXPECT_EQ(moved([this] { return Open("d/node", O_WRONLY | O_TRUNC); }), kNothing) << "an entry's content";
  EXPECT_EQ(moved([this] { return Open("d/node", O_RDWR | O_CREAT); }), kNothing) << "O_CREAT of what is there";
}

TEST_P(Posix, TimesOfANewNameAreThoseOfItsMaking) {
  timespec before{};
  clock_gettime(CLOCK_REALTIME_COARSE, &before);
  Put("f", "");
  MakeDirectory("d");
  ASSERT_EQ(symlink("f", P("l").c_str()), 0);
  ASSERT_EQ(mknod(P("node").c_str(), S_IFREG | 0644, 0), 0);
  timespec after{};
  PassTheClockTick();
  clock_gettime(CLOCK_REALTIME, &after);
  for (const std::string name : {"f", "d", "l", "node"}) {
    const struct stat status = Stat(name);
    for (const timespec& time : {status.st_atim, status.st_mtim, status.st_ctim}) {
      EXPECT_FALSE(IsBefore(time, before)) << name;
      EXPECT_FALSE(IsBefore(after, time)) << name;
    }
  }
}

TEST_P(Posix, TimesAreKeptToTheNanosecond) {
  Put("f", "x");
  MakeDirectory("d");
  ASSERT_EQ(symlink("f", P("l").c_str()), 0);
  const timespec times[2] = {kOlder, kOld};
  for (const std::string name : {"f", "d", "l"}) {
    ASSERT_EQ(utimensat(AT_FDCWD, P(name).c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << name << std::strerror(errno);
    const struct stat status = Stat(name);
    EXPECT_TRUE(status.st_atim == kOlder) << name << " " << status.st_atim.tv_sec << "." << status.st_atim.tv_nsec;
    EXPECT_TRUE(status.st_mtim == kOld) << name << " " << status.st_mtim.tv_sec << "." << status.st_mtim.tv_nsec;
    EXPECT_TRUE(IsBefore(kOld, status.st_ctim)) << name << ": ctime is the clock's";
  }
}

TEST_P(Posix, UtimensatTakesEachTimeByItself) {
  Put("f", "x");
  const timespec both[2] = {kOlder, kOld};
  const std::string path = P("f");
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), both, 0), 0);
  const timespec omit_both[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  EXPECT_EQ(MovedBy("f", [&] { ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), omit_both, 0), 0); }), kNothing);
  const timespec access_only[2] = {kOld, {0, UTIME_OMIT}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), access_only, 0), 0);
  EXPECT_TRUE(Stat("f").st_atim == kOld);
  EXPECT_TRUE(Stat("f").st_mtim == kOld);
  const timespec change_now[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), change_now, 0), 0);
  EXPECT_TRUE(Stat("f").st_atim == kOld);
  EXPECT_TRUE(IsBefore(kOld, Stat("f").st_mtim));
  const timespec before_1970[2] = {{-1, 0}, {-2, 5}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), before_1970, 0), 0);
  EXPECT_TRUE(Stat("f").st_mtim == before_1970[1]);
  const timespec after_2038[2] = {{1LL << 32, 0}, {(1LL << 32) + 1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), after_2038, 0), 0);
  EXPECT_TRUE(Stat("f").st_mtim == after_2038[1]);
}

TEST_P(Posix, FutimensOnADescriptor) {
  Descriptor fd(P("f"), O_RDWR | O_CREAT);
  ASSERT_EQ(Write(fd, "x"), 1);
  const timespec times[2] = {kOlder, kOld};
  ASSERT_EQ(futimens(fd, times), 0);
  EXPECT_TRUE(Stat("f").st_mtim == kOld);
  ASSERT_EQ(fd.Close(), 0);
  EXPECT_TRUE(Stat("f").st_mtim == kOld) << "the close publishes content, it doesn't write it";
}

TEST_P(Posix, UtimensatReportsItsErrors) {
  Put("f", "x");
  const std::string path = P("f");
  const timespec bad[2] = {{0, 1'000'000'000}, {0, 0}};
  EXPECT_EQ(ErrnoOf(utimensat(AT_FDCWD, path.c_str(), bad, 0)), EINVAL);
  EXPECT_EQ(ErrnoOf(utimensat(AT_FDCWD, path.c_str(), nullptr, 0x8000)), EINVAL);
  EXPECT_EQ(ErrnoOf(futimens(-1, nullptr)), EBADF);
  const timespec times[2] = {kOlder, kOld};
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(utimensat(AT_FDCWD, path.c_str(), times, 0)); }), EPERM);
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(utimensat(AT_FDCWD, path.c_str(), nullptr, 0)); }), EACCES);
  ASSERT_EQ(chmod(path.c_str(), 0666), 0);
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(utimensat(AT_FDCWD, path.c_str(), nullptr, 0)); }), 0)
      << "who may write it may say that it was written now";
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(utimensat(AT_FDCWD, path.c_str(), times, 0)); }), EPERM);
}

TEST_P(Posix, ReadsMoveTheTimeOfAccess) {
  Put("f", "text");
  const timespec times[2] = {kOlder, kOld};  // relatime: an access older than the change is replaced
  ASSERT_EQ(utimensat(AT_FDCWD, P("f").c_str(), times, 0), 0);
  EXPECT_EQ(Get("f"), "text");
  EXPECT_EQ(IsBefore(kOlder, Stat("f").st_atim), place().MarksReads());
  EXPECT_TRUE(Stat("f").st_mtim == kOld);
}

TEST_P(Posix, TimesOutliveTheOpenFile) {
  Put("f", "text");
  const struct stat before = Stat("f");
  const struct stat again = Stat("f");
  EXPECT_TRUE(before.st_mtim == again.st_mtim);
  Descriptor fd(P("f"), O_RDWR);
  ASSERT_EQ(Write(fd, "TEXT"), 4);
  struct stat open_status {};
  ASSERT_EQ(fstat(fd, &open_status), 0);
  ASSERT_EQ(fd.Close(), 0);
  EXPECT_TRUE(Stat("f").st_mtim == open_status.st_mtim) << "close is no change";
}

TEST_P(Posix, StatxTellsTheTimeOfBirth) {
  timespec before{};
  clock_gettime(CLOCK_REALTIME_COARSE, &before);
  Put("f", "x");
  const timespec times[2] = {kOlder, kOld};
  ASSERT_EQ(utimensat(AT_FDCWD, P("f").c_str(), times, 0), 0);
  struct statx status {};
  ASSERT_EQ(statx(AT_FDCWD, P("f").c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &status), 0);
  EXPECT_EQ(status.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  ASSERT_NE(status.stx_mask & STATX_BTIME, 0U) << "no time of birth";
  EXPECT_GE(status.stx_btime.tv_sec, before.tv_sec);
}

}  // namespace
}  // namespace concordfs::mounttest
