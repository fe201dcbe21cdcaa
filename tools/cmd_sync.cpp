// concordfs sync: ask a mount's remote now for what is new.
#include <memory>

#include "tools/commands.h"
#include "tools/exit_status.h"
#include "tools/complaint.h"
#include "tools/mount_xattr.h"

namespace concordfs::tools {

void AddSyncCommand(CLI::App& app, int& exit_status) {
  const auto path = std::make_shared<std::string>(".");
  CLI::App* const command =
      app.add_subcommand("sync", "Ask a mount's remote now for what is new, and show it; for a server's webhook, say");
  command->add_option("PATH", *path, "Any path inside the mount")->capture_default_str();
  command->callback([path, &exit_status] {
    const auto synced = WriteMountXattr(*path, kSyncXattr, "1");
    exit_status = synced ? kExitOk : Fail(synced.error());
  });
}

}  // namespace concordfs::tools
