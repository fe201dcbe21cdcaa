// The fixture of the POSIX suite, and what its tests ask with.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/posix/place.h"

namespace concordfs::mounttest {

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

// Who owns nothing here.
constexpr uid_t kStranger = 65534;
constexpr gid_t kStrangersGroup = 65534;

// What `call` returns (0 to 255, an errno mostly) in a child process that is of another user, in no other group.
int As(uid_t user, gid_t group, const std::function<int()>& call);
inline int AsStranger(const std::function<int()>& call) {
  return As(kStranger, kStrangersGroup, call);
}

// Returns when file systems would stamp a change with a later time than any before the call.
void PassTheClockTick();
// Whether `a` is before `b`.
bool IsBefore(const timespec& a, const timespec& b);

// Sets the process's file mode creation mask for a scope.
class Umask {
 public:
  explicit Umask(mode_t mask) : old_(umask(mask)) {}
  ~Umask() { umask(old_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t old_;
};

// Which times of a file an operation moved.
struct Moved {
  bool mtime = false;
  bool ctime = false;
  bool operator==(const Moved&) const = default;
};
constexpr Moved kNothing{};
constexpr Moved kStatus{.mtime = false, .ctime = true};
constexpr Moved kBoth{.mtime = true, .ctime = true};
std::ostream& operator<<(std::ostream& stream, const Moved& moved);

class Posix : public ::testing::TestWithParam<Place> {
 protected:
  void SetUp() override;
  static void TearDownTestSuite() { World::EndAll(); }

  const Place& place() const { return GetParam(); }
  World& world() const { return World::Of(GetParam()); }
  // A path in this test's directory.
  std::string P(const std::string& name) const { return dir_ + "/" + name; }
  // The same where the place is mounted read-only.
  std::string ReadOnlyP(const std::string& name) const;
  // This test's directory as the repository names it.
  std::string InRepository() const { return "versioned/" + name_; }

  void Put(const std::string& name, const std::string& bytes) const;
  std::string Get(const std::string& name) const { return ReadFile(P(name)); }
  void MakeDirectory(const std::string& name, mode_t mode = 0755) const;
  int Open(const std::string& name, int flags, mode_t mode = 0644) const;
  // Of the name itself, also of a symlink; a failed test if there is none.
  struct stat Stat(const std::string& name) const;
  mode_t Mode(const std::string& name) const { return Stat(name).st_mode & 07777U; }
  off_t SizeOf(const std::string& name) const;
  std::vector<std::string> Names(const std::string& folder = ".") const;
  // What `operation` does to the times of `name`.
  Moved MovedBy(const std::string& name, const std::function<void()>& operation) const;

 private:
  std::string name_;
  std::string dir_;
};

// What can be read at that offset, or the error's text.
std::string ReadAt(int fd, off_t offset, std::size_t size);
inline ssize_t Write(int fd, const std::string& bytes) {
  return write(fd, bytes.data(), bytes.size());
}

}  // namespace concordfs::mounttest
