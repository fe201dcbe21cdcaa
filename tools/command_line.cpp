#include "tools/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>

#include "tools/commands.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/mount_options.h"

namespace concordfs::tools {
namespace {

constexpr const char* kVersion = "concordfs " CONCORDFS_VERSION;

// "rejected show": the commands that were named before the error.
std::string NamedCommand(const CLI::App& app) {
  std::string name;
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().back();
    name += (name.empty() ? "" : " ") + at->get_name();
  }
  return name;
}

int ReportParseError(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);  // --help, --version
  std::string why = error.what();
  std::replace(why.begin(), why.end(), '\n', ' ');
  std::string command = NamedCommand(app);
  if (command.empty()) command = "command line";
  Complain(command + ": " + why + " (see concordfs --help)");
  return kExitUsage;
}

// Takes the words from "--" on out of the arguments of `run`: they are another program's, and the parser would look for
// commands and options of ours in them.
std::vector<std::string> TakeForeignWords(std::vector<std::string>& args) {
  if (args.empty() || args.front() != "run") return {};
  const auto dashes = std::find(args.begin(), args.end(), "--");
  std::vector<std::string> words(dashes, args.end());
  args.erase(dashes, args.end());
  return words;
}

void AddVersionFlags(CLI::App& app) {
  app.set_version_flag("--version", kVersion, "Print the version and exit");
  for (CLI::App* command : app.get_subcommands({})) AddVersionFlags(*command);
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& argv) {
  const std::string program = argv.empty() ? "concordfs" : argv.front();
  std::vector<std::string> args;
  if (!argv.empty()) args.assign(argv.begin() + 1, argv.end());
  args = WithMountCommand(program, std::move(args));
  const std::vector<std::string> foreign_words = TakeForeignWords(args);

  CLI::App app("A file system over a branch of a git repository, for several agents at once", "concordfs");
  app.require_subcommand(1);
  int exit_status = kExitOk;
  AddInitCommand(app, exit_status);
  AddMountCommand(app, exit_status);
  AddUmountCommand(app, exit_status);
  AddRunCommand(app, exit_status, argv, foreign_words);
  AddStatusCommand(app, exit_status);
  AddRejectedCommand(app, exit_status);
  AddRefreshCommand(app, exit_status);
  AddSyncCommand(app, exit_status);
  AddVersionFlags(app);
  try {
    std::reverse(args.begin(), args.end());  // the parser takes them from the end
    app.parse(args);
  } catch (const CLI::ParseError& error) {
    return ReportParseError(app, error);
  } catch (const std::exception& error) {
    Complain(std::string("internal error: ") + error.what());
    return kExitFailure;
  }
  return exit_status;
}

}  // namespace concordfs::tools
