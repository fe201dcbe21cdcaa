// What a starting daemon has to say to the user, who may be gone later, and to the log, which isn't there yet for the user.
#pragma once

#include <string>

#include "tools/log.h"

namespace concordfs::tools {

void Announce(const std::string& message, LogTo log_to);

}  // namespace concordfs::tools
