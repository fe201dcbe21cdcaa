// Deltas, as packs have them: one object told as what it copies from another one and what it adds.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "vcs/result.h"

namespace concordfs::vcs::git {

// The delta that makes `target` of `base` by what they have in common at their beginning and at their end: what a
// changed entry leaves of a tree, and an append of a file. Nothing if it were longer than `limit` bytes.
// Threads: any. Source: gitformat-pack(5), "Deltified representation".
std::optional<std::string> MakeDelta(std::string_view base, std::string_view target, std::size_t limit);

// What `delta` makes of `base`, whoever made it. Errors: kCorrupt (damaged, or made for another base).
Result<std::string> ApplyDelta(std::string_view base, std::string_view delta);

}  // namespace concordfs::vcs::git
