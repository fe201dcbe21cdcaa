// kill -9 at any moment loses nothing that was accepted, and nothing that was synced (R7, R13).
#include <memory>
#include <set>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Writes a file of its own and one that all share, and notes outside what was acknowledged. A close answers 0 also when
// the daemon died before it: only what another answer of the daemon followed was acknowledged by it.
constexpr char kStorm[] = R"(
import errno, os, sys
me, acknowledged = sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def note(text):
    os.statvfs(".")
    os.write(acknowledged, text.encode())
try:
    for n in range(1000000):
        with open("own-" + me, "w") as f: f.write("%s %d\n" % (me, n))
        note("own-%s %s %d\n" % (me, me, n))
        try:
            with open("shared") as f: text = f.read()
            with open("shared", "w") as f: f.write("%s %d\n" % (me, n) + text[:500])
            note("shared %s %d\n" % (me, n))
        except OSError as error:
            if error.errno != errno.ESTALE: raise
except OSError as error:
    if error.errno not in (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO): raise
)";

class Crash : public MountlessTest {
 protected:
  void SetUp() override {
    MountlessTest::SetUp();
    if (HasFatalFailure()) return;
    repository_.emplace(temp().path() / "repository");
    mount_.emplace(repository_->path(), temp().path() / "mnt");
    ASSERT_TRUE(mount_->mounted());
  }
  void TearDown() override {
    if (mount_ && mount_->mounted()) mount_->Unmount();
    if (repository_) {
      EXPECT_EQ(repository_->Fsck(), "");
    }
    mount_.reset();
  }

  Repository& repository() { return *repository_; }
  Mount& mount() { return *mount_; }
  void Must(const std::string& agent, const std::string& command) {
    const Outcome outcome = RunAs(agent, command, mount_->path());
    EXPECT_EQ(outcome.status, 0) << agent << "$ " << command << "\n" << outcome;
  }
  // All lines that any version of the path in history added.
  std::set<std::string> EverAdded(const std::string& path) {
    std::set<std::string> added;
    for (const std::string& line :
         Lines(repository_->Output({"log", "--format=", "-p", "-U0", "refs/heads/main", "--", path}))) {
      if (line.size() > 1 && line[0] == '+' && line[1] != '+') added.insert(line.substr(1));
    }
    return added;
  }

 private:
  std::optional<Repository> repository_;
  std::optional<Mount> mount_;
};

TEST_F(Crash, InAStormOfWritesLosesNothingAcknowledged) {
  constexpr std::size_t kAgents = 4;
  Must("setup", ": > shared");
  std::vector<std::unique_ptr<Process>> agents;
  std::vector<std::filesystem::path> notes;
  for (std::size_t i = 0; i < kAgents; ++i) {
    const std::string name = "agent-" + std::to_string(i);
    notes.push_back(temp().path() / (name + ".acknowledged"));
    ProcessSpec spec;
    spec.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kStorm, name, notes.back()};
    spec.cwd = mount().path();
    spec.environment = {{"CONCORDFS_AGENT", name}};
    agents.push_back(std::make_unique<Process>(spec));
  }
  EXPECT_TRUE(Eventually(
      [&] {
        for (const auto& note : notes) {
          std::error_code error;
          if (!std::filesystem::exists(note) || std::filesystem::file_size(note, error) < 1000) return false;
        }
        return true;
      },
      kTimeLimit));
  mount().Kill9();
  for (const auto& agent : agents) {
    const Outcome outcome = agent->Wait();
    EXPECT_EQ(outcome.status, 0) << outcome;
  }
  EXPECT_EQ(repository().Fsck(), "");

  mount().Remount();
  ASSERT_TRUE(mount().mounted());
  std::size_t checked = 0;
  std::map<std::string, std::set<std::string>> history;
  for (const auto& note : notes) {
    for (const std::string& line : Lines(ReadFile(note))) {
      const std::string path = line.substr(0, line.find(' '));
      if (history.count(path) == 0) history[path] = EverAdded(path);
      EXPECT_EQ(history[path].count(line.substr(line.find(' ') + 1)), 1U) << "lost: " << line;
      ++checked;
    }
  }
  EXPECT_GT(checked, 100U);
  Must("after", "cat shared; echo more >> shared; for f in own-*; do cat $f && echo more >> $f; done");
}

TEST_F(Crash, LeavesADeadMountPointThatTheNextMountCleansUpAndSaysSo) {
  mount().Kill9();
  EXPECT_THAT(RunAs("a", "ls " + mount().path().string(), "/").err, HasSubstr("not connected"));
  mount().Remount();
  ASSERT_TRUE(mount().mounted());
  EXPECT_THAT(mount().Log(), HasSubstr("dead daemon"));
  Must("andrew", "echo x > f");
}

TEST_F(Crash, LeavesALockOfTheBranchThatTheNextMountRemovesAndSaysSo) {
  mount().Kill9();
  WriteFile(repository().path() / "refs" / "heads" / "main.lock", "");
  mount().Remount();
  ASSERT_TRUE(mount().mounted());
  EXPECT_THAT(mount().Log(), HasSubstr("lock"));
  Must("andrew", "echo x > f");
  EXPECT_EQ(repository().Show("f"), "x\n");
}

TEST_F(Crash, LeavesWhatWasSyncedAndNotPublishedToBeParked) {
  Must("andrew", "echo A > f");
  const std::string base = repository().Head();
  AgentPython benson("benson", mount().path());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'unpublished\\n'); os.fsync(fd)"),
            "ok");
  ASSERT_EQ(benson.Do("g = os.open('new', os.O_RDWR | os.O_CREAT); os.write(g, b'new\\n'); os.fsync(g)"), "ok");
  mount().Kill9();
  mount().Remount();
  ASSERT_TRUE(mount().mounted());
  const std::vector<std::string> refs = repository().RefsUnder("refs/concordfs/recovered/benson/");
  ASSERT_THAT(refs, SizeIs(2));
  std::set<std::string> found;
  for (const std::string& ref : refs) {
    EXPECT_THAT(mount().Log(), HasSubstr(ref)) << "the mount says so";
    if (const auto content = repository().Show("new", ref)) found.insert("new: " + *content);
    if (const auto content = repository().Show("f", ref); content && *content != "A\n") {
      found.insert("f: " + *content);
      EXPECT_EQ(repository().Output({"rev-parse", ref + "^"}), base);
    }
  }
  EXPECT_EQ(found, (std::set<std::string>{"f: A\nunpublished\n", "new: new\n"}));
  EXPECT_EQ(repository().Show("f"), "A\n") << "recovered is not published";

  mount().Unmount();
  mount().Remount();
  EXPECT_THAT(repository().RefsUnder("refs/concordfs/recovered/"), SizeIs(2)) << "and recovered once";
}

TEST_F(Crash, LeavesNothingToRecoverOfWhatWasPublished) {
  Must("andrew", "echo A > f; echo B > f; echo C > g; rm g");
  mount().Kill9();
  mount().Remount();
  EXPECT_THAT(repository().RefsUnder("refs/concordfs/recovered/"), IsEmpty());
  EXPECT_EQ(RunAs("andrew", "cat f; ls", mount().path()).out, "B\nf\n");
}

TEST_F(Crash, OfOneDaemonLeavesAnotherOneOfTheRepositoryAlone) {
  Must("andrew", "echo A > f; echo A > g");
  Mount other(repository().path(), temp().path() / "other");
  ASSERT_TRUE(other.mounted());
  AgentPython benson("benson", other.path());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'mine\\n')"), "ok");
  mount().Kill9();
  mount().Remount();
  EXPECT_THAT(repository().RefsUnder("refs/concordfs/recovered/"), IsEmpty()) << "its owner lives";
  EXPECT_EQ(benson.Do("os.close(fd)"), "ok");
  EXPECT_EQ(repository().Show("f"), "A\nmine\n");
}

TEST_F(Crash, CanHappenAgainAndAgain) {
  for (int round = 0; round < 5; ++round) {
    const std::string text = std::to_string(round) + "\n";
    Must("andrew", "cat f 2>/dev/null; echo " + std::to_string(round) + " > f");
    EXPECT_EQ(repository().Show("f"), text);
    mount().Kill9();
    mount().Remount();
    ASSERT_TRUE(mount().mounted());
    EXPECT_EQ(ReadFile(mount().path() / "f"), text);
  }
  EXPECT_EQ(repository().CommitCount("f"), 5);
}

TEST_F(Crash, IsNotAnUnmountWhichPublishesWhatIsOpen) {
  Must("andrew", "echo A > f");
  AgentPython benson("benson", mount().path());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'open\\n')"), "ok");
  ASSERT_EQ(benson.Do("os.chdir('/')"), "ok");
  const Outcome unmounted = Concordfs({"umount", mount().path()});
  EXPECT_EQ(unmounted.status, 0) << unmounted;
  EXPECT_EQ(repository().Show("f"), "A\nopen\n");
  benson.Do("os.close(fd)");
  EXPECT_TRUE(Eventually([this] { return !mount().DaemonRuns(); })) << "the last descriptor is closed";
  mount().Remount();
  EXPECT_EQ(repository().Show("f"), "A\nopen\n");
}

TEST_F(Crash, IsNotATerminationWhichPublishesWhatIsOpen) {
  Must("andrew", "echo A > f; echo A > g");
  AgentPython benson("benson", mount().path());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'open\\n')"), "ok");
  ASSERT_EQ(benson.Do("gd = os.open('g', os.O_RDWR); os.read(gd, 9); os.write(gd, b'stale\\n')"), "ok");
  Must("andrew", "echo B > g");
  ASSERT_EQ(kill(mount().pid(), SIGTERM), 0);
  EXPECT_TRUE(Eventually([this] { return !mount().DaemonRuns(); }, kTimeLimit));
  EXPECT_EQ(repository().Show("f"), "A\nopen\n");
  EXPECT_EQ(repository().Show("g"), "B\n");
  ASSERT_THAT(repository().RefsUnder("refs/concordfs/rejected/benson/"), SizeIs(1));
  EXPECT_EQ(repository().Show("g", repository().RefsUnder("refs/concordfs/rejected/benson/")[0]), "A\nstale\n");
  mount().Remount();
  EXPECT_THAT(repository().RefsUnder("refs/concordfs/recovered/"), IsEmpty());
}

}  // namespace
}  // namespace concordfs::mounttest
