// What a path is at some commit, and what a write stands on: the contract's "version" and "base".
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vcs/object_id.h"

namespace concordfs::vcs {

// The modes that git's trees hold; the values are git's own (octal).
enum class FileMode : std::uint32_t {
  kDirectory = 0040000,
  kRegular = 0100644,
  kExecutable = 0100755,
  kSymlink = 0120000,
  kSubmodule = 0160000,  // a commit of another repository; shown as an empty directory
};

// The content of one path at one commit. Never a directory.
struct Version {
  ObjectId blob;
  FileMode mode = FileMode::kRegular;

  auto operator<=>(const Version&) const = default;
};

// A version, or *absent*: the path does not exist there.
using MaybeVersion = std::optional<Version>;

// "absent", or git's own words for it: "100644 <40 hex digits>".
std::string ToString(const MaybeVersion& version);
// The inverse of ToString; the outer optional is empty for a text that is no version.
std::optional<MaybeVersion> ParseVersion(std::string_view text);

// What a write stands on: a version, and the commit in which it was seen (the parent of whatever has to be
// parked, R7). Two bases are the same base if their versions are equal.
struct Base {
  MaybeVersion version;
  ObjectId commit;
  // The agent itself renamed the path, with a newer version than this one, to another name.
  bool moved_newer_away = false;
};

}  // namespace concordfs::vcs
