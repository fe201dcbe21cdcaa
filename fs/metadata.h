// What stat(2) says of a name, apart from its type, its size and its number.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <ctime>
#include <optional>

namespace concordfs::fs {

struct Times {
  timespec atime{};
  timespec mtime{};
  timespec ctime{};

  static Times AllOf(const timespec& time) { return {time, time, time}; }
};

struct Metadata {
  mode_t permissions = 0;  // 07777
  uid_t uid = 0;
  gid_t gid = 0;
  Times times;
  std::optional<timespec> birth;  // if it is known
};

}  // namespace concordfs::fs
