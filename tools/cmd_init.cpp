// concordfs init: a new repository to mount.
#include <cstdio>
#include <memory>

#include "tools/commands.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "vcs/git/git_store.h"

namespace concordfs::tools {
namespace {

struct InitOptions {
  std::string repository;
  std::string branch = "main";
};

int RunInit(const InitOptions& options) {
  const std::filesystem::path path = std::filesystem::absolute(options.repository);
  const auto made = vcs::git::InitRepository(path, options.branch);
  if (!made) return Fail(made.error());
  std::printf("New repository %s with branch %s\n", path.c_str(), options.branch.c_str());
  return kExitOk;
}

}  // namespace

void AddInitCommand(CLI::App& app, int& exit_status) {
  const auto options = std::make_shared<InitOptions>();
  CLI::App* const command = app.add_subcommand("init", "Make a new bare repository whose branch has one empty commit");
  command->add_option("REPO", options->repository, "A new or empty directory")->required();
  command->add_option("--branch", options->branch, "The branch")->type_name("B")->capture_default_str();
  command->callback([options, &exit_status] { exit_status = RunInit(*options); });
}

}  // namespace concordfs::tools
