// The names that most tests use: paths that are known to be well-formed, and the branch.
#pragma once

#include <string>

#include "vcs/repo_path.h"

namespace concordfs::testing {

constexpr char kMain[] = "refs/heads/main";

inline vcs::RepoPath Path(const std::string& text) {
  return *vcs::RepoPath::Parse(text);
}

}  // namespace concordfs::testing
