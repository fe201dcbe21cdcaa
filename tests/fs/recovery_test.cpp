// What a mount finds of a daemon that died (R13).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fs/description_log.h"
#include "fs/filesystem.h"
#include "fs/working_area.h"
#include "tests/model/mount.h"
#include "tests/support/expect_result.h"

namespace concordfs::fs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RecoveryTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dead_); }
  void Put(const std::string& name, const std::string& text) const {
    std::ofstream(dead_ / name, std::ios::binary) << text;
  }
  vcs::Base Base() { return {mount_.branch.At("f"), mount_.branch.Tip().commit}; }
  // Describes the content 1.
  void Describe(const std::string& path) {
    const auto log = DescriptionLog::Open(DescriptionsPath(dead_).string());
    ASSERT_OK(log);
    ASSERT_OK((*log)->Describe(1, {"andrew", "12 vi", path, Base(), vcs::FileMode::kRegular}));
  }
  // The refs that the contents were parked under, by path.
  std::vector<std::string> Recover() {
    std::vector<std::string> lines;
    const auto recovered = RecoverWorkingCopies(mount_.store, mount_.folder.path());
    if (!recovered) return {recovered.error().message};
    for (const Recovered& one : *recovered)
      lines.push_back(one.agent + " " + one.path + (one.ref.empty() ? " safe" : " parked"));
    return lines;
  }

  testing::Mount mount_{{{"f", "A"}}};
  const std::filesystem::path dead_ = MountsFolder(mount_.folder.path()) / "dead";
};

TEST_F(RecoveryTest, ParksWhatWasDescribed) {
  Put("1", "uncommitted");
  Put("2", "published, and its file not reused yet");
  Describe("f");
  EXPECT_THAT(Recover(), ElementsAre("andrew f parked"));
  EXPECT_FALSE(std::filesystem::exists(dead_));
  EXPECT_THAT(Recover(), IsEmpty());
}

TEST_F(RecoveryTest, ParksNothingThatEqualsItsBase) {
  Put("1", "A");
  Describe("f");
  EXPECT_THAT(Recover(), ElementsAre("andrew f safe"));
  EXPECT_FALSE(std::filesystem::exists(dead_));
}

TEST_F(RecoveryTest, ParksWhatAnOlderDaemonDescribedInAFileOfItsOwn) {
  Put("1", "uncommitted");
  Put("1.json",
      R"({"agent": "andrew", "process": "12 vi", "path": "f", "mode": 33188, "base": "absent", "base_commit": ")" +
          Base().commit.Hex() + "\"}");
  EXPECT_THAT(Recover(), ElementsAre("andrew f parked"));
  EXPECT_FALSE(std::filesystem::exists(dead_));
}

TEST_F(RecoveryTest, LeavesWhatItCannotPark) {
  Put("1", "uncommitted");
  Describe("a//b");
  EXPECT_THAT(Recover(), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(dead_ / "1"));
}

TEST_F(RecoveryTest, MissesNothingThatWasGivenUp) {
  Describe("f");  // and there was no room to say that its file was removed
  EXPECT_THAT(Recover(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(dead_));
}

}  // namespace
}  // namespace concordfs::fs
