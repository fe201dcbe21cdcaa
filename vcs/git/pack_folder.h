// The folder objects/pack: which packs there are, which of them should become one, and how one is removed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vcs/result.h"

namespace concordfs::vcs::git {

// How a folder in objects/ begins that a pack is received into, here and in git.
constexpr char kIncoming[] = "tmp_objdir-incoming-";

// Which file it is, whatever its name, and also if it was touched. A file that was made later may have the number of one
// that is gone: so the birth time belongs to it, where there is one.
struct FileIdentity {
  dev_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t birth_s = 0;
  std::uint32_t birth_ns = 0;

  bool operator==(const FileIdentity&) const = default;
};
// Nothing if there is no such file.
std::optional<FileIdentity> IdentityOf(const std::string& path);

struct PackInfo {
  std::string path;           // without its suffix
  FileIdentity identity;      // of the .pack
  std::uint64_t bytes = 0;    // of the .pack
  std::uint32_t objects = 0;  // as its index says
  std::int64_t mtime_ns = 0;  // of the .pack
  // Something else depends on its being as it is: it has a .keep, .promisor, .mtimes or .bitmap file.
  bool is_bound = false;
};

struct PackListing {
  std::vector<PackInfo> packs;        // those with a .pack and an .idx of version 2, in no order
  bool has_multi_pack_index = false;  // which names packs that then have to stay
};

// Errors: kIo. A folder that is not there has no packs; one pack that can't be read, or vanishes, is left out.
Result<PackListing> ListPacks(const std::string& objects_dir);

struct MergeLimits {
  std::uint64_t bytes = 2ULL << 30;  // of a merged pack
  std::uint32_t objects = 500'000;   // in a merged pack; each costs 100 bytes of memory while it is merged
};

// The packs, of those that may be merged, that should become one so that each pack has at least twice as many objects
// as the next smaller one: the smallest ones, oldest first. Empty if it is so already. A pack of more than half of a
// limit stays as it is for good. Pure. Source: git-repack(1), --geometric=2.
std::vector<PackInfo> ChooseMerge(std::span<const PackInfo> packs, const MergeLimits& limits);

// Removes a pack's files, its index first: readers look for indexes, so none finds one whose pack is gone. One that has
// read the index before finds no pack, looks at the folder again, and then sees where the objects are now.
// Succeeds if somebody else was faster. Errors: those of WriteSystemError.
Result<void> RemovePack(const std::string& path);

// Is there a file, of whatever kind?
bool Exists(const std::string& path);

// Does a `git gc` or a `git maintenance` run in the repository, as gc.pid or objects/maintenance.lock say? Also true if
// it runs on another host. Nothing of them counts that is over 12 hours old. Source: git's builtin/gc.c decides in the
// same way.
bool GitGcRuns(const std::string& git_dir);

}  // namespace concordfs::vcs::git
