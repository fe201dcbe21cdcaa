#include "tools/daemon.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "fs/filesystem.h"
#include "fs/fuse/session.h"
#include "tools/complaint.h"
#include "tools/mount_point.h"
#include "tools/signal_thread.h"
#include "vcs/git/default_branch.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

constexpr std::string_view kBranchPrefix = "refs/heads/";

// To the user, who may be gone later, and to the log, which isn't there yet for the user.
void Announce(const std::string& message, LogTo log_to) {
  spdlog::info("{}", message);
  if (log_to == LogTo::kFile) Complain(message);  // else the log is on stderr already
}

Result<std::string> FullRef(const MountRequest& request, const vcs::git::Repository& repository) {
  if (request.branch.starts_with(kBranchPrefix)) return request.branch;
  if (!request.branch.empty()) return std::string(kBranchPrefix) + request.branch;
  return vcs::git::DefaultBranch(repository.git_dir);
}

Result<void> FreeMountPoint(const MountRequest& request, const vcs::git::Repository& repository, LogTo log_to) {
  if (IsDeadMount(request.mountpoint)) {
    if (const auto unmounted = Unmount(request.mountpoint, Detach::kLazy); !unmounted) return unmounted.error();
    Announce(vcs::Quoted(request.mountpoint.native()) + ": unmounted what a dead daemon had left", log_to);
  }
  return CheckMountPoint(request.mountpoint, repository.git_dir);
}

// Makes up for a daemon that died: its lock of the branch, its uncommitted content. What can't be done now is said
// and left for the next mount; it keeps nobody from working.
void CleanUpAfterTheDead(const std::string& ref, vcs::git::Repository& repository, LogTo log_to) {
  const auto cleared = vcs::git::ClearDeadLock(repository.git_dir, ref);
  if (!cleared) {
    Announce("lock of " + ref + ": " + cleared.error().message, log_to);
  } else if (*cleared) {
    Announce("lock of " + ref + ": removed, its owner is dead", log_to);
  }
  const auto recovered = fs::RecoverWorkingCopies(*repository.store, repository.git_dir);
  if (!recovered) {
    Announce("recovery: " + recovered.error().message, log_to);
    return;
  }
  for (const fs::Recovered& item : *recovered) {
    if (item.ref.empty()) {
      spdlog::info("recovery: {} of {} had been published", vcs::Quoted(item.path), item.agent);
    } else {
      Announce("recovered: " + vcs::Quoted(item.path) + " of " + item.agent + ", as " + item.ref, log_to);
    }
  }
}

void WarnOfWorkingTree(const std::string& ref, const vcs::git::Repository& repository, LogTo log_to) {
  if (repository.bare) return;
  const auto checked_out = vcs::git::DefaultBranch(repository.git_dir);
  if (!checked_out || *checked_out != ref) return;
  Announce(ref + ": is checked out in the repository's working tree, which will not follow the mount's commits",
           log_to);
}

fs::FilesystemOptions OptionsOf(const MountRequest& request, const vcs::git::Repository& repository, std::string ref) {
  fs::FilesystemOptions options;
  options.store = repository.store.get();
  options.git_dir = repository.git_dir;
  options.ref = std::move(ref);
  options.fixed_agent = request.agent;
  options.mountpoint = request.mountpoint.string();
  options.durability = DurabilityName(request.durability);
  options.read_only = request.read_only;
  options.max_file_size = request.max_file_size;
  options.uid = request.uid;
  options.gid = request.gid;
  options.scratch_patterns = request.scratch;
  if (!request.default_temporaries) options.temporaries.clear();
  options.temporaries.insert(options.temporaries.end(), request.temporaries.begin(), request.temporaries.end());
  return options;
}

// Open files take descriptors, and where file handles can't be used, so does each scratch file that the kernel knows.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t most = 0;
  if (std::ifstream("/proc/sys/fs/nr_open") >> most && most > limit.rlim_max) {
    const rlimit raised{most, most};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  }
  limit.rlim_cur = limit.rlim_max;  // more isn't ours to take
  setrlimit(RLIMIT_NOFILE, &limit);
}

void DrainAndLog(fs::Filesystem& filesystem) {
  const fs::DrainReport report = filesystem.Drain();
  if (report.published + report.parked + report.kept == 0) return;
  spdlog::info("drained: {} published, {} parked, {} kept", report.published, report.parked, report.kept);
}

}  // namespace

Result<void> ServeMount(const MountRequest& request, LogTo log_to, const std::function<bool()>& on_mounted) {
  SignalThread::BlockSignals();
  std::signal(SIGPIPE, SIG_IGN);
  RaiseFileLimit();

  auto repository = vcs::git::OpenRepository(request.repository, request.durability);
  if (!repository) return repository.error();
  StartLog(repository->git_dir, log_to);
  const auto ref = FullRef(request, *repository);
  if (!ref) return ref.error();
  if (const auto free = FreeMountPoint(request, *repository, log_to); !free) return free.error();
  if (!request.read_only) CleanUpAfterTheDead(*ref, *repository, log_to);

  auto filesystem = fs::Filesystem::Open(OptionsOf(request, *repository, *ref));
  if (!filesystem) return filesystem.error();
  WarnOfWorkingTree(*ref, *repository, log_to);
  fs::MountOptions options;
  options.mountpoint = request.mountpoint;
  options.source = repository->git_dir.native();
  options.allow_other = request.allow_other;
  options.read_only = request.read_only;
  options.passthrough = request.passthrough;
  options.fuse_options = request.fuse_options;
  auto session = fs::Session::Mount(**filesystem, options);
  if (!session) return session.error();
  spdlog::info("mounted {} of {} on {}", *ref, repository->git_dir.native(), request.mountpoint.native());

  Result<void> served;
  {
    const SignalThread signals([&](int signal_number) {
      spdlog::info("stopping: {}", sigdescr_np(signal_number));
      DrainAndLog(**filesystem);
      (*session)->Stop();
    });
    if (on_mounted()) served = (*session)->Serve();
  }
  DrainAndLog(**filesystem);
  (*filesystem)->Stop();  // its threads use the session's notifier
  session->reset();
  spdlog::info("unmounted {}", request.mountpoint.native());
  return served;
}

}  // namespace concordfs::tools
