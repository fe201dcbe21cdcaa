// concordfs mount: serve a branch as a directory.
#include <memory>

#include "tools/background.h"
#include "tools/commands.h"
#include "tools/complaint.h"
#include "tools/daemon.h"
#include "tools/exit_status.h"
#include "tools/mount_options.h"
#include "tools/mount_point.h"

namespace concordfs::tools {
namespace {

struct MountArguments {
  std::string repository;
  std::string mountpoint;
  std::string branch;
  std::string agent;
  std::string durability;
  std::string max_file_size;
  bool read_only = false;
  bool allow_other = false;
  bool foreground = false;
  bool fake = false;
  bool no_default_temporaries = false;
  bool no_passthrough = false;
  std::vector<std::string> scratch;
  std::vector<std::string> temporaries;
  std::vector<std::string> option_lists;
};

// The lists behind -o first, then our own options: what is said in full counts more.
Result<MountRequest> MakeRequest(const MountArguments& arguments) {
  MountRequest request;
  for (const std::string& list : arguments.option_lists) {
    if (const auto read = ReadOptionList(list, request); !read) return read.error();
  }
  if (!arguments.branch.empty()) request.branch = arguments.branch;
  if (!arguments.agent.empty()) request.agent = arguments.agent;
  if (!arguments.durability.empty()) {
    const auto durability = ParseDurability(arguments.durability);
    if (!durability) return durability.error();
    request.durability = *durability;
  }
  if (!arguments.max_file_size.empty()) {
    const auto size = ParseByteCount(arguments.max_file_size);
    if (!size) return size.error();
    request.max_file_size = *size;
  }
  request.scratch.insert(request.scratch.end(), arguments.scratch.begin(), arguments.scratch.end());
  request.temporaries.insert(request.temporaries.end(), arguments.temporaries.begin(), arguments.temporaries.end());
  if (arguments.no_passthrough) request.passthrough = false;
  if (arguments.no_default_temporaries) request.default_temporaries = false;
  request.read_only |= arguments.read_only;
  request.allow_other |= arguments.allow_other;
  return request;
}

int RunMount(const MountArguments& arguments) {
  auto request = MakeRequest(arguments);
  if (!request) {
    Complain("mount: " + request.error().message);
    return kExitUsage;
  }
  // The daemon changes its directory, so no path may stay relative.
  request->repository = std::filesystem::absolute(arguments.repository);
  const auto mountpoint = ResolveMountPoint(arguments.mountpoint);
  if (!mountpoint) return Fail(mountpoint.error());
  request->mountpoint = *mountpoint;
  if (arguments.fake) return kExitOk;
  const auto served = arguments.foreground ? ServeMount(*request, LogTo::kFileAndStderr, [] { return true; })
                                           : ServeInBackground(*request);
  return served ? kExitOk : Fail(served.error());
}

// What mount(8) gives to its helpers: mount.concordfs SOURCE DIRECTORY [-sfnv] [-o OPTIONS] [-t TYPE].
void AddHelperOptions(CLI::App& command, MountArguments& arguments) {
  constexpr const char* kHidden = "";
  command.add_flag("-f", arguments.fake)->group(kHidden);
  command.add_flag("-n,-s,-v")->group(kHidden);
  command.add_option("-t")->group(kHidden);
}

}  // namespace

void AddMountCommand(CLI::App& app, int& exit_status) {
  const auto arguments = std::make_shared<MountArguments>();
  CLI::App* const command =
      app.add_subcommand("mount", "Mount a branch of a repository; returns once the mount answers");
  command->add_option("REPO", arguments->repository, "The repository, bare or with a working tree")->required();
  command->add_option("MOUNTPOINT", arguments->mountpoint, "An empty directory")->required();
  command->add_option("--branch", arguments->branch, "The branch; by default the one that the repository's HEAD names")
      ->type_name("B");
  command->add_option("--agent", arguments->agent, "Take every caller for this agent")
      ->type_name("NAME")
      ->check([](const std::string& name) { return CheckAgentName(name) ? "" : "the name is empty"; });
  command->add_flag("--read-only", arguments->read_only, "Refuse all writes");
  command->add_flag("--allow-other", arguments->allow_other, "Let other users in, as permissions have it");
  command
      ->add_option(
          "--durability", arguments->durability,
          "What an accepted write survives: process (a killed daemon; the default) or power (loss of power, too)")
      ->type_name("process|power");
  command->add_option("--max-file-size", arguments->max_file_size, "In bytes, or with K, M, G, T; 0: any (default: 4G)")
      ->type_name("N");
  const auto check_pattern = [](const std::string& pattern) {
    const auto checked = CheckPattern(pattern);
    return checked ? std::string() : checked.error().message;
  };
  command
      ->add_option("--scratch", arguments->scratch,
                   "What is scratch, not versioned, besides what .gitignore files and info/exclude ignore; as in a "
                   ".gitignore; may be given again")
      ->type_name("PATTERN")
      ->check(check_pattern)
      ->allow_extra_args(false);
  command
      ->add_option("--temporary", arguments->temporaries,
                   "Names of editors' temporary files, which are scratch, too, besides the usual ones; may be given again")
      ->type_name("PATTERN")
      ->check(check_pattern)
      ->allow_extra_args(false);
  command->add_flag("--no-default-temporaries", arguments->no_default_temporaries,
                    "No names are editors' temporaries but those given with --temporary");
  command->add_flag("--no-passthrough", arguments->no_passthrough,
                    "Let the daemon read and write scratch files, also where the kernel could by itself");
  command->add_flag("--foreground", arguments->foreground, "Stay here, and log to stderr as well");
  command
      ->add_option("-o", arguments->option_lists,
                   "Options as in fstab: branch=, agent=, durability=, max_file_size=, uid=, gid=, "
                   "scratch=, temporary=, no_default_temporaries, no_passthrough, ro, allow_other, and libfuse's own")
      ->type_name("OPTIONS")
      ->allow_extra_args(false);
  AddHelperOptions(*command, *arguments);
  command->callback([arguments, &exit_status] { exit_status = RunMount(*arguments); });
}

}  // namespace concordfs::tools
