// The kernel's table of mounts, as this process sees it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/result.h"

namespace concordfs::tools {

constexpr std::string_view kMountType = "fuse.concordfs";

struct MountEntry {
  std::string mountpoint;  // absolute
  std::string type;        // "ext4", "fuse.concordfs"
  std::string source;      // what the file system calls its device
  int id = 0;              // the kernel's number of the mount
  std::string device;      // "0:52"
};

// The entries of a text as in proc_pid_mountinfo(5), in its order: a later one covers an earlier one at the same place.
// Lines that don't parse are left out.
std::vector<MountEntry> ParseMountTable(std::string_view text);

// What is mounted at exactly this absolute path, topmost; nothing if it is no mount point. Asks no file system, so it
// works on a mount whose daemon is dead. Errors: those of reading /proc.
Result<std::optional<MountEntry>> FindMount(const std::filesystem::path& mountpoint);

}  // namespace concordfs::tools
