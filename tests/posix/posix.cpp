#include "tests/posix/posix.h"

#include <grp.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <ctime>

namespace concordfs::mounttest {

int As(uid_t user, gid_t group, const std::function<int()>& call) {
  const pid_t child = fork();
  if (child == 0) {
    if (setgroups(0, nullptr) != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0)
      _exit(255);
    _exit(call());
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

bool IsBefore(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

void PassTheClockTick() {
  // The kernel stamps files with its coarse clock, which moves every few milliseconds.
  timespec start{};
  clock_gettime(CLOCK_REALTIME, &start);
  timespec now{};
  do {
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (!IsBefore(start, now));
}

std::ostream& operator<<(std::ostream& stream, const Moved& moved) {
  return stream << (moved.mtime ? "mtime" : "-") << "," << (moved.ctime ? "ctime" : "-");
}

void Posix::SetUp() {
  ASSERT_EQ(WhyNoMounts(), "");
  ASSERT_TRUE(world().Answers());
  name_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::replace(name_.begin(), name_.end(), '/', '-');
  dir_ = (world().Root(place()) / name_).string();
  ASSERT_EQ(mkdir(dir_.c_str(), 0755), 0) << std::strerror(errno);
}

std::string Posix::ReadOnlyP(const std::string& name) const {
  return (world().ReadOnlyRoot(place()) / name_ / name).string();
}

void Posix::Put(const std::string& name, const std::string& bytes) const {
  Descriptor fd(P(name), O_WRONLY | O_CREAT | O_TRUNC);
  ASSERT_GE(fd, 0) << name << ": " << std::strerror(errno);
  ASSERT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size())) << std::strerror(errno);
  ASSERT_EQ(fd.Close(), 0) << name << ": " << std::strerror(errno);
}

void Posix::MakeDirectory(const std::string& name, mode_t mode) const {
  ASSERT_EQ(mkdir(P(name).c_str(), mode), 0) << name << ": " << std::strerror(errno);
}

int Posix::Open(const std::string& name, int flags, mode_t mode) const {
  const int fd = open(P(name).c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

struct stat Posix::Stat(const std::string& name) const {
  struct stat status {};
  EXPECT_EQ(lstat(P(name).c_str(), &status), 0) << name << ": " << std::strerror(errno);
  return status;
}

off_t Posix::SizeOf(const std::string& name) const {
  struct stat status {};
  return lstat(P(name).c_str(), &status) == 0 ? status.st_size : -1;
}

std::vector<std::string> Posix::Names(const std::string& folder_name) const {
  std::vector<std::string> names;
  DIR* const folder = opendir(P(folder_name).c_str());
  if (folder == nullptr) {
    ADD_FAILURE() << folder_name << ": " << std::strerror(errno);
    return names;
  }
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(folder);
  return names;
}

Moved Posix::MovedBy(const std::string& name, const std::function<void()>& operation) const {
  const struct stat before = Stat(name);
  PassTheClockTick();
  operation();
  const struct stat after = Stat(name);
  EXPECT_FALSE(IsBefore(after.st_mtim, before.st_mtim)) << name << ": its mtime went back";
  EXPECT_FALSE(IsBefore(after.st_ctim, before.st_ctim)) << name << ": its ctime went back";
  return Moved{IsBefore(before.st_mtim, after.st_mtim), IsBefore(before.st_ctim, after.st_ctim)};
}

std::string ReadAt(int fd, off_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  const ssize_t got = pread(fd, bytes.data(), size, offset);
  if (got < 0) return std::strerror(errno);
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

INSTANTIATE_TEST_SUITE_P(On, Posix,
                         ::testing::Values(Place(Place::Kind::kPlainDirectory), Place(Place::Kind::kVersioned),
                                           Place(Place::Kind::kScratch)),
                         [](const ::testing::TestParamInfo<Place>& each) { return each.param.Name(); });

}  // namespace concordfs::mounttest
