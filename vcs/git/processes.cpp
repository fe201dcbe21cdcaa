#include "vcs/git/processes.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace concordfs::vcs::git {
namespace {

std::string FirstLine(const std::filesystem::path& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

// Source: proc_pid_comm(5), proc_pid_cmdline(5): arguments, each with a null byte behind it.
bool IsGitFsck(const std::filesystem::path& process, const std::string& git_dir, const std::string& tree) {
  using namespace std::string_view_literals;
  if (!FirstLine(process / "comm").starts_with("git")) return false;
  const std::string arguments = FirstLine(process / "cmdline");
  if (arguments.find("\0fsck\0"sv) == std::string::npos && arguments.find("git-fsck\0"sv) == std::string::npos)
    return false;
  if (arguments.find(git_dir) != std::string::npos) return true;
  std::error_code unknown;
  const std::string folder = std::filesystem::read_symlink(process / "cwd", unknown).string() + "/";
  if (unknown) return unknown == std::errc::permission_denied;  // else it has just ended
  return folder.starts_with(tree + "/");
}

}  // namespace

std::vector<std::filesystem::path> OtherProcesses() {
  const std::string own = std::to_string(::getpid());
  std::vector<std::filesystem::path> processes;
  std::error_code failed;
  std::filesystem::directory_iterator entry("/proc", failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    const bool is_process = std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c) != 0; });
    if (is_process && name != own) processes.push_back(entry->path());
  }
  return processes;
}

bool GitFsckRuns(const std::string& git_dir) {
  std::error_code unknown;
  const std::filesystem::path path = std::filesystem::canonical(git_dir, unknown);
  const std::string tree = path.filename() == ".git" ? path.parent_path().string() : path.string();
  return std::ranges::any_of(OtherProcesses(), [&](const auto& process) { return IsGitFsck(process, git_dir, tree); });
}

}  // namespace concordfs::vcs::git
