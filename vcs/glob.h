// Shell patterns as git has them, for paths.
#pragma once

#include <string_view>

namespace concordfs::vcs {

// Whether all of a pattern's brackets and escapes have their end. To git, a pattern where one hasn't matches nothing.
bool IsWellFormedGlob(std::string_view pattern);

// Whether a well-formed pattern matches the whole text, byte by byte and case-sensitive: "*", "?" and brackets match no
// slash; two stars or more match anything where they are a component of their own, and are one star elsewhere. "**/"
// matches nothing, too. Time is at most the text's size squared times the pattern's, whatever the pattern. Threads:
// any. Source: git's wildmatch.c with WM_PATHNAME.
bool MatchesGlob(std::string_view pattern, std::string_view text);

}  // namespace concordfs::vcs
