#include "tools/signal_thread.h"

#include <csignal>
#include <utility>

namespace concordfs::tools {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

void SignalThread::BlockSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

SignalThread::SignalThread(std::function<void(int)> on_stop, std::function<void()> on_hang_up)
    : on_stop_(std::move(on_stop)), on_hang_up_(std::move(on_hang_up)), thread_([this] { Run(); }) {}

SignalThread::~SignalThread() {
  ending_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);  // wakes its sigwait
  thread_.join();
}

void SignalThread::Run() {
  const sigset_t signals = StopSignals();
  bool called = false;
  for (;;) {
    int signal_number = 0;
    if (sigwait(&signals, &signal_number) != 0) continue;
    if (ending_) return;
    if (signal_number == SIGHUP && on_hang_up_) {
      if (!called) on_hang_up_();
      continue;
    }
    if (std::exchange(called, true)) continue;
    on_stop_(signal_number);
  }
}

}  // namespace concordfs::tools
