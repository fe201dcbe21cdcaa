// concordfs mount: serve a branch as a directory.
#include <memory>
#include <utility>

#include "tools/background.h"
#include "tools/commands.h"
#include "tools/complaint.h"
#include "tools/daemon.h"
#include "tools/exit_status.h"
#include "tools/mount_options.h"
#include "tools/mount_point.h"
#include "tools/remote_mount.h"

namespace concordfs::tools {
namespace {

struct MountArguments {
  std::string repository;
  std::string mountpoint;
  std::string branch;
  std::string agent;
  std::string durability;
  std::string max_file_size;
  std::string cache_memory;
  std::string remote;
  std::string ssh_key;
  std::string remote_token_file;
  std::string fetch_period;
  std::string remote_timeout;
  std::string push;
  std::string push_backlog;
  bool push_rejected = false;
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

// Puts what is said in its place, if anything is.
template <class T>
Result<void> ReadGiven(const std::string& text, Result<T> (*parse)(std::string_view), T& place) {
  if (text.empty()) return {};
  auto value = parse(text);
  if (!value) return value.error();
  place = *std::move(value);
  return {};
}

Result<void> ReadRemoteArguments(const MountArguments& arguments, MountRequest& request) {
  if (!arguments.remote.empty()) request.remote = arguments.remote;
  if (!arguments.ssh_key.empty()) request.ssh_key = std::filesystem::absolute(arguments.ssh_key);
  if (!arguments.remote_token_file.empty()) request.remote_token_file = std::filesystem::absolute(arguments.remote_token_file);
  if (const auto read = ReadGiven(arguments.fetch_period, ParseSeconds, request.fetch_period); !read) return read.error();
  if (const auto read = ReadGiven(arguments.remote_timeout, ParseSeconds, request.remote_timeout); !read) return read.error();
  if (const auto read = ReadGiven(arguments.push, ParsePushMode, request.push); !read) return read.error();
  if (const auto read = ReadGiven(arguments.push_backlog, ParseBacklog, request.push_backlog); !read) return read.error();
  request.push_rejected |= arguments.push_rejected;
  return {};
}

// The lists behind -o first, then our own options: what is said in full counts more.
Result<MountRequest> MakeRequest(const MountArguments& arguments) {
  MountRequest request;
  for (const std::string& list : arguments.option_lists) {
    if (const auto read = ReadOptionList(list, request); !read) return read.error();
  }
  if (!arguments.branch.empty()) request.branch = arguments.branch;
  if (!arguments.agent.empty()) request.agent = arguments.agent;
  if (const auto read = ReadGiven(arguments.durability, ParseDurability, request.durability); !read) return read.error();
  if (const auto read = ReadGiven(arguments.max_file_size, ParseByteCount, request.max_file_size); !read) return read.error();
  if (const auto read = ReadGiven(arguments.cache_memory, ParseByteCount, request.cache_memory); !read) return read.error();
  if (const auto read = ReadRemoteArguments(arguments, request); !read) return read.error();
  request.scratch.insert(request.scratch.end(), arguments.scratch.begin(), arguments.scratch.end());
  request.temporaries.insert(request.temporaries.end(), arguments.temporaries.begin(), arguments.temporaries.end());
  if (arguments.no_passthrough) request.passthrough = false;
  if (arguments.no_default_temporaries) request.default_temporaries = false;
  request.read_only |= arguments.read_only;
  request.allow_other |= arguments.allow_other;
  if (const auto checked = CheckTogether(request); !checked) return checked.error();
  return request;
}

int RunMount(const MountArguments& arguments) {
  auto token = TakeTokenFromEnvironment();
  auto request = MakeRequest(arguments);
  if (!request) {
    Complain("mount: " + request.error().message);
    return kExitUsage;
  }
  request->remote_token = std::move(token);
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

void AddRemoteOptions(CLI::App& command, MountArguments& arguments) {
  command
      .add_option("--remote", arguments.remote,
                  "Publish to a git remote's branch first: a close succeeds when the remote has it. A remote's name in REPO's "
                  "configuration, a path, or a git://, ssh://, http:// or https:// URL; a REPO that is missing is made")
      ->type_name("NAME|URL");
  command.add_option("--ssh-key", arguments.ssh_key, "The key for the remote (default: what ssh finds, and the agent)")
      ->type_name("FILE");
  command
      .add_option("--remote-token-file", arguments.remote_token_file,
                  "A file that only its owner may read, with the token or password for a remote by http:// or https:// (default: "
                  "the variable CONCORDFS_REMOTE_TOKEN, or what git's credential helpers have)")
      ->type_name("FILE");
  command.add_option("--fetch-period", arguments.fetch_period, "How often to ask the remote for what is new (default: 2)")
      ->type_name("SECONDS");
  command
      .add_option("--remote-timeout", arguments.remote_timeout,
                  "How long to wait for a remote that says nothing, and to try again to reach it (default: 10)")
      ->type_name("SECONDS");
  command
      .add_option("--push", arguments.push,
                  "When a close succeeds: when the remote has the commit (sync, the default), or when it is committed here "
                  "and will be pushed (async): it may lose to another machine's then, and is parked")
      ->type_name("sync|async");
  command
      .add_option("--push-backlog", arguments.push_backlog,
                  "With --push async, how many commits may wait to be pushed; 0: any number (default: 100000)")
      ->type_name("COMMITS");
  command.add_flag("--push-rejected", arguments.push_rejected,
                   "Push what is parked, too, so that it can be had on another machine");
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
  command
      ->add_option("--cache-memory", arguments->cache_memory,
                   "What the daemon may use for its caches, in bytes, or with K, M, G, T (default: 96M)")
      ->type_name("N");
  AddRemoteOptions(*command, *arguments);
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
                   "Options as in fstab: branch=, agent=, durability=, max_file_size=, cache_memory=, uid=, gid=, "
                   "scratch=, temporary=, no_default_temporaries, no_passthrough, remote=, ssh_key=, "
                   "remote_token_file=, fetch_period=, remote_timeout=, push=, push_backlog=, push_rejected, ro, "
                   "allow_other, and libfuse's own")
      ->type_name("OPTIONS")
      ->allow_extra_args(false);
  AddHelperOptions(*command, *arguments);
  command->callback([arguments, &exit_status] { exit_status = RunMount(*arguments); });
}

}  // namespace concordfs::tools
