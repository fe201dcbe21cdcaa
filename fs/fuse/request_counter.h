// How often the kernel asked for what: the measure of a program's cost here, because each request is a round trip.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fs/types.h"

namespace concordfs::fs {

constexpr std::uint32_t kStatx = 52;  // FUSE_STATX of newer <linux/fuse.h>, since 7.39

// Threads: any.
class RequestCounter {
 public:
  // `opcode`: of the request's header.
  void Count(std::uint32_t opcode) {
    counts_[opcode < counts_.size() ? opcode : 0].fetch_add(1, std::memory_order_relaxed);
  }
  // Those that came at least once, by the names of <linux/fuse.h> in lower case; "other" for what has none there.
  RequestCounts Counts() const;

 private:
  static constexpr std::size_t kOpcodes = 64;  // 0 is nobody's
  std::array<std::atomic<std::uint64_t>, kOpcodes> counts_{};
};

}  // namespace concordfs::fs
