// The program's command line.
#pragma once

#include <string>
#include <vector>

namespace concordfs::tools {

// Parses `argv` (the program's name first), runs the command that it names, and returns what the process shall return.
// Errors of use are on stderr as "concordfs: command: why", with kExitUsage.
int RunCommandLine(const std::vector<std::string>& argv);

}  // namespace concordfs::tools
