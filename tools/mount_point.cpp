#include "tools/mount_point.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "tools/complaint.h"
#include "tools/mount_table.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

std::string Shown(const std::filesystem::path& path) {
  return vcs::Quoted(path.native());
}

// Runs fusermount3 quietly. Returns its exit status, or 127 if it can't be run.
int RunFusermount(const std::filesystem::path& mountpoint, Detach detach) {
  std::vector<std::string> words = {"fusermount3", "-q", detach == Detach::kLazy ? "-uz" : "-u", "--",
                                    mountpoint.native()};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return 127;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

bool IsInside(const std::filesystem::path& path, const std::filesystem::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

}  // namespace

Result<std::filesystem::path> ResolveMountPoint(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::path resolved = std::filesystem::canonical(path, failed);
  if (!failed) return resolved;
  if (failed.value() == ENOENT) return MakeError(Code::kNotFound, Shown(path), "no such directory");
  // Nothing can be asked of a dead mount itself, nor by root of another user's; but its parent can be.
  if (failed.value() != ENOTCONN && failed.value() != EACCES) return SystemError(Shown(path), failed.value());
  std::filesystem::path named = std::filesystem::absolute(path).lexically_normal();
  if (!named.has_filename()) named = named.parent_path();
  const auto parent = std::filesystem::canonical(named.parent_path(), failed);
  if (failed) return SystemError(Shown(path), failed.value());
  return parent / named.filename();
}

bool IsDeadMount(const std::filesystem::path& mountpoint) {
  struct statvfs status {};  // not stat: the kernel may still answer that from its cache
  if (statvfs(mountpoint.c_str(), &status) == 0 || errno != ENOTCONN) return false;
  const auto mount = FindMount(mountpoint);
  return mount && mount->has_value() && (*mount)->type == kMountType;
}

Result<void> CheckMountPoint(const std::filesystem::path& mountpoint, const std::filesystem::path& git_dir) {
  const auto mount = FindMount(mountpoint);
  if (!mount) return mount.error();
  if (mount->has_value()) {
    return MakeError(Code::kExists, Shown(mountpoint),
                     (*mount)->type == kMountType ? "is mounted already, from " + vcs::Quoted((*mount)->source)
                                                  : "something else is mounted there");
  }
  std::error_code failed;
  const auto status = std::filesystem::status(mountpoint, failed);
  if (status.type() == std::filesystem::file_type::not_found) {
    return MakeError(Code::kNotFound, Shown(mountpoint), "no such directory");
  }
  if (failed) return SystemError(Shown(mountpoint), failed.value());
  if (!std::filesystem::is_directory(status))
    return MakeError(Code::kNotDirectory, Shown(mountpoint), "not a directory");
  const bool empty = std::filesystem::is_empty(mountpoint, failed);
  if (failed) return SystemError(Shown(mountpoint), failed.value());
  if (!empty) return MakeError(Code::kNotEmpty, Shown(mountpoint), "the directory is not empty");
  if (IsInside(mountpoint, git_dir)) {
    return MakeError(Code::kInvalidArgument, Shown(mountpoint), "a repository can't be mounted inside itself");
  }
  return {};
}

Result<void> Unmount(const std::filesystem::path& mountpoint, Detach detach) {
  const int flags = UMOUNT_NOFOLLOW | (detach == Detach::kLazy ? MNT_DETACH : 0);
  if (umount2(mountpoint.c_str(), flags) == 0) return {};
  if (errno == EBUSY) return MakeError(Code::kExists, Shown(mountpoint), "busy");
  if (errno != EPERM) return SystemError(Shown(mountpoint), errno);
  const int status = RunFusermount(mountpoint, detach);
  if (status == 0) return {};
  if (status == 127) return MakeError(Code::kAccess, "fusermount3", "can't be run, and only root unmounts without it");
  // It doesn't say why, and it is busy far more often than anything else. A lazy attempt will tell.
  if (detach == Detach::kNo) return MakeError(Code::kExists, Shown(mountpoint), "busy");
  return MakeError(Code::kAccess, Shown(mountpoint), "fusermount3 could not unmount it");
}

}  // namespace concordfs::tools
