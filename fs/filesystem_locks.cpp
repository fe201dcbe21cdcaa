// Advisory locks: which file a request is about, and when its locks go.
#include <utility>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {

std::shared_ptr<LockTable> FilesystemImpl::TableOf(NodeId node) {
  if (const Node* known = names_.Find(node); known != nullptr) return known->file ? known->file->locks : nullptr;
  const auto plain = plain_tables_.find(node);
  return plain == plain_tables_.end() ? nullptr : plain->second.lock();
}

std::shared_ptr<LockTable> FilesystemImpl::MakeTable(NodeId node) {
  auto table = TableOf(node);
  if (table) return table;
  table = std::make_shared<LockTable>();
  if (const Node* known = names_.Find(node); known != nullptr && known->file) {
    known->file->locks = table;
  } else {
    plain_tables_[node] = table;  // lives as long as a handle that locked
  }
  return table;
}

LockTicket FilesystemImpl::AnnounceLock() {
  return locks_.Announce();
}

void FilesystemImpl::SetLock(HandleId handle, NodeId node, const LockRequest& asked,
                             std::function<void(Result<void>)> done) {
  LockRequest request = asked;
  request.handle = handle;
  if (request.kind == LockKind::kFlock) request.owner = handle;
  std::shared_ptr<LockTable> table;
  {
    const MutexLock lock(mutex_);
    table = TableOf(node);
    if (request.type != LockType::kUnlock) {
      if (!table) table = MakeTable(node);
      HandleLocks& own = handle_locks_[handle];
      own.handle = handle;
      own.node = node;
      own.table = table;
      own.owners.emplace(request.kind, request.owner);
    }
  }
  if (table) {
    locks_.Set(table, request, std::move(done));  // also if the table was merged into another one meanwhile
  } else {
    done({});  // nothing is locked
  }
}

void FilesystemImpl::CancelLock(LockTicket ticket) {
  locks_.Cancel(ticket);
}

std::optional<HeldLock> FilesystemImpl::GetLock(NodeId node, const LockRequest& request) {
  std::shared_ptr<LockTable> table;
  {
    const MutexLock lock(mutex_);
    table = TableOf(node);
  }
  return table ? locks_.Find(table, request) : std::nullopt;
}

void FilesystemImpl::DropLocks(NodeId node, LockOwner owner) {
  std::shared_ptr<LockTable> table;
  {
    const MutexLock lock(mutex_);
    table = TableOf(node);
  }
  if (table) locks_.Drop(table, LockKind::kRecord, owner);
}

FilesystemImpl::HandleLocks FilesystemImpl::TakeLocks(HandleId handle) {
  const MutexLock lock(mutex_);
  const auto found = handle_locks_.find(handle);
  if (found == handle_locks_.end()) return {};
  HandleLocks locks = std::move(found->second);
  handle_locks_.erase(found);
  return locks;
}

FilesystemImpl::EndOfLocks::EndOfLocks(FilesystemImpl& filesystem, HandleId handle)
    : filesystem_(filesystem), locks_(filesystem.TakeLocks(handle)) {
  for (const auto& [kind, owner] : locks_.owners) filesystem_.locks_.MarkEnding(locks_.table, kind, owner);
}

FilesystemImpl::EndOfLocks::~EndOfLocks() {
  if (!locks_.table) return;
  for (const auto& [kind, owner] : locks_.owners)
    filesystem_.locks_.DropThrough(locks_.table, kind, owner, locks_.handle);
  locks_.table.reset();
  const MutexLock lock(filesystem_.mutex_);
  const auto plain = filesystem_.plain_tables_.find(locks_.node);
  if (plain != filesystem_.plain_tables_.end() && plain->second.expired()) filesystem_.plain_tables_.erase(plain);
}

void FilesystemImpl::HandOverLocks(File& replaced, File& heir) {
  // Who has the replaced file open still, and locks it only now, excludes those who open the new one.
  if (!replaced.locks && !heir.locks && replaced.nodes > 0) replaced.locks = std::make_shared<LockTable>();
  if (!replaced.locks) {
    replaced.locks = heir.locks;
    return;
  }
  if (heir.locks) locks_.Merge(heir.locks, replaced.locks);
  heir.locks = replaced.locks;
}

}  // namespace concordfs::fs
