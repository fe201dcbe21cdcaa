// One suite of what POSIX promises, on a mount and on a plain directory: what holds there and not here is a bug of the
// mount, what holds in neither is a bug of the test.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {

enum class Place { kPlainDirectory, kMount };

// An open descriptor, closed at the end of its scope.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, mode_t mode = 0644)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  operator int() const { return fd_; }  // NOLINT(google-explicit-constructor): stands for the int in calls
  int Close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 ? 0 : close(fd);
  }

 private:
  int fd_;
};

// 0 if the call succeeded, otherwise its errno.
template <typename Value>
int ErrnoOf(Value returned) {
  return returned == static_cast<Value>(-1) ? errno : 0;
}

class Posix : public ::testing::TestWithParam<Place> {
 protected:
  void SetUp() override {
    if (GetParam() == Place::kMount) {
      ASSERT_EQ(WhyNoMounts(), "");
    }
    if (world_ == nullptr || world_->place != GetParam()) {
      world_.reset();
      world_ = std::make_unique<World>(GetParam());
    }
    ASSERT_TRUE(world_->place == Place::kPlainDirectory || world_->mount->DaemonRuns());
    std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(name.begin(), name.end(), '/', '-');
    dir_ = (world_->root / name).string();
    ASSERT_EQ(mkdir(dir_.c_str(), 0755), 0) << std::strerror(errno);
  }
  static void TearDownTestSuite() { world_.reset(); }

  std::string P(const std::string& name) const { return dir_ + "/" + name; }
  void Put(const std::string& name, const std::string& bytes) const {
    const Descriptor fd(P(name), O_WRONLY | O_CREAT | O_TRUNC);
    ASSERT_GE(fd, 0) << std::strerror(errno);
    ASSERT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  std::string Get(const std::string& name) const { return ReadFile(P(name)); }
  int Open(const std::string& name, int flags) const {
    const int fd = open(P(name).c_str(), flags, 0644);
    if (fd < 0) return errno;
    close(fd);
    return 0;
  }
  off_t SizeOf(const std::string& name) const {
    struct stat status {};
    return lstat(P(name).c_str(), &status) == 0 ? status.st_size : -1;
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    DIR* const folder = opendir(dir_.c_str());
    while (const dirent* entry = readdir(folder)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    closedir(folder);
    return names;
  }

 private:
  struct World {
    // Disks may take long to remove thousands of directories, memory doesn't.
    static std::string Below(Place place) {
      return place == Place::kPlainDirectory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    explicit World(Place of) : place(of), temp(Below(of)), root(temp.path() / "plain") {
      if (place == Place::kPlainDirectory) {
        std::filesystem::create_directory(root);
        return;
      }
      repository.emplace(temp.path() / "repository");
      mount.emplace(repository->path(), temp.path() / "mnt");
      root = mount->path();
    }
    ~World() {
      if (!mount || !mount->mounted()) return;
      mount->Unmount();
      EXPECT_EQ(repository->Fsck(), "");
    }
    Place place;
    TempDir temp;
    std::filesystem::path root;
    std::optional<Repository> repository;
    std::optional<Mount> mount;
  };
  static std::unique_ptr<World> world_;
  std::string dir_;
};

// What can be read at that offset, or the error's text.
inline std::string ReadAt(int fd, off_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  const ssize_t got = pread(fd, bytes.data(), size, offset);
  if (got < 0) return std::strerror(errno);
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

inline ssize_t Write(int fd, const std::string& bytes) {
  return write(fd, bytes.data(), bytes.size());
}

}  // namespace concordfs::mounttest
