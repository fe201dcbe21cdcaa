// Lets the kernel read and write plain files by itself: neither READ nor WRITE reaches us for them (FUSE passthrough).
#pragma once

#include <atomic>
#include <cstdint>
#include <unordered_map>

#include "fs/types.h"
#include "vcs/mutex.h"

namespace concordfs::fs {

// The kernel's registered files, by node. Every open of a node has to name the same one: so it is registered at the first
// open and given back after the last. Threads: any; nothing blocks.
class Passthrough {
 public:
  // `allowed`: as the mount was asked for; otherwise nothing is ever passed through.
  explicit Passthrough(bool allowed) : allowed_(allowed) {}

  // `device` is the session's; from then on it may be used. `probe` is a descriptor of a plain file to try it with.
  // Returns whether the kernel and our rights (CAP_SYS_ADMIN) allow it.
  bool Start(int device, int probe);

  // The id to answer an open of the node with, whose plain file `fd` is; 0: serve it without. Each call is to be followed
  // by a Close when that handle is released.
  std::int32_t Open(NodeId node, int fd) EXCLUDES(mutex_);
  void Close(NodeId node) EXCLUDES(mutex_);

 private:
  struct Registered {
    std::int32_t id = 0;  // 0: the kernel didn't take it, and while it is open it can't change its mind
    int handles = 0;
  };

  std::int32_t Register(int fd) const;
  void GiveBack(std::int32_t id) const;

  // Constant after construction.
  const bool allowed_;
  // Own synchronisation; constant after Start().
  std::atomic<int> device_{-1};
  // Guarded by mutex_.
  Mutex mutex_;
  std::unordered_map<NodeId, Registered> registered_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::fs
