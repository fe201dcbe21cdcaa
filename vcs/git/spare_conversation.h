// The beginning of a push to come, made while nobody waits for it: to connect and to hear where the refs are takes two of a push's
// three round trips, and the start of the server's programs.
//
// What it heard may be old when it is used. That is harmless, since the server compares under its own lock what each push says
// that it replaces; and nothing is sent before it is used.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <thread>

#include "vcs/git/conversation.h"
#include "vcs/mutex.h"

namespace concordfs::vcs::git {

class SpareConversation {
 public:
  // Threads: called on a thread of the spare's own.
  using Beginner = std::function<Result<Conversation>()>;

  SpareConversation(Beginner begin, std::chrono::milliseconds lifetime);
  // Waits for a beginning that is under way.
  ~SpareConversation();
  SpareConversation(const SpareConversation&) = delete;
  SpareConversation& operator=(const SpareConversation&) = delete;

  // Begins one, unless there is one. Never blocks. It is left again after its lifetime: a server isn't kept waiting for nothing.
  void Prepare() EXCLUDES(mutex_);
  // What was prepared, waiting for its beginning where that is under way; if that fails then: why. Nothing if there is none, it failed
  // before, or the other end has said something since: that it is gone.
  std::optional<Result<Conversation>> Take() EXCLUDES(mutex_);

 private:
  enum class State { kNone, kWanted, kBeginning, kThere, kStopping };
  void Run() EXCLUDES(mutex_);
  void Keep(Result<Conversation> begun) REQUIRES(mutex_);

  // Constant after construction.
  const Beginner begin_;
  const std::chrono::milliseconds lifetime_;
  std::thread thread_;  // since the first Prepare
  // Guarded by mutex_, a leaf.
  Mutex mutex_;
  CondVar changed_;
  State state_ GUARDED_BY(mutex_) = State::kNone;
  bool is_awaited_ GUARDED_BY(mutex_) = false;
  std::optional<Result<Conversation>> begun_ GUARDED_BY(mutex_);  // of kThere
  std::chrono::steady_clock::time_point end_ GUARDED_BY(mutex_);  // of its life
};

}  // namespace concordfs::vcs::git
