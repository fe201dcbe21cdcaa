#include "vcs/git/disk_sync.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "vcs/git/git_error.h"
#include "vcs/git/handles.h"

namespace concordfs::vcs::git {

Result<void> Sync(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok() || ::fsync(file.get()) != 0) return WriteSystemError(errno, "sync " + path);
  return {};
}

Result<void> SyncFileSystem(const std::string& folder) {
  const FileDescriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.ok() || ::syncfs(directory.get()) != 0) return WriteSystemError(errno, "sync " + folder);
  return {};
}

}  // namespace concordfs::vcs::git
