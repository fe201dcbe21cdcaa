// Names large objects that are like ones it named before, as the next version of a wide directory's tree is like the
// last one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/git/sha1.h"
#include "vcs/mutex.h"
#include "vcs/object_id.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// SHA-1 goes from front to back, so what has the same size and the same beginning has the same state behind that. A
// small object is hashed whole. For bytes that nobody but us has made, as HashFast. Threads: any; they wait for each
// other. Memory: kMost objects of at most kLargest bytes.
class PrefixHasher {
 public:
  static constexpr std::size_t kSmallest = 32U << 10;
  static constexpr std::size_t kLargest = 4U << 20;
  static constexpr std::size_t kMost = 4;

  ObjectId Hash(ObjectKind kind, std::string_view bytes) EXCLUDES(mutex_);

 private:
  struct Known {
    ObjectKind kind = ObjectKind::kTree;
    std::string bytes;
    std::vector<Sha1> states;  // one in front of each full step of the bytes, and of the rest
    std::uint64_t used = 0;
  };

  // The one to go on from: of what is like it, or else what was used least lately.
  Known& Choose(ObjectKind kind, std::string_view bytes) REQUIRES(mutex_);

  Mutex mutex_;
  std::vector<Known> known_ GUARDED_BY(mutex_);
  std::uint64_t uses_ GUARDED_BY(mutex_) = 0;
};

}  // namespace concordfs::vcs::git
