// Putting a parked change back.
#pragma once

#include <filesystem>

#include "vcs/repo_path.h"
#include "vcs/result.h"
#include "vcs/store.h"
#include "vcs/version.h"

namespace concordfs::tools {

// Makes `version` the content of `path` in the mount whose topmost directory is `mount_root`, as a write of the calling
// agent on top of what is there now: whoever restores has seen the conflict. A file is one write, so one commit.
// Missing directories are made. Errors: those of the system calls; ESTALE if another write came in between.
Result<void> RestoreInMount(vcs::Store& store, const vcs::MaybeVersion& version, const vcs::RepoPath& path,
                            const std::filesystem::path& mount_root);

// Writes the version's content to a file, which is made or replaced. Errors: kNotFound (the change is a deletion);
// those of the system calls.
Result<void> RestoreToFile(vcs::Store& store, const vcs::MaybeVersion& version, const std::filesystem::path& file);

}  // namespace concordfs::tools
