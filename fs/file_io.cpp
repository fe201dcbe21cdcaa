#include "fs/file_io.h"

#include <unistd.h>

#include <cerrno>

#include "vcs/file_io.h"

namespace concordfs::fs {

Result<std::size_t> ReadAt(int fd, std::uint64_t offset, std::span<char> out) {
  const ssize_t count = vcs::ReadAllAt(fd, offset, out);
  if (count < 0) return SystemError("read", errno);
  return static_cast<std::size_t>(count);
}

Result<void> WriteAt(int fd, std::uint64_t offset, std::string_view data) {
  if (!vcs::WriteAllAt(fd, offset, data)) return SystemError("write", errno);
  return {};
}

Result<std::uint64_t> SeekInData(std::uint64_t size, std::uint64_t offset, int whence) {
  if (offset >= size) return SystemError("lseek", ENXIO);
  return whence == SEEK_HOLE ? size : offset;
}

}  // namespace concordfs::fs
