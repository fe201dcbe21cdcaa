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
#include <sstream>
#include <string>

#include "fs/descriptor.h"

namespace concordfs::tools {
namespace {

constexpr int kDeath = SIGUSR1;

// The kernel's number of the mount that the descriptor is on; 0 if it can't be found. Source: proc_pid_fdinfo(5).
int MountIdOf(int fd) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
  for (std::string word; info >> word;) {
    int id = 0;
    if (word == "mnt_id:" && info >> id) return id;
  }
  return 0;
}

// "36 35 0:52 / /mountpoint ...": 52. Empty if there is no such mount. Source: proc_pid_mountinfo(5).
std::string MinorOf(int mount_id) {
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    int id = 0;
    int parent = 0;
    std::string device;
    if (fields >> id >> parent >> device && id == mount_id) return device.substr(device.find(':') + 1);
  }
  return "";
}

// Neither path lookup nor O_PATH asks the file system.
fs::Descriptor OpenMount(const char* mountpoint) { return fs::Descriptor(open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC)); }

void EndConnection(const char* mountpoint, int mount_id) {
  const fs::Descriptor mount = OpenMount(mountpoint);
  if (!mount.is_open() || MountIdOf(mount.fd()) != mount_id) return;  // it is gone
  // The descriptor keeps it busy: so it ends the connection, and unmounts nothing.
  if (umount2(("/proc/self/fd/" + std::to_string(mount.fd())).c_str(), MNT_FORCE) == 0 || errno != EPERM) return;
  std::ofstream("/sys/fs/fuse/connections/" + MinorOf(mount_id) + "/abort") << "1\n";
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
  const fs::Descriptor mount = OpenMount(path.c_str());
  if (mount.is_open()) watched_->mount_id = MountIdOf(mount.fd());
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
