// A mounted repository: started, watched, killed and unmounted.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/mount/support/process.h"

namespace concordfs::mounttest {

// Why nothing can be mounted here, in one sentence; empty if it can.
std::string WhyNoMounts();

// The value of an extended attribute; nothing if the file has none of that name or can't be asked.
std::optional<std::string> GetXattr(const std::filesystem::path& file, const std::string& name);

// `concordfs mount --foreground` as our child, so that its end and its exit status (a sanitizer's report) are seen.
// Threads: one.
class Mount {
 public:
  // Makes the mount point if it is missing, mounts and waits until the mount answers; otherwise the test fails. `launcher`: the
  // words of a command that runs another one in its own place, with that one's pid.
  Mount(std::filesystem::path repository, std::filesystem::path mountpoint, std::vector<std::string> arguments = {},
        Environment environment = {}, std::vector<std::string> launcher = {});
  // Unmounts, whatever state the test left.
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  const std::filesystem::path& path() const { return mountpoint_; }
  pid_t pid() const { return daemon_ ? daemon_->pid() : -1; }
  bool mounted() const { return daemon_ != nullptr; }
  bool DaemonRuns() { return daemon_ != nullptr && daemon_->Running(); }
  // All that the daemons of this mount wrote to their standard error.
  std::string Log() const;
  // `concordfs umount`; the daemon must end with status 0.
  void Unmount();
  // Ends the daemon as a crash does. The mount point then answers ENOTCONN.
  void Kill9();
  // Mounts again, after Unmount() or Kill9().
  void Remount();

 private:
  bool Answers();
  void Detach();

  std::filesystem::path repository_;
  std::filesystem::path mountpoint_;
  std::filesystem::path log_file_;
  std::vector<std::string> arguments_;
  Environment environment_;
  std::vector<std::string> launcher_;
  std::unique_ptr<Process> daemon_;
};

// Ends the daemons of all mounts of this process, so that whoever hangs on one comes back. Safe in a signal handler.
void AbortAllMounts();

}  // namespace concordfs::mounttest
