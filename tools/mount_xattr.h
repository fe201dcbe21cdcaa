// How the command line talks to the daemon: extended attributes of any path inside the mount. They work from inside
// the mount, in every namespace, and for exactly those who may use the mount.
#pragma once

#include <filesystem>
#include <string>

#include "vcs/result.h"

namespace concordfs::tools {

constexpr const char* kRepositoryXattr = "user.concordfs.repository";  // absolute path of the git directory
constexpr const char* kBranchXattr = "user.concordfs.branch";          // full name of the ref
constexpr const char* kMountpointXattr = "user.concordfs.mountpoint";  // absolute, as the daemon sees it
constexpr const char* kPidXattr = "user.concordfs.pid";                // decimal, in the daemon's pid namespace
constexpr const char* kStatusXattr = "user.concordfs.status";          // JSON
constexpr const char* kRefusalsXattr = "user.concordfs.refusals";      // decimal: of the calling agent, since the mount
constexpr const char* kDrainXattr = "user.concordfs.drain";            // set to "1"; get: JSON of the last drain
constexpr const char* kRefreshXattr = "user.concordfs.refresh";        // set on a directory: the name of an entry in it
constexpr const char* kSyncXattr = "user.concordfs.sync";              // set to "1": ask the mount's remote now

// The attribute's value. Blocks until the daemon answers.
// Errors: kNotSupported (the path is in no concordfs mount); otherwise those of getxattr(2).
Result<std::string> ReadMountXattr(const std::filesystem::path& path, const char* name);

// Errors: as above; otherwise those of setxattr(2).
Result<void> WriteMountXattr(const std::filesystem::path& path, const char* name, const std::string& value);

// The topmost directory of the mount that `path` is in, found by the device number: the daemon may know the mount
// point under another name than the caller's namespace has.
// Errors: kNotSupported (in no concordfs mount); those of stat(2).
Result<std::filesystem::path> MountRootOf(const std::filesystem::path& path);

}  // namespace concordfs::tools
