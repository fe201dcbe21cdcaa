// git's own judgement of trees.
#pragma once

#include <string>
#include <vector>

namespace concordfs::testing {

// For each tree (a tree object's bytes; its entries name the empty blob, EmptyBlob()) whether `git fsck --strict`
// accepts it. Runs the program `git` in a temporary repository. Throws std::runtime_error if that is not possible.
std::vector<bool> JudgedByGit(const std::vector<std::string>& trees);

// The id of the empty blob, as the 20 bytes of a tree's entry.
std::string EmptyBlob();

}  // namespace concordfs::testing
