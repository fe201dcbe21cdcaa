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
#include "tools/announce.h"
#include "tools/death_guard.h"
#include "tools/mount_point.h"
#include "tools/remote_mount.h"
#include "tools/signal_thread.h"
#include "vcs/branch_name.h"
#include "vcs/git/default_branch.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

Result<std::string> FullRef(const MountRequest& request, const vcs::git::Repository& repository) {
  if (request.branch.starts_with(vcs::kBranchPrefix)) return request.branch;
  if (!request.branch.empty()) return std::string(vcs::kBranchPrefix) + request.branch;
  return vcs::git::DefaultBranch(repository.git_dir);
}

Result<void> FreeMountPoint(const MountRequest& request, const vcs::git::Repository& repository, LogTo log_to) {
  if (IsDeadMount(request.mountpoint)) {
    if (const auto unmounted = Unmount(request.mountpoint, Detach::kLazy); !unmounted) return unmounted.error();
    Announce(vcs::Quoted(request.mountpoint.native()) + ": unmounted what a dead daemon had left", log_to);
  }
  return CheckMountPoint(request.mountpoint, repository.git_dir);
}

// Makes up for a daemon that died: its lock of the branch, and its uncommitted content. What can't be done now is said
// and left for the next mount; it keeps nobody from working.
void ClearLockOfTheDead(const std::string& ref, const vcs::git::Repository& repository, LogTo log_to) {
  const auto cleared = vcs::git::ClearDeadLock(repository.git_dir, ref);
  if (!cleared) {
    Announce("lock of " + ref + ": " + cleared.error().message, log_to);
  } else if (*cleared) {
    Announce("lock of " + ref + ": removed, its owner is dead", log_to);
  }
}

void RecoverFromTheDead(vcs::git::Repository& repository, LogTo log_to) {
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

// `remote`: null if the branch is this repository's alone.
fs::FilesystemOptions OptionsOf(const MountRequest& request, const vcs::git::Repository& repository, std::string ref,
                                RemoteMount* remote) {
  fs::FilesystemOptions options;
  options.store = repository.store.get();
  if (remote != nullptr) {
    options.store = options.remote = &remote->store();
    options.remote_url = remote->url();
    options.parked_push = remote->parked();
  }
  options.git_dir = repository.git_dir;
  options.ref = std::move(ref);
  options.fixed_agent = request.agent;
  options.mountpoint = request.mountpoint.string();
  options.durability = DurabilityName(request.durability);
  options.read_only = request.read_only;
  options.max_file_size = request.max_file_size;
  options.cache_memory = request.cache_memory;
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
  if (report.unpushed > 0)
    spdlog::warn("{} commits are not on the remote yet; the next mount pushes them", report.unpushed);
  if (report.published + report.parked + report.kept == 0) return;
  spdlog::info("drained: {} published, {} parked, {} kept", report.published, report.parked, report.kept);
}

// Who waits for a remote that is silent takes a thread of the session each: there are to be more of them than of those
// who wait.
constexpr unsigned kRemoteThreads = 512;

fs::MountOptions SessionOptionsOf(const MountRequest& request, const vcs::git::Repository& repository) {
  fs::MountOptions options;
  options.mountpoint = request.mountpoint;
  options.source = repository.git_dir.native();
  options.allow_other = request.allow_other;
  options.read_only = request.read_only;
  options.passthrough = request.passthrough;
  options.fuse_options = request.fuse_options;
  if (!request.remote.empty()) options.max_threads = kRemoteThreads;
  return options;
}

// What comes before the first look at the branch. What a dead daemon had pushed and not heard of is fetched before its
// working copies are recovered, so that nothing of it is parked as if it were lost; what it had committed and not
// pushed yet is looked for before that loses to what is fetched.
Result<std::unique_ptr<RemoteMount>> PrepareBranch(const MountRequest& request, vcs::git::Repository& repository,
                                                   const std::string& ref, LogTo log_to) {
  if (!request.read_only) {
    ClearLockOfTheDead(ref, repository, log_to);
    if (!request.remote.empty()) ClearLockOfTheDead(SeenRef(ref), repository, log_to);
    vcs::git::StartMaintenance(repository, ref, [](const std::string& line) { spdlog::warn("maintenance: {}", line); });
  }
  std::unique_ptr<RemoteMount> remote;
  if (!request.remote.empty()) {
    auto opened = RemoteMount::Open(request, repository, ref);
    if (!opened) return opened.error();
    remote = *std::move(opened);
    const bool is_here_first = request.push == vcs::PushMode::kAsync;
    if (is_here_first && !request.read_only) RecoverFromTheDead(repository, log_to);
    if (auto synced = remote->FirstSync(log_to); !synced) return synced.error();
  }
  if (!request.read_only) RecoverFromTheDead(repository, log_to);
  return remote;
}

}  // namespace

Result<void> ServeMount(const MountRequest& request, LogTo log_to, const std::function<bool()>& on_mounted) {
  SignalThread::BlockSignals();
  const auto guard = DeathGuard::Start();
  if (!guard) return guard.error();
  std::signal(SIGPIPE, SIG_IGN);
  RaiseFileLimit();

  // Who writes nothing needs no journal.
  const auto durability = request.read_only ? vcs::git::Durability::kProcess : request.durability;
  if (!request.remote.empty()) {
    if (auto made = MakeMissingRepository(request); !made) return made;
  }
  auto repository = vcs::git::OpenRepository(request.repository, durability);
  if (!repository) return repository.error();
  StartLog(repository->git_dir, log_to);
  const auto ref = FullRef(request, *repository);
  if (!ref) return ref.error();
  if (const auto free = FreeMountPoint(request, *repository, log_to); !free) return free.error();
  const auto remote = PrepareBranch(request, *repository, *ref, log_to);
  if (!remote) return remote.error();

  auto filesystem = fs::Filesystem::Open(OptionsOf(request, *repository, *ref, remote->get()));
  if (!filesystem) return filesystem.error();
  WarnOfWorkingTree(*ref, *repository, log_to);
  auto session = fs::Session::Mount(**filesystem, SessionOptionsOf(request, *repository));
  if (!session) return session.error();
  (*guard)->Watch(request.mountpoint);
  spdlog::info("mounted {} of {} on {}", *ref, repository->git_dir.native(), request.mountpoint.native());

  Result<void> served;
  // From the moment when it is to end: a remote that is away isn't waited for.
  std::optional<vcs::RemoteStore::Haste> haste;
  {
    std::function<void()> sync;
    if (*remote) {
      (*remote)->Start();
      sync = [&] { (*remote)->store().AskNow(); };
    }
    const SignalThread signals(
        [&](int signal_number) {
          spdlog::info("stopping: {}", sigdescr_np(signal_number));
          if (*remote) haste.emplace((*remote)->store());
          DrainAndLog(**filesystem);
          (*session)->Stop();
        },
        sync);
    if (on_mounted()) served = (*session)->Serve();
  }
  if (*remote && !haste) haste.emplace((*remote)->store());
  DrainAndLog(**filesystem);
  (*filesystem)->Stop();  // its threads use the session's notifier
  if (*remote) (*remote)->Stop();
  session->reset();
  spdlog::info("unmounted {}", request.mountpoint.native());
  return served;
}

}  // namespace concordfs::tools
