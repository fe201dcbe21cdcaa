#include "tests/mount/support/mount_test.h"

#include <algorithm>

namespace concordfs::mounttest {

std::unique_ptr<MountTest::World> MountTest::world_;

void MountlessTest::SetUp() {
  ASSERT_EQ(WhyNoMounts(), "");
  temp_.emplace();
}

void MountTest::SetUp() {
  ASSERT_EQ(WhyNoMounts(), "");
  if (world_ == nullptr) world_ = std::make_unique<World>();
  ASSERT_TRUE(mount().DaemonRuns()) << mount().Log();
  name_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::replace(name_.begin(), name_.end(), '/', '-');
  dir_ = mount().path() / name_;
  outside_ = world_->temp.MakeDirectory("outside-" + name_);
  std::error_code error;
  ASSERT_TRUE(std::filesystem::create_directory(dir_, error)) << error.message();
}

void MountTest::TearDownTestSuite() {
  if (world_ == nullptr) return;
  if (world_->mount.mounted()) {
    EXPECT_EQ(world_->repository.Fsck(), "");
    world_->mount.Unmount();
  }
  world_.reset();
}

Outcome MountTest::As(const std::string& agent, const std::string& command) const {
  return RunAs(agent, command, dir_, {{"OUT", outside_}});
}

void MountTest::Must(const std::string& agent, const std::string& command) const {
  const Outcome outcome = As(agent, command);
  EXPECT_EQ(outcome.status, 0) << agent << "$ " << command << "\n" << outcome;
}

std::vector<std::string> MountTest::Rejected(const std::string& agent) const {
  return repository().RefsUnder("refs/concordfs/rejected/" + agent + "/");
}

}  // namespace concordfs::mounttest
