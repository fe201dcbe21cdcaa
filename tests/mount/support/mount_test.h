// The fixture of tests on a mount: one repository and one mount for a suite, one directory in it for each test.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/mount/support/agent.h"
#include "tests/mount/support/mount.h"
#include "tests/mount/support/process.h"
#include "tests/mount/support/repository.h"
#include "tests/mount/support/temp_dir.h"

namespace concordfs::mounttest {

// A temporary directory with a repository and a place to mount it. Fails where nothing can be mounted.
class MountlessTest : public ::testing::Test {
 protected:
  void SetUp() override;

  const TempDir& temp() const { return *temp_; }

 private:
  std::optional<TempDir> temp_;
};

class MountTest : public ::testing::Test {
 protected:
  void SetUp() override;
  static void TearDownTestSuite();

  Repository& repository() const { return world_->repository; }
  Mount& mount() const { return world_->mount; }
  // This test's directory, in the mount, outside of it, and as the repository names it.
  const std::filesystem::path& Dir() const { return dir_; }
  const std::filesystem::path& Outside() const { return outside_; }
  std::string InRepository(const std::string& file) const { return name_ + "/" + file; }

  // Runs a command in Dir(), with $OUT for Outside().
  Outcome As(const std::string& agent, const std::string& command) const;
  // The same; it must succeed.
  void Must(const std::string& agent, const std::string& command) const;
  std::optional<std::string> Show(const std::string& file) const { return repository().Show(InRepository(file)); }
  std::string Version(const std::string& file) const { return repository().Version(InRepository(file)); }
  int CommitCount(const std::string& file) const { return repository().CommitCount(InRepository(file)); }
  // The parked commits of an agent.
  std::vector<std::string> Rejected(const std::string& agent) const;

 private:
  struct World {
    TempDir temp;
    Repository repository{temp.path() / "repository"};
    // One name of 200 that patch(1) draws is all in lower case, which the mount takes for a word unless it is told.
    Mount mount{repository.path(), temp.path() / "mnt", {"--temporary", "*.o[a-z][a-z][a-z][a-z][a-z][a-z]"}};
  };
  // The suite's: made by its first test, so that listing the tests mounts nothing.
  static std::unique_ptr<World> world_;

  std::string name_;
  std::filesystem::path dir_;
  std::filesystem::path outside_;
};

}  // namespace concordfs::mounttest
