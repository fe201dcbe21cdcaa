// A file descriptor's owner.
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

namespace concordfs::fs {

// An open descriptor, or none. Closed with its owner; what close(2) says is lost, so whoever must know syncs first.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}  // a negative one is none
  ~Descriptor() {
    if (is_open()) close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  // The caller closes it.
  int Release() { return std::exchange(fd_, -1); }

  int fd() const { return fd_; }  // -1: none
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

using DescriptorPtr = std::shared_ptr<const Descriptor>;

}  // namespace concordfs::fs
