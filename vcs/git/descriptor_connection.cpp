#include "vcs/git/descriptor_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kMaxComplaint = 8192;  // bytes

}  // namespace

void DescriptorConnection::TakeErrors() {
  std::array<char, 1024> buffer;
  for (;;) {
    const ssize_t count = ::read(errors_.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errors_ = FileDescriptor();
    if (count <= 0) return;
    complaint_.append(buffer.data(), static_cast<std::size_t>(count));
    if (complaint_.size() > kMaxComplaint) complaint_.erase(0, complaint_.size() - kMaxComplaint);
  }
}

Result<void> DescriptorConnection::Await(int fd, short events) {
  const auto end = std::chrono::steady_clock::now() + silence_;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) is_gone_ = true;
    if (left.count() <= 0) return Gone("no answer for " + std::to_string(silence_.count()) + " ms");
    std::array<pollfd, 2> fds{{{fd, events, 0}, {errors_.get(), POLLIN, 0}}};
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(left.count()) + 1);
    if (ready < 0 && errno != EINTR) return Gone(std::strerror(errno));
    if (ready <= 0) continue;
    if (fds[1].revents != 0) TakeErrors();
    if (fds[0].revents != 0) return {};
  }
}

Result<void> DescriptorConnection::Write(std::string_view bytes) {
  const int fd = out_.ok() ? out_.get() : in_.get();
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (auto ready = Await(fd, POLLOUT); !ready) return ready;
    } else if (errno != EINTR) {
      return Gone(std::strerror(errno));
    }
  }
  return {};
}

Result<std::size_t> DescriptorConnection::Read(char* out, std::size_t size) {
  for (;;) {
    const ssize_t count = ::read(in_.get(), out, size);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EAGAIN) {
      if (auto ready = Await(in_.get(), POLLIN); !ready) return ready.error();
    } else if (errno != EINTR) {
      return Gone(std::strerror(errno));
    }
  }
}

bool DescriptorConnection::IsQuiet() {
  pollfd in{in_.get(), POLLIN, 0};
  return ::poll(&in, 1, 0) == 0;
}

}  // namespace concordfs::vcs::git
