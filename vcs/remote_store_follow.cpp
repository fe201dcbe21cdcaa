// RemoteStore's thread: it asks the remote for what is new, and pushes what waits.
#include <pthread.h>

#include <algorithm>

#include "vcs/remote_store.h"

namespace concordfs::vcs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLongestPushPause{2'000};
// Between two pushes others have time for theirs, in parts of what one takes: who was refused has to fetch before he pushes again, and
// would lose to whoever pushes without pause. What is published meanwhile goes together.
constexpr int kRoom = 2;
constexpr std::chrono::milliseconds kMostRoom{1'000};

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
  wake_.NotifyAll();
}

RemoteStore::Turn RemoteStore::AwaitTurn() {
  const MutexLock lock(mutex_);
  for (;;) {
    if (stopping_) return Turn::kEnd;
    // What was asked by a publication need not be asked again.
    const auto ask_at = asked_ + options_.fetch_period;
    const bool is_push = has_work_ && push_at_ < ask_at;
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
    push_at_ = Clock::now() + std::min(status_.last_push * kRoom, kMostRoom);
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
    const bool went_well = (turn == Turn::kPush ? PushBacklog() : Reconcile()).ok();
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
