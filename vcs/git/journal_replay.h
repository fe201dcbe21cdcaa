// After a power cut: what journals tell is done again, where the disk doesn't have it.
#pragma once

#include <string>

#include "vcs/git/object_database.h"
#include "vcs/git/ref_database.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// Reads the journals in `git_dir` whose daemons are gone. What they tell is there anyway if the kernel has run on
// since, so those are removed; after a power cut every object that is missing or damaged is written again, then each
// ref that is damaged, missing, or at an ancestor is moved to where it was acknowledged to be, all of it made durable,
// and the journals removed. A ref that has moved elsewhere is left alone: somebody else moved it. Blocks on disk.
// Errors: kCorrupt (an object can't be restored), those of WriteSystemError; the journals stay then.
Result<void> ReplayJournals(const std::string& git_dir, ObjectDatabase& objects, RefDatabase& refs);

}  // namespace concordfs::vcs::git
