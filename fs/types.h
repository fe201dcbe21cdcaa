// The plain values that the operations take and return.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "fs/metadata.h"
#include "vcs/object_id.h"

namespace concordfs::fs {

// The kernel's name for a node: a directory, an immutable version of a file, or one agent's working copy.
using NodeId = std::uint64_t;
using HandleId = std::uint64_t;
constexpr NodeId kRootNode = 1;

// Nodes and handles of plain files in the scratch area (R12) have this bit; all others don't.
constexpr std::uint64_t kScratchBit = 1ULL << 63;
constexpr bool IsScratch(std::uint64_t node_or_handle) { return (node_or_handle & kScratchBit) != 0; }

// Seconds for which the kernel may keep a node's attributes: what is ours changes through requests only, or the kernel is
// told; plain files are also changed by other mounts, admins and mappings.
constexpr double AttrTimeoutSeconds(NodeId node) { return IsScratch(node) ? 1 : 3600; }

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
  std::optional<std::uint64_t> blocks;  // of 512 bytes, as far as they are on disk; else what the size takes
  dev_t device = 0;                     // which one a device node is
  timespec atime{};
  timespec mtime{};
  timespec ctime{};
  std::optional<timespec> birth;

  // Permissions, owner and times; the type of `mode` stays.
  void Take(const Metadata& meta) {
    mode = (mode & S_IFMT) | meta.permissions;
    uid = meta.uid;
    gid = meta.gid;
    atime = meta.times.atime;
    mtime = meta.times.mtime;
    ctime = meta.times.ctime;
    birth = meta.birth;
  }
  Metadata Meta() const { return {mode & 07777, uid, gid, {atime, mtime, ctime}, birth}; }
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
  int plain_fd = -1;        // a plain file: the kernel may read and write it without us. The handle keeps it open
  // All bytes of a node that nobody has opened before: the kernel may have them before it knows of the open, and then never
  // asks for them. As long as the handle is open. Empty: let it ask.
  std::string_view whole;
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

// What a new name is made with: the kernel has taken the caller's umask off already.
struct MakeMode {
  mode_t mode = 0;   // type and permissions
  dev_t device = 0;  // of a device node
};

// Where a write goes: at its offset, or (O_APPEND, as the descriptor is just now) at the end of the file.
enum class WriteTo { kOffset, kEnd };

// How often the kernel asked for what, by the request's name: "lookup".
using RequestCounts = std::map<std::string, std::uint64_t>;

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
