// concordfs refresh: adopt the current version of paths as the agent's base, without reading them.
#include <unistd.h>

#include <memory>

#include "tools/commands.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/mount_xattr.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

// The error names the folder; what was asked for is the entry.
Error NamingEntry(const Error& error, const std::filesystem::path& path) {
  const std::size_t why = error.message.rfind(": ");
  return MakeError(error.code, vcs::Quoted(path.native()),
                   error.message.substr(why == std::string::npos ? 0 : why + 2));
}

Result<void> RefreshEntry(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  const auto refreshed = WriteMountXattr(parent, kRefreshXattr, path.filename().native());
  return refreshed ? refreshed : NamingEntry(refreshed.error(), path);
}

// Of a symbolic link both what it says and what it leads to: a write may mean either.
Result<void> RefreshPath(std::filesystem::path path) {
  path = path.lexically_normal();
  if (!path.has_filename() || path.filename() == "..") {  // "folder/", ".."
    std::error_code failed;
    path = std::filesystem::canonical(path, failed);
    if (failed) return SystemError(vcs::Quoted(path.native()), failed.value());
  }
  if (auto refreshed = RefreshEntry(path); !refreshed) return refreshed;
  std::error_code failed;
  if (!std::filesystem::is_symlink(path, failed)) return {};
  const std::filesystem::path target = std::filesystem::canonical(path, failed);
  // A link that leads nowhere, or out of the mount, has nothing more to refresh.
  if (failed || !ReadMountXattr(target, kPidXattr)) return {};
  return RefreshEntry(target);
}

int RunRefresh(const std::vector<std::string>& paths) {
  int exit_status = kExitOk;
  for (const std::string& path : paths) {
    if (const auto refreshed = RefreshPath(path); !refreshed) exit_status = Fail(refreshed.error());
  }
  return exit_status;
}

}  // namespace

void AddRefreshCommand(CLI::App& app, int& exit_status) {
  const auto paths = std::make_shared<std::vector<std::string>>();
  CLI::App* const command =
      app.add_subcommand("refresh", "Adopt the current version of files as this agent's base, without reading them");
  command->add_option("PATH", *paths, "Files inside the mount; one that is gone may be named, too")->required();
  command->callback([paths, &exit_status] { exit_status = RunRefresh(*paths); });
}

}  // namespace concordfs::tools
