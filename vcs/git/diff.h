// What changed at one path between two commits, as text.
#pragma once

#include <filesystem>
#include <string>

#include "vcs/object_id.h"
#include "vcs/repo_path.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// The unified diff of `path` from commit `from` to commit `to`, as `git diff` prints it: with modes, symbolic links as
// their targets, "Binary files differ" for what is no text or is over 64 MB. Empty if they hold the same there. The
// zero id for `from` stands for nothing at all. Of a path that is a directory in one of them: the files in it, too.
// Errors: kNotFound, kCorrupt (an object), kIo. Threads: any; blocks on disk.
Result<std::string> UnifiedDiff(const std::filesystem::path& git_dir, const ObjectId& from, const ObjectId& to,
                                const RepoPath& path);

}  // namespace concordfs::vcs::git
