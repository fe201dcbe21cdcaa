// Many agents, one counter: no update is lost and history has each exactly once, in order (R4, R5).
#include <memory>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

constexpr int kCounters = 8;
constexpr int kOfEach = 40;

// Two habits of writing: in place through one descriptor, and by truncating anew after a read.
constexpr char kIncrement[] = R"(
import errno, os, sys
in_place = sys.argv[1] == "in-place"
done = refused = 0
while done < int(sys.argv[2]):
    try:
        if in_place:
            with open("counter", "r+b", 0) as f:
                n = int(f.read())
                f.seek(0)
                f.write(b"%d\n" % (n + 1))
        else:
            with open("counter") as f:
                n = int(f.read())
            with open("counter", "w") as f:
                f.write("%d\n" % (n + 1))
        done += 1
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
        refused += 1
        if refused > 20000:
            sys.exit("refused too often")
print("refused", refused)
)";

class Counter : public MountlessTest {
 protected:
  // Lets the agents count on these mounts of one repository, in turn.
  void CountOn(const Repository& repository, const std::vector<std::filesystem::path>& mounts) {
    const Outcome start = RunAs("setup", "echo 0 > counter", mounts[0]);
    ASSERT_EQ(start.status, 0) << start;
    for (const std::filesystem::path& mount : mounts) {
      ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(mount / "counter"); })) << mount;
    }
    std::vector<std::unique_ptr<Process>> agents;
    for (std::size_t i = 0; i < kCounters; ++i) {
      ProcessSpec spec;
      spec.argv = {CONCORDFS_PYTHON,       "-I", "-S", "-c", kIncrement, i % 4 < 2 ? "in-place" : "anew",
                   std::to_string(kOfEach)};
      spec.cwd = mounts[i % mounts.size()];
      spec.environment = {{"CONCORDFS_AGENT", "agent-" + std::to_string(i)}};
      agents.push_back(std::make_unique<Process>(spec));
    }
    for (const auto& agent : agents) {
      const Outcome outcome = agent->Wait(Milliseconds(100'000));
      EXPECT_EQ(outcome.status, 0) << outcome;
    }
    ExpectEachOnceInOrder(repository);
    for (const std::filesystem::path& mount : mounts) {
      // What one mount published, another one sees a moment later (R11).
      EXPECT_TRUE(Eventually([&] { return ReadFile(mount / "counter") == std::to_string(kCounters * kOfEach) + "\n"; }))
          << mount;
    }
  }

 private:
  static void ExpectEachOnceInOrder(const Repository& repository) {
    std::vector<std::string> counted;
    for (const std::string& line :
         Lines(repository.Output({"log", "--reverse", "--format=", "-p", "refs/heads/main", "--", "counter"}))) {
      if (line.size() > 1 && line[0] == '+' && line[1] != '+') counted.push_back(line.substr(1));
    }
    std::vector<std::string> expected;
    for (int n = 0; n <= kCounters * kOfEach; ++n) expected.push_back(std::to_string(n));
    EXPECT_EQ(counted, expected);
    EXPECT_EQ(repository.CommitCount("counter"), kCounters * kOfEach + 1);
    for (int i = 0; i < kCounters; ++i) {
      EXPECT_EQ(repository.Output({"rev-list", "--count", "--author=^agent-" + std::to_string(i) + " ",
                                   "refs/heads/main", "--", "counter"}),
                std::to_string(kOfEach));
    }
    EXPECT_EQ(repository.Fsck(), "");
  }
};

TEST_F(Counter, OfEightAgentsLosesNoIncrement) {
  Repository repository(temp().path() / "repository");
  Mount mount(repository.path(), temp().path() / "mnt");
  ASSERT_TRUE(mount.mounted());
  CountOn(repository, {mount.path()});
}

TEST_F(Counter, OfEightAgentsOnTwoMountsLosesNoIncrement) {
  Repository repository(temp().path() / "repository");
  Mount first(repository.path(), temp().path() / "first");
  Mount second(repository.path(), temp().path() / "second");
  ASSERT_TRUE(first.mounted() && second.mounted());
  CountOn(repository, {first.path(), second.path()});
}

}  // namespace
}  // namespace concordfs::mounttest
