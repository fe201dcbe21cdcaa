// The commands of the program, each in cmd_<name>.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace concordfs::tools {

// Each adds its command to the program. When the command line is parsed and names it, it runs, and puts what the
// process shall return into `exit_status`. All output to people and scripts is on stdout, all complaints on stderr.
void AddInitCommand(CLI::App& app, int& exit_status);
void AddMountCommand(CLI::App& app, int& exit_status);
void AddUmountCommand(CLI::App& app, int& exit_status);
// `argv`: what this process was started with, to start it again under another name of an agent. `behind`: the words
// from
// "--" on, which the parser must not see.
void AddRunCommand(CLI::App& app, int& exit_status, const std::vector<std::string>& argv,
                   const std::vector<std::string>& behind);
void AddSyncCommand(CLI::App& app, int& exit_status);
void AddStatusCommand(CLI::App& app, int& exit_status);
void AddRejectedCommand(CLI::App& app, int& exit_status);
void AddRefreshCommand(CLI::App& app, int& exit_status);

}  // namespace concordfs::tools
