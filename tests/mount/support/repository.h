// A repository as stock git sees it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/mount/support/process.h"

namespace concordfs::mounttest {

// Runs git, as `outsider`, with these arguments in `folder`.
Outcome Git(const std::filesystem::path& folder, const std::vector<std::string>& arguments);

// Threads: one. Every command that fails where it should not is a failed test.
class Repository {
 public:
  // Makes one with `concordfs init`.
  explicit Repository(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  // Standard output of a git command, without the last newline.
  std::string Output(const std::vector<std::string>& arguments) const;
  std::string Head() const { return Output({"rev-parse", "refs/heads/main"}); }
  // The bytes of a path at a commit (the branch, if none is named); nothing if it isn't there.
  std::optional<std::string> Show(const std::string& path, const std::string& commit = "refs/heads/main") const;
  // "100644 <40 hex digits>" or "absent", as the contract writes versions.
  std::string Version(const std::string& path) const;
  // How many commits the branch has; those that changed `path` only, if one is named.
  int CommitCount(const std::string& path = "") const;
  // One line for each commit that changed `path`, oldest first, in git log's format.
  std::vector<std::string> Log(const std::string& format, const std::string& path = "") const;
  // Full names of the refs below `prefix`.
  std::vector<std::string> RefsUnder(const std::string& prefix) const;
  // What `git fsck --strict` finds wrong; empty if nothing.
  std::string Fsck() const;

 private:
  std::filesystem::path path_;
};

std::vector<std::string> Lines(const std::string& text);

// A clone of a repository in which an outsider works with stock git.
class Clone {
 public:
  Clone(const Repository& origin, std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  // Gets what is new, writes the file, commits and pushes.
  void Push(const std::string& path, const std::string& content);
  void PushAll(const std::string& message);
  void Pull();
  std::string Output(const std::vector<std::string>& arguments) const;

 private:
  std::filesystem::path path_;
};

}  // namespace concordfs::mounttest
