#include "tests/mount/support/mount.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "tests/mount/support/temp_dir.h"

namespace concordfs::mounttest {
namespace {

// The daemons that run now, where a signal handler can read them.
std::array<std::atomic<pid_t>, 16> running_daemons;

void Remember(pid_t pid) {
  for (auto& slot : running_daemons) {
    pid_t none = 0;
    if (slot.compare_exchange_strong(none, pid)) return;
  }
}

void ForgetDaemon(pid_t pid) {
  for (auto& slot : running_daemons) {
    pid_t expected = pid;
    slot.compare_exchange_strong(expected, 0);
  }
}

}  // namespace

void AbortAllMounts() {
  for (auto& slot : running_daemons) {
    if (const pid_t pid = slot.load(); pid > 0) kill(pid, SIGKILL);
  }
}

std::string WhyNoMounts() {
  if (geteuid() != 0) return "The mount tests need root: run them as root.";
  const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) return std::string("The mount tests need /dev/fuse, which can't be opened: ") + std::strerror(errno);
  close(device);
  return "";
}

std::optional<std::string> GetXattr(const std::filesystem::path& file, const std::string& name) {
  std::string value(65536, '\0');
  const ssize_t size = lgetxattr(file.c_str(), name.c_str(), value.data(), value.size());
  if (size < 0) return std::nullopt;
  value.resize(static_cast<std::size_t>(size));
  return value;
}

Mount::Mount(std::filesystem::path repository, std::filesystem::path mountpoint, std::vector<std::string> arguments,
             Environment environment, std::vector<std::string> launcher)
    : repository_(std::move(repository)),
      mountpoint_(std::move(mountpoint)),
      log_file_(mountpoint_.string() + ".log"),
      arguments_(std::move(arguments)),
      environment_(std::move(environment)),
      launcher_(std::move(launcher)) {
  std::filesystem::create_directories(mountpoint_);
  Remount();
}

Mount::~Mount() {
  if (daemon_ != nullptr && !daemon_->Running()) {
    ADD_FAILURE() << "the daemon ended by itself, " << daemon_->Wait() << Log();
    ForgetDaemon(daemon_->pid());
    daemon_.reset();
  }
  if (daemon_ != nullptr) Unmount();
  Detach();
}

std::string Mount::Log() const {
  return std::filesystem::exists(log_file_) ? ReadFile(log_file_) : "";
}

bool Mount::Answers() {
  // A dead daemon's mount point is still in the mount table: ask who answers.
  return GetXattr(mountpoint_, "user.concordfs.pid") == std::to_string(daemon_->pid());
}

void Mount::Remount() {
  std::vector<std::string> argv = launcher_;
  argv.insert(argv.end(), {CONCORDFS_BINARY, "mount", repository_, mountpoint_, "--foreground"});
  argv.insert(argv.end(), arguments_.begin(), arguments_.end());
  daemon_ =
      std::make_unique<Process>(ProcessSpec{.argv = argv, .cwd = "/", .environment = environment_, .output_file = log_file_});
  Remember(daemon_->pid());
  Eventually([this] { return !daemon_->Running() || Answers(); }, kTimeLimit);
  if (daemon_->Running() && Answers()) return;
  ADD_FAILURE() << "the mount does not answer: " << Log();
  daemon_->Kill(SIGKILL);
  daemon_->Wait();
  ForgetDaemon(daemon_->pid());
  daemon_.reset();
}

void Mount::Unmount() {
  if (daemon_ == nullptr) return;
  const Outcome unmounted = Concordfs({"umount", mountpoint_});
  EXPECT_EQ(unmounted.status, 0) << "concordfs umount: " << unmounted;
  if (unmounted.status != 0) daemon_->Kill(SIGTERM);
  const Outcome ended = daemon_->Wait(Milliseconds(30'000));
  EXPECT_EQ(ended.status, 0) << "the daemon's end: " << Log();
  ForgetDaemon(daemon_->pid());
  daemon_.reset();
  Detach();
}

void Mount::Kill9() {
  daemon_->Kill(SIGKILL);
  daemon_->Wait();
  ForgetDaemon(daemon_->pid());
  daemon_.reset();
}

void Mount::Detach() {
  while (umount2(mountpoint_.c_str(), MNT_DETACH) == 0) {
  }
}

}  // namespace concordfs::mounttest
