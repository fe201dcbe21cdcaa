// The thread that keeps a repository fast: it packs what was written loose, and keeps packs few.
//
// Beside it, stock git may read, write, repack and collect garbage; while a `git gc` runs, this does nothing. Of
// several daemons on one repository one works at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "vcs/git/handles.h"
#include "vcs/git/pace.h"
#include "vcs/git/pack_keeper.h"
#include "vcs/mutex.h"
#include "vcs/object_id.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

struct MaintenanceOptions {
  std::size_t roll_objects = 2'000;     // so many loose objects are packed at once
  std::size_t idle_roll_objects = 200;  // and so many if nothing was written for `idle`
  std::size_t merge_packs = 16;         // so many packs more, and packs are merged
  // More than that has piled up: nothing is deflated on the way, the thread doesn't rest, and has a high priority if the
  // process may change that.
  std::size_t many_packs = 48;
  std::size_t many_pending = 20'000;
  std::size_t max_pending = 200'000;  // hints in memory, 48 bytes each; more are dropped, and found again when idle
  std::chrono::milliseconds idle{5'000};
  std::chrono::milliseconds first_retry{1'000};  // after a failure; twice as long after each other one
  std::chrono::milliseconds last_retry{60'000};
  double share = 0.5;  // of one processor
  KeeperLimits keeper;
  // The commits from which left loose objects are looked for, at the start and after hints were dropped. On the
  // maintenance thread; may read refs.
  std::function<std::vector<ObjectId>()> tips;
  // Where failures and what stands in the way are told, a line without its end. On the maintenance thread.
  std::function<void(const std::string&)> log;
};

struct MaintenanceCounters {
  std::uint64_t rolls = 0;           // packs made of loose objects
  std::uint64_t rolled_objects = 0;  // that were loose and are packed
  std::uint64_t merges = 0;
  std::uint64_t merged_packs = 0;  // that went into other ones
  std::uint64_t failures = 0;
  std::uint64_t dropped = 0;  // hints, because too many were pending
  std::size_t pending = 0;    // loose objects known and not packed yet
  std::size_t packs = 0;      // in the folder, without those that only wait to be removed
  std::size_t retired = 0;    // packs that only wait to be removed
  std::string last_failure;   // empty: none yet
};

// Threads: any. The thread has a low priority, but not the lowest: on a machine that is always busy it has to go on,
// too.
class Maintenance {
 public:
  Maintenance(std::string git_dir, MaintenanceOptions options);
  ~Maintenance() { Stop(); }
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  // Loose objects that were stored, and can be reached from a ref: those of one publication, in its order, with the
  // version before each as what it is like. Never blocks.
  void Note(std::vector<WrittenObject> written) EXCLUDES(mutex_);
  // A pack was added to objects/pack. Never blocks.
  void NotePack() EXCLUDES(mutex_);

  // Ends the thread: within some tens of milliseconds, or as long as a disk takes to sync one pack. What is half done
  // is dropped, what is pending is found again by the next one. Packs that wait for their removal stay, and are merged
  // again.
  void Stop() EXCLUDES(mutex_);

  MaintenanceCounters counters() const EXCLUDES(mutex_);

 private:
  void Run();
  // Waits until there is something to do, or something may have become due. Returns false when it is time to stop.
  bool Wait() EXCLUDES(mutex_);
  // All that is due now.
  Result<void> DoRound() EXCLUDES(mutex_);
  Result<void> Search() EXCLUDES(mutex_);
  Result<void> RollWhatIsDue() EXCLUDES(mutex_);
  Result<void> MergeWhatIsDue() EXCLUDES(mutex_);
  bool RollIsDue() const REQUIRES(mutex_);
  bool MergeIsDue() const REQUIRES(mutex_);
  bool IsIdle() const REQUIRES(mutex_);
  void Postpone(std::chrono::milliseconds pause) EXCLUDES(mutex_);
  void CountPacks() EXCLUDES(mutex_);
  void SetPressed(bool pressed);
  void Fail(const Error& error) EXCLUDES(mutex_);
  void Log(const std::string& line);
  // Of the daemons on this repository; nothing if another one has it.
  FileDescriptor TryLock() const;

  // Constant after construction.
  const std::string git_dir_;
  const MaintenanceOptions options_;
  // Own synchronisation, or the thread's alone.
  Pace pace_;
  PackKeeper keeper_;
  const std::function<bool()> go_on_ = [this] { return pace_.GoOn(); };
  std::chrono::milliseconds retry_;
  std::string last_line_;  // that was logged
  bool has_searched_ = false;
  bool pressed_ = false;  // much has piled up
  // Guarded by mutex_.
  mutable Mutex mutex_;
  CondVar changed_;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::deque<WrittenObject> pending_ GUARDED_BY(mutex_);
  std::size_t new_packs_ GUARDED_BY(mutex_) = 0;  // since packs were merged last
  bool search_ GUARDED_BY(mutex_) = true;         // look for what is loose: nobody has told it
  std::chrono::steady_clock::time_point last_write_ GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point next_round_ GUARDED_BY(mutex_);  // not before: after a failure
  MaintenanceCounters counters_ GUARDED_BY(mutex_);
  // Last: it uses all of the above.
  std::thread thread_;
};

}  // namespace concordfs::vcs::git
