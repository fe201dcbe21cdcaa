// A repository with a file and parked changes of it, for the tests of the command line.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "tests/support/temp_dir.h"
#include "vcs/git/git_store.h"
#include "vcs/parking.h"
#include "vcs/tree_reader.h"

namespace concordfs::tools {

// Branch main has one commit with the regular file docs/file.md, whose content is "A\n". A call that fails throws.
class ParkedRepository {
 public:
  ParkedRepository();

  // Parks what andrew wanted at a path on top of that commit; nothing: he deleted it. Later ones have later times.
  vcs::Parked Park(const std::string& path, const std::optional<std::string>& content,
                   vcs::FileMode mode = vcs::FileMode::kRegular, std::string_view prefix = vcs::kRejectedPrefix);

  const std::filesystem::path& folder() const { return folder_.path(); }
  std::filesystem::path path() const { return folder_.path() / "r.git"; }
  vcs::Store& store() { return *repository_->store; }
  const vcs::ObjectId& head() const { return head_; }

 private:
  TempDir folder_;
  std::optional<vcs::git::Repository> repository_;
  std::optional<vcs::TreeReader> trees_;
  std::optional<vcs::Parking> parking_;
  vcs::ObjectId head_;
  std::optional<vcs::Version> file_;
  std::int64_t time_s_ = 1'700'000'000;
};

}  // namespace concordfs::tools
