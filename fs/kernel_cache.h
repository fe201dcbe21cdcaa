// What the operations tell the kernel about its caches, and when a reply may go out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fs/types.h"

namespace concordfs::fs {

// Threads: any; never blocks. What expires may be said under a lock.
class KernelCache {
 public:
  virtual ~KernelCache() = default;

  // Makes the kernel ask again for this name at its next use. Open files and mappings are not disturbed.
  virtual void ExpireEntry(NodeId parent, const std::string& name) = 0;
  // Makes the kernel ask again for this node's attributes.
  virtual void ExpireAttributes(NodeId node) = 0;
  // Makes the kernel forget these nodes, as far as nobody uses them: it tells so by Filesystem::Forget. Where it can't be asked
  // (before Linux 6.18), nothing happens.
  virtual void Prune(std::vector<NodeId> nodes) = 0;
  // Runs `then` after everything that was asked for before: a reply after which nobody may see the old version (R1). At
  // once, if nothing is on its way to the kernel: not to be called under a lock.
  virtual void AfterExpiries(std::function<void()> then) = 0;
  // The same for a reply that a kernel lock depends on, for which an expiry may be waiting: after a moment `then` runs, whether
  // or not the kernel was told.
  virtual void SoonAfterExpiries(std::function<void()> then) = 0;
};

}  // namespace concordfs::fs
