// The process that serves a mount, from opening the repository to the unmount.
#pragma once

#include <functional>

#include "tools/log.h"
#include "tools/mount_options.h"
#include "vcs/result.h"

namespace concordfs::tools {

// Serves until the file system is unmounted, or SIGTERM, SIGINT or (without a remote) SIGHUP came; either way what is open has been
// published or parked, and the mount is gone, when it returns. What it clears away or recovers from a daemon that died
// is said on stderr and in the log.
//
// `on_mounted` is called once, when the kernel knows the mount; if it returns false nobody wants the mount any more,
// and it is taken away again. Call it in a process with one thread: it blocks the signals for all threads to come.
// Errors: whatever kept it from mounting, in one sentence.
Result<void> ServeMount(const MountRequest& request, LogTo log_to, const std::function<bool()>& on_mounted);

}  // namespace concordfs::tools
