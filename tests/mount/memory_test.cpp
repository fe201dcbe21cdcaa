// What a mount remembers of names that were only looked at.
#include <sys/utsname.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

constexpr int kFiles = 3000;

class Memory : public MountlessTest {
 protected:
  static bool KernelPrunes() {
    utsname name{};
    int major = 0;
    int minor = 0;
    uname(&name);
    return std::sscanf(name.release, "%d.%d", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 18));
  }
  static int Nodes(const Mount& mount) {
    const Outcome status = RunAs("andrew", std::string(CONCORDFS_BINARY) + " status --json .", mount.path());
    EXPECT_EQ(status.status, 0) << status;
    return nlohmann::json::parse(status.out).at("counters").at("nodes").get<int>();
  }
};

TEST_F(Memory, OfNamesIsGivenBackBeyondTheLimit) {
  if (!KernelPrunes()) GTEST_SKIP() << "this kernel can't be asked to forget";
  Repository repository(temp().path() / "repository");
  Clone clone(repository, temp().path() / "clone");
  for (int i = 0; i < kFiles; ++i) WriteFile(clone.path() / ("f" + std::to_string(i)), std::to_string(i));
  clone.PushAll("many");
  Mount mount(repository.path(), temp().path() / "mnt", {"--cache-memory", "1M"});  // names: 1024
  ASSERT_TRUE(mount.mounted());
  const Outcome listed = RunAs("andrew", "ls | wc -l", mount.path());
  EXPECT_EQ(listed.out, std::to_string(kFiles) + "\n");
  EXPECT_LE(Nodes(mount), 1100) << "who only lists names needs nothing of them";
  const Outcome looked = RunAs("andrew", "find . -type f -size 1 | wc -l; cat f2999", mount.path());
  EXPECT_EQ(looked.out, std::to_string(kFiles) + "\n2999") << looked;
  int nodes = Nodes(mount);
  for (int i = 0; i < 300 && nodes > 1024; ++i) {  // the daemon looks every two seconds
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    nodes = Nodes(mount);
  }
  EXPECT_LE(nodes, 1024);
  EXPECT_EQ(RunAs("andrew", "cat f0 f1500 f2999 && echo new > f0 && cat f0", mount.path()).out, "015002999new\n");
}

}  // namespace
}  // namespace concordfs::mounttest
