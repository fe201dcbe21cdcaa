// concordfs run: a command as an agent, run again when one of its writes was refused.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>

#include "tools/child_process.h"
#include "tools/commands.h"
#include "tools/complaint.h"
#include "tools/decimal.h"
#include "tools/exit_status.h"
#include "tools/mount_options.h"
#include "tools/mount_xattr.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

constexpr const char* kAgentVariable = "CONCORDFS_AGENT";

struct RunOptions {
  std::string agent;
  std::string mount;
  unsigned retries = 0;
  std::vector<std::string> argv;     // of this process
  std::vector<std::string> command;  // what to run
};

// A daemon knows its caller by the environment that the caller was started with, so to ask as the agent this process
// has to be one that was started as the agent: it replaces itself. Returns only if that is not needed, or failed.
Result<void> BecomeAgent(const RunOptions& options) {
  if (options.agent.empty()) return {};
  const char* const current = std::getenv(kAgentVariable);
  if (current != nullptr && current == options.agent) return {};
  setenv(kAgentVariable, options.agent.c_str(), 1);
  std::error_code failed;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return SystemError("/proc/self/exe", failed.value());
  std::vector<char*> words;
  for (const std::string& word : options.argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execv(program.c_str(), words.data());
  return SystemError(program.native(), errno);
}

// How often the agent that this process is was refused since the mount.
Result<std::uint64_t> CountRefusals(const std::filesystem::path& mount) {
  const auto text = ReadMountXattr(mount, kRefusalsXattr);
  if (!text) return text.error();
  const auto count = ParseDecimal<std::uint64_t>(*text);
  if (!count) return MakeError(Code::kIo, mount.native(), "the daemon's count of refusals is no number");
  return *count;
}

// Agents that collide once would collide again if they all came back at the same time.
void BackOff(unsigned attempt) {
  constexpr unsigned kMaxDoublings = 6;
  std::random_device device;
  std::uniform_int_distribution<int> wait_ms(1, 10 << std::min(attempt, kMaxDoublings));
  std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms(device)));
}

int RunInMount(const RunOptions& options, const std::filesystem::path& mount) {
  for (unsigned attempt = 0;; ++attempt) {
    const auto before = CountRefusals(mount);
    if (!before) return Fail(before.error());
    const ChildEnd end = RunAndWait(options.command);
    if (end.not_started || end.by_signal) return end.exit_status;
    const auto after = CountRefusals(mount);
    if (!after) return Fail(after.error());
    if (*after == *before) return end.exit_status;
    if (attempt == options.retries) {
      Complain("run: " + vcs::Quoted(options.command[0]) + ": a write was refused, on the last of " +
               std::to_string(attempt + 1) + (attempt == 0 ? " try" : " tries"));
      return kExitRefused;
    }
    BackOff(attempt);
  }
}

int RunRun(const RunOptions& options) {
  if (options.command.empty()) {
    Complain("run: CMD is required, after -- (see concordfs run --help)");
    return kExitUsage;
  }
  if (const auto became = BecomeAgent(options); !became) return Fail(became.error());
  const auto mount = MountRootOf(options.mount.empty() ? "." : options.mount);
  if (mount) return RunInMount(options, *mount);
  if (!options.mount.empty() || mount.code() != Code::kNotSupported) return Fail(mount.error());
  return RunAndWait(options.command).exit_status;  // in no mount nothing is refused
}

// Everything from the first word on that is no option of ours. A "--" before it is ours; a later one is its own.
std::vector<std::string> CommandOf(const CLI::App& command, const std::vector<std::string>& behind) {
  std::vector<std::string> words = command.remaining();
  words.insert(words.end(), words.empty() && !behind.empty() ? behind.begin() + 1 : behind.begin(), behind.end());
  return words;
}

}  // namespace

void AddRunCommand(CLI::App& app, int& exit_status, const std::vector<std::string>& argv,
                   const std::vector<std::string>& behind) {
  const auto options = std::make_shared<RunOptions>();
  options->argv = argv;
  CLI::App* const command = app.add_subcommand(
      "run",
      "Run CMD as an agent. If a write of that agent was refused while it ran, run it again, up to N times; exit 75 if "
      "it still was refused, else with CMD's status");
  command->footer("In full: concordfs run [OPTIONS] -- CMD [ARGUMENTS]");
  command->add_option("--agent", options->agent, "The agent; by default the one that the caller is")
      ->type_name("NAME")
      ->check([](const std::string& name) { return CheckAgentName(name) ? "" : "the name is empty"; });
  command->add_option("--retry", options->retries, "How often to run it again")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000));
  command->add_option("--mount", options->mount, "Any path inside the mount; by default the current directory")
      ->type_name("PATH");
  command->prefix_command();
  command->callback([options, command, behind, &exit_status] {
    options->command = CommandOf(*command, behind);
    exit_status = RunRun(*options);
  });
}

}  // namespace concordfs::tools
