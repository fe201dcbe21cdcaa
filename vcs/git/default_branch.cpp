#include "vcs/git/default_branch.h"

#include <fstream>
#include <string_view>

#include "vcs/branch_name.h"

namespace concordfs::vcs::git {

Result<std::string> DefaultBranch(const std::filesystem::path& git_dir) {
  constexpr std::string_view kSymbolic = "ref: ";
  const std::filesystem::path head = git_dir / "HEAD";
  std::ifstream file(head);
  std::string line;
  if (!std::getline(file, line)) return Error{Code::kIo, head.native() + ": can't be read"};
  if (line.starts_with(kSymbolic)) line.erase(0, kSymbolic.size());
  if (!line.starts_with(kBranchPrefix)) {
    return Error{Code::kNotFound, git_dir.native() + ": HEAD names no branch, so --branch has to"};
  }
  return line;
}

}  // namespace concordfs::vcs::git
