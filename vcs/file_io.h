// Whole reads and writes on descriptors: EINTR and short counts handled. After a failure errno says why. Threads: any.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace concordfs::vcs {

// Reads from `offset` until `out` is full or the file ends. Returns the bytes read, or -1.
ssize_t ReadAllAt(int fd, std::uint64_t offset, std::span<char> out);

// Writes all of `data`, at the descriptor's own position or at `offset`. False: a part of it may be written.
bool WriteAll(int fd, std::string_view data);
bool WriteAllAt(int fd, std::uint64_t offset, std::string_view data);

}  // namespace concordfs::vcs
