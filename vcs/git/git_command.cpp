#include "vcs/git/git_command.h"

#include <array>
#include <utility>

#include "vcs/git/process_connection.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kMost = 64 << 10;  // bytes that it may print

}  // namespace

Result<Secret> AskGit(const std::vector<std::string>& arguments, std::string_view input, std::chrono::milliseconds patience) {
  std::vector<std::string> argv = {"git", "-C", "/"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto end = std::chrono::steady_clock::now() + patience;
  auto git = RunProgram(std::move(argv), {"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS="}, patience);
  if (!git) return git.error();
  if (auto told = (*git)->Write(input); !told) return told.error();
  std::string answer;
  answer.reserve(kMost);  // it is never copied elsewhere, where nobody would overwrite it
  std::array<char, 4096> buffer;
  for (;;) {
    const auto count = (*git)->Read(buffer.data(), buffer.size());
    if (count && *count == 0) break;
    const bool is_late = std::chrono::steady_clock::now() > end || answer.size() + buffer.size() > kMost;
    if (!count || is_late) {
      Secret::Wipe(answer);
      if (count) (void)(*git)->WhyItEnded();  // it does now
      return count ? Error{Code::kUnreachable, "git doesn't come to an end"} : count.error();
    }
    answer.append(buffer.data(), *count);
    explicit_bzero(buffer.data(), *count);
  }
  (void)(*git)->WhyItEnded();  // it has: what it was told is done
  return Secret(std::move(answer));
}

}  // namespace concordfs::vcs::git
