// RemoteStore, where closes don't wait for the remote: publishing here, and pushing what was published.
#include "vcs/remote_store.h"

namespace concordfs::vcs {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

Result<void> RemoteStore::PublishHere(const Publication& publication) {
  if (backlog_->IsFull()) return FullError();
  KeepPace(CommitsIn(publication));
  auto published = backlog_->Publish(publication);
  if (!published) return published;
  const MutexLock lock(mutex_);
  has_work_ = true;
  wake_.NotifyAll();
  return published;
}

void RemoteStore::KeepPace(std::uint64_t commits) {
  const auto waiting = backlog_->status().waiting;
  const MutexLock lock(mutex_);
  if (!answers_) return;  // it isn't the pushes that are too slow
  const auto until = Clock::now() + pace_.Before(commits, waiting);
  while (!stopping_ && hasty_ == 0 && Clock::now() < until) wake_.WaitFor(mutex_, until - Clock::now());
}

std::uint64_t RemoteStore::PushOut() {
  if (!backlog_ || options_.read_only) return 0;
  const MutexLock exchange(exchange_);
  const auto tip = local_.ReadRef(options_.ref);
  if (backlog_->status().waiting > 0 && tip && *tip != given_up_) {
    if (ReconcileAll(Clock::time_point::max())) {
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
  BeginAttempt();
  const auto tip = local_.ReadRef(options_.ref);
  if (!tip) return tip.error();
  if (!seen_ || !*tip) return Reconcile();
  if (*tip == seen_) return {};
  const auto is_ahead = local_.Contains(**tip, *seen_);
  if (!is_ahead) return is_ahead.error();
  if (!*is_ahead) return Reconcile();
  const auto pushed = PushLocal(seen_, **tip);
  if (!pushed) return pushed.error();
  return *pushed ? Result<void>() : Reconcile();
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
  const auto waiting = backlog_->status().waiting;
  {
    const MutexLock lock(mutex_);
    ++status_.fetches;
    room_.NoteOthers(Clock::now());
    pace_.NoteReplay(waiting, Clock::now() - attempt_);
  }
  return **replayed == theirs ? MoveForward(theirs, theirs) : PushLocal(theirs, **replayed);
}

void RemoteStore::CountBacklog() {
  if (!backlog_ || !seen_) return;
  (void)backlog_->Count(*seen_);  // what can't be counted now is counted at the next turn
}

}  // namespace concordfs::vcs
