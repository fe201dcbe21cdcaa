#include "vcs/git/request_body.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "vcs/file_io.h"
#include "vcs/git/git_error.h"

namespace concordfs::vcs::git {
namespace {

Result<void> Keep(int fd, std::string_view bytes) {
  if (!WriteAll(fd, bytes)) return WriteSystemError(errno, "keep what is to be sent");
  return {};
}

}  // namespace

Result<void> RequestBody::Append(std::string_view bytes) {
  if (!file_.ok() && size_ + bytes.size() <= kMostInMemory) {
    memory_ += bytes;
    size_ += bytes.size();
    return {};
  }
  if (!file_.ok()) {
    const std::filesystem::path folder = folder_.empty() ? "/tmp" : folder_;
    FileDescriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file.ok()) return WriteSystemError(errno, "make a file in " + folder.string());
    if (auto written = Keep(file.get(), memory_); !written) return written;
    file_ = std::move(file);
    memory_ = std::string();
  }
  if (auto written = Keep(file_.get(), bytes); !written) return written;
  size_ += bytes.size();
  return {};
}

Result<std::size_t> RequestBody::Read(std::uint64_t offset, char* out, std::size_t size) const {
  if (!file_.ok()) {
    const std::string_view rest = std::string_view(memory_).substr(std::min<std::uint64_t>(offset, memory_.size()));
    const std::size_t count = std::min(size, rest.size());
    std::memcpy(out, rest.data(), count);
    return count;
  }
  const ssize_t count = ReadAllAt(file_.get(), offset, {out, size});
  if (count < 0) return SystemError("read what is to be sent", errno);
  return static_cast<std::size_t>(count);
}

}  // namespace concordfs::vcs::git
