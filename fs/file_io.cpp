#include "fs/file_io.h"

#include <unistd.h>

#include <cerrno>

namespace concordfs::fs {

Result<std::size_t> ReadAt(int fd, std::uint64_t offset, std::span<char> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError("read", errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Result<void> WriteAt(int fd, std::uint64_t offset, std::string_view data) {
  while (!data.empty()) {
    const ssize_t count = pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError("write", errno);
    data.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<std::uint64_t> SeekInData(std::uint64_t size, std::uint64_t offset, int whence) {
  if (offset >= size) return SystemError("lseek", ENXIO);
  return whence == SEEK_HOLE ? size : offset;
}

}  // namespace concordfs::fs
