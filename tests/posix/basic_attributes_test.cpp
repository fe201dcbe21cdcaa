// POSIX: mappings and attributes.
#include <sys/mman.h>
#include <sys/statvfs.h>

#include <cstdlib>
#include <ctime>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {

namespace {

using ::testing::AnyOf;
using ::testing::UnorderedElementsAre;

TEST_P(Posix, SharedMappingsWriteTheFile) {
  Put("f", std::string(10000, 'a'));
  {
    Descriptor fd(P("f"), O_RDWR);
    char* const mapped = static_cast<char*>(mmap(nullptr, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(static_cast<void*>(mapped), MAP_FAILED) << std::strerror(errno);
    EXPECT_EQ(mapped[9999], 'a');
    std::memcpy(mapped + 5000, "mapped", 6);
    EXPECT_EQ(ReadAt(fd, 5000, 6), "mapped");
    EXPECT_EQ(pwrite(fd, "written", 7, 100), 7);
    EXPECT_EQ(std::string(mapped + 100, 7), "written");
    EXPECT_EQ(msync(mapped, 10000, MS_SYNC), 0);
    EXPECT_EQ(munmap(mapped, 10000), 0);
    EXPECT_EQ(fd.Close(), 0);
  }
  std::string expected(10000, 'a');
  expected.replace(5000, 6, "mapped").replace(100, 7, "written");
  EXPECT_TRUE(Get("f") == expected);
}

TEST_P(Posix, SharedMappingsWriteTheFileAfterItsDescriptorWasClosed) {
  Put("f", std::string(4096, 'a'));
  Descriptor fd(P("f"), O_RDWR);
  char* const mapped = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  ASSERT_NE(static_cast<void*>(mapped), MAP_FAILED) << std::strerror(errno);
  EXPECT_EQ(fd.Close(), 0);
  std::memcpy(mapped, "late", 4);
  EXPECT_EQ(msync(mapped, 4096, MS_SYNC), 0);
  EXPECT_EQ(Get("f").substr(0, 5), "latea");
  EXPECT_EQ(munmap(mapped, 4096), 0);
  EXPECT_TRUE(Eventually([this] { return Get("f").substr(0, 5) == "latea"; }));
}

TEST_P(Posix, PrivateMappingsLeaveTheFileAlone) {
  Put("f", "text");
  const Descriptor fd(P("f"), O_RDONLY);
  char* const mapped = static_cast<char*>(mmap(nullptr, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  ASSERT_NE(static_cast<void*>(mapped), MAP_FAILED) << std::strerror(errno);
  EXPECT_EQ(std::string(mapped, 4), "text");
  mapped[0] = 'T';
  EXPECT_EQ(munmap(mapped, 4), 0);
  EXPECT_EQ(Get("f"), "text");
}

TEST_P(Posix, FsyncWorksOnFilesAndDirectories) {
  const Descriptor fd(P("f"), O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "x"), 1);
  EXPECT_EQ(fsync(fd), 0);
  EXPECT_EQ(fdatasync(fd), 0);
  const Descriptor folder(P("."), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(fsync(folder), 0) << std::strerror(errno);
}

TEST_P(Posix, ChmodSetsAndClearsTheExecutableBits) {
  Put("f", "#!/bin/sh\n");
  EXPECT_EQ(ErrnoOf(access(P("f").c_str(), X_OK)), EACCES);
  EXPECT_EQ(chmod(P("f").c_str(), 0755), 0);
  struct stat status {};
  ASSERT_EQ(stat(P("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0755U);
  EXPECT_EQ(access(P("f").c_str(), X_OK), 0);
  const Descriptor fd(P("f"), O_RDWR);
  EXPECT_EQ(fchmod(fd, 0644), 0);
  ASSERT_EQ(fstat(fd, &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
  EXPECT_EQ(Get("f"), "#!/bin/sh\n");
}

TEST_P(Posix, ChmodOfAnOpenWrittenFileKeepsBoth) {
  Descriptor fd(P("f"), O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "text"), 4);
  EXPECT_EQ(fchmod(fd, 0755), 0);
  EXPECT_EQ(fd.Close(), 0);
  struct stat status {};
  ASSERT_EQ(stat(P("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0755U);
  EXPECT_EQ(Get("f"), "text");
}

TEST_P(Posix, CreationTakesTheExecutableBitFromTheMode) {
  { const Descriptor fd(P("f"), O_RDWR | O_CREAT, 0755); }
  struct stat status {};
  ASSERT_EQ(stat(P("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0111U, 0111U & ~0022U);
}

TEST_P(Posix, ChownToTheOwnerIsFine) {
  Put("f", "x");
  EXPECT_EQ(chown(P("f").c_str(), getuid(), getgid()), 0) << std::strerror(errno);
  EXPECT_EQ(chown(P("f").c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(-1)), 0) << std::strerror(errno);
}

TEST_P(Posix, UtimensatSetsTheTimeOfModification) {
  Put("f", "x");
  const timespec times[2] = {{1'000'000'000, 0}, {1'234'567'890, 0}};
  EXPECT_EQ(utimensat(AT_FDCWD, P("f").c_str(), times, 0), 0);
  struct stat status {};
  ASSERT_EQ(stat(P("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mtim.tv_sec, 1'234'567'890);
  const timespec omitted[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  EXPECT_EQ(utimensat(AT_FDCWD, P("f").c_str(), omitted, 0), 0);
  ASSERT_EQ(stat(P("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mtim.tv_sec, 1'234'567'890);
  EXPECT_EQ(utimensat(AT_FDCWD, P("f").c_str(), nullptr, 0), 0);
  ASSERT_EQ(stat(P("f").c_str(), &status), 0);
  EXPECT_LT(std::abs(status.st_mtim.tv_sec - time(nullptr)), 5);
}

TEST_P(Posix, WritesMoveTheTimeOfModification) {
  Put("f", "x");
  const timespec old[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, P("f").c_str(), old, 0), 0);
  Put("f", "y");
  struct stat status {};
  ASSERT_EQ(stat(P("f").c_str(), &status), 0);
  EXPECT_LT(std::abs(status.st_mtim.tv_sec - time(nullptr)), 5);
}

TEST_P(Posix, StatvfsTellsOfRoomAndLimits) {
  struct statvfs space {};
  ASSERT_EQ(statvfs(P(".").c_str(), &space), 0);
  EXPECT_EQ(space.f_namemax, 255U);
  EXPECT_GT(space.f_bsize, 0U);
  EXPECT_GT(space.f_blocks, 0U);
  EXPECT_GT(space.f_bavail, 0U);
}

}  // namespace
}  // namespace concordfs::mounttest
