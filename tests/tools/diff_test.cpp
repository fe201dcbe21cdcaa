#include "vcs/git/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/parked_repository.h"

namespace concordfs::vcs::git {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using tools::ParkedRepository;

std::string DiffOf(ParkedRepository& repository, const Parked& parked) {
  const auto path = RepoPath::Parse(parked.path);
  EXPECT_TRUE(path);
  const auto diff = UnifiedDiff(repository.path(), parked.parent, parked.commit, *path);
  EXPECT_TRUE(diff) << diff.error().message;
  return diff ? *diff : "";
}

TEST(UnifiedDiff, ShowsWhatChangedAtThePath) {
  ParkedRepository repository;
  const std::string diff = DiffOf(repository, repository.Park("docs/file.md", "A\nandrew\n"));
  EXPECT_THAT(diff, StartsWith("diff --git a/docs/file.md b/docs/file.md\n"));
  EXPECT_THAT(diff, HasSubstr("--- a/docs/file.md\n+++ b/docs/file.md\n@@ -1 +1,2 @@\n A\n+andrew\n"));
}

TEST(UnifiedDiff, ShowsNewAndDeletedFilesAndModes) {
  ParkedRepository repository;
  EXPECT_THAT(DiffOf(repository, repository.Park("new", "x\n", FileMode::kExecutable)),
              HasSubstr("new file mode 100755\n"));
  EXPECT_THAT(DiffOf(repository, repository.Park("docs/file.md", std::nullopt)),
              HasSubstr("deleted file mode 100644\n"));
  EXPECT_THAT(DiffOf(repository, repository.Park("docs/file.md", "A\n", FileMode::kExecutable)),
              HasSubstr("old mode 100644\nnew mode 100755\n"));
}

TEST(UnifiedDiff, ShowsNoBytesOfABinaryFile) {
  ParkedRepository repository;
  const std::string diff = DiffOf(repository, repository.Park("docs/file.md", std::string("\0\1\2", 3)));
  EXPECT_THAT(diff, HasSubstr("Binary files a/docs/file.md and b/docs/file.md differ\n"));
}

TEST(UnifiedDiff, TakesThePathForANameAndNotForAPattern) {
  ParkedRepository repository;
  EXPECT_THAT(DiffOf(repository, repository.Park("*", "star\n")), HasSubstr("+star\n"));
  const auto parked = repository.Park("docs/file.md", "A\nandrew\n");
  const auto pattern = RepoPath::Parse("docs/*");
  ASSERT_TRUE(pattern);
  const auto diff = UnifiedDiff(repository.path(), parked.parent, parked.commit, *pattern);
  ASSERT_TRUE(diff);
  EXPECT_EQ(*diff, "");
}

TEST(UnifiedDiff, TakesTheZeroIdForNothing) {
  ParkedRepository repository;
  const auto path = RepoPath::Parse("docs/file.md");
  ASSERT_TRUE(path);
  const auto diff = UnifiedDiff(repository.path(), ObjectId(), repository.head(), *path);
  ASSERT_TRUE(diff) << diff.error().message;
  EXPECT_THAT(*diff, HasSubstr("@@ -0,0 +1 @@\n+A\n"));
}

TEST(UnifiedDiff, SaysThatACommitIsMissing) {
  ParkedRepository repository;
  const auto missing = ObjectId::FromHex("0123456789012345678901234567890123456789");
  ASSERT_TRUE(missing);
  const auto diff = UnifiedDiff(repository.path(), *missing, repository.head(), RepoPath());
  ASSERT_FALSE(diff);
  EXPECT_EQ(diff.code(), Code::kNotFound);
  EXPECT_THAT(diff.error().message, HasSubstr(missing->Hex()));
}

}  // namespace
}  // namespace concordfs::vcs::git
