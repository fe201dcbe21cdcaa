// Parked work on its way to the remote, so that it can be had on another machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <thread>

#include "vcs/mutex.h"
#include "vcs/remote.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs {

struct ParkedPushOptions {
  std::chrono::milliseconds first_pause{1'000};  // after a failure; twice as long after each, up to longest_pause
  std::chrono::milliseconds longest_pause{60'000};
  // Hears of each change that the remote doesn't take, and of failures that are new; one line. Any thread. May be empty.
  std::function<void(const std::string&)> log;
};

struct ParkedPushStatus {
  std::uint64_t pushed = 0;    // since the mount
  std::uint64_t declined = 0;  // the same; they are not tried again before the next mount
  std::uint64_t waiting = 0;
  std::string last_error;      // empty: none yet, or over
};

// Everything under kRejectedPrefix is made there under the same name, and nothing is ever overwritten or removed. On a thread, and by
// connections, of its own: whatever a remote makes of it, no publication waits. Threads: any.
class ParkedPush {
 public:
  ParkedPush(Store& local, RemoteRefs& remote, ParkedPushOptions options);
  ~ParkedPush();  // Stop()
  ParkedPush(const ParkedPush&) = delete;
  ParkedPush& operator=(const ParkedPush&) = delete;

  // Starts with all that is parked. Once.
  void Start();
  // Something was parked. Never blocks.
  void Notice() EXCLUDES(mutex_);
  // Ends the thread; what waits is tried once more, if the last attempt didn't fail.
  void Stop() EXCLUDES(turn_, mutex_);
  // Makes what the remote lacks; one attempt. Errors: those of RemoteRefs but for kDeclined and kExists; of Store.
  Result<void> PushAll() EXCLUDES(turn_, mutex_);
  ParkedPushStatus status() const EXCLUDES(mutex_);

 private:
  void Run();
  // True: there is something to do. False: it is the end.
  bool AwaitTurn() EXCLUDES(mutex_);
  void NoteTurn(const Result<void>& done) EXCLUDES(mutex_);
  Result<void> PushOne(const Ref& ref) REQUIRES(turn_) EXCLUDES(mutex_);

  // Constant after construction.
  Store& local_;
  RemoteRefs& remote_;
  const ParkedPushOptions options_;
  std::thread thread_;
  // Held during an attempt, so during network and disk operations. Before mutex_.
  Mutex turn_ ACQUIRED_BEFORE(mutex_);
  std::set<std::string> done_ GUARDED_BY(turn_);  // names of refs that need nothing more
  bool listed_ GUARDED_BY(turn_) = false;         // what the remote had at first is in done_
  // Guarded by mutex_; a leaf.
  mutable Mutex mutex_;
  CondVar wake_;
  ParkedPushStatus status_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool has_work_ GUARDED_BY(mutex_) = true;
  bool failed_ GUARDED_BY(mutex_) = false;
  std::chrono::milliseconds pause_ GUARDED_BY(mutex_){0};  // 0: the last attempt went well
  std::chrono::steady_clock::time_point not_before_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::vcs
