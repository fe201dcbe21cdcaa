// POSIX: reading directories while they change.

#include <map>
#include <set>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;
using ::testing::UnorderedElementsAre;

TEST_P(Posix, ReaddirReportsEachOf3000EntriesOnce) {
  // Directories for the most part: a file is a commit, and 3000 of them are another test.
  std::set<std::string> made;
  for (int i = 0; i < 2900; ++i) {
    made.insert("directory-" + std::to_string(i));
    ASSERT_EQ(mkdir(P("directory-" + std::to_string(i)).c_str(), 0755), 0);
  }
  for (int i = 0; i < 100; ++i) {
    made.insert("file-" + std::to_string(i));
    Put("file-" + std::to_string(i), "x");
  }
  const std::vector<std::string> names = Names();
  EXPECT_EQ(names.size(), 3000U);
  EXPECT_TRUE(std::set<std::string>(names.begin(), names.end()) == made);
}

TEST_P(Posix, ReaddirReportsWhatStaysOnceWhileTheRestIsRemoved) {
  for (int i = 0; i < 1500; ++i) ASSERT_EQ(mkdir(P(std::to_string(i)).c_str(), 0755), 0);
  DIR* const folder = opendir(P(".").c_str());
  ASSERT_NE(folder, nullptr);
  std::map<std::string, int> seen;
  for (int n = 0;; ++n) {
    const dirent* const entry = readdir(folder);
    if (entry == nullptr) break;
    ++seen[entry->d_name];
    // The odd ones go, from both ends, while the list is read; and others come.
    if (n < 700) {
      rmdir(P(std::to_string(2 * n + 1)).c_str());
      if (n % 10 == 0) {
        ASSERT_EQ(mkdir(P("new-" + std::to_string(n)).c_str(), 0755), 0);
      }
    }
  }
  closedir(folder);
  for (int i = 0; i < 1500; i += 2) EXPECT_EQ(seen[std::to_string(i)], 1) << i;
  for (const auto& [name, times] : seen) EXPECT_LE(times, 1) << name;
}

TEST_P(Posix, ReaddirAllowsToEmptyADirectoryWhileReadingIt) {
  for (int i = 0; i < 500; ++i) ASSERT_EQ(mkdir(P("e" + std::to_string(i)).c_str(), 0755), 0);
  DIR* const folder = opendir(P(".").c_str());
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == 'e') {
      EXPECT_EQ(rmdir(P(entry->d_name).c_str()), 0) << entry->d_name;
    }
  }
  closedir(folder);
  EXPECT_TRUE(Names().empty());
}

TEST_P(Posix, SeekdirReturnsToATold) {
  for (int i = 0; i < 300; ++i) ASSERT_EQ(mkdir(P(std::to_string(i)).c_str(), 0755), 0);
  DIR* const folder = opendir(P(".").c_str());
  std::vector<std::pair<long, std::string>> told;
  for (;;) {
    const long position = telldir(folder);
    const dirent* const entry = readdir(folder);
    if (entry == nullptr) break;
    told.emplace_back(position, entry->d_name);
  }
  EXPECT_EQ(told.size(), 302U) << "with . and ..";
  for (std::size_t i = 0; i < told.size(); i += 37) {
    seekdir(folder, told[i].first);
    const dirent* const entry = readdir(folder);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(told[i].second, entry->d_name);
  }
  rewinddir(folder);
  EXPECT_EQ(telldir(folder), told[0].first);
  closedir(folder);
}

TEST_P(Posix, ReaddirTellsTheKindOfEachEntry) {
  Put("f", "x");
  ASSERT_EQ(mkdir(P("d").c_str(), 0755), 0);
  ASSERT_EQ(symlink("f", P("l").c_str()), 0);
  DIR* const folder = opendir(P(".").c_str());
  std::map<std::string, int> kinds;
  std::map<std::string, ino_t> inodes;
  while (const dirent* entry = readdir(folder)) kinds[entry->d_name] = entry->d_type;
  closedir(folder);
  EXPECT_THAT(kinds["f"], AnyOf(DT_REG, DT_UNKNOWN));
  EXPECT_THAT(kinds["d"], AnyOf(DT_DIR, DT_UNKNOWN));
  EXPECT_THAT(kinds["l"], AnyOf(DT_LNK, DT_UNKNOWN));
  EXPECT_EQ(kinds.size(), 5U);
}

}  // namespace
}  // namespace concordfs::mounttest
