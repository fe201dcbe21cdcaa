// Waiting for the end of a process that is not a child.
#pragma once

#include <sys/types.h>

#include <chrono>

namespace concordfs::tools {

// Holds on to a process from construction on, so that its number can't come to mean another one.
class ProcessWatch {
 public:
  // Watches `pid` if it is a running concordfs in this pid namespace; else nothing, which counts as ended.
  explicit ProcessWatch(pid_t pid);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // True once it has ended, false if it has not after the timeout.
  bool AwaitEnd(std::chrono::milliseconds timeout) const;

 private:
  int fd_ = -1;  // a pidfd
};

}  // namespace concordfs::tools
