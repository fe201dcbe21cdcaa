// A mount's status for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace concordfs::tools {

// The text of a status object as the daemon gives it; members that it lacks are shown as "-". Each line ends in a
// newline.
std::string StatusTable(const nlohmann::json& status);

}  // namespace concordfs::tools
