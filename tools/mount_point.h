// The directory that is mounted on: checks before a mount, and unmounting.
#pragma once

#include <filesystem>

#include "vcs/result.h"

namespace concordfs::tools {

// The absolute path without symbolic links; works for a mount point that can't be looked into, too.
// Errors: kNotFound, and those of resolving a path.
Result<std::filesystem::path> ResolveMountPoint(const std::filesystem::path& path);

// True if a concordfs was mounted on this resolved path and its daemon is gone (every access is ENOTCONN).
bool IsDeadMount(const std::filesystem::path& mountpoint);

// Whether a resolved path can be mounted on: a directory, empty, nothing mounted on it, and outside the repository's
// own folder `git_dir`. Errors: kNotFound, kNotDirectory, kNotEmpty, kExists (mounted), kInvalidArgument, each with
// one sentence for people.
Result<void> CheckMountPoint(const std::filesystem::path& mountpoint, const std::filesystem::path& git_dir);

enum class Detach {
  kNo,    // fails while files are open there
  kLazy,  // takes the name away now, the rest when the last file is closed
};

// Unmounts a resolved path: by umount2(2), or by fusermount3 where that is not allowed.
// Errors: kExists (busy: something uses it still; only with Detach::kNo), kAccess, kIo.
Result<void> Unmount(const std::filesystem::path& mountpoint, Detach detach);

}  // namespace concordfs::tools
