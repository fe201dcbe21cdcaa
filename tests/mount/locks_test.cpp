// Advisory locks between agents: the kernel's are per inode, and here each version of a file is an inode of its own.
#include <csignal>
#include <memory>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

class LocksOnMount : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (HasFatalFailure()) return;
    Must("setup", "echo 0 > f");
  }
  // A Python process of that agent that has opened f.
  static void OpenIn(AgentPython& python, const std::string& flags = "os.O_RDWR") {
    ASSERT_EQ(python.Do("fd = os.open('f', " + flags + ")"), "ok");
  }
  // A child process of the test's, as an agent, that prints "locked" when it has the lock and goes on at the end of its
  // standard input. The script has fcntl and fd, which is open on f. `before` is done before it is said to be ready.
  std::unique_ptr<Process> Locker(const std::string& agent, const std::string& lock, const char* flags = "os.O_RDWR",
                                  const std::string& before = "") const {
    const std::string script = std::string("import fcntl, os, sys\nfd = os.open('f', ") + flags + ")\n" + before +
                               "\nprint('ready', flush=True)\n" + lock +
                               "\nprint('locked', flush=True)\nsys.stdin.read()\n";
    auto process = std::make_unique<Process>(ProcessSpec{.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", script},
                                                         .cwd = Dir(),
                                                         .environment = {{"CONCORDFS_AGENT", agent}},
                                                         .output_file = {}});
    EXPECT_TRUE(Printed(*process, "ready")) << process->err();
    return process;
  }
  static bool Printed(Process& process, const std::string& word) {
    return process.WaitFor([&] { return process.out().find(word) != std::string::npos; });
  }
  // Nobody announces that a request waits, but the kernel: the process sleeps in it.
  static bool Waits(const Process& process) {
    return Eventually([&] {
      const std::string where = ReadFile("/proc/" + std::to_string(process.pid()) + "/wchan");
      return where.find("request_wait_answer") != std::string::npos;
    });
  }
  static bool HasLock(const Process& process) {
    return const_cast<Process&>(process).out().find("locked") != std::string::npos;
  }
};

constexpr char kTryFlock[] = "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)";
constexpr const char* kFlock = "fcntl.flock(fd, fcntl.LOCK_EX)";
constexpr char kUnflock[] = "fcntl.flock(fd, fcntl.LOCK_UN)";
constexpr char kTryRecord[] = "fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)";
constexpr const char* kRecord = "fcntl.lockf(fd, fcntl.LOCK_EX)";

TEST_F(LocksOnMount, FlocksExcludeAgents) {
  AgentPython one("one", Dir());
  AgentPython two("two", Dir());
  OpenIn(one);
  OpenIn(two);
  EXPECT_EQ(one.Do(kTryFlock), "ok");
  EXPECT_EQ(two.Do(kTryFlock), "EAGAIN");
  EXPECT_EQ(one.Do(kUnflock), "ok");
  EXPECT_EQ(two.Do(kTryFlock), "ok");
  EXPECT_EQ(one.Do("fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)"), "EAGAIN");
  EXPECT_EQ(two.Do("fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)"), "ok");
  EXPECT_EQ(one.Do("fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)"), "ok") << "both read";
}

TEST_F(LocksOnMount, FlocksExcludeAgentsAcrossCommits) {
  AgentPython one("one", Dir());
  AgentPython two("two", Dir());
  OpenIn(one, "os.O_RDONLY");
  ASSERT_EQ(one.Do(kTryFlock), "ok");
  for (const std::string agent : {"one", "two", "three"}) Must(agent, "read n < f; echo $((n + 1)) > f");
  ASSERT_EQ(*Show("f"), "3\n");
  OpenIn(two);
  EXPECT_EQ(two.Do(kTryFlock), "EAGAIN");
  EXPECT_EQ(one.Do(kUnflock), "ok");
  EXPECT_EQ(two.Do(kTryFlock), "ok");
  EXPECT_EQ(one.Do(kTryFlock), "EAGAIN") << "through the version that it still has open";
}

TEST_F(LocksOnMount, FlocksExcludeAgentsAcrossAnEditorsSave) {
  AgentPython one("one", Dir());
  AgentPython two("two", Dir());
  OpenIn(one, "os.O_RDONLY");
  ASSERT_EQ(one.Do(kTryFlock), "ok");
  Must("two", "cat f; echo saved > f.new && mv f.new f");
  ASSERT_EQ(*Show("f"), "saved\n");
  OpenIn(two, "os.O_RDONLY");
  EXPECT_EQ(two.Do(kTryFlock), "EAGAIN");
  const auto waiter = Locker("three", kFlock, "os.O_RDONLY");
  ASSERT_TRUE(Waits(*waiter));
  Must("two", "cat f; echo again > f.new && mv f.new f");
  EXPECT_EQ(one.Do(kUnflock), "ok");
  EXPECT_TRUE(Printed(*waiter, "locked"));
  EXPECT_EQ(two.Do(kTryFlock), "EAGAIN");
}

TEST_F(LocksOnMount, RecordLocksExcludeAgentsByRange) {
  AgentPython one("one", Dir());
  AgentPython two("two", Dir());
  OpenIn(one);
  OpenIn(two);
  EXPECT_EQ(one.Do("fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)"), "ok");
  EXPECT_EQ(two.Do("fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 9)"), "EAGAIN");
  EXPECT_EQ(two.Do("fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 0, 10)"), "ok");
  EXPECT_EQ(two.Do(kTryFlock), "ok") << "the other family";
  EXPECT_EQ(one.Do("fcntl.lockf(fd, fcntl.LOCK_UN, 5, 5)"), "ok");
  EXPECT_EQ(two.Do("fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 5)"), "ok");
  // F_GETLK: type, whence, start, length, pid, as struct flock has them on 64-bit Linux.
  ASSERT_EQ(one.Do("import struct\ngot = struct.unpack('hhqqi', fcntl.fcntl(fd, fcntl.F_GETLK, "
                   "struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))[:28])"),
            "ok");
  EXPECT_EQ(one.Get("got[:4] == (fcntl.F_WRLCK, 0, 5, 0)"), "True") << one.Get("got");
  EXPECT_EQ(one.Get("got[4]"), two.Get("os.getpid()"));
}

TEST_F(LocksOnMount, RecordLocksGoWithAnyCloseAndAfterItsCommit) {
  AgentPython one("one", Dir());
  OpenIn(one);
  ASSERT_EQ(one.Do(kTryRecord), "ok");
  const auto waiter = Locker("two", std::string(kRecord) + "\nprint('sees', open('f').read(), flush=True)");
  ASSERT_TRUE(Waits(*waiter));
  EXPECT_FALSE(HasLock(*waiter));
  ASSERT_EQ(one.Do("os.pwrite(fd, b'one', 0)"), "ok");
  ASSERT_EQ(one.Do("os.close(fd)"), "ok");
  EXPECT_TRUE(Printed(*waiter, "sees one")) << waiter->out() << waiter->err();
}

TEST_F(LocksOnMount, DeadlocksAreFound) {
  Must("setup", "echo > g");
  AgentPython one("one", Dir());
  OpenIn(one);
  ASSERT_EQ(one.Do(kTryRecord), "ok");
  const auto two = Locker("two", kRecord, "os.O_RDWR", "g = os.open('g', os.O_RDWR)\nfcntl.lockf(g, fcntl.LOCK_EX)");
  ASSERT_TRUE(Waits(*two));
  EXPECT_EQ(one.Do("try:\n  fcntl.lockf(os.open('g', os.O_RDWR), fcntl.LOCK_EX)\nexcept OSError as error:\n  "
                   "answer = error.errno"),
            "ok");
  EXPECT_EQ(one.Get("answer == errno.EDEADLK"), "True") << one.Get("answer");
  EXPECT_EQ(one.Do("fcntl.lockf(fd, fcntl.LOCK_UN)"), "ok");
  EXPECT_TRUE(Printed(*two, "locked"));
}

class WaitingLocks : public LocksOnMount, public ::testing::WithParamInterface<const char*> {};

TEST_P(WaitingLocks, AreGrantedInOrder) {
  auto holder = Locker("one", GetParam());
  ASSERT_TRUE(Printed(*holder, "locked"));
  auto second = Locker("two", GetParam());
  ASSERT_TRUE(Waits(*second));
  auto third = Locker("three", GetParam());
  ASSERT_TRUE(Waits(*third));
  holder->CloseInput();
  EXPECT_EQ(holder->Wait().status, 0);
  EXPECT_TRUE(Printed(*second, "locked"));
  EXPECT_TRUE(Waits(*third));
  EXPECT_FALSE(HasLock(*third));
  second->CloseInput();
  EXPECT_TRUE(Printed(*third, "locked"));
}

TEST_P(WaitingLocks, EndWithTheirProcess) {
  auto holder = Locker("one", GetParam());
  ASSERT_TRUE(Printed(*holder, "locked"));
  auto killed = Locker("two", GetParam());
  auto interrupted = Locker("three", GetParam());
  auto patient = Locker("four", GetParam());
  for (const auto* waiter : {&killed, &interrupted, &patient}) ASSERT_TRUE(Waits(**waiter));
  killed->Kill(SIGKILL);
  EXPECT_EQ(killed->Wait(Milliseconds(10'000)).status, 128 + SIGKILL);
  interrupted->Kill(SIGINT);
  const Outcome outcome = interrupted->Wait(Milliseconds(10'000));
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("KeyboardInterrupt"));
  EXPECT_FALSE(HasLock(*patient));
  holder->Kill(SIGKILL);  // and so do those that are held
  EXPECT_TRUE(Printed(*patient, "locked"));
}

std::string FamilyOf(const ::testing::TestParamInfo<const char*>& tested) {
  return tested.param == kFlock ? "Flock" : "Record";
}

INSTANTIATE_TEST_SUITE_P(Both, WaitingLocks, ::testing::Values(kFlock, kRecord), FamilyOf);

TEST_F(LocksOnMount, AnInterruptedWaitGoesOnWhereTheHandlerSaysSo) {
  AgentPython one("one", Dir());
  OpenIn(one);
  ASSERT_EQ(one.Do(kTryFlock), "ok");
  const auto waiter =
      Locker("two", std::string("import signal\nsignal.signal(signal.SIGUSR1, lambda *_: print('signal', "
                                "flush=True))\n") +
                        kFlock);
  ASSERT_TRUE(Waits(*waiter));
  waiter->Kill(SIGUSR1);
  ASSERT_TRUE(Printed(*waiter, "signal"));
  ASSERT_TRUE(Waits(*waiter));
  EXPECT_FALSE(HasLock(*waiter));
  EXPECT_EQ(one.Do(kUnflock), "ok");
  EXPECT_TRUE(Printed(*waiter, "locked"));
}

TEST_F(LocksOnMount, FlockOfUtilLinuxCountsWithoutALoss) {
  constexpr int kAgents = 4;
  constexpr int kIncrements = 25;
  std::vector<std::unique_ptr<Process>> agents;
  for (int i = 0; i < kAgents; ++i) {
    const std::string increment = "flock f bash -c 'read n < f && echo $((n + 1)) > f'";
    const std::string loop =
        "for i in $(seq " + std::to_string(kIncrements) + "); do " + increment + " || exit 1; done";
    agents.push_back(
        std::make_unique<Process>(ProcessSpec{.argv = {"bash", "-c", loop},
                                              .cwd = Dir(),
                                              .environment = {{"CONCORDFS_AGENT", "a" + std::to_string(i)}},
                                              .output_file = {}}));
  }
  for (const auto& agent : agents) {
    const Outcome outcome = agent->Wait(Milliseconds(100'000));
    EXPECT_EQ(outcome.status, 0) << outcome;
    EXPECT_EQ(outcome.err, "");
  }
  EXPECT_EQ(*Show("f"), std::to_string(kAgents * kIncrements) + "\n");
  EXPECT_EQ(CommitCount("f"), kAgents * kIncrements + 1);
  for (int i = 0; i < kAgents; ++i) EXPECT_THAT(Rejected("a" + std::to_string(i)), ::testing::IsEmpty());
}

class LocksAtTheEnd : public MountlessTest {};

TEST_F(LocksAtTheEnd, WhoWaitsGoesWhenTheMountEnds) {
  Repository repository(temp().path() / "repository");
  Mount mount(repository.path(), temp().path() / "mnt");
  ASSERT_TRUE(mount.mounted());
  ASSERT_EQ(RunAs("one", "echo > f", mount.path()).status, 0);
  AgentPython one("one", mount.path());
  ASSERT_EQ(one.Do("fd = os.open('f', os.O_RDWR)"), "ok");
  ASSERT_EQ(one.Do(kTryFlock), "ok");
  Process waiter({.argv = {"flock", "f", "true"}, .cwd = mount.path(), .environment = {}, .output_file = {}});
  ASSERT_TRUE(Eventually([&] {
    return ReadFile("/proc/" + std::to_string(waiter.pid()) + "/wchan").find("request_wait_answer") !=
           std::string::npos;
  }));
  ASSERT_EQ(kill(mount.pid(), SIGTERM), 0);
  EXPECT_NE(waiter.Wait(Milliseconds(20'000)).status, 0);
  ASSERT_TRUE(Eventually([&] { return !mount.DaemonRuns(); }));
  EXPECT_EQ(mount.Log().find("ERROR"), std::string::npos) << mount.Log();
  mount.Remount();
  EXPECT_TRUE(mount.DaemonRuns());
}

}  // namespace
}  // namespace concordfs::mounttest
