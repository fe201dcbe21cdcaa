// concordfs status: the agents, working copies and counters of a mount.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/commands.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/mount_xattr.h"
#include "tools/status_table.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

struct StatusOptions {
  std::string path = ".";
  bool json = false;
};

int RunStatus(const StatusOptions& options) {
  const auto text = ReadMountXattr(options.path, kStatusXattr);
  if (!text) return Fail(text.error());
  const auto status = nlohmann::json::parse(*text, nullptr, false);
  if (!status.is_object()) {
    return Fail(MakeError(Code::kIo, vcs::Quoted(options.path), "the daemon's status is no JSON"));
  }
  const std::string output = options.json ? status.dump(2) + '\n' : StatusTable(status);
  std::fwrite(output.data(), 1, output.size(), stdout);
  return kExitOk;
}

}  // namespace

void AddStatusCommand(CLI::App& app, int& exit_status) {
  const auto options = std::make_shared<StatusOptions>();
  CLI::App* const command =
      app.add_subcommand("status", "Show a mount's agents, their working copies, bases, and counters");
  command->add_option("PATH", options->path, "Any path inside the mount")->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_status] { exit_status = RunStatus(*options); });
}

}  // namespace concordfs::tools
