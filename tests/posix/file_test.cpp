// POSIX: open files, beyond the basics: flags, offsets, sizes, mappings, what is unlinked and what is being run.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <algorithm>
#include <climits>
#include <csignal>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;
using ::testing::UnorderedElementsAre;

TEST_P(Posix, OpenFlagsDecideWhatIsAllowed) {
  Put("f", "text");
  const Descriptor path(P("f"), O_PATH);
  char byte = 0;
  EXPECT_EQ(ErrnoOf(read(path, &byte, 1)), EBADF);
  EXPECT_EQ(ErrnoOf(fchmod(path, 0600)), EBADF);
  struct stat status {};
  EXPECT_EQ(fstat(path, &status), 0);
  EXPECT_EQ(status.st_size, 4);
  const Descriptor reader(P("f"), O_RDONLY);
  EXPECT_THAT(ErrnoOf(ftruncate(reader, 0)), AnyOf(EINVAL, EBADF));
  EXPECT_EQ(ErrnoOf(fallocate(reader, 0, 0, 10)), EBADF);
  EXPECT_EQ(ErrnoOf(pwrite(reader, "x", 1, 0)), EBADF);
  EXPECT_EQ(Get("f"), "text");
}

TEST_P(Posix, OpenOfDirectories) {
  MakeDirectory("d");
  Put("f", "x");
  ASSERT_EQ(symlink("d", P("to-d").c_str()), 0);
  EXPECT_EQ(Open("d", O_RDONLY | O_DIRECTORY), 0);
  EXPECT_EQ(Open("to-d", O_RDONLY | O_DIRECTORY), 0);
  EXPECT_THAT(Open("to-d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW), AnyOf(ENOTDIR, ELOOP));
  EXPECT_EQ(Open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
  EXPECT_EQ(Open("d", O_RDWR | O_CREAT), EISDIR);
  EXPECT_EQ(Open("d", O_RDONLY | O_TRUNC), EISDIR);
  const Descriptor folder(P("d"), O_RDONLY | O_DIRECTORY);
  char byte = 0;
  EXPECT_EQ(ErrnoOf(read(folder, &byte, 1)), EISDIR);
  EXPECT_THAT(ErrnoOf(ftruncate(folder, 0)), AnyOf(EINVAL, EBADF));
}

TEST_P(Posix, OpenFollowsLinksOrNot) {
  Put("f", "text");
  ASSERT_EQ(symlink("f", P("l").c_str()), 0);
  EXPECT_EQ(Open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
  EXPECT_EQ(Open("l", O_WRONLY | O_NOFOLLOW), ELOOP);
  EXPECT_EQ(Open("l", O_PATH | O_NOFOLLOW), 0);
  EXPECT_EQ(Open("l", O_RDWR | O_CREAT | O_EXCL), EEXIST);
  EXPECT_EQ(Open("l", O_WRONLY | O_TRUNC), 0);
  EXPECT_EQ(SizeOf("f"), 0);
}

TEST_P(Posix, OpenThroughFortyLinksWorksAndFortyOneDoNot) {
  Put("l0", "text");
  for (int i = 1; i <= 41; ++i) {
    ASSERT_EQ(symlink(("l" + std::to_string(i - 1)).c_str(), P("l" + std::to_string(i)).c_str()), 0);
  }
  EXPECT_EQ(Open("l40", O_RDONLY), 0);
  EXPECT_EQ(Open("l41", O_RDONLY), ELOOP);
}

TEST_P(Posix, OpenOfAnUnnamedFile) {
  const Descriptor fd(P("."), O_TMPFILE | O_RDWR);
  if (!place().HasUnnamedFiles()) {
    EXPECT_LT(fd, 0);
    EXPECT_TRUE(Names().empty());
    return;
  }
  ASSERT_GE(fd, 0) << std::strerror(errno);
  EXPECT_EQ(Write(fd, "text"), 4);
  EXPECT_TRUE(Names().empty());
  const std::string by_number = "/proc/self/fd/" + std::to_string(fd);
  EXPECT_EQ(linkat(AT_FDCWD, by_number.c_str(), AT_FDCWD, P("f").c_str(), AT_SYMLINK_FOLLOW), 0);
  EXPECT_EQ(Get("f"), "text");
}

TEST_P(Posix, AppendIgnoresOffsets) {
  Put("f", "0123");
  const Descriptor fd(P("f"), O_RDWR | O_APPEND);
  ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
  EXPECT_EQ(Write(fd, "45"), 2);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 6);
  EXPECT_EQ(pwrite(fd, "67", 2, 0), 2) << "Linux appends here, too";
  EXPECT_EQ(ReadAt(fd, 0, 99), "01234567");
  EXPECT_EQ(ftruncate(fd, 2), 0);
  EXPECT_EQ(Write(fd, "x"), 1);
  EXPECT_EQ(ReadAt(fd, 0, 99), "01x");
  if (!GetParam().CanStopAppending()) return;
  EXPECT_EQ(fcntl(fd, F_SETFL, 0), 0);
  EXPECT_EQ(pwrite(fd, "Y", 1, 0), 1);
  EXPECT_EQ(ReadAt(fd, 0, 99), "Y1x") << "no longer appending";
}

TEST_P(Posix, AppendSetLaterAppends) {
  Put("f", "0123");
  const Descriptor fd(P("f"), O_RDWR);
  ASSERT_EQ(fcntl(fd, F_SETFL, O_APPEND), 0);
  EXPECT_EQ(Write(fd, "45"), 2);
  EXPECT_EQ(ReadAt(fd, 0, 99), "012345");
}

TEST_P(Posix, VectorsAreReadAndWritten) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT);
  std::string one = "one";
  std::string two = "two2";
  const iovec out[2] = {{one.data(), one.size()}, {two.data(), two.size()}};
  EXPECT_EQ(writev(fd, out, 2), 7);
  EXPECT_EQ(pwritev(fd, out, 2, 3), 7);
  EXPECT_EQ(ReadAt(fd, 0, 99), "oneonetwo2");
  std::string a(4, '\0');
  std::string b(9, '\0');
  const iovec in[2] = {{a.data(), a.size()}, {b.data(), b.size()}};
  EXPECT_EQ(preadv(fd, in, 2, 0), 10);
  EXPECT_EQ(a + b.substr(0, 6), "oneonetwo2");
  EXPECT_EQ(ErrnoOf(preadv(fd, in, 2, -1)), EINVAL);
}

TEST_P(Posix, BadArgumentsOfReadAndWrite) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT);
  char byte = 0;
  EXPECT_EQ(ErrnoOf(pread(fd, &byte, 1, -1)), EINVAL);
  EXPECT_EQ(ErrnoOf(pwrite(fd, "x", 1, -1)), EINVAL);
  EXPECT_EQ(ErrnoOf(read(-1, &byte, 1)), EBADF);
  EXPECT_EQ(ErrnoOf(lseek(fd, 0, 99)), EINVAL);
  EXPECT_EQ(ErrnoOf(lseek(fd, -1, SEEK_END)), EINVAL);
  void* const nowhere = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_EQ(ErrnoOf(write(fd, nowhere, 1)), EFAULT);
  munmap(nowhere, 4096);
  EXPECT_EQ(ErrnoOf(ftruncate(fd, -1)), EINVAL);
  EXPECT_EQ(ErrnoOf(ftruncate(-1, 0)), EBADF);
  EXPECT_EQ(SizeOf("f"), 0);
}

TEST_P(Posix, SizesBeyondLimitsAreEFBIG) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit tight{10'000, old.rlim_max};
  const auto before = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  EXPECT_EQ(ErrnoOf(ftruncate(fd, 10'001)), EFBIG);
  EXPECT_EQ(ErrnoOf(truncate(P("f").c_str(), 10'001)), EFBIG);
  EXPECT_EQ(ErrnoOf(pwrite(fd, "x", 1, 10'000)), EFBIG);
  EXPECT_EQ(pwrite(fd, "xyz", 3, 9'998), 2) << "what fits is written";
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, before);
  EXPECT_EQ(SizeOf("f"), 10'000);
  EXPECT_THAT(ErrnoOf(pwrite(fd, "x", 1, LLONG_MAX)), AnyOf(EFBIG, EINVAL));
  EXPECT_EQ(SizeOf("f"), 10'000);
  EXPECT_EQ(ErrnoOf(ftruncate(fd, LLONG_MAX)), place().LimitsSizes() ? EFBIG : 0);
}

TEST_P(Posix, SparseFilesHaveHoles) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT);
  constexpr off_t kFar = 8 << 20;
  ASSERT_EQ(pwrite(fd, "x", 1, kFar), 1);
  EXPECT_EQ(SizeOf("f"), kFar + 1);
  EXPECT_EQ(ReadAt(fd, 1 << 20, 5), std::string(5, '\0'));
  const off_t data = lseek(fd, 0, SEEK_DATA);
  EXPECT_GE(data, 0);
  EXPECT_LE(data, kFar);
  const off_t hole = lseek(fd, 0, SEEK_HOLE);
  EXPECT_TRUE(hole == 0 || hole == kFar + 1) << hole;
  EXPECT_EQ(lseek(fd, kFar, SEEK_DATA), kFar);
  EXPECT_EQ(lseek(fd, kFar, SEEK_HOLE), kFar + 1);
  EXPECT_EQ(ErrnoOf(lseek(fd, kFar + 1, SEEK_HOLE)), ENXIO);
  struct stat status {};
  ASSERT_EQ(fstat(fd, &status), 0);
  EXPECT_GT(status.st_blocks, 0);
}

TEST_P(Posix, PunchedHolesReadAsZeros) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT);
  const std::string text(20'000, 'a');
  ASSERT_EQ(Write(fd, text), 20'000);
  ASSERT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 10'000), 0) << std::strerror(errno);
  std::string expected = text;
  expected.replace(1000, 10'000, std::string(10'000, '\0'));
  EXPECT_TRUE(ReadAt(fd, 0, 30'000) == expected);
  ASSERT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 19'000, 10'000), 0) << std::strerror(errno);
  EXPECT_EQ(SizeOf("f"), 20'000);
  EXPECT_EQ(ReadAt(fd, 19'000, 3), std::string(3, '\0'));
  EXPECT_EQ(ErrnoOf(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10)), EOPNOTSUPP) << "only with KEEP_SIZE";
  EXPECT_EQ(ErrnoOf(fallocate(fd, 0, 0, 0)), EINVAL);
  EXPECT_EQ(ErrnoOf(fallocate(fd, 0, -1, 10)), EINVAL);
}

TEST_P(Posix, SizesAndBlocksFitTheContent) {
  Put("empty", "");
  Put("f", std::string(100'000, 'x'));
  EXPECT_EQ(Stat("empty").st_blocks, 0);
  EXPECT_EQ(Stat("f").st_size, 100'000);
  EXPECT_GE(Stat("f").st_blocks, 100'000 / 512);
  EXPECT_LE(Stat("f").st_blocks, 2 * 100'000 / 512);
  EXPECT_GE(Stat("f").st_blksize, 512);
}

TEST_P(Posix, CopyFileRangeReportsItsErrors) {
  Put("a", "0123456789");
  const Descriptor from(P("a"), O_RDWR);
  const Descriptor to(P("b"), O_WRONLY | O_CREAT);
  const Descriptor append(P("b"), O_WRONLY | O_APPEND);
  const auto copy = [](int in, off_t in_at, int out, off_t out_at, std::size_t size, unsigned flags = 0) {
    return ErrnoOf(copy_file_range(in, &in_at, out, &out_at, size, flags));
  };
  EXPECT_EQ(copy(to, 0, from, 0, 5), EBADF);
  EXPECT_EQ(copy(from, 0, append, 0, 5), EBADF);
  EXPECT_EQ(copy(from, 0, to, 0, 5, 1), EINVAL);
  EXPECT_EQ(copy(from, 0, from, 2, 5), EINVAL) << "overlapping";
  off_t in = 100;
  off_t out = 0;
  EXPECT_EQ(copy_file_range(from, &in, to, &out, 5, 0), 0) << "behind the end there is nothing";
  in = 6;
  out = 100;
  EXPECT_EQ(copy_file_range(from, &in, to, &out, 99, 0), 4);
  EXPECT_EQ(in, 10);
  EXPECT_EQ(out, 104);
  EXPECT_EQ(SizeOf("b"), 104);
}

TEST_P(Posix, UnlinkedFilesKeepAllTheirCalls) {
  Put("f", "text");
  const Descriptor fd(P("f"), O_RDWR);
  ASSERT_EQ(unlink(P("f").c_str()), 0);
  struct stat status {};
  ASSERT_EQ(fstat(fd, &status), 0);
  EXPECT_EQ(status.st_nlink, 0U);
  EXPECT_EQ(Write(fd, "TEXT and more"), 13);
  EXPECT_EQ(fallocate(fd, 0, 0, 5000), 0) << std::strerror(errno);
  EXPECT_EQ(fsync(fd), 0) << std::strerror(errno);
  void* const mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_NE(mapped, MAP_FAILED) << std::strerror(errno);
  EXPECT_EQ(std::memcmp(mapped, "TEXT and more", 13), 0);
  std::memcpy(mapped, "mapped", 6);
  EXPECT_EQ(munmap(mapped, 4096), 0);
  EXPECT_EQ(ReadAt(fd, 0, 6), "mapped");
  const Descriptor again("/proc/self/fd/" + std::to_string(fd), O_RDWR);
  ASSERT_GE(again, 0) << std::strerror(errno);
  EXPECT_EQ(ReadAt(again, 0, 6), "mapped");
  EXPECT_TRUE(Names().empty());
}

TEST_P(Posix, UnlinkedMappingsLiveOn) {
  Put("f", std::string(8192, 'a'));
  Descriptor fd(P("f"), O_RDONLY);
  char* const mapped = static_cast<char*>(mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0));
  ASSERT_NE(static_cast<void*>(mapped), MAP_FAILED) << std::strerror(errno);
  EXPECT_EQ(fd.Close(), 0);
  ASSERT_EQ(unlink(P("f").c_str()), 0);
  EXPECT_EQ(mapped[8191], 'a');
  Put("f", "other");
  EXPECT_EQ(mapped[0], 'a');
  EXPECT_EQ(munmap(mapped, 8192), 0);
}

TEST_P(Posix, MappingsReportTheirErrors) {
  Put("f", "text");
  const Descriptor reader(P("f"), O_RDONLY);
  const Descriptor writer(P("f"), O_WRONLY);
  const auto map = [](int fd, int protection) {
    void* const mapped = mmap(nullptr, 4096, protection, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) return errno;
    munmap(mapped, 4096);
    return 0;
  };
  EXPECT_EQ(map(reader, PROT_READ), 0);
  EXPECT_EQ(map(reader, PROT_READ | PROT_WRITE), EACCES);
  EXPECT_EQ(map(writer, PROT_READ), EACCES);
}

TEST_P(Posix, MappingsBeyondTheEndAreSIGBUS) {
  Put("f", "text");
  EXPECT_EQ(As(0, 0,
               [this] {
                 signal(SIGBUS, [](int) { _exit(77); });
                 const int fd = open(P("f").c_str(), O_RDONLY | O_CLOEXEC);
                 const auto* mapped =
                     static_cast<const volatile char*>(mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0));
                 if (mapped[100] != '\0') return 1;  // the rest of the last page
                 return mapped[5000] == 'x' ? 2 : 3;
               }),
            77);
}

TEST_P(Posix, SharedMappingsOfTwoDescriptorsAreOne) {
  Put("f", std::string(4096, 'a'));
  const Descriptor one(P("f"), O_RDWR);
  const Descriptor two(P("f"), O_RDWR);
  char* const first = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, one, 0));
  char* const second = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, two, 0));
  ASSERT_NE(static_cast<void*>(first), MAP_FAILED);
  ASSERT_NE(static_cast<void*>(second), MAP_FAILED);
  first[10] = 'b';
  EXPECT_EQ(second[10], 'b');
  EXPECT_EQ(munmap(first, 4096), 0);
  EXPECT_EQ(munmap(second, 4096), 0);
}

TEST_P(Posix, TextThatRunsIsETXTBSY) {
  Put("program", ReadFile("/bin/cat"));
  ASSERT_EQ(chmod(P("program").c_str(), 0755), 0);
  {
    const Descriptor writer(P("program"), O_WRONLY);
    EXPECT_EQ(As(0, 0,
                 [this] {
                   execl(P("program").c_str(), "program", "/dev/null", static_cast<char*>(nullptr));
                   return errno;
                 }),
              ETXTBSY)
        << "written while it is to be run";
  }
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    execl(P("program").c_str(), "program", static_cast<char*>(nullptr));
    _exit(127);
  }
  close(ends[0]);
  close(out[1]);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  char echoed = 0;
  ASSERT_EQ(read(out[0], &echoed, 1), 1) << "it runs";
  EXPECT_EQ(Open("program", O_WRONLY), ETXTBSY);
  EXPECT_EQ(ErrnoOf(truncate(P("program").c_str(), 0)), ETXTBSY);
  EXPECT_EQ(Open("program", O_RDONLY), 0);
  EXPECT_EQ(unlink(P("program").c_str()), 0) << "its name can go";
  close(ends[1]);
  close(out[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_P(Posix, InodeNumbersStayWithTheFile) {
  Put("f", "text");
  const ino_t before = Stat("f").st_ino;
  EXPECT_EQ(Get("f"), "text");
  EXPECT_EQ(Stat("f").st_ino, before);
  ASSERT_EQ(chmod(P("f").c_str(), 0600), 0);
  {
    const Descriptor fd(P("f"), O_RDWR);
    struct stat status {};
    ASSERT_EQ(fstat(fd, &status), 0);
    EXPECT_EQ(status.st_ino, Stat("f").st_ino);
  }
  if (!place().KeepsInodeNumbers()) return;
  EXPECT_EQ(Stat("f").st_ino, before);
  Put("f", "changed");
  EXPECT_EQ(Stat("f").st_ino, before);
}

TEST_P(Posix, AttributesOfOnesOwn) {
  Put("f", "x");
  const std::string path = P("f");
  if (!place().HasExtendedAttributes()) {
    EXPECT_EQ(ErrnoOf(setxattr(path.c_str(), "user.suite", "value", 5, 0)), EOPNOTSUPP);
    return;
  }
  ASSERT_EQ(setxattr(path.c_str(), "user.suite", "value", 5, XATTR_CREATE), 0) << std::strerror(errno);
  EXPECT_EQ(ErrnoOf(setxattr(path.c_str(), "user.suite", "value", 5, XATTR_CREATE)), EEXIST);
  EXPECT_EQ(ErrnoOf(setxattr(path.c_str(), "user.other", "value", 5, XATTR_REPLACE)), ENODATA);
  char value[16];
  EXPECT_EQ(getxattr(path.c_str(), "user.suite", value, sizeof(value)), 5);
  EXPECT_EQ(ErrnoOf(getxattr(path.c_str(), "user.suite", value, 2)), ERANGE);
  EXPECT_EQ(ErrnoOf(getxattr(path.c_str(), "user.missing", value, sizeof(value))), ENODATA);
  char list[64];
  EXPECT_EQ(listxattr(path.c_str(), list, sizeof(list)), 11);
  EXPECT_STREQ(list, "user.suite");
  EXPECT_EQ(removexattr(path.c_str(), "user.suite"), 0);
  EXPECT_EQ(ErrnoOf(removexattr(path.c_str(), "user.suite")), ENODATA);
}

}  // namespace
}  // namespace concordfs::mounttest
