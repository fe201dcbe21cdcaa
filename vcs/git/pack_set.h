// The packs of a repository and of those that it borrows from, to find objects in by their ids.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vcs/git/pack_reader.h"
#include "vcs/mutex.h"
#include "vcs/object_id.h"

namespace concordfs::vcs::git {

// Threads: any. What it can't read it does as if it weren't there: libgit2 says what is wrong with it.
class PackSet {
 public:
  static constexpr std::size_t kMaxPacks = 256;  // each is an open file; the largest ones where there are more

  // `objects_dirs`: where folders `pack` are, or may come to be.
  explicit PackSet(std::vector<std::string> objects_dirs) : objects_dirs_(std::move(objects_dirs)) {}

  struct Place {
    std::shared_ptr<const PackReader> pack;
    std::uint64_t offset = 0;
  };
  // Nothing if none of the packs has it that were there a second ago: Refresh(), and ask again.
  std::optional<Place> Find(const ObjectId& id) EXCLUDES(mutex_);
  // Looks for packs that came and lets go of those that went. Returns whether there may be others than before.
  bool Refresh() EXCLUDES(mutex_);

 private:
  using Packs = std::vector<std::shared_ptr<PackReader>>;
  using Clock = std::chrono::steady_clock;
  // When a folder was changed last; a change in the moment in which it was read might not be told apart from it.
  struct Seen {
    timespec changed{};
    bool is_settled = false;
    bool operator==(const Seen& other) const {
      return changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec && is_settled &&
             other.is_settled;
    }
  };

  std::vector<Seen> Look() const;
  std::shared_ptr<const Packs> Scan(const Packs& known) const;

  // Constant after construction.
  const std::vector<std::string> objects_dirs_;
  // Guarded by mutex_.
  Mutex mutex_;
  std::shared_ptr<const Packs> packs_ GUARDED_BY(mutex_) = std::make_shared<const Packs>();  // the largest first
  std::vector<Seen> seen_ GUARDED_BY(mutex_);
  Clock::time_point looked_ GUARDED_BY(mutex_){};
};

}  // namespace concordfs::vcs::git
