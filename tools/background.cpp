#include "tools/background.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <future>
#include <string>

#include "tools/complaint.h"
#include "tools/daemon.h"
#include "tools/exit_status.h"
#include "tools/mount_point.h"
#include "tools/mount_xattr.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

constexpr std::chrono::seconds kAnswerTimeout{60};
constexpr int kReportFd = 3;
constexpr std::string_view kMounted = "mounted";  // anything else on the pipe is an error's text

// False if nobody reads it.
bool Report(std::string_view text) {
  return write(kReportFd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Cuts the ties to the terminal; what is said from here on is in the log.
void Silence() {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
  if (null > STDERR_FILENO) close(null);
}

[[noreturn]] void RunDaemon(const MountRequest& request, int report_fd) {
  setsid();
  // A descriptor of the caller that stays open here would keep its pipes and files open as long as the mount lives.
  if (report_fd != kReportFd) dup2(report_fd, kReportFd);
  close_range(kReportFd + 1, ~0U, 0);
  fcntl(kReportFd, F_SETFD, FD_CLOEXEC);
  // The folder that we were started in must not be kept busy.
  if (chdir("/") != 0) _exit(kExitFailure);
  bool reported = false;
  const auto served = ServeMount(request, LogTo::kFile, [&] {
    reported = true;
    const bool wanted = Report(kMounted);
    close(kReportFd);
    Silence();
    return wanted;
  });
  if (!reported) Report(served ? "the mount ended" : served.error().message);
  std::exit(served ? kExitOk : kExitFailure);
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(size));
  }
}

Error HowItDied(const MountRequest& request, pid_t daemon) {
  int status = 0;
  while (waitpid(daemon, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string why = WIFSIGNALED(status) ? "the daemon was killed by signal " + std::to_string(WTERMSIG(status))
                                              : "the daemon ended with status " + std::to_string(WEXITSTATUS(status));
  return MakeError(Code::kIo, vcs::Quoted(request.mountpoint.native()), why + " before it had mounted");
}

// The kernel knows the mount when the daemon says so; it is usable when the daemon answers through it.
Result<void> AwaitAnswer(const MountRequest& request, pid_t daemon) {
  auto answer = std::async(std::launch::async, [&] { return ReadMountXattr(request.mountpoint, kPidXattr); });
  const bool in_time = answer.wait_for(kAnswerTimeout) == std::future_status::ready;
  if (in_time && answer.get().ok()) return {};
  // Its end fails whatever waits for it, so that the thread above ends too.
  kill(daemon, SIGKILL);
  const Error died = HowItDied(request, daemon);
  if (const auto unmounted = Unmount(request.mountpoint, Detach::kLazy); !unmounted)
    Complain(unmounted.error().message);
  return in_time ? died
                 : MakeError(Code::kIo, vcs::Quoted(request.mountpoint.native()), "the daemon did not answer in time");
}

}  // namespace

Result<void> ServeInBackground(const MountRequest& request) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("pipe", errno);
  const pid_t daemon = fork();
  if (daemon < 0) return SystemError("fork", errno);
  if (daemon == 0) {
    RunDaemon(request, ends[1]);
  }
  close(ends[1]);
  const std::string report = ReadAll(ends[0]);
  close(ends[0]);
  if (report == kMounted) return AwaitAnswer(request, daemon);
  if (report.empty()) return HowItDied(request, daemon);
  return Error{Code::kIo, report};
}

}  // namespace concordfs::tools
