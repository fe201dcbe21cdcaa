// What was published here and is not on the remote yet, where closes don't wait for it: how much that is, and what becomes of it when the
// remote's branch is ahead.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
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

// How many commits a publication adds.
std::uint64_t CommitsIn(const Publication& publication);

struct BacklogStatus {
  std::uint64_t waiting = 0;  // commits
  std::int64_t oldest_s = 0;  // when the oldest of them was made, seconds since 1970; 0: none waits
  std::uint64_t lost = 0;     // commits, since the mount
};

// What is pushed next.
struct BacklogPart {
  ObjectId tip;
  std::uint64_t commits = 0;
  bool has_more = false;
};

// Threads: any; of Replay() one at a time.
class Backlog {
 public:
  Backlog(Store& local, BacklogOptions options);
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  // Store::Publish of the branch; what it adds waits from then on. Held up while a replay takes along what came last: a few commits, unless
  // they come faster than they can be made again.
  Result<void> Publish(const Publication& publication) EXCLUDES(moving_, mutex_);
  // Counts anew what the branch has more than `seen`, which the remote has. Errors: those of Store.
  Result<void> Count(const ObjectId& seen) EXCLUDES(mutex_);
  // The oldest of what `ours` has on top of `theirs`: kMostInPart commits at most, so that a push doesn't take so long that others come
  // first each time. All of it, of a number that isn't said, where a merge brought `theirs` in. Errors: those of Store.
  Result<BacklogPart> NextPart(const ObjectId& theirs, const ObjectId& ours);
  bool IsFull() const EXCLUDES(mutex_);
  BacklogStatus status() const EXCLUDES(mutex_);

  // Makes what `theirs` lacks again on top of it, with what is published meanwhile, parks what loses, and then moves the local branch, which
  // is at `ours` or on top of it, to the result, which is returned: nothing if the branch was moved past Publish() meanwhile. `common`: a commit
  // that both have, where one is known. Errors: kNotSupported (there is a merge in between, or no common history); those of Store. The
  // branch stays where it is then.
  Result<std::optional<ObjectId>> Replay(const ObjectId& ours, const ObjectId& theirs, const std::optional<ObjectId>& common)
      EXCLUDES(moving_, mutex_);

  // What was lost since the last call. It is there before the branch moves.
  std::vector<LostWork> TakeLost() EXCLUDES(mutex_);
  // What became of a commit that was replayed: the one that was made of it, or that it is parked as. Others are themselves.
  ObjectId Now(const ObjectId& commit) const EXCLUDES(mutex_);

 private:
  // A replay under way: what became of what was decided so far.
  struct Progress {
    Head theirs;
    std::unordered_map<ObjectId, ObjectId> made{};
    std::vector<LostWork> lost{};
    std::optional<ObjectId> ahead{};  // where ahead_ref_ is
  };

  // Decides the commits and stores what is made of them, and parks what loses, before the branch moves.
  Result<void> TakeAhead(Replayer& replayer, std::span<const ObjectId> commits, Progress* progress);
  // What was published since the replayer took the last.
  Result<std::optional<std::vector<ObjectId>>> Since(const Replayer& replayer);
  // Decides the commits and what was published since, and moves the branch; nothing if it was moved past us.
  Result<std::optional<ObjectId>> Finish(Replayer& replayer, std::span<const ObjectId> commits, Progress* progress)
      EXCLUDES(moving_, mutex_);
  Result<void> ParkAll(const Replayed& decided, Progress* progress);
  Result<Parked> ParkOne(const LostCommit& lost, const Progress& progress);

  static constexpr std::size_t kMostInPart = 2'000;
  static constexpr std::size_t kTreeCacheSize = 4 << 20;  // bytes

  // Constant after construction, with their own synchronisation.
  Store& local_;
  const BacklogOptions options_;
  const std::string ahead_ref_;  // reaches what is stored ahead
  TreeReader trees_{local_, kTreeCacheSize};
  Parking parking_{local_, trees_};
  // Held while the branch is moved here: by a publication, and by the last steps of a replay. Taken under Committer::turn_ and
  // RemoteStore::exchange_.
  Mutex moving_ ACQUIRED_BEFORE(mutex_);
  // Guarded by mutex_; a leaf.
  mutable Mutex mutex_;
  BacklogStatus status_ GUARDED_BY(mutex_);
  std::uint64_t added_ GUARDED_BY(mutex_) = 0;  // commits, ever
  std::vector<LostWork> lost_ GUARDED_BY(mutex_);
  std::unordered_map<ObjectId, ObjectId> made_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::vcs
