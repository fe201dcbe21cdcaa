// From libgit2's last error to ours: the one place that reads it.
//
// libgit2 reports a full disk and a bad object with the same -1. The system's reason is only in the text (it
// appends strerror) or, where no text was set, still in errno; where both are gone the file system is asked.
#pragma once

#include <cstdint>
#include <string>

#include "vcs/result.h"

namespace concordfs::vcs::git {

// Both: call right after the failed call, on its thread, and before anything else that touches libgit2 or errno.
// `git_code` is what the call returned, `what` says what it was for.

// A failed read. kNotFound, kInvalidName, kCorrupt, or kIo for whatever the system refused.
Error ReadError(int git_code, const std::string& what);

// A failed write below the directory `where` of about `needed_bytes`. kNoSpace, kQuota, kReadOnly (also for a missing
// permission: the repository can't be written), kLocked, kRefMoved, kExists, kInvalidName; kNotFound if a directory
// vanished meanwhile; kIo otherwise.
Error WriteError(int git_code, const std::string& what, const std::string& where, std::uint64_t needed_bytes = 0);

// The same for system calls of our own that failed with `number`.
Error ReadSystemError(int number, const std::string& what);
Error WriteSystemError(int number, const std::string& what);

// Forgets the last error and errno, so that what is read after a failure belongs to it.
void ClearLastError();

}  // namespace concordfs::vcs::git
