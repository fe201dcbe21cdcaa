// RemoteStore, where closes don't wait for the remote: publishing here, and pushing what was published.
#include "vcs/remote_store.h"

namespace concordfs::vcs {

Result<void> RemoteStore::PublishHere(const Publication& publication) {
  if (backlog_->IsFull()) return FullError();
  auto published = local_.Publish(publication);
  if (!published) return published;
  std::uint64_t commits = 0;
  for (const NewObject& object : publication.objects) commits += object.kind == ObjectKind::kCommit ? 1 : 0;
  backlog_->Add(commits);
  const MutexLock lock(mutex_);
  has_work_ = true;
  wake_.NotifyAll();
  return published;
}

std::uint64_t RemoteStore::PushOut() {
  if (!backlog_ || options_.read_only) return 0;
  const MutexLock exchange(exchange_);
  const auto tip = local_.ReadRef(options_.ref);
  if (backlog_->status().waiting > 0 && tip && *tip != given_up_) {
    if (Reconcile()) {
      CountBacklog();
    } else {
      given_up_ = *tip;
    }
  }
  return backlog_->status().waiting;
}

Error RemoteStore::FullError() const {
  const RemoteStatus now = status();
  const std::string why = "publish: " + std::to_string(now.backlog->waiting) + " commits wait for the remote, which is " +
                          ConditionName(now.condition) + (now.last_error.empty() ? "" : ": " + now.last_error);
  switch (now.condition) {
    case RemoteCondition::kNoAccess:
    case RemoteCondition::kDeclined: return Error{Code::kAccess, why};
    case RemoteCondition::kRewound:
    case RemoteCondition::kDiverged: return Error{Code::kReadOnly, why};
    case RemoteCondition::kNotAsked:
    case RemoteCondition::kUpToDate:
    case RemoteCondition::kUnreachable: break;
  }
  return Error{Code::kUnreachable, why};
}

Result<void> RemoteStore::PushBacklog() {
  const auto tip = local_.ReadRef(options_.ref);
  if (!tip) return tip.error();
  if (!seen_ || !*tip) return Reconcile();
  if (*tip == seen_) return {};
  const auto is_ahead = local_.Contains(**tip, *seen_);
  if (!is_ahead) return is_ahead.error();
  if (!*is_ahead) return Reconcile();
  const auto pushed = PushLocal(seen_, **tip);
  if (!pushed) return pushed.error();
  if (*pushed) return {};
  {
    const MutexLock lock(mutex_);
    ++status_.refused;
  }
  return Reconcile();
}

Result<bool> RemoteStore::ReplayOn(const ObjectId& ours, const ObjectId& theirs) {
  const auto replayed = backlog_->Replay(ours, theirs, seen_);
  if (!replayed) {
    if (replayed.code() != Code::kNotSupported) return replayed.error();
    return Block(ours, theirs, RemoteCondition::kDiverged);
  }
  if (!*replayed) return false;
  if (options_.on_parked) options_.on_parked();
  seen_ = theirs;
  CountBacklog();
  {
    const MutexLock lock(mutex_);
    ++status_.fetches;
  }
  return **replayed == theirs ? MoveForward(theirs, theirs) : PushLocal(theirs, **replayed);
}

void RemoteStore::CountBacklog() {
  if (!backlog_ || !seen_) return;
  (void)backlog_->Count(*seen_);  // what can't be counted now is counted at the next turn
}

}  // namespace concordfs::vcs
