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

}  // namespace
}  // namespace concordfs::mounttest
