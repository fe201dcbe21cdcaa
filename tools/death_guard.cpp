#include "tools/death_guard.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>

#include "fs/descriptor.h"
#include "tools/mount_table.h"

namespace concordfs::tools {
namespace {

constexpr int kDeath = SIGUSR1;

void EndConnection(const std::string& mountpoint, int mount_id) {
  // Neither path lookup nor O_PATH asks the file system. The descriptor keeps it busy, so that it isn't unmounted.
  const fs::Descriptor root(open(mountpoint.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto mount = FindMount(mountpoint);
  if (!root.is_open() || !mount || !*mount || (*mount)->id != mount_id) return;  // it is gone
  if (umount2(("/proc/self/fd/" + std::to_string(root.fd())).c_str(), MNT_FORCE) == 0 || errno != EPERM) return;
  const std::string& device = (*mount)->device;
  std::ofstream("/sys/fs/fuse/connections/" + device.substr(device.find(':') + 1) + "/abort") << "1\n";
}

}  // namespace

struct DeathGuard::Watched {
  std::atomic<int> mount_id{0};  // 0: nothing yet
  char mountpoint[PATH_MAX]{};
};

Result<std::unique_ptr<DeathGuard>> DeathGuard::Start() {
  void* const shared = mmap(nullptr, sizeof(Watched), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return SystemError("guard", errno);
  auto* const watched = new (shared) Watched;
  const pid_t daemon = getpid();
  const pid_t guard = fork();
  if (guard < 0) {
    const int number = errno;
    munmap(shared, sizeof(Watched));
    return SystemError("guard", number);
  }
  if (guard == 0) AwaitDeath(*watched, daemon);
  return std::unique_ptr<DeathGuard>(new DeathGuard(watched, guard));
}

DeathGuard::~DeathGuard() {
  kill(guard_, SIGKILL);
  while (waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
  }
  munmap(watched_, sizeof(Watched));
}

void DeathGuard::Watch(const std::filesystem::path& mountpoint) {
  const std::string& path = mountpoint.native();
  if (path.size() >= sizeof(watched_->mountpoint)) return;  // nobody could open it
  path.copy(watched_->mountpoint, path.size());
  if (const auto mount = FindMount(mountpoint); mount && *mount) watched_->mount_id = (*mount)->id;
}

void DeathGuard::AwaitDeath(const Watched& watched, pid_t daemon) {
  // Whoever waits for the end of what the daemon writes doesn't wait for us, and nothing is kept from being unmounted.
  close_range(0, ~0U, 0);
  if (chdir("/") != 0) _exit(1);
  prctl(PR_SET_NAME, "concordfs-guard");
  sigset_t death;
  sigemptyset(&death);
  sigaddset(&death, kDeath);
  sigprocmask(SIG_BLOCK, &death, nullptr);
  prctl(PR_SET_PDEATHSIG, kDeath);
  int signal_number = 0;
  if (getppid() == daemon) sigwait(&death, &signal_number);
  if (watched.mount_id != 0) EndConnection(watched.mountpoint, watched.mount_id);
  _exit(0);
}

}  // namespace concordfs::tools
