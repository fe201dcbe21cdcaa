// Where the contract deviates from POSIX.
#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

// Where the contract deviates from POSIX: what git can't hold.
class Deviation : public MountTest {};

TEST_F(Deviation, HardLinksAndDeviceNodesAreEPERM) {
  AgentPython andrew("andrew", Dir());
  ASSERT_EQ(andrew.Do("open('f', 'w').write('x')"), "ok");
  EXPECT_EQ(andrew.Do("os.link('f', 'g')"), "EPERM");
  EXPECT_EQ(andrew.Do("os.mkfifo('fifo')"), "EPERM");
  EXPECT_EQ(andrew.Do("os.mknod('device', 0o020644, os.makedev(1, 3))"), "EPERM");
  EXPECT_EQ(andrew.Do("os.mknod('socket', 0o140644)"), "EPERM");
  EXPECT_EQ(andrew.Get("sorted(os.listdir('.'))"), "['f']");
}

TEST_F(Deviation, ModesHoldTheExecutableBitOnly) {
  Must("andrew", "echo x > f; chmod 600 f");
  EXPECT_EQ(As("andrew", "stat -c %a f").out, "644\n");
  Must("andrew", "chmod 700 f");
  EXPECT_EQ(As("andrew", "stat -c %a f").out, "755\n");
}

TEST_F(Deviation, OwnersCanNotBeChanged) {
  Must("andrew", "echo x > f");
  EXPECT_THAT(As("andrew", "chown 12345 f").err, ::testing::HasSubstr("not permitted"));
}

}  // namespace
}  // namespace concordfs::mounttest
