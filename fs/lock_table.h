// The advisory locks on one file, and who waits for some.
//
// Plain data: `Locks` (fs/locks.h) guards it and decides who gets what. Rules: fcntl(2) "Advisory record locking" and
// flock(2), as the kernel keeps them on its local file systems.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "fs/types.h"
#include "vcs/result.h"

namespace concordfs::fs {

// Two families that don't see each other. Open file description locks are record locks with an owner of their own.
enum class LockKind { kRecord, kFlock };
enum class LockType { kShared, kExclusive, kUnlock };

// Of record locks: as the kernel names it, by the address of a process's table of descriptors or of an open file
// description. Of flocks: the handle, because the kernel uses an address again before we hear that its file was closed.
using LockOwner = std::uint64_t;
// Names a request that may wait. They are given in the order of arrival and never again; 0 names none.
using LockTicket = std::uint64_t;

constexpr std::uint64_t kLockToTheEnd = std::numeric_limits<std::int64_t>::max();

struct LockRequest {
  LockKind kind = LockKind::kRecord;
  LockType type = LockType::kShared;
  LockOwner owner = 0;
  std::uint64_t start = 0;            // first byte, ...
  std::uint64_t end = kLockToTheEnd;  // ... and last; a lock by flock(2) is one on all bytes
  pid_t pid = 0;                      // for F_GETLK
  HandleId handle = 0;                // that it came through
  LockTicket ticket = 0;              // of Locks::Announce(); not needed to unlock
  bool waits = false;                 // as F_SETLKW, or flock(2) without LOCK_NB
};

struct HeldLock {
  LockType type = LockType::kShared;
  LockOwner owner = 0;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  pid_t pid = 0;
};

class LockTable {
 public:
  // Who is answered when a request that waits is granted or given up.
  using Done = std::function<void(Result<void>)>;
  struct Waiter {
    LockRequest request;
    Done done;
    LockTicket gives_way_before = 0;   // requests with a ticket below this one needn't queue behind it any more
    std::int64_t gives_way_at_ms = 0;  // when that is raised to all who wait by then, ...
    std::int64_t patience_ms = 0;      // ... and how long after the time before
  };

  // The lock of another owner that the request conflicts with; the one with the lowest start of the first such owner.
  std::optional<HeldLock> Conflict(const LockRequest& request) const;
  // The same, apart from locks whose owner is being closed.
  std::optional<HeldLock> LastingConflict(const LockRequest& request) const;
  // The owners of all that it conflicts with.
  std::set<LockOwner> ConflictingOwners(const LockRequest& request) const;

  // What the owner has in the range is from now on of the request's type, or gone. Whether that conflicts with anything
  // is the caller's business. Neighbours of one type become one lock.
  void Apply(const LockRequest& request);
  // The owner loses all its locks of that kind.
  void Drop(LockKind kind, LockOwner owner);
  // The same for those that were set through this handle.
  void DropThrough(LockKind kind, LockOwner owner, HandleId handle);
  // The owner's open file is being closed: its locks go as soon as its content is published.
  void MarkEnding(LockKind kind, LockOwner owner) { Of(kind).ending.insert(owner); }

  bool Holds(LockKind kind, LockOwner owner) const { return Of(kind).held.contains(owner); }
  // The type of the owner's lock on all bytes, by flock(2).
  std::optional<LockType> FlockOf(LockOwner owner) const;
  std::size_t size() const { return size_; }  // locks held
  bool IsUnused() const { return size_ == 0 && waiting_.empty(); }
  // In the order of their arrival.
  std::map<LockTicket, Waiter>& waiting() { return waiting_; }
  const std::map<LockTicket, Waiter>& waiting() const { return waiting_; }

  // This table takes what the other one has, conflicting or not. From then on the other one stands for this one.
  static void Merge(const std::shared_ptr<LockTable>& from, const std::shared_ptr<LockTable>& into);
  // The table that the given one stands for.
  static std::shared_ptr<LockTable> Resolve(std::shared_ptr<LockTable> table);

 private:
  struct Held {
    std::uint64_t end;
    LockType type;
    pid_t pid;
    HandleId handle;
  };
  using Ranges = std::map<std::uint64_t, Held>;  // by first byte; they don't overlap
  struct Family {
    std::map<LockOwner, Ranges> held;  // none is empty
    std::set<LockOwner> ending;
  };
  static std::optional<HeldLock> FirstConflict(LockOwner owner, const Ranges& ranges, const LockRequest& request);
  static void Cut(Ranges& ranges, std::uint64_t start, std::uint64_t end);
  static void Insert(Ranges& ranges, std::uint64_t start, Held held);
  Family& Of(LockKind kind) { return kind == LockKind::kRecord ? records_ : flocks_; }
  const Family& Of(LockKind kind) const { return kind == LockKind::kRecord ? records_ : flocks_; }

  Family records_;
  Family flocks_;
  std::size_t size_ = 0;
  std::map<LockTicket, Waiter> waiting_;
  std::shared_ptr<LockTable> moved_to_;
};

// Do two requests of different owners exclude each other?
bool Exclude(const LockRequest& a, const LockRequest& b);

}  // namespace concordfs::fs
