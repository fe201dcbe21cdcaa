// What was published here and is not on the remote yet, where closes don't wait for it: how much that is, and what becomes of it when the
// remote's branch is ahead.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "vcs/mutex.h"
#include "vcs/object_id.h"
#include "vcs/parking.h"
#include "vcs/replay.h"
#include "vcs/repo_path.h"
#include "vcs/result.h"
#include "vcs/store.h"
#include "vcs/tree_reader.h"

namespace concordfs::vcs {

// A commit that was acknowledged here and lost to the remote's branch.
struct LostWork {
  std::string agent;
  RepoPath path;
  std::string ref;  // where it is parked: "refs/concordfs/rejected/<agent>/<id>"
};

struct BacklogOptions {
  std::string ref;             // full name of the branch, locally
  std::uint64_t limit = 0;     // commits; 0: no limit
  // Hears of every commit that lost, once the branch has moved. Any thread. May be empty.
  std::function<void(const LostWork&)> on_lost;
};

struct BacklogStatus {
  std::uint64_t waiting = 0;  // commits
  std::int64_t oldest_s = 0;  // when the oldest of them was made, seconds since 1970; 0: none waits
  std::uint64_t lost = 0;     // commits, since the mount
};

// Threads: any; of Replay() one at a time.
class Backlog {
 public:
  Backlog(Store& local, BacklogOptions options) : local_(local), options_(std::move(options)) {}
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  // Commits were added to the branch.
  void Add(std::uint64_t commits) EXCLUDES(mutex_);
  // Counts anew what the branch has more than `seen`, which the remote has. Errors: those of Store.
  Result<void> Count(const ObjectId& seen) EXCLUDES(mutex_);
  bool IsFull() const EXCLUDES(mutex_);
  BacklogStatus status() const EXCLUDES(mutex_);

  // Makes what `theirs` lacks again on top of it, parks what loses, and then moves the local branch from `ours` to the result, which
  // is returned: nothing if the branch moved meanwhile. `common`: a commit that both have, where one is known. Errors: kNotSupported (there is a
  // merge in between, or no common history); those of Store. The branch stays where it is then.
  Result<std::optional<ObjectId>> Replay(const ObjectId& ours, const ObjectId& theirs, const std::optional<ObjectId>& common)
      EXCLUDES(mutex_);

  // What was lost since the last call. It is there before the branch moves.
  std::vector<LostWork> TakeLost() EXCLUDES(mutex_);
  // What became of a commit that was replayed: the one that was made of it, or that it is parked as. Others are themselves.
  ObjectId Now(const ObjectId& commit) const EXCLUDES(mutex_);

 private:
  // Parks what the plan lost; what became of it is in `made` then.
  Result<std::vector<LostWork>> Park(const ReplayPlan& plan, const Head& theirs, std::unordered_map<ObjectId, ObjectId>* made);
  Result<Parked> ParkOne(const LostCommit& lost, const Head& theirs, const std::unordered_map<ObjectId, ObjectId>& made);

  static constexpr std::size_t kTreeCacheSize = 4 << 20;  // bytes

  // Constant after construction, with their own synchronisation.
  Store& local_;
  const BacklogOptions options_;
  TreeReader trees_{local_, kTreeCacheSize};
  Parking parking_{local_, trees_};
  // Guarded by mutex_; a leaf.
  mutable Mutex mutex_;
  BacklogStatus status_ GUARDED_BY(mutex_);
  std::uint64_t added_ GUARDED_BY(mutex_) = 0;  // commits, ever
  std::vector<LostWork> lost_ GUARDED_BY(mutex_);
  std::unordered_map<ObjectId, ObjectId> made_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::vcs
