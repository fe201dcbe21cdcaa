// A thread that takes the signals that ask a daemon to stop.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <thread>

namespace concordfs::tools {

// From construction to destruction it waits for SIGTERM, SIGINT or SIGHUP and calls `on_stop` with the first one, on
// its own thread, where anything may be done: it is no signal handler. Later ones are taken and ignored: stopping is
// under way. The destructor waits for a call that runs. Where there is an `on_hang_up`, SIGHUP is not one that stops: it
// calls that, each time.
class SignalThread {
 public:
  // Blocks these signals on the calling thread and all that it will start. Call it before any is started: a thread
  // that does not block them would be killed by them.
  static void BlockSignals();

  explicit SignalThread(std::function<void(int signal_number)> on_stop, std::function<void()> on_hang_up = {});
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  void Run();

  // Constant after construction.
  std::function<void(int)> on_stop_;
  std::function<void()> on_hang_up_;
  // With their own synchronisation.
  std::atomic<bool> ending_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace concordfs::tools
