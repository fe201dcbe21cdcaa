#include "fs/locks.h"

#include <chrono>
#include <set>
#include <utility>

namespace concordfs::fs {
namespace {

std::int64_t SteadyNow() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  return duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Error WouldBlock() {
  return Error{Code::kWouldBlock, "lock: another one is in the way"};
}
Error Interrupted() {
  return Error{Code::kInterrupted, "lock: interrupted"};
}

}  // namespace

Locks::Locks(std::function<std::int64_t()> now_ms) : now_ms_(now_ms ? std::move(now_ms) : SteadyNow) {}

void Locks::Give(Answers answers) {
  for (Answer& answer : answers) answer.done(std::move(answer.result));
}

LockTicket Locks::Announce() {
  const MutexLock lock(mutex_);
  announced_.emplace(++last_ticket_, false);
  return last_ticket_;
}

void Locks::Withdraw(LockTicket ticket) {
  const MutexLock lock(mutex_);
  announced_.erase(ticket);
}

void Locks::Set(const Table& named, const LockRequest& request, Done done) {
  Answers answers;
  {
    const MutexLock lock(mutex_);
    const Table table = LockTable::Resolve(named);
    const auto announced = announced_.find(request.ticket);
    const bool cancelled = announced != announced_.end() && announced->second;
    if (announced != announced_.end()) announced_.erase(announced);

    if (request.type == LockType::kUnlock) {
      Apply(*table, request);
      answers.push_back({std::move(done), {}});
    } else if (auto now = TryNow(*table, request)) {
      answers.push_back({std::move(done), *std::move(now)});
    } else if (cancelled || stopped_) {
      answers.push_back({std::move(done), Interrupted()});
    } else {
      Wait(table, request, std::move(done));
    }
    Advance(*table, answers);
  }
  Give(std::move(answers));
}

std::optional<Result<void>> Locks::TryNow(LockTable& table, const LockRequest& request) {
  if (held_ + waiting_.size() >= kMaxLocks) return Error{Code::kNoLocks, "lock: too many on this mount"};
  if (request.kind == LockKind::kFlock) {
    const auto before = table.FlockOf(request.owner);
    if (before == request.type) return Result<void>();
    if (before && table.Conflict(request)) {  // flock(2): not atomic. Two who upgrade at once would wait for each other
      LockRequest unlock = request;
      unlock.type = LockType::kUnlock;
      Apply(table, unlock);
    }
  }
  const bool conflict = table.Conflict(request).has_value();
  if (!conflict && !(request.waits && QueuesBehindOthers(table, request))) {
    Apply(table, request);
    return Result<void>();
  }
  if (!request.waits && table.LastingConflict(request)) return WouldBlock();
  if (request.waits && request.kind == LockKind::kRecord && WouldDeadlock(table, request)) {
    return Error{Code::kDeadlock, "lock: each would wait for the other"};
  }
  return std::nullopt;
}

void Locks::Apply(LockTable& table, const LockRequest& request) {
  held_ -= table.size();
  table.Apply(request);
  held_ += table.size();
}

void Locks::Wait(const Table& table, const LockRequest& request, Done done) {
  const std::int64_t gives_way_at_ms = now_ms_() + kPatience_ms;
  table->waiting().emplace(request.ticket,
                           LockTable::Waiter{request, std::move(done), 0, gives_way_at_ms, kPatience_ms});
  waiting_.emplace(request.ticket, table);
  if (request.kind == LockKind::kRecord) waiting_records_.emplace(request.owner, request.ticket);
}

Locks::Answer Locks::StopWaiting(LockTable& table, LockTicket ticket, Result<void> result) {
  const auto found = table.waiting().find(ticket);
  Answer answer{std::move(found->second.done), std::move(result)};
  const auto [first, last] = waiting_records_.equal_range(found->second.request.owner);
  for (auto at = first; at != last; ++at) {
    if (at->second != ticket) continue;
    waiting_records_.erase(at);
    break;
  }
  table.waiting().erase(found);
  waiting_.erase(ticket);
  return answer;
}

void Locks::Advance(LockTable& table, Answers& answers) {
  // A grant can make room for an earlier one: it may turn an exclusive lock of the same owner into a shared one.
  for (bool granted = true; std::exchange(granted, false);) {
    for (auto at = table.waiting().begin(); at != table.waiting().end();) {
      const LockRequest request = (at++)->second.request;
      const bool conflict = table.Conflict(request).has_value();
      if (!conflict && !(request.waits && QueuesBehindOthers(table, request))) {
        Apply(table, request);
        answers.push_back(StopWaiting(table, request.ticket, {}));
        granted = true;
      } else if (!request.waits && table.LastingConflict(request)) {
        answers.push_back(StopWaiting(table, request.ticket, WouldBlock()));
      }
    }
  }
}

bool Locks::QueuesBehindOthers(const LockTable& table, const LockRequest& request) {
  if (table.Holds(request.kind, request.owner)) return false;
  for (const auto& [ticket, waiter] : table.waiting()) {
    if (ticket >= request.ticket) return false;
    if (waiter.request.waits && request.ticket >= waiter.gives_way_before && Exclude(waiter.request, request))
      return true;
  }
  return false;
}

// Owners wait for owners: is there a way from those in the request's way back to its own?
bool Locks::WouldDeadlock(const LockTable& table, const LockRequest& request) {
  std::set<LockOwner> seen = table.ConflictingOwners(request);
  std::vector<LockOwner> todo(seen.begin(), seen.end());
  while (!todo.empty()) {
    const LockOwner owner = todo.back();
    todo.pop_back();
    if (owner == request.owner) return true;
    const auto [first, last] = waiting_records_.equal_range(owner);
    for (auto at = first; at != last; ++at) {
      const Table other = LockTable::Resolve(waiting_.at(at->second));
      for (const LockOwner next : other->ConflictingOwners(other->waiting().at(at->second).request)) {
        if (seen.insert(next).second) todo.push_back(next);
      }
    }
  }
  return false;
}

void Locks::Cancel(LockTicket ticket) {
  Answers answers;
  {
    const MutexLock lock(mutex_);
    if (const auto announced = announced_.find(ticket); announced != announced_.end()) announced->second = true;
    const auto found = waiting_.find(ticket);
    if (found == waiting_.end()) return;
    const Table table = LockTable::Resolve(found->second);
    answers.push_back(StopWaiting(*table, ticket, Interrupted()));
    Advance(*table, answers);
  }
  Give(std::move(answers));
}

std::optional<HeldLock> Locks::Find(const Table& table, const LockRequest& request) {
  const MutexLock lock(mutex_);
  return LockTable::Resolve(table)->Conflict(request);
}

void Locks::Drop(const Table& named, LockKind kind, LockOwner owner) {
  Answers answers;
  {
    const MutexLock lock(mutex_);
    const Table table = LockTable::Resolve(named);
    held_ -= table->size();
    table->Drop(kind, owner);
    held_ += table->size();
    Advance(*table, answers);
  }
  Give(std::move(answers));
}

void Locks::DropThrough(const Table& named, LockKind kind, LockOwner owner, HandleId handle) {
  Answers answers;
  {
    const MutexLock lock(mutex_);
    const Table table = LockTable::Resolve(named);
    held_ -= table->size();
    table->DropThrough(kind, owner, handle);
    held_ += table->size();
    Advance(*table, answers);
  }
  Give(std::move(answers));
}

void Locks::MarkEnding(const Table& table, LockKind kind, LockOwner owner) {
  const MutexLock lock(mutex_);
  LockTable::Resolve(table)->MarkEnding(kind, owner);
}

void Locks::Merge(const Table& from, const Table& into) {
  const MutexLock lock(mutex_);
  const Table source = LockTable::Resolve(from);
  const Table target = LockTable::Resolve(into);
  if (source == target) return;
  held_ -= source->size() + target->size();
  LockTable::Merge(source, target);
  held_ += target->size();
}

void Locks::GiveWay() {
  Answers answers;
  {
    const MutexLock lock(mutex_);
    if (waiting_.empty()) return;
    const std::int64_t now_ms = now_ms_();
    std::set<Table> tables;
    for (const auto& [ticket, named] : waiting_) {
      const Table table = LockTable::Resolve(named);
      LockTable::Waiter& waiter = table->waiting().at(ticket);
      if (waiter.gives_way_at_ms > now_ms) continue;
      waiter.gives_way_before = last_ticket_ + 1;
      waiter.patience_ms *= 2;
      waiter.gives_way_at_ms = now_ms + waiter.patience_ms;
      tables.insert(table);
    }
    for (const Table& table : tables) Advance(*table, answers);
  }
  Give(std::move(answers));
}

void Locks::CancelAll() {
  Answers answers;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    const auto waiting = waiting_;
    for (const auto& [ticket, table] : waiting) {
      answers.push_back(StopWaiting(*LockTable::Resolve(table), ticket, Interrupted()));
    }
  }
  Give(std::move(answers));
}

std::size_t Locks::count() {
  const MutexLock lock(mutex_);
  return held_ + waiting_.size();
}

}  // namespace concordfs::fs
