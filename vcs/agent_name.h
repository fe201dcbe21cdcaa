// Agents' names, as they go into the names of refs and into commits.
#pragma once

#include <string>
#include <string_view>

namespace concordfs::vcs {

// The name with everything but A-Za-z0-9._- turned into '-', cut to 64 bytes, and made a valid part of a ref's name
// (no "..", no leading or trailing '.', no ".lock" at the end). Never empty.
std::string SanitizedAgentName(std::string_view name);

// Is it one already?
inline bool IsAgentName(std::string_view name) { return !name.empty() && SanitizedAgentName(name) == name; }

}  // namespace concordfs::vcs
