#include "vcs/git/spare_conversation.h"

#include <pthread.h>

#include <utility>

namespace concordfs::vcs::git {

using Clock = std::chrono::steady_clock;

SpareConversation::SpareConversation(Beginner begin, std::chrono::milliseconds lifetime)
    : begin_(std::move(begin)), lifetime_(lifetime) {}

SpareConversation::~SpareConversation() {
  {
    const MutexLock lock(mutex_);
    state_ = State::kStopping;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  if (begun_ && *begun_) (*begun_)->Leave();
}

void SpareConversation::Prepare() {
  const MutexLock lock(mutex_);
  if (!thread_.joinable()) {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "next push");
      Run();
    });
  }
  if (state_ == State::kNone) state_ = State::kWanted;
  changed_.NotifyAll();
}

std::optional<Result<Conversation>> SpareConversation::Take() {
  std::optional<Result<Conversation>> begun;
  {
    const MutexLock lock(mutex_);
    is_awaited_ = true;
    while (state_ == State::kWanted || state_ == State::kBeginning) changed_.Wait(mutex_);
    is_awaited_ = false;
    if (state_ != State::kThere) return std::nullopt;
    state_ = State::kNone;
    begun = std::exchange(begun_, std::nullopt);
    changed_.NotifyAll();
  }
  if (*begun && !(*begun)->connection->IsQuiet()) begun.reset();
  return begun;
}

void SpareConversation::Keep(Result<Conversation> begun) {
  if (begun || is_awaited_) begun_ = std::move(begun);
  if (state_ == State::kBeginning) state_ = begun_ ? State::kThere : State::kNone;
  end_ = Clock::now() + lifetime_;
  changed_.NotifyAll();
}

void SpareConversation::Run() {
  MutexLock lock(mutex_);
  while (state_ != State::kStopping) {
    if (state_ == State::kWanted) {
      state_ = State::kBeginning;
      lock.Unlock();
      auto begun = begin_();
      lock.Lock();
      Keep(std::move(begun));
    } else if (state_ == State::kThere && Clock::now() >= end_) {
      std::optional<Result<Conversation>> old = std::exchange(begun_, std::nullopt);
      state_ = State::kNone;
      lock.Unlock();
      if (*old) (*old)->Leave();
      old.reset();
      lock.Lock();
    } else if (state_ == State::kThere) {
      changed_.WaitFor(mutex_, end_ - Clock::now());
    } else {
      changed_.Wait(mutex_);
    }
  }
}

}  // namespace concordfs::vcs::git
