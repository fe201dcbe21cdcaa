// What git can't hold of the paths of one branch, across remounts (R12): in memory, with a log on disk.
//
// How the file system uses it: one store for a mount, one FileTimes (fs/file_times.h) on it for the times of what
// nobody touched here.
//   at the mount        Open; FileTimes::NoteHead(head); make KeptDirectories() exist
//   a name is learned   FindFile or FindDirectory, FileTimes for the mtime; where they say nothing: git's mode, the
//                       mount's owner, the head's time. From then on it is in the node, and changed there and here
//   chmod, chown, utimensat, a publish, mkdir, an entry made or removed in a directory
//                       UpdateFile or UpdateDirectory; a publish gives mtime, ctime and the new version in one update
//   the last entry of a directory is removed here; git holds something in it again
//                       UpdateDirectory with `kept`
//   unlink, rmdir, rename, exchange
//                       Forget, ForgetBelow, Rename, Exchange; what is renamed gets a record with its mtime first, and
//                       so does all below a directory: no epoch knows these times by the new paths
//   the branch moved by others
//                       FileTimes::FollowOwn(before), Refresh (another daemon has said more already), NoteHead(after)
//   every 2 s, and at the end
//                       FileTimes::FollowOwn(head), Flush, Refresh
// All of these but Open and Refresh only work in memory: call them under the file system's lock, in the order of what
// happened. (FileTimes reads trees for times and in NoteHead: call these without it.) Then, outside of it, Flush,
// before the reply where the caller may rely on it; with --durability=power Sync.
// Scratch files have their own attributes and are not in here.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fs/attribute_log.h"
#include "fs/attributes.h"
#include "vcs/mutex.h"
#include "vcs/repo_path.h"
#include "vcs/result.h"
#include "vcs/tree_reader.h"
#include "vcs/version.h"

namespace concordfs::fs {

// Threads: any. What doesn't say so never blocks on disk.
class AttributeStore {
 public:
  static constexpr std::uint64_t kMinCompaction = 64 << 10;  // bytes: a log up to this is left as it is
  static constexpr std::size_t kMaxPending = 1 << 16;        // operations; with more the whole state is written

  // Reads what is there; nothing is written yet. `ref` is the branch's full name. A repository that can't be written is
  // served all the same: changes are in memory then. Blocks on disk.
  // Errors: kIo, kTooBig: there is a log that can't be read.
  static Result<std::unique_ptr<AttributeStore>> Open(const std::filesystem::path& git_dir, const std::string& ref,
                                                      LogAccess access);

  // What is known of a file or symlink whose version at head is `now`; nothing if there is no record. The mode is empty
  // where git's exec bit says otherwise by now (git's wins), mtime and ctime where they belong to another version.
  std::optional<Attributes> FindFile(const vcs::RepoPath& path, const vcs::Version& now) const EXCLUDES(mutex_);
  // The same for a directory; for its mtime ask FileTimes, which knows whether others changed it since.
  std::optional<Attributes> FindDirectory(const vcs::RepoPath& path) const EXCLUDES(mutex_);
  // Directories that exist though git may hold nothing in them, parents before children.
  std::vector<vcs::RepoPath> KeptDirectories() const EXCLUDES(mutex_);

  // What is set in `change` is changed, the rest stays; a record of the other kind is void. `since` is set here. A
  // file's mtime comes with its version.
  void UpdateFile(const vcs::RepoPath& path, const Attributes& change) EXCLUDES(mutex_);
  void UpdateDirectory(const vcs::RepoPath& path, const Attributes& change) EXCLUDES(mutex_);
  // The number that the file's version has as long as this store lives. Of a file with a record.
  void NoteInode(const vcs::RepoPath& path, std::uint64_t ino) EXCLUDES(mutex_);
  void Forget(const vcs::RepoPath& path) EXCLUDES(mutex_);            // nothing below it
  void ForgetBelow(const vcs::RepoPath& directory) EXCLUDES(mutex_);  // all below it, not itself
  // Of a file, or a directory with all below it; what `to` was is forgotten, with all below it.
  void Rename(const vcs::RepoPath& from, const vcs::RepoPath& to) EXCLUDES(mutex_);
  void Exchange(const vcs::RepoPath& a, const vcs::RepoPath& b) EXCLUDES(mutex_);

  // Oldest first, at most AttributeState::kMaxEpochs; the same object until they change. Of FileTimes.
  std::shared_ptr<const std::vector<Epoch>> Epochs() const EXCLUDES(mutex_);
  void AddEpoch(const vcs::Head& head, const timespec& time) EXCLUDES(mutex_);
  // The newest epoch is at `head` now, if it was at `from`.
  void AdvanceEpoch(const vcs::ObjectId& from, const vcs::Head& head) EXCLUDES(mutex_);
  void RemoveEpoch(EpochNumber number) EXCLUDES(mutex_);

  // Appends what is pending, in order, in one write(2). Blocks on disk. Errors: kNoSpace, kQuota, kIo, ...: what could
  // not be written stays pending. No error where the repository can't be written: then nothing ever is.
  Result<void> Flush() EXCLUDES(io_mutex_, mutex_);
  // Flush, and what was appended survives a power cut, too. Errors: as Flush.
  Result<void> Sync() EXCLUDES(io_mutex_, mutex_);
  // Takes over what other daemons appended; two system calls if that is nothing. Writes the log anew where it is more
  // than twice as large as it has to be, and nobody else uses it. Blocks on disk. Returns whose records others have
  // set since the last Refresh; where the log had to be read as a whole (also by Open), all whose records it sets, a
  // path as often as it does. Errors: kIo, ...: nothing was changed.
  Result<std::vector<vcs::RepoPath>> Refresh() EXCLUDES(io_mutex_, mutex_);

  std::size_t size() const EXCLUDES(mutex_);           // records
  std::uint64_t log_size() const EXCLUDES(io_mutex_);  // bytes

 private:
  explicit AttributeStore(AttributeLog log) : log_(std::move(log)) {}

  std::optional<Attributes> FindRecord(PathKind kind, const vcs::RepoPath& path) const EXCLUDES(mutex_);
  void UpdateLocked(PathKind kind, const vcs::RepoPath& path, const Attributes& change) REQUIRES(mutex_);
  void DoLocked(AttributeOperation operation) REQUIRES(mutex_);
  bool MergeIntoPending(const AttributeOperation& operation) REQUIRES(mutex_);
  Result<void> FlushPending() REQUIRES(io_mutex_) EXCLUDES(mutex_);
  // Writes the whole state, in place of the log where nobody else has it, else behind it.
  Result<void> WriteAll() REQUIRES(io_mutex_) EXCLUDES(mutex_);
  // Takes note of why the log wasn't written; an error only if it may be another time.
  Result<void> NotWritten(const Error& error) EXCLUDES(mutex_);
  void TooManyPending() REQUIRES(mutex_);
  // Takes over what others appended.
  Result<void> CatchUp() REQUIRES(io_mutex_) EXCLUDES(mutex_);
  // The state is what the whole log says, and then what is pending.
  Result<void> ReadAnew() REQUIRES(io_mutex_) EXCLUDES(mutex_);
  Result<void> CompactIfWorthwhile() REQUIRES(io_mutex_) EXCLUDES(mutex_);
  std::vector<AttributeOperation> Decode(std::string_view lines) const;

  // io_mutex_ orders reads and writes of the log, and is held during them; mutex_ is a leaf.
  mutable Mutex io_mutex_ ACQUIRED_BEFORE(mutex_);
  AttributeLog log_ GUARDED_BY(io_mutex_);
  std::uint64_t compact_above_ GUARDED_BY(io_mutex_) = kMinCompaction;  // bytes
  std::vector<vcs::RepoPath> set_by_others_ GUARDED_BY(io_mutex_);       // since the last Refresh
  // Guarded by mutex_.
  mutable Mutex mutex_;
  AttributeState state_ GUARDED_BY(mutex_);                    // with all that is pending
  std::deque<AttributeOperation> pending_ GUARDED_BY(mutex_);  // not in the log yet
  bool rewrite_ GUARDED_BY(mutex_) = false;   // too much was pending: the whole state is, and `pending_` is empty
  bool discards_ GUARDED_BY(mutex_) = false;  // the log can't be written: nothing is pending
};

}  // namespace concordfs::fs
