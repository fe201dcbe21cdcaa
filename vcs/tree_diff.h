// What differs between two trees, file by file.
#pragma once

#include <optional>
#include <vector>

#include "vcs/object_id.h"
#include "vcs/repo_path.h"
#include "vcs/result.h"
#include "vcs/tree.h"
#include "vcs/tree_reader.h"

namespace concordfs::vcs {

// A file, symlink or submodule that came, went or became another one. Never a directory.
struct PathChange {
  RepoPath path;
  std::optional<TreeEntry> before;  // nothing: it wasn't there, or was a directory
  std::optional<TreeEntry> after;   // nothing: it isn't there, or is a directory
};

// By directories, parents first; trees that are the same are not entered. Errors: those of TreeReader::Load; kInvalidName,
// kNameTooLong (a name in the trees that RepoPath doesn't take).
Result<std::vector<PathChange>> DiffTrees(TreeReader& trees, const ObjectId& before, const ObjectId& after);

}  // namespace concordfs::vcs
