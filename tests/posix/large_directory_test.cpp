// POSIX: directories of 100,000 entries, read while others change them.
#include <algorithm>
#include <atomic>
#include <map>
#include <string_view>
#include <thread>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

constexpr int kEntries = 100'000;

std::string NameOf(int entry) {
  return "entry-" + std::to_string(entry);
}

// Entries from outside: one commit, by git itself.
void FillByCommit(const World& world, const std::string& folder) {
  const std::string script =
      "export GIT_INDEX_FILE=\"$OUT/index\" GIT_AUTHOR_NAME=o GIT_AUTHOR_EMAIL=o GIT_COMMITTER_NAME=o "
      "GIT_COMMITTER_EMAIL=o; set -e; git read-tree main; blob=$(printf x | git hash-object -w --stdin); "
      "for i in $(seq 0 " +
      std::to_string(kEntries - 1) + "); do printf '100644 %s\t%s\n' $blob " + folder +
      "/entry-$i; done | git update-index --index-info; "
      "git update-ref refs/heads/main $(git commit-tree -p main -m many $(git write-tree))";
  const Outcome outcome = RunAs("", script, world.repository().path(), {{"OUT", world.temp().path()}});
  ASSERT_EQ(outcome.status, 0) << outcome;
}

class Churn {
 public:
  // Makes and removes names of its own in `folder` until the end.
  Churn(std::string folder, std::string prefix)
      : folder_(std::move(folder)), prefix_(std::move(prefix)), thread_([this] { Run(); }) {}
  ~Churn() {
    over_ = true;
    thread_.join();
    EXPECT_EQ(failures_, 0);
    EXPECT_GT(rounds_, 0);
  }
  Churn(const Churn&) = delete;
  Churn& operator=(const Churn&) = delete;

 private:
  void Run() {
    do {
      for (int i = 0; i < 20; ++i) failures_ += mkdir(Path(i).c_str(), 0755) != 0;
      for (int i = 0; i < 20; ++i) failures_ += rmdir(Path(i).c_str()) != 0;
      ++rounds_;
    } while (!over_);
  }
  std::string Path(int i) const { return folder_ + "/" + prefix_ + std::to_string(i); }

  const std::string folder_;
  const std::string prefix_;
  std::atomic<bool> over_ = false;
  int failures_ = 0;
  int rounds_ = 0;
  std::thread thread_;
};

TEST_P(Posix, ReaddirOf100000EntriesIsStableWhileOthersChangeThem) {
  if (place().MakesFilesCheaply()) {
    for (int i = 0; i < kEntries; ++i) ASSERT_EQ(mknod(P(NameOf(i)).c_str(), S_IFREG | 0644, 0), 0);
  } else {
    FillByCommit(world(), InRepository());
    ASSERT_TRUE(Eventually([this] { return SizeOf(NameOf(0)) == 1; }));
  }
  std::vector<char> seen(kEntries);
  const Churn one(P("."), "one-");
  const Churn two(P("."), "two-");
  DIR* const folder = opendir(P(".").c_str());
  ASSERT_NE(folder, nullptr);
  for (int pass = 0; pass < 2; ++pass) {
    std::fill(seen.begin(), seen.end(), 0);
    std::map<std::string, int> others;
    while (const dirent* entry = readdir(folder)) {
      const std::string name = entry->d_name;
      if (!name.starts_with("entry-")) {
        EXPECT_EQ(++others[name], 1) << name;
        continue;
      }
      ASSERT_EQ(seen.at(static_cast<std::size_t>(std::stoi(name.substr(6))))++, 0) << name << " twice";
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), kEntries);
    rewinddir(folder);
  }
  closedir(folder);
  EXPECT_EQ(Stat(NameOf(kEntries - 1)).st_nlink, 1U);
  EXPECT_EQ(Open(NameOf(kEntries), O_RDONLY), ENOENT);
}

TEST_P(Posix, SeekdirLeadsBackWhileOthersChangeTheDirectory) {
  for (int i = 0; i < 2000; ++i) MakeDirectory(NameOf(i));
  const Churn churn(P("."), "other-");
  DIR* const folder = opendir(P(".").c_str());
  ASSERT_NE(folder, nullptr);
  std::vector<std::pair<long, std::string>> told;
  for (;;) {
    const long position = telldir(folder);
    const dirent* const entry = readdir(folder);
    if (entry == nullptr) break;
    if (std::string_view(entry->d_name).starts_with("entry-")) told.emplace_back(position, entry->d_name);
  }
  EXPECT_EQ(told.size(), 2000U);
  for (std::size_t i = 0; i < told.size(); i += 97) {
    seekdir(folder, told[i].first);
    // Names that came since may stand between; no other of those that were there.
    const dirent* entry = readdir(folder);
    while (entry != nullptr && !std::string_view(entry->d_name).starts_with("entry-")) entry = readdir(folder);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(told[i].second, entry->d_name);
  }
  closedir(folder);
}

}  // namespace
}  // namespace concordfs::mounttest
