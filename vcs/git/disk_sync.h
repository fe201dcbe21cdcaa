// Makes what was written survive a power cut.
#pragma once

#include <string>

#include "vcs/result.h"

namespace concordfs::vcs::git {

// A file's content, or a folder's entries. Blocks on disk. Errors: those of WriteSystemError; kNotFound.
Result<void> Sync(const std::string& path);
// All of the file system that the folder is in. Blocks on disk. Errors: those of WriteSystemError; kNotFound.
Result<void> SyncFileSystem(const std::string& folder);

}  // namespace concordfs::vcs::git
