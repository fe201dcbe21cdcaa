#include "vcs/git/spare_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/support/temp_dir.h"

namespace concordfs::vcs::git {
namespace {

using std::chrono::milliseconds;

constexpr SpareFiles::Limits kSmall{.full = 4, .low = 1, .start = 2, .idle = milliseconds(50)};

bool Eventually(const SpareFiles& spares, std::size_t count) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (spares.count() != count) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

TEST(SpareFiles, AreMadeOnceThereIsSomethingToWrite) {
  const TempDir folder;
  SpareFiles spares(folder.path(), {.full = 4, .low = 1, .start = 2, .idle = std::chrono::hours(1)});
  EXPECT_FALSE(spares.Take().ok());
  EXPECT_EQ(spares.count(), 0U) << "a program that writes one object needs none";
  EXPECT_FALSE(spares.Take().ok());
  ASSERT_TRUE(Eventually(spares, 4));
  EXPECT_TRUE(spares.Take().ok());
  EXPECT_EQ(spares.count(), 3U);
  EXPECT_TRUE(spares.Take().ok());
  EXPECT_TRUE(spares.Take().ok());
  EXPECT_TRUE(spares.Take().ok());  // is told that few are left
  EXPECT_TRUE(Eventually(spares, 4));
}

TEST(SpareFiles, AreEmptyReadOnlyAndWithoutNames) {
  const TempDir folder;
  SpareFiles spares(folder.path(), {.full = 4, .low = 1, .start = 1, .idle = std::chrono::hours(1)});
  static_cast<void>(spares.Take());
  ASSERT_TRUE(Eventually(spares, 4));
  const FileDescriptor spare = spares.Take();
  struct stat status {};
  ASSERT_EQ(::fstat(spare.get(), &status), 0);
  EXPECT_EQ(status.st_size, 0);
  EXPECT_EQ(status.st_nlink, 0U);
  EXPECT_EQ(status.st_mode & 0777, 0444U);
  EXPECT_EQ(::write(spare.get(), "x", 1), 1);
}

TEST(SpareFiles, AreGivenBackWhenNobodyTakesThem) {
  const TempDir folder;
  SpareFiles spares(folder.path(), kSmall);
  const auto take_one = [&] {
    while (!spares.Take().ok()) std::this_thread::sleep_for(milliseconds(1));
  };
  take_one();
  EXPECT_TRUE(Eventually(spares, 0));
  take_one();  // they are made again
}

TEST(SpareFiles, AreNotMadeWhereTheFolderIsGone) {
  SpareFiles spares("/nowhere/at/all", kSmall);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(spares.Take().ok());
  EXPECT_EQ(spares.count(), 0U);
}

}  // namespace
}  // namespace concordfs::vcs::git
