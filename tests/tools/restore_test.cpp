#include "tools/restore.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/tools/parked_repository.h"
#include "tools/parked_change.h"

namespace concordfs::tools {
namespace {

namespace stdfs = std::filesystem;

std::string ReadFile(const stdfs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(RestoreToFile, WritesTheContentAndTheMode) {
  ParkedRepository repository;
  const auto version =
      ParkedVersion(repository.store(), repository.Park("run.sh", "mine\n", vcs::FileMode::kExecutable));
  ASSERT_TRUE(version);
  const stdfs::path file = repository.folder() / "out";
  std::ofstream(file) << "longer than what comes\n";
  const auto restored = RestoreToFile(repository.store(), *version, file);
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(ReadFile(file), "mine\n");
  EXPECT_EQ(stdfs::status(file).permissions() & stdfs::perms::owner_exec, stdfs::perms::owner_exec);
}

TEST(RestoreToFile, RefusesADeletionAndMakesNoFile) {
  ParkedRepository repository;
  const stdfs::path file = repository.folder() / "out";
  const auto restored = RestoreToFile(repository.store(), vcs::MaybeVersion(), file);
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.code(), Code::kNotFound);
  EXPECT_FALSE(stdfs::exists(file));
}

TEST(RestoreToFile, SaysWhereItCouldNotWrite) {
  ParkedRepository repository;
  const auto version = ParkedVersion(repository.store(), repository.Park("a", "mine\n"));
  ASSERT_TRUE(version);
  const stdfs::path file = repository.folder() / "nowhere" / "out";
  const auto restored = RestoreToFile(repository.store(), *version, file);
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().message, file.native() + ": No such file or directory");
}

TEST(RestoreInMount, RefusesAFolderThatIsNoMountAndLeavesItAlone) {
  ParkedRepository repository;
  const auto parked = repository.Park("a", "mine\n");
  const auto version = ParkedVersion(repository.store(), parked);
  ASSERT_TRUE(version);
  const stdfs::path folder = repository.folder() / "plain";
  stdfs::create_directory(folder);
  std::ofstream(folder / "a") << "other\n";
  const auto path = vcs::RepoPath::Parse("a");
  ASSERT_TRUE(path);
  const auto restored = RestoreInMount(repository.store(), *version, *path, folder);
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.code(), Code::kNotSupported);
  EXPECT_EQ(ReadFile(folder / "a"), "other\n");
}

}  // namespace
}  // namespace concordfs::tools
