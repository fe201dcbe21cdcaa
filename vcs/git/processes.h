// The other processes of this machine, as far as /proc shows them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace concordfs::vcs::git {

// Their folders: /proc/123.
std::vector<std::filesystem::path> OtherProcesses();

// Is one of them a `git fsck` of this repository: one that names it, or works in it or its working tree, as every `git
// -C` does? Costs some microseconds a process.
bool GitFsckRuns(const std::string& git_dir);

}  // namespace concordfs::vcs::git
