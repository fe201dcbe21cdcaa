// The plain values that the operations take and return.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

#include "vcs/object_id.h"

namespace concordfs::fs {

// The kernel's name for a node: a directory, an immutable version of a file, or one agent's working copy.
using NodeId = std::uint64_t;
using HandleId = std::uint64_t;
constexpr NodeId kRootNode = 1;

// Who calls: as the kernel says it. `tid` is a thread id in the daemon's pid namespace, 0 if it has none there.
struct Caller {
  pid_t tid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Attr {
  NodeId node = 0;
  NodeId ino = 0;   // st_ino: it belongs to the version, as after an atomic save
  mode_t mode = 0;  // type and permissions
  nlink_t links = 1;
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint64_t size = 0;  // bytes
  timespec atime{};
  timespec mtime{};
  timespec ctime{};
};

// What a lookup answers. The kernel may use it for that long (seconds) without asking again.
struct Entry {
  Attr attr;
  double entry_timeout_s = 0;
  double attr_timeout_s = 0;
};

// What an open answers.
struct Opened {
  HandleId handle = 0;
  bool keep_cache = false;  // the node's pages in the kernel's cache are still good
  bool direct_io = false;   // bypass that cache: the node's pages are another's content
  bool no_flush = false;    // nothing to publish or refuse at close
};

struct Created {
  Entry entry;
  Opened opened;
};

struct DirEntry {
  std::string name;
  NodeId ino = 0;                 // 0: unknown until it is looked up
  mode_t type = 0;                // S_IFDIR, S_IFREG or S_IFLNK
  std::uint64_t next_cookie = 0;  // where a read goes on behind this entry
};

// What setattr is to change; what is empty stays.
struct AttrChange {
  std::optional<std::uint64_t> size;
  std::optional<mode_t> mode;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<timespec> atime;
  std::optional<timespec> mtime;
};

}  // namespace concordfs::fs
