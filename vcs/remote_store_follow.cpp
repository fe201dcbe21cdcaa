// RemoteStore's thread: it asks the remote for what is new, and pushes what waits.
#include <pthread.h>

#include <algorithm>

#include "vcs/remote_store.h"

namespace concordfs::vcs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLongestPushPause{2'000};
constexpr std::chrono::seconds kMostPushing{10};  // part by part, without room

}  // namespace

void RemoteStore::StartFollowing() {
  follower_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "remote");
    Follow();
  });
}

void RemoteStore::AskNow() {
  const MutexLock lock(mutex_);
  asked_ = {};
  push_at_ = {};  // which asks, too
  wake_.NotifyAll();
}

RemoteStore::Turn RemoteStore::AwaitTurn() {
  const MutexLock lock(mutex_);
  for (;;) {
    if (stopping_) return Turn::kEnd;
    // What was asked by a publication need not be asked again; nor while there is something to push, whatever room is left before that.
    const auto ask_at = asked_ + options_.fetch_period;
    const bool is_push = has_work_ && (push_at_ < ask_at || push_pause_.count() == 0);
    const auto at = is_push ? push_at_ : ask_at;
    const auto now = Clock::now();
    if (now < at) {
      wake_.WaitFor(mutex_, at - now);
      continue;
    }
    if (is_push) {
      has_work_ = false;
      // After a failure the remote is asked first: what was sent may have arrived.
      if (push_pause_.count() == 0) return Turn::kPush;
    }
    asked_ = now;
    return Turn::kAsk;
  }
}

void RemoteStore::NoteTurn(bool went_well) {
  const auto waiting = backlog_ ? backlog_->status().waiting : 0;
  const MutexLock lock(mutex_);
  if (went_well) {
    push_pause_ = {};
    push_at_ = Clock::now() + room_.BeforeUnawaited(Clock::now());
    has_work_ = has_work_ || (waiting > 0 && !options_.read_only);
  } else if (waiting > 0) {
    push_pause_ = push_pause_.count() == 0 ? options_.first_pause : std::min(push_pause_ * 2, kLongestPushPause);
    push_at_ = Clock::now() + push_pause_;
    has_work_ = true;
  }
}

void RemoteStore::Follow() {
  for (Turn turn = AwaitTurn(); turn != Turn::kEnd; turn = AwaitTurn()) {
    if (!exchange_.TryLock()) {  // a publication is at it, or who waits for all to be there
      if (turn == Turn::kPush) NoteTurn(false);
      continue;
    }
    bool went_well = (turn == Turn::kPush ? PushBacklog() : Reconcile()).ok();
    // Whoever has very much to push, and got in at last, would have to make it all again after others' next push.
    if (went_well && has_more_) went_well = ReconcileAll(Clock::now() + kMostPushing).ok();
    if (Clock::now() >= keep_again_) KeepSeen();
    if (went_well) CountBacklog();
    exchange_.Unlock();
    if (backlog_) NoteTurn(went_well);
    if (turn == Turn::kPush) continue;
    const MutexLock lock(mutex_);
    asked_ = Clock::now();  // it may have taken longer than the period: who publishes has to come in between
  }
}

}  // namespace concordfs::vcs
