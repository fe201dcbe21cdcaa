// Which threads are about to write: those that did so just now, to another file.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <unordered_map>

namespace concordfs::fs {

// Guarded by the file system's mutex.
class WriteHabits {
 public:
  // The thread has opened a file for writing.
  void OnWrite(pid_t tid) {
    if (threads_.size() >= kMaxThreads) threads_.clear();
    threads_[tid] = Thread{0, Clock::now()};
  }

  // The thread looks up a file's name: to open it for writing, as far as its habits tell?
  bool OnLookup(pid_t tid) {
    const auto found = threads_.find(tid);
    if (found == threads_.end()) return false;
    if (++found->second.lookups <= kMaxLookups && Clock::now() - found->second.wrote < kMemory) return true;
    threads_.erase(found);
    return false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMaxThreads = 256;
  static constexpr int kMaxLookups = 3;  // without a write among them: it does something else by now
  static constexpr std::chrono::seconds kMemory{1};

  struct Thread {
    int lookups = 0;  // since it wrote
    Clock::time_point wrote;
  };
  std::unordered_map<pid_t, Thread> threads_;
};

}  // namespace concordfs::fs
