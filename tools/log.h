// The daemon's log: GITDIR/concordfs/log, and stderr while it is in the foreground.
#pragma once

#include <filesystem>

namespace concordfs::tools {

enum class LogTo { kFile, kFileAndStderr };

// Makes it the process's default logger. The file is kept at 10 MB and three older ones (log.1 to log.3). Where the
// file can't be written (a read-only repository) this says so on stderr, and there is no log in a file.
// Call once, before other threads log.
void StartLog(const std::filesystem::path& git_dir, LogTo log_to);

}  // namespace concordfs::tools
