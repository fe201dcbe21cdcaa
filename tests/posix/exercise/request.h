// What the exerciser asks its agents to do: one system call each, over pipes. Both ends are built together, so that the
// bytes are those of the structs.
#pragma once

#include <cstdint>

namespace concordfs::exercise {

enum class Call : std::int32_t {
  kOpen,      // path, flags; becomes `slot`
  kClose,     // slot
  kRead,      // slot, offset, length: answers bytes
  kWrite,     // slot, offset, data (O_APPEND: wherever the end is)
  kTruncate,  // path, length
  kFtruncate,
  kFallocate,  // slot, flags, offset, length
  kMapRead,    // slot, offset, length: answers bytes
  kMapWrite,   // slot, offset, data; with msync before the mapping ends
  kFsync,
  kCopy,  // from slot (offset) to other_slot (other_offset), length: answers how much
  kSeek,  // slot, offset; flags are the whence
  kRename,
  kUnlink,
  kSize,  // path: answers st_size
  kList,  // path: answers the names, sorted, each with a newline
};

struct Request {
  Call call;
  std::int32_t slot = 0;
  std::int32_t other_slot = 0;
  std::int32_t flags = 0;
  std::int64_t offset = 0;
  std::int64_t other_offset = 0;
  std::int64_t length = 0;
  std::uint32_t path_size = 0;  // bytes that follow: path, other path, data
  std::uint32_t other_path_size = 0;
  std::uint32_t data_size = 0;
  std::uint32_t unused = 0;
};

struct Reply {
  std::int32_t error = 0;       // errno, or 0
  std::uint32_t data_size = 0;  // bytes that follow
  std::int64_t value = 0;
};

}  // namespace concordfs::exercise
