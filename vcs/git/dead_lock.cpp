// ClearDeadLock.
//
// A lock file says nothing about its owner. But libgit2 and git make it, write it, close it and rename it within
// milliseconds. So its owner is alive if a process has it open, if a git process works in the repository, or if
// it is gone or another one a moment later.
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string_view>
#include <thread>

#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"
#include "vcs/git/handles.h"
#include "vcs/git/ref_database.h"
#include "vcs/git/repository_pool.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::chrono::milliseconds kMoment{200};

// Calls `visit` with each entry's name until it returns true. Returns whether it did.
bool AnyEntry(const std::string& folder, const std::function<bool(const char*)>& visit) {
  const DirHandle dir(::opendir(folder.c_str()));
  if (!dir) return false;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] != '.' && visit(entry->d_name)) return true;
  }
  return false;
}

std::string ReadLink(const std::string& path) {
  std::array<char, 4096> target;
  const ssize_t count = ::readlink(path.c_str(), target.data(), target.size());
  return count < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(count));
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool IsWithin(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// Looks at one process. Never stats what another process has open: that could be a file of a mount that hangs.
class Suspect {
 public:
  Suspect(std::string proc, const std::filesystem::path& git_dir) : proc_(std::move(proc)), git_dir_(git_dir.string()) {
    work_tree_ = git_dir.filename() == ".git" ? git_dir.parent_path().string() : git_dir_;
  }

  bool HasOpen(const std::string& lock) const {
    return AnyEntry(proc_ + "/fd", [&](const char* fd) { return ReadLink(proc_ + "/fd/" + fd) == lock; });
  }

  // Whether it is a git command that works in the repository, as far as we may see: where in doubt, it is.
  bool IsGitAtWork() const {
    if (!ReadText(proc_ + "/comm").starts_with("git")) return false;
    const std::string cwd = ReadLink(proc_ + "/cwd");
    if (cwd.empty()) return errno == EACCES || errno == EPERM;  // another user's; otherwise it has just ended
    if (IsWithin(cwd, work_tree_) || IsWithin(cwd, git_dir_)) return true;
    if (ReadText(proc_ + "/cmdline").find(work_tree_) != std::string::npos) return true;
    if (ReadText(proc_ + "/environ").find(work_tree_) != std::string::npos) return true;
    return AnyEntry(proc_ + "/fd", [&](const char* fd) { return IsWithin(ReadLink(proc_ + "/fd/" + fd), git_dir_); });
  }

 private:
  const std::string proc_;
  const std::string git_dir_;
  std::string work_tree_;
};

bool OwnerMayLive(const std::string& lock, const std::filesystem::path& git_dir) {
  return AnyEntry("/proc", [&](const char* name) {
    if (name[0] < '0' || name[0] > '9') return false;
    const Suspect suspect(std::string("/proc/") + name, git_dir);
    return suspect.HasOpen(lock) || suspect.IsGitAtWork();
  });
}

bool IsSameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

// Removes one lock file if its owner is dead.
Result<bool> Clear(const std::string& lock, const std::filesystem::path& git_dir) {
  struct stat before;
  if (::lstat(lock.c_str(), &before) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return WriteSystemError(errno, lock);
  }
  if (OwnerMayLive(lock, git_dir)) return false;
  std::this_thread::sleep_for(kMoment);
  if (OwnerMayLive(lock, git_dir)) return false;
  struct stat after;
  if (::lstat(lock.c_str(), &after) != 0 || !IsSameFile(before, after)) return false;
  if (::unlink(lock.c_str()) != 0 && errno != ENOENT) return WriteSystemError(errno, "remove " + lock);
  return true;
}

}  // namespace

Result<bool> ClearDeadLock(const std::filesystem::path& git_dir, const std::string& ref) {
  InitLibrary();
  if (auto valid = CheckRefName(ref); !valid) return valid.error();
  std::error_code failure;
  const std::filesystem::path canonical = std::filesystem::canonical(git_dir, failure);
  if (failure) return SystemError(git_dir.string(), failure.value());
  bool cleared = false;
  for (const std::string& name : {ref, std::string("packed-refs")}) {
    auto one = Clear((canonical / (name + ".lock")).string(), canonical);
    if (!one) return one;
    cleared = cleared || *one;
  }
  return cleared;
}

}  // namespace concordfs::vcs::git
