// Which branch a repository calls its own.
#pragma once

#include <filesystem>
#include <string>

#include "vcs/result.h"

namespace concordfs::vcs::git {

// The full name of the branch that the repository's HEAD names ("refs/heads/main"), whether it has a commit or not.
// Errors: kNotFound (HEAD names a commit, not a branch), kIo. Threads: any; reads the disk.
// Source: gitrepository-layout(5), HEAD.
Result<std::string> DefaultBranch(const std::filesystem::path& git_dir);

}  // namespace concordfs::vcs::git
