// POSIX: open, read, write, seek, size.
#include <sys/sendfile.h>

#include <algorithm>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;
using ::testing::UnorderedElementsAre;

TEST_P(Posix, OpenOfAMissingNameIsENOENT) {
  EXPECT_EQ(Open("f", O_RDONLY), ENOENT);
  EXPECT_EQ(Open("f", O_WRONLY | O_TRUNC), ENOENT);
  EXPECT_EQ(Open("missing/f", O_WRONLY | O_CREAT), ENOENT);
}

TEST_P(Posix, OpenExclusivelyOfAnExistingNameIsEEXIST) {
  EXPECT_EQ(Open("f", O_WRONLY | O_CREAT | O_EXCL), 0);
  EXPECT_EQ(Open("f", O_WRONLY | O_CREAT | O_EXCL), EEXIST);
  ASSERT_EQ(symlink("nowhere", P("l").c_str()), 0);
  EXPECT_EQ(Open("l", O_WRONLY | O_CREAT | O_EXCL), EEXIST) << "a dangling link exists, too";
}

TEST_P(Posix, OpenOfTheWrongKindIsRefused) {
  Put("f", "x");
  ASSERT_EQ(mkdir(P("d").c_str(), 0755), 0);
  EXPECT_EQ(Open("d", O_WRONLY), EISDIR);
  EXPECT_EQ(Open("d", O_RDWR), EISDIR);
  EXPECT_EQ(Open("d", O_RDONLY), 0);
  EXPECT_EQ(Open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
  EXPECT_EQ(Open("f/g", O_RDONLY), ENOTDIR);
  EXPECT_EQ(Open("f/g", O_WRONLY | O_CREAT), ENOTDIR);
  EXPECT_EQ(Open("f/", O_RDONLY), ENOTDIR);
}

TEST_P(Posix, OpenWithTruncEmptiesTheFile) {
  Put("f", "text");
  const Descriptor fd(P("f"), O_RDWR | O_TRUNC);
  struct stat status {};
  ASSERT_EQ(fstat(fd, &status), 0);
  EXPECT_EQ(status.st_size, 0);
  EXPECT_EQ(ReadAt(fd, 0, 9), "");
}

TEST_P(Posix, OpenWithTruncIsSeenThroughAnotherDescriptor) {
  Put("f", "text");
  const Descriptor before(P("f"), O_RDWR);
  EXPECT_EQ(Write(before, "T"), 1);
  const Descriptor trunc(P("f"), O_RDWR | O_TRUNC);
  EXPECT_EQ(ReadAt(before, 0, 9), "");
  EXPECT_EQ(Write(trunc, "new"), 3);
  EXPECT_EQ(ReadAt(before, 0, 9), "new");
}

TEST_P(Posix, OpenHonoursTheAccessMode) {
  Put("f", "text");
  const Descriptor reader(P("f"), O_RDONLY);
  const Descriptor writer(P("f"), O_WRONLY);
  char byte = 0;
  EXPECT_EQ(ErrnoOf(write(reader, "x", 1)), EBADF);
  EXPECT_EQ(ErrnoOf(read(writer, &byte, 1)), EBADF);
}

TEST_P(Posix, AppendingDescriptorsTakeTurns) {
  Descriptor one(P("f"), O_WRONLY | O_CREAT | O_APPEND);
  Descriptor two(P("f"), O_WRONLY | O_APPEND);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Write(one, "one\n"), 4);
    EXPECT_EQ(Write(two, "two\n"), 4);
  }
  EXPECT_EQ(one.Close(), 0);
  EXPECT_EQ(Write(two, "end\n"), 4);
  EXPECT_EQ(two.Close(), 0);
  EXPECT_EQ(Get("f"), "one\ntwo\none\ntwo\none\ntwo\nend\n");
}

TEST_P(Posix, DuplicatesShareOneOffset) {
  Descriptor fd(P("f"), O_RDWR | O_CREAT);
  const int second = dup(fd);
  EXPECT_EQ(Write(fd, "ab"), 2);
  EXPECT_EQ(Write(second, "cd"), 2);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
  EXPECT_EQ(fd.Close(), 0);
  EXPECT_EQ(Write(second, "ef"), 2);
  EXPECT_EQ(close(second), 0);
  EXPECT_EQ(Get("f"), "abcdef");
}

TEST_P(Posix, ReadStopsAtTheEnd) {
  Put("f", "text");
  const Descriptor fd(P("f"), O_RDONLY);
  EXPECT_EQ(ReadAt(fd, 0, 100), "text");
  EXPECT_EQ(ReadAt(fd, 2, 100), "xt");
  EXPECT_EQ(ReadAt(fd, 4, 100), "");
  EXPECT_EQ(ReadAt(fd, 1000, 100), "");
}

TEST_P(Posix, WriteBehindTheEndLeavesZeros) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT);
  EXPECT_EQ(pwrite(fd, "x", 1, 10000), 1);
  EXPECT_EQ(SizeOf("f"), 10001);
  EXPECT_EQ(ReadAt(fd, 0, 20000), std::string(10000, '\0') + "x");
}

TEST_P(Posix, WriteIsSeenThroughEveryDescriptorAtOnce) {
  const Descriptor one(P("f"), O_RDWR | O_CREAT);
  const Descriptor two(P("f"), O_RDWR);
  const Descriptor reader(P("f"), O_RDONLY);
  EXPECT_EQ(Write(one, "one"), 3);
  EXPECT_EQ(ReadAt(two, 0, 9), "one");
  EXPECT_EQ(ReadAt(reader, 0, 9), "one");
  EXPECT_EQ(pwrite(two, "two", 3, 3), 3);
  EXPECT_EQ(ReadAt(one, 0, 9), "onetwo");
  EXPECT_EQ(ReadAt(reader, 0, 9), "onetwo");
  EXPECT_EQ(SizeOf("f"), 6);
}

TEST_P(Posix, LargeFilesKeepEveryByte) {
  std::string bytes(5'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761U >> 24);
  {
    const Descriptor fd(P("f"), O_WRONLY | O_CREAT);
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(at % 2 == 0 ? 131071 : 70000, bytes.size() - at);
      ASSERT_EQ(write(fd, bytes.data() + at, size), static_cast<ssize_t>(size));
      at += size;
    }
  }
  EXPECT_TRUE(Get("f") == bytes);
  {
    const Descriptor fd(P("f"), O_RDWR);
    ASSERT_EQ(pwrite(fd, "middle", 6, 2'500'000), 6);
    bytes.replace(2'500'000, 6, "middle");
    EXPECT_EQ(ReadAt(fd, 2'499'999, 8), bytes.substr(2'499'999, 8));
  }
  EXPECT_TRUE(Get("f") == bytes);
}

TEST_P(Posix, SeekWorksFromEveryOrigin) {
  Put("f", "text");
  const Descriptor fd(P("f"), O_RDONLY);
  EXPECT_EQ(lseek(fd, 0, SEEK_END), 4);
  EXPECT_EQ(lseek(fd, -1, SEEK_CUR), 3);
  EXPECT_EQ(lseek(fd, 100, SEEK_SET), 100);
  EXPECT_EQ(ErrnoOf(lseek(fd, -1, SEEK_SET)), EINVAL);
  EXPECT_EQ(lseek(fd, 0, SEEK_DATA), 0);
  EXPECT_EQ(lseek(fd, 0, SEEK_HOLE), 4) << "the end is a hole";
  EXPECT_EQ(ErrnoOf(lseek(fd, 4, SEEK_DATA)), ENXIO);
}

TEST_P(Posix, CopyFileRangeAndSendfileCopy) {
  Put("a", "0123456789");
  const Descriptor from(P("a"), O_RDONLY);
  const Descriptor to(P("b"), O_RDWR | O_CREAT);
  off_t in = 2;
  off_t out = 0;
  EXPECT_EQ(copy_file_range(from, &in, to, &out, 5, 0), 5);
  EXPECT_EQ(ReadAt(to, 0, 99), "23456");
  in = 8;
  ASSERT_EQ(lseek(to, 0, SEEK_END), 5);
  EXPECT_EQ(sendfile(to, from, &in, 99), 2);
  EXPECT_EQ(ReadAt(to, 0, 99), "2345689");
}

TEST_P(Posix, TruncateShrinksAndGrowsWithZeros) {
  Put("f", "0123456789");
  EXPECT_EQ(truncate(P("f").c_str(), 4), 0);
  EXPECT_EQ(Get("f"), "0123");
  EXPECT_EQ(truncate(P("f").c_str(), 8), 0);
  EXPECT_EQ(Get("f"), std::string("0123\0\0\0\0", 8));
  const Descriptor fd(P("f"), O_RDWR);
  EXPECT_EQ(ftruncate(fd, 2), 0);
  EXPECT_EQ(ReadAt(fd, 0, 9), "01");
  EXPECT_EQ(ftruncate(fd, 5000), 0);
  EXPECT_EQ(ReadAt(fd, 0, 9999), "01" + std::string(4998, '\0'));
  EXPECT_EQ(SizeOf("f"), 5000);
}

TEST_P(Posix, TruncateReportsItsErrors) {
  Put("f", "x");
  ASSERT_EQ(mkdir(P("d").c_str(), 0755), 0);
  const Descriptor reader(P("f"), O_RDONLY);
  EXPECT_THAT(ErrnoOf(ftruncate(reader, 0)), AnyOf(EINVAL, EBADF));
  EXPECT_EQ(ErrnoOf(truncate(P("f").c_str(), -1)), EINVAL);
  EXPECT_EQ(ErrnoOf(truncate(P("d").c_str(), 0)), EISDIR);
  EXPECT_EQ(ErrnoOf(truncate(P("missing").c_str(), 0)), ENOENT);
}

TEST_P(Posix, FallocateGrowsUnlessAskedToKeepTheSize) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "x"), 1);
  EXPECT_EQ(fallocate(fd, 0, 0, 10000), 0) << std::strerror(errno);
  EXPECT_EQ(SizeOf("f"), 10000);
  EXPECT_EQ(ReadAt(fd, 0, 3), std::string("x\0\0", 3));
  EXPECT_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20000), 0) << std::strerror(errno);
  EXPECT_EQ(SizeOf("f"), 10000);
  EXPECT_EQ(posix_fallocate(fd, 9000, 2000), 0);
  EXPECT_EQ(SizeOf("f"), 11000);
}

}  // namespace
}  // namespace concordfs::mounttest
