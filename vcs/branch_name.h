// Names of branches: the full name of the ref, and what people call it.
#pragma once

#include <string_view>

namespace concordfs::vcs {

constexpr std::string_view kBranchPrefix = "refs/heads/";

// "main" for "refs/heads/main", and for "main".
constexpr std::string_view ShortBranchName(std::string_view name) {
  if (name.starts_with(kBranchPrefix)) name.remove_prefix(kBranchPrefix.size());
  return name;
}

}  // namespace concordfs::vcs
