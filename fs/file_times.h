// When what nobody touched here was last changed: stable while it stays the same, also across remounts, so that a build
// after a remount does nothing.
//
// Git's trees hold no times, and the head's time moves with every commit to any path. So the store keeps *epochs*: the
// heads that came from outside. A path is as old as the earliest epoch from which on, through all later ones, it has
// been what it is now. What is published here has a time of its own in its record and makes no epoch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "fs/attribute_store.h"
#include "vcs/mutex.h"
#include "vcs/object_id.h"
#include "vcs/tree_reader.h"

namespace concordfs::fs {

// Threads: any; every method may block on disk, to read trees, and none writes to it.
class FileTimes {
 public:
  // Neither is owned; both outlive this.
  FileTimes(AttributeStore& store, vcs::TreeReader& trees) : store_(store), trees_(trees) {}

  // The branch was found at this head at a mount, or moved there by others; does nothing if that is the newest
  // epoch already. `time` is the mtime of what came with it: the commit's time for the first head of all, and the
  // moment when it was seen for later ones, because a commit may be older than what was built before it came, and make
  // would miss it. Flush the store then. Past AttributeState::kMaxEpochs the oldest two become one, and what came
  // with the second gets a record of its time; where that would be too many records, the oldest is dropped, and what came
  // with it is as old as the second from then on: younger, never older, so that make misses nothing. Epochs that git
  // has pruned go first.
  void NoteHead(const vcs::Head& head, const timespec& time) EXCLUDES(mutex_);
  // The branch is at this head, and whatever came since the last call of this or NoteHead was published here: has its
  // time in its record, and leaves all other paths as old as they were. So a directory's record stays good when others
  // move the branch next. Call at the end, before NoteHead, when a directory's times are set, and now and then; never
  // with a head from before the newest that was noted.
  void FollowOwn(const vcs::Head& head) EXCLUDES(mutex_);

  // The mtime of a path that is this version at the head that is served. Nothing if no epoch knows this version there
  // and no record does (both were lost, or its publication isn't noted yet): show the head's time. Errors: kIo, ...;
  // not what git has pruned: it counts as if it had never been an epoch.
  Result<std::optional<timespec>> MtimeOfFile(const vcs::RepoPath& path, const vcs::Version& now) EXCLUDES(mutex_);
  // The same for a directory, which is changed when a name in it comes or goes.
  Result<std::optional<timespec>> MtimeOfDirectory(const vcs::RepoPath& path) EXCLUDES(mutex_);

 private:
  using Epochs = std::shared_ptr<const std::vector<Epoch>>;
  // Neighbouring epochs in which a directory was the same. Those in which it can't be read any more count for nothing.
  struct Run {
    std::shared_ptr<const vcs::Tree> tree;  // null: there was none
    vcs::ObjectId id;
    std::size_t oldest = 0;  // indices into the epochs
    std::size_t newest = 0;
  };
  using Runs = std::vector<Run>;  // newest first
  struct Directory {
    Runs runs;
    std::size_t same_names_since = 0;  // index of an epoch
  };
  static constexpr std::size_t kMaxDirectories = 4096;  // kept; with more all are forgotten
  static constexpr std::size_t kMaxRecorded = 20'000;   // at once

  Result<std::shared_ptr<const Directory>> Find(const Epochs& epochs, const vcs::RepoPath& path) EXCLUDES(mutex_);
  Result<std::shared_ptr<const Directory>> Make(const Epochs& epochs, const vcs::RepoPath& path) EXCLUDES(mutex_);
  // Writes records of what came with the second epoch and is there still. False: there is too much of it.
  Result<bool> RecordSecond(const Epochs& epochs) EXCLUDES(mutex_);
  // Adds what the directory was from the epoch `newest` back to `oldest`.
  Result<void> AddRun(const std::optional<vcs::ObjectId>& tree, std::size_t oldest, std::size_t newest, Runs* runs);

  AttributeStore& store_;
  vcs::TreeReader& trees_;
  Mutex mutex_;
  vcs::ObjectId noted_ GUARDED_BY(mutex_);  // where the newest epoch is, if nobody else noted one since
  Epochs epochs_ GUARDED_BY(mutex_);  // that the directories are of
  std::unordered_map<std::string, std::shared_ptr<const Directory>> directories_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::fs
