// Whole reads and writes on descriptors: EINTR and short counts handled.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vcs/result.h"

namespace concordfs::fs {

// Reads until `out` is full or the file ends; returns the bytes read. Errors: kIo.
Result<std::size_t> ReadAt(int fd, std::uint64_t offset, std::span<char> out);
// Writes all of `data`. Errors: kIo, kNoSpace, kQuota, kTooBig.
Result<void> WriteAt(int fd, std::uint64_t offset, std::string_view data);
// lseek(2) for SEEK_DATA and SEEK_HOLE in a file of `size` bytes that has no holes. Errors: kNoData.
Result<std::uint64_t> SeekInData(std::uint64_t size, std::uint64_t offset, int whence);

}  // namespace concordfs::fs
