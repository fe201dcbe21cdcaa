// Whether a write is accepted: the rule of the whole system, as a pure function (R5).
#pragma once

#include "vcs/version.h"

namespace concordfs::vcs {

enum class Verdict {
  kPublish,     // it becomes the next commit
  kSameAsHead,  // accepted without a commit: the bytes are at head already
  kUnchanged,   // accepted without a commit: it left its base as it was
  kRefuse,      // somebody else's version is at head: stale
};

// Whether the wanted content may have been made from the base: its writer had read it, or kept part of it.
enum class Derivation { kFromBase, kIndependent };

// `base` is what the write stands on, `head` what the path is now, `wanted` what it is to become. Nobody's version is
// ever replaced by a writer who didn't have it as base. The same bytes as at head never conflict, unless they were made
// from an older version: two agents who both made 6 of 5, or appended the same line, mean 7, or two lines.
Verdict Decide(const MaybeVersion& base, const MaybeVersion& head, const MaybeVersion& wanted,
               Derivation derivation = Derivation::kIndependent);

}  // namespace concordfs::vcs
