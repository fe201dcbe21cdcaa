// The fixture of real workloads: a repository of the test's own, mounted, in which one agent works.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {

class WorkloadTest : public MountlessTest {
 protected:
  // Mounts a repository whose .gitignore ignores `out/` and `node_modules/`.
  void SetUp() override;
  // Unmounts. Whatever was done, `git fsck --strict` is clean, the history has no scratch file's name, and nothing was
  // refused.
  void TearDown() override;

  Repository& repository() { return *repository_; }
  Mount& mount() { return *mount_; }
  // A directory outside the mount; commands find it as $OUT.
  const std::filesystem::path& Outside() const { return outside_; }
  // Runs a command as the agent in the root of the mount, or in a directory of it.
  Outcome Run(const std::string& command, const std::string& directory = ".") const;
  // The same; it must succeed. Returns its standard output.
  std::string Must(const std::string& command, const std::string& directory = ".") const;
  // The same outside of the mount.
  std::string MustOutside(const std::string& command) const;
  // No path of any commit matches, as a regular expression.
  void ExpectNeverInHistory(const std::string& pattern) const;

 private:
  std::filesystem::path outside_;
  std::optional<Repository> repository_;
  std::optional<Mount> mount_;
};

// Bash that makes a repository of `files` files in some directories at $OUT/source, with one commit.
std::string MakeSourceRepository(int files);

}  // namespace concordfs::mounttest
