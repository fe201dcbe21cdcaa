// Ends the connection of a daemon that was killed, where the kernel can't.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>

#include "vcs/result.h"

namespace concordfs::tools {

// A daemon that is killed closes its device, and the kernel ends the connection: who waits for it gets ENOTCONN. But a thread of it that
// was just telling the kernel what to forget may wait there, in a way that no signal ends, for the lock of a directory; an agent has it, who
// waits for an answer of the daemon. That thread keeps the device open, and all of them would wait for ever. So a process of its own, which
// has nothing open, hears of the death, and ends the connection. The mount stays, and answers ENOTCONN, as after any such death.
//
// Only root can end it, and where fusectl is mounted, whoever mounted.
class DeathGuard {
 public:
  // Forks. Call it in a process with one thread, which must live as long as the process: its death counts. Errors: kIo.
  static Result<std::unique_ptr<DeathGuard>> Start();
  // What ends in order needs no guard any more.
  ~DeathGuard();
  DeathGuard(const DeathGuard&) = delete;
  DeathGuard& operator=(const DeathGuard&) = delete;

  // What is mounted there now is guarded from now on. Once.
  void Watch(const std::filesystem::path& mountpoint);

 private:
  struct Watched;
  DeathGuard(Watched* watched, pid_t guard) : watched_(watched), guard_(guard) {}
  [[noreturn]] static void AwaitDeath(const Watched& watched, pid_t daemon);

  Watched* const watched_;  // shared with the guard
  const pid_t guard_;
};

}  // namespace concordfs::tools
