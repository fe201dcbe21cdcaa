// What the git command of this machine is asked for: its configuration, and credentials.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/git/secret.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// All that `git ARGUMENTS` prints when it is given `input`; nothing of what it says besides, which may be anything. It asks nobody
// anything, by a terminal or a window, and belongs to no repository but one that the arguments name.
// Errors: kUnreachable (no git here, or no end of it in `patience`, after which it is killed). Blocks as long.
Result<Secret> AskGit(const std::vector<std::string>& arguments, std::string_view input, std::chrono::milliseconds patience);

}  // namespace concordfs::vcs::git
