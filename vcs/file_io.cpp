#include "vcs/file_io.h"

#include <unistd.h>

#include <cerrno>

namespace concordfs::vcs {
namespace {

// `write_some` of what is left, at its offset in `data`, as write(2).
template <class WriteSome>
bool WriteEach(std::string_view data, const WriteSome& write_some) {
  for (std::size_t done = 0; done < data.size();) {
    const ssize_t count = write_some(data.substr(done), done);
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) done += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace

ssize_t ReadAllAt(int fd, std::uint64_t offset, std::span<char> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(done);
}

bool WriteAll(int fd, std::string_view data) {
  return WriteEach(data,
                   [fd](std::string_view rest, std::size_t /*done*/) { return write(fd, rest.data(), rest.size()); });
}

bool WriteAllAt(int fd, std::uint64_t offset, std::string_view data) {
  return WriteEach(data, [=](std::string_view rest, std::size_t done) {
    return pwrite(fd, rest.data(), rest.size(), static_cast<off_t>(offset + done));
  });
}

}  // namespace concordfs::vcs
