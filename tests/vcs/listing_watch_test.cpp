#include "vcs/git/listing_watch.h"

#include <fstream>

#include "tests/vcs/git_repo.h"

namespace concordfs::vcs::git {
namespace {

class ListingWatchTest : public GitStore {
 protected:
  ListingWatchTest() {
    for (const char* folder : {"00", "a7", "ff"}) stdfs::create_directories(objects() / folder);
    WriteFile(objects() / "a7/file", "x");
  }
  stdfs::path objects() const { return repo_.path() / "objects"; }
  static ObjectId In(std::uint8_t folder) {
    ObjectId::Bytes bytes{};
    bytes[0] = folder;
    return ObjectId(bytes);
  }
};

TEST_F(ListingWatchTest, SeesWhoBeginsAndEndsAndNoOtherFolder) {
  ListingWatch watch(objects().string());
  EXPECT_FALSE(watch.IsListed(In(0xa7)));
  auto listed = stdfs::directory_iterator(objects() / "a7");
  const auto other = stdfs::directory_iterator(objects() / "ff");
  auto twice = stdfs::directory_iterator(objects() / "a7");
  EXPECT_TRUE(watch.IsListed(In(0xa7)));
  EXPECT_FALSE(watch.IsListed(In(0x00)));
  EXPECT_FALSE(watch.IsListed(In(0x12))) << "there is no such folder";
  listed = {};
  EXPECT_TRUE(watch.IsListed(In(0xa7)));
  twice = {};
  EXPECT_FALSE(watch.IsListed(In(0xa7)));
}

TEST_F(ListingWatchTest, KnowsAReaderOfAFileFromOneOfTheFolder) {
  ListingWatch watch(objects().string());
  EXPECT_EQ(ReadFile(objects() / "a7/file"), "x");
  EXPECT_FALSE(watch.IsListed(In(0xa7)));
}

TEST_F(ListingWatchTest, TakesEveryFolderForListedWhenThereIsTooMuchToSee) {
  ListingWatch watch(objects().string());
  int most = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  // Turn about: an event that is like the one before it is not kept.
  WriteFile(objects() / "a7/other", "x");
  for (int i = 0; i <= most; ++i) ReadFile(objects() / (i % 2 == 0 ? "a7/file" : "a7/other"));
  EXPECT_TRUE(watch.IsListed(In(0xff)));
}

}  // namespace
}  // namespace concordfs::vcs::git
