// Writes objects that are in memory as one pack: what a batch of commits is published as, and what loose objects
// become.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

enum class Durability;

struct PackedObject {
  ObjectId id;  // that of `bytes`: it is not checked here
  ObjectKind kind = ObjectKind::kBlob;
  std::string_view bytes;
  std::optional<ObjectId> like;  // an object earlier in the same pack that it probably resembles
};

enum class PackCompression {
  kStored,  // stored zlib blocks: somebody waits
  kFast,    // deflated at level 1
};

// Writes `objects`, no id twice, as one pack with an index into `<objects_dir>/pack`: readable for git when this
// returns, and unreadable as a whole before. An object is a delta on its `like`, if that makes it less than half as
// long; chains of deltas end after 40. A `like` that is not earlier in the pack, or of another kind, is ignored.
// Returns the pack's path without its suffix: "<objects_dir>/pack/pack-<40 digits>". A pack of this very content that
// is there already is replaced.
// Errors: those of WriteSystemError, and then no pack is there; kInvalidArgument (no objects).
// Threads: any; blocks on disk. Source: gitformat-pack(5).
Result<std::string> WritePack(const std::string& objects_dir, std::span<const PackedObject> objects,
                              PackCompression compression, Durability durability);

}  // namespace concordfs::vcs::git
