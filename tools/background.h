// Serving a mount from a process in the background.
#pragma once

#include "tools/mount_options.h"
#include "vcs/result.h"

namespace concordfs::tools {

// Starts a daemon for the mount in its own session and returns once the mount answers. Until then the daemon may write
// to the caller's stderr; afterwards it has no terminal. Call it in a process with one thread, before libgit2 is used.
// Errors: what kept the daemon from mounting; kIo if it died or did not answer in time (then it is ended).
Result<void> ServeInBackground(const MountRequest& request);

}  // namespace concordfs::tools
