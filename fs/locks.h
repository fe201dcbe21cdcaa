// Who gets which advisory lock, and when, on all files of a mount.
//
// The kernel would keep locks per inode, and here each version of a file and each agent's working copy is an inode of
// its own: so they are kept here, one table for each path that has any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "fs/lock_table.h"
#include "vcs/mutex.h"
#include "vcs/result.h"

namespace concordfs::fs {

// No request holds a thread while it waits. Those that wait are served in the order of their arrival: one that could be
// had, but would keep an earlier one waiting, queues behind it, so that readers that come and go don't starve a writer.
// That a reader waits for a lock that nobody has yet may be a deadlock that the kernel wouldn't make (a script holds
// a shared lock and waits for a child that wants one, too). So whoever holds something on the file already doesn't
// queue, and the one in front gives way to those who are behind it after kPatience, then after twice that, and so on:
// by then the readers that came before are gone, however long they take. Requests that don't wait don't queue either.
//
// Threads: any, concurrently; nothing blocks. Answers are given without any lock, by the thread whose call made them
// possible.
class Locks {
 public:
  using Table = std::shared_ptr<LockTable>;
  using Done = LockTable::Done;
  static constexpr std::size_t kMaxLocks = 100'000;  // held and waited for, on the mount
  static constexpr std::int64_t kPatience_ms = 1000;

  // `now_ms` counts milliseconds from anywhere; by default the steady clock.
  explicit Locks(std::function<std::int64_t()> now_ms = {});
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;

  // A ticket for one request to come, which Cancel() may name from now on.
  LockTicket Announce() EXCLUDES(mutex_);
  // The announced request won't come.
  void Withdraw(LockTicket ticket) EXCLUDES(mutex_);

  // Sets or removes a lock; `done` is called once, with success or
  //   kWouldBlock  it doesn't wait, and another owner's lock is in the way
  //   kDeadlock    a record lock would wait for an owner that waits, maybe through others, for this one
  //   kInterrupted cancelled, or the file system ends
  //   kNoLocks     over kMaxLocks.
  // A flock that is converted is given up first, as by the kernel: it is lost if the new one isn't granted.
  void Set(const Table& table, const LockRequest& request, Done done) EXCLUDES(mutex_);
  // The request need not wait any longer. Nothing, if it was answered already.
  void Cancel(LockTicket ticket) EXCLUDES(mutex_);
  // A lock that the request would conflict with.
  std::optional<HeldLock> Find(const Table& table, const LockRequest& request) EXCLUDES(mutex_);

  // The owner loses all its locks of that kind on the file.
  void Drop(const Table& table, LockKind kind, LockOwner owner) EXCLUDES(mutex_);
  // The same for those that were set through this handle.
  void DropThrough(const Table& table, LockKind kind, LockOwner owner, HandleId handle) EXCLUDES(mutex_);
  // The owner will lose some in a moment: requests that don't wait for locks do wait for that.
  void MarkEnding(const Table& table, LockKind kind, LockOwner owner) EXCLUDES(mutex_);
  // What is locked or waited for in `from` is so in `into`, which `from` stands for from then on.
  void Merge(const Table& from, const Table& into) EXCLUDES(mutex_);

  // Lets those pass that queued long enough. To be called every second or so.
  void GiveWay() EXCLUDES(mutex_);
  // Answers everything that waits, and what would wait from now on, with kInterrupted.
  void CancelAll() EXCLUDES(mutex_);

  // Locks held and waited for.
  std::size_t count() EXCLUDES(mutex_);

 private:
  struct Answer {
    Done done;
    Result<void> result;
  };
  using Answers = std::vector<Answer>;
  static void Give(Answers answers);

  // What an acquiring request is answered at once; nothing if it has to wait.
  std::optional<Result<void>> TryNow(LockTable& table, const LockRequest& request) REQUIRES(mutex_);
  void Apply(LockTable& table, const LockRequest& request) REQUIRES(mutex_);
  void Wait(const Table& table, const LockRequest& request, Done done) REQUIRES(mutex_);
  Answer StopWaiting(LockTable& table, LockTicket ticket, Result<void> result) REQUIRES(mutex_);
  // Grants what can be granted by now.
  void Advance(LockTable& table, Answers& answers) REQUIRES(mutex_);
  bool QueuesBehindOthers(const LockTable& table, const LockRequest& request) REQUIRES(mutex_);
  bool WouldDeadlock(const LockTable& table, const LockRequest& request) REQUIRES(mutex_);

  // Constant after construction.
  const std::function<std::int64_t()> now_ms_;
  // Guarded by mutex_, and so are all tables.
  Mutex mutex_;
  LockTicket last_ticket_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<LockTicket, bool> announced_ GUARDED_BY(mutex_);  // true: cancelled before it came
  std::map<LockTicket, Table> waiting_ GUARDED_BY(mutex_);
  std::multimap<LockOwner, LockTicket> waiting_records_ GUARDED_BY(mutex_);
  std::size_t held_ GUARDED_BY(mutex_) = 0;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace concordfs::fs
