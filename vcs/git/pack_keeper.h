// Keeps a repository's objects in few packs: the steps of the maintenance, one at a time.
//
// V12: an object's only copy is never removed. A loose file goes when the object was read back from a pack; a pack goes
// when another one, which is on the disk, has all that is in it, and still is there.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>

#include "vcs/git/pack_folder.h"
#include "vcs/git/pack_writer.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// A loose object that was written, and the one that it probably resembles: the version before it.
struct WrittenObject {
  ObjectId id;
  ObjectKind kind = ObjectKind::kBlob;
  std::optional<ObjectId> like;
};

struct KeeperLimits {
  std::size_t roll_bytes = 32U << 20;       // of objects in one rolled pack: so much memory
  std::size_t roll_objects = 4096;          // in one rolled pack
  std::uint64_t loose_bytes = 16ULL << 20;  // larger objects stay loose
  MergeLimits merge;
  // For how long a pack that was merged stays. Who has listed the folder just before finds it by then, or lists the
  // folder again; but should not find that the merged one is gone already, too.
  std::chrono::milliseconds grace{10'000};
  std::chrono::milliseconds least_grace{2'000};  // if more than that many wait
  std::size_t max_retired = 64;
  // While a `git fsck` runs they stay, for so long, unless there are more.
  std::chrono::minutes longest_grace{10};
  std::size_t most_retired = 4'096;
  std::chrono::milliseconds removal_period{1'000};  // they are removed many at a time
  std::chrono::seconds left_age{3'600};  // unnamed packs that were not written to for so long are a dead daemon's
};

// Everything that it writes is synced before anything is removed, whatever the durability of commits: what was on
// the disk for hours must not depend on what was written a second ago.
// Threads: one at a time; every step blocks on disk. `go_on` is asked between objects; once it says false, a step ends
// with kInterrupted, and has removed nothing. Errors common to all: kIo, kNoSpace, kQuota, kReadOnly.
class PackKeeper {
 public:
  using Clock = std::chrono::steady_clock;

  PackKeeper(std::string git_dir, const KeeperLimits& limits);

  struct Rolled {
    std::size_t taken = 0;   // of the objects, from the front: they are done with
    std::size_t packed = 0;  // of those; the others were not loose (any more), damaged, or too large
    std::string path;        // of the pack, without suffix; empty if none was needed
  };
  // Writes as many of `objects`, from the front, as fit into one pack, as deltas where they are alike; reads them back
  // from it; and only then removes their loose files, as RemoveSpares does.
  Result<Rolled> Roll(std::span<const WrittenObject> objects, PackCompression compression,
                      const std::function<bool()>& go_on);

  // Removes the loose files of those objects that can be read from a pack, verified, and takes them out of `loose`:
  // what is left when a roll was killed. As git-prune-packed(1) does, and RemoveSpares.
  Result<void> PrunePacked(std::unordered_set<ObjectId>& loose, const std::function<bool()>& go_on);

  // Removes the loose files that were left because somebody was just listing their folder: git would take them for missing.
  void RemoveSpares();

  // Merges the packs that ChooseMerge chooses. Returns how many became one, 0 if all is well. They are retired then. If
  // they can't be merged for what they are, they are left alone from then on.
  // Errors: kNotSupported (there is a multi-pack index, which would go on to name them); kCorrupt, kTooBig (what they
  // are); kNotFound (one vanished meanwhile).
  Result<std::size_t> Merge(PackCompression compression, const std::function<bool()>& go_on);

  // Removes the packs that were retired long enough before `now`. Returns how many. One that is not the same file
  // any more, or whose successor is gone, stays: somebody else repacks. So does one that got a .keep; and all wait
  // while a `git gc` runs, or a multi-pack index may name them; and, within limits, while a `git fsck` does, which lists the packs
  // first, opens each later, and reports one that is gone.
  Result<std::size_t> RemoveRetired(Clock::time_point now);

  // Removes what killed daemons have left of packs that they were writing.
  void RemoveLeftFiles();

  std::size_t retired_count() const { return retired_.size(); }
  // Loose files that wait for their removal.
  std::size_t spare_count() const { return spares_.size(); }
  // Packs in the folder that are not retired.
  Result<std::size_t> CountPacks() const;

 private:
  struct Retired {
    std::string path;  // without suffix
    FileIdentity identity;
    std::string successor;
    FileIdentity successor_identity;
    Clock::time_point since;
  };

  // A loose file of what is in a pack, too.
  struct Spare {
    ObjectId id;
    std::string pack;  // with suffix
  };

  bool IsDue(const Retired& pack, Clock::time_point now) const;
  Result<PackListing> ListUnretired() const;
  Result<void> SyncPacks() const;

  const std::string git_dir_;
  const std::string objects_dir_;
  const KeeperLimits limits_;
  std::unordered_set<std::string> avoided_;  // paths of packs that can't be merged
  std::vector<Spare> spares_;
  std::deque<Retired> retired_;              // oldest first: a successor is never removed before its sources
  Clock::time_point next_removal_{};         // of retired packs: not before
};

}  // namespace concordfs::vcs::git
