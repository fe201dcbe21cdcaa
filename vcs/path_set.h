// Paths, for those who must keep off them.
#pragma once

#include <set>
#include <string>

#include "vcs/repo_path.h"

namespace concordfs::vcs {

// Threads: one at a time.
class PathSet {
 public:
  void Add(const RepoPath& path) { paths_.insert(path.text()); }

  // Is the path in it, or one above or below it?
  bool Touches(const RepoPath& path) const {
    for (RepoPath at = path; !at.IsRoot(); at = at.Parent()) {
      if (paths_.contains(at.text())) return true;
    }
    const std::string folder = path.text() + '/';
    const auto below = paths_.lower_bound(folder);
    return below != paths_.end() && below->starts_with(folder);
  }

 private:
  std::set<std::string> paths_;
};

}  // namespace concordfs::vcs
