// What is kept of one branch is in a folder of its own.
#pragma once

#include <string>

namespace concordfs::fs {

// A branch as the name of a folder, another one for each: "feature/x" is feature%2Fx. `ref` is its full name, of any bytes
// and any length; the same in every program that ever opens the repository.
std::string BranchFolderName(const std::string& ref);

}  // namespace concordfs::fs
