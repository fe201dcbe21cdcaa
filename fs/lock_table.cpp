#include "fs/lock_table.h"

#include <algorithm>

namespace concordfs::fs {

bool Exclude(const LockRequest& a, const LockRequest& b) {
  if (a.kind != b.kind || a.owner == b.owner) return false;
  if (a.type == LockType::kUnlock || b.type == LockType::kUnlock) return false;
  if (a.type == LockType::kShared && b.type == LockType::kShared) return false;
  return a.start <= b.end && b.start <= a.end;
}

std::optional<HeldLock> LockTable::FirstConflict(LockOwner owner, const Ranges& ranges, const LockRequest& request) {
  if (owner == request.owner) return std::nullopt;
  auto at = ranges.upper_bound(request.start);
  if (at != ranges.begin() && std::prev(at)->second.end >= request.start) --at;
  for (; at != ranges.end() && at->first <= request.end; ++at) {
    const auto& [start, held] = *at;
    if (request.type == LockType::kExclusive || held.type == LockType::kExclusive) {
      return HeldLock{held.type, owner, start, held.end, held.pid};
    }
  }
  return std::nullopt;
}

std::optional<HeldLock> LockTable::Conflict(const LockRequest& request) const {
  for (const auto& [owner, ranges] : Of(request.kind).held) {
    if (const auto conflict = FirstConflict(owner, ranges, request)) return conflict;
  }
  return std::nullopt;
}

std::optional<HeldLock> LockTable::LastingConflict(const LockRequest& request) const {
  const Family& family = Of(request.kind);
  for (const auto& [owner, ranges] : family.held) {
    if (family.ending.contains(owner)) continue;
    if (const auto conflict = FirstConflict(owner, ranges, request)) return conflict;
  }
  return std::nullopt;
}

std::set<LockOwner> LockTable::ConflictingOwners(const LockRequest& request) const {
  std::set<LockOwner> owners;
  for (const auto& [owner, ranges] : Of(request.kind).held) {
    if (FirstConflict(owner, ranges, request)) owners.insert(owner);
  }
  return owners;
}

void LockTable::Cut(Ranges& ranges, std::uint64_t start, std::uint64_t end) {
  auto at = ranges.upper_bound(start);
  if (at != ranges.begin()) --at;
  while (at != ranges.end() && at->first <= end) {
    const auto [first, held] = *at;
    if (held.end < start) {
      ++at;
      continue;
    }
    at = ranges.erase(at);
    if (first < start) ranges.emplace(first, Held{start - 1, held.type, held.pid, held.handle});
    if (held.end > end) ranges.emplace(end + 1, held);
  }
}

void LockTable::Insert(Ranges& ranges, std::uint64_t start, Held held) {
  auto next = ranges.upper_bound(start);
  if (next != ranges.end() && held.end + 1 == next->first && next->second.type == held.type) {
    held.end = next->second.end;
    next = ranges.erase(next);
  }
  if (next != ranges.begin()) {
    const auto previous = std::prev(next);
    if (previous->second.end + 1 == start && previous->second.type == held.type) {
      previous->second.end = held.end;
      previous->second.pid = held.pid;
      previous->second.handle = held.handle;
      return;
    }
  }
  ranges.emplace(start, held);
}

void LockTable::Apply(const LockRequest& request) {
  auto& held = Of(request.kind).held;
  Ranges& ranges = held[request.owner];
  const std::size_t before = ranges.size();
  Cut(ranges, request.start, request.end);
  if (request.type != LockType::kUnlock) {
    Insert(ranges, request.start, Held{request.end, request.type, request.pid, request.handle});
  }
  size_ = size_ - before + ranges.size();
  if (ranges.empty()) Drop(request.kind, request.owner);
}

void LockTable::Drop(LockKind kind, LockOwner owner) {
  Family& family = Of(kind);
  family.ending.erase(owner);
  const auto found = family.held.find(owner);
  if (found == family.held.end()) return;
  size_ -= found->second.size();
  family.held.erase(found);
}

void LockTable::DropThrough(LockKind kind, LockOwner owner, HandleId handle) {
  Family& family = Of(kind);
  family.ending.erase(owner);
  const auto found = family.held.find(owner);
  if (found == family.held.end()) return;
  size_ -= std::erase_if(found->second, [&](const auto& range) { return range.second.handle == handle; });
  if (found->second.empty()) family.held.erase(found);
}

std::optional<LockType> LockTable::FlockOf(LockOwner owner) const {
  const auto found = flocks_.held.find(owner);
  if (found == flocks_.held.end()) return std::nullopt;
  return found->second.begin()->second.type;
}

void LockTable::Merge(const std::shared_ptr<LockTable>& from, const std::shared_ptr<LockTable>& into) {
  for (const LockKind kind : {LockKind::kRecord, LockKind::kFlock}) {
    Family& family = from->Of(kind);
    for (const auto& [owner, ranges] : family.held) {
      for (const auto& [start, held] : ranges) {
        into->Apply(LockRequest{kind, held.type, owner, start, held.end, held.pid, held.handle, 0, false});
      }
    }
    into->Of(kind).ending.merge(family.ending);
    family = {};
  }
  from->size_ = 0;
  into->waiting_.merge(from->waiting_);
  from->moved_to_ = into;
}

std::shared_ptr<LockTable> LockTable::Resolve(std::shared_ptr<LockTable> table) {
  while (table && table->moved_to_) table = table->moved_to_;
  return table;
}

}  // namespace concordfs::fs
