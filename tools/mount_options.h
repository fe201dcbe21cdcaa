// What `concordfs mount` was asked for: from its own options and from the lists behind -o, as fstab has them.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fs/filesystem.h"
#include "vcs/git/git_store.h"
#include "vcs/git/secret.h"
#include "vcs/remote_store.h"
#include "vcs/result.h"

namespace concordfs::tools {

constexpr std::uint64_t kDefaultPushBacklog = 100'000;     // commits
constexpr std::uint64_t kDefaultMaxFileSize = 4ULL << 30;  // bytes

struct MountRequest {
  std::filesystem::path repository;  // absolute
  std::filesystem::path mountpoint;  // absolute, resolved
  std::string branch;                // as given; empty: the repository's own (its HEAD)
  std::string agent;                 // empty: by caller
  bool read_only = false;
  bool allow_other = false;
  vcs::git::Durability durability = vcs::git::Durability::kProcess;
  std::uint64_t max_file_size = kDefaultMaxFileSize;  // bytes; 0: no limit
  std::uint64_t cache_memory = fs::kDefaultCacheMemory;  // bytes
  uid_t uid = geteuid();                              // owner of everything in the mount
  gid_t gid = getegid();
  std::vector<std::string> scratch;      // patterns as in a .gitignore: scratch (R12), too
  std::vector<std::string> temporaries;  // names of editors' temporaries, besides the usual ones (fs/temporaries.h)
  bool default_temporaries = true;       // the usual ones are such
  bool passthrough = true;               // the kernel may read and write scratch files by itself
  std::string remote;                    // a configured remote's name, or a URL; empty: the branch is this repository's alone
  std::filesystem::path ssh_key;         // for the remote; empty: what ssh finds
  std::filesystem::path remote_token_file;  // absolute; for a remote by http:// or https://; empty: none
  vcs::git::Secret remote_token;         // the same from the environment
  std::chrono::milliseconds fetch_period{2'000};
  std::chrono::milliseconds remote_timeout{10'000};
  vcs::PushMode push = vcs::PushMode::kSync;
  std::uint64_t push_backlog = kDefaultPushBacklog;  // commits that may wait under kAsync; 0: any number
  bool push_rejected = false;                        // parked work goes to the remote as well
  std::vector<std::string> fuse_options;  // for libfuse, each as after -o
};

// Reads one comma-separated list as after -o into the request; `\,` is a comma within a value. Ours: branch=, agent=,
// durability=, max_file_size=, cache_memory=, uid=, gid=, scratch=, temporary=, no_default_temporaries,
// no_passthrough, remote=, ssh_key=, remote_token_file=, fetch_period=, remote_timeout=, push=, push_backlog=, push_rejected, ro,
// allow_other. What mount(8), fstab and systemd say among themselves (rw, noauto, user, nofail, _netdev, x-systemd..., ...) is ignored, and so are the words that would lift libfuse's nosuid
// and nodev; the rest is libfuse's. Errors: kInvalidArgument (a value that the option doesn't have).
Result<void> ReadOptionList(std::string_view list, MountRequest& request);

// "process" or "power". Errors: kInvalidArgument.
Result<vcs::git::Durability> ParseDurability(std::string_view text);
const char* DurabilityName(vcs::git::Durability durability);

// "sync" or "async". Errors: kInvalidArgument.
Result<vcs::PushMode> ParsePushMode(std::string_view text);
// A number of commits. Errors: kInvalidArgument.
Result<std::uint64_t> ParseBacklog(std::string_view text);
// What is only for a mount with a remote is asked for with one only. Errors: kInvalidArgument.
Result<void> CheckTogether(const MountRequest& request);

// A number of bytes: decimal digits, then K, M, G or T (powers of 1024) or nothing. Errors: kInvalidArgument.
Result<std::uint64_t> ParseByteCount(std::string_view text);

// Seconds: a decimal number above zero, up to a day; "0.5" is half of one. Errors: kInvalidArgument.
Result<std::chrono::milliseconds> ParseSeconds(std::string_view text);

// An agent can't be called nothing; any other text becomes a name (the contract, "Who is calling").
// Errors: kInvalidArgument.
Result<void> CheckAgentName(std::string_view name);

// A pattern of names is one line that isn't empty. Errors: kInvalidArgument.
Result<void> CheckPattern(std::string_view pattern);

// The arguments as if `mount` had been said, where a mount helper's convention leaves it out: the program is called
// mount.something, or gets SOURCE MOUNTPOINT -o OPTIONS as mount.fuse3 calls it. `args` is without the program's name.
std::vector<std::string> WithMountCommand(std::string_view program, std::vector<std::string> args);

}  // namespace concordfs::tools
