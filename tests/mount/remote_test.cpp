// Several machines on one git server: sync mode, where nothing is published here that isn't published there first.
#include "tests/mount/support/machines.h"
#include "tests/mount/support/ssh_server.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Remote : public MachinesTest {};

TEST_F(Remote, IsFetchedIntoARepositoryThatTheMountMakes) {
  Clone outside(origin(), temp().path() / "outside");
  outside.Push("dir/f", "from before\n");
  const auto machine = Machine("a");
  EXPECT_EQ(ReadFile(machine->path() / "dir/f"), "from before\n");
  EXPECT_EQ(State(*machine), "up to date");
  EXPECT_EQ(Git(temp().path() / "a.git", {"rev-parse", "main"}).out, origin().Head() + "\n");
}

TEST_F(Remote, HasTheCommitWhenCloseReturns) {
  const auto machine = Machine("a");
  ASSERT_EQ(Write("andrew", machine->path() / "f", "hello\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "hello\n");
  EXPECT_THAT(origin().Log("%an: %s", "f"), ::testing::ElementsAre("andrew: Create f"));
  ExpectAllSound({machine.get()});
}

TEST_F(Remote, TakesLargeFilesRenamesAndDeletions) {
  const auto machine = Machine("a");
  const Outcome done = RunAs("andrew", "head -c 3000000 /dev/urandom > big && mkdir d && echo x > d/one && echo y > d/two && "
                             "mv d e && mv e/one e/three && rm e/two && cksum < big", machine->path());
  ASSERT_EQ(done.status, 0) << done;
  EXPECT_EQ(origin().Output({"ls-tree", "-r", "--name-only", "main"}), "big\ne/three");
  EXPECT_EQ(RunAs("", "git show main:big | cksum", origin().path()).out, done.out);
  ExpectAllSound({machine.get()});
}

TEST_F(Remote, TellsAStaleWriterOnAnotherMachineAndParksItsWork) {
  const auto a = Machine("a");
  const auto b = Machine("b", {"--fetch-period", "3600"});
  ASSERT_EQ(Write("andrew", a->path() / "f", "A\n"), "ok");
  ASSERT_EQ(Concordfs({"sync", b->path()}).status, 0);
  AgentShell benson("benson", b->path());
  ASSERT_EQ(benson.Do("cat f").out, "A\n");
  ASSERT_EQ(RunAs("andrew", "cat f && echo B > f", a->path()).status, 0);
  // Machine b doesn't know of it yet: the server does.
  const Outcome refused = benson.Do("cp /proc/self/cmdline f");
  EXPECT_THAT(refused.err, HasSubstr("Stale file handle"));
  EXPECT_EQ(origin().Show("f"), "B\n");
  EXPECT_EQ(benson.Do("cat f").out, "B\n") << "what the refused push brought";
  EXPECT_THAT(Lines(Git(temp().path() / "b.git", {"for-each-ref", "refs/concordfs/rejected/benson"}).out), SizeIs(1));
  EXPECT_EQ(benson.Do("echo C >> f").status, 0);
  EXPECT_EQ(origin().Show("f"), "B\nC\n");
}

TEST_F(Remote, NeverRefusesForAChangeOfAnotherPath) {
  const auto a = Machine("a");
  const auto b = Machine("b");
  constexpr int kWrites = 15;
  std::vector<std::unique_ptr<Process>> writers;
  for (int i = 0; i < 4; ++i) {
    const std::string file = "f" + std::to_string(i);
    writers.push_back(std::make_unique<Process>(ProcessSpec{
        .argv = {"bash", "-ec", "for n in $(seq " + std::to_string(kWrites) + "); do cp <(echo $n) " + file + "; done"},
        .cwd = (i % 2 == 0 ? a : b)->path(),
        .environment = {{"CONCORDFS_AGENT", "agent-" + std::to_string(i)}},
        .output_file = {}}));
  }
  for (const auto& writer : writers) {
    const Outcome outcome = writer->Wait();
    EXPECT_EQ(outcome.status, 0) << outcome;
  }
  for (int i = 0; i < 4; ++i) EXPECT_EQ(origin().CommitCount("f" + std::to_string(i)), kWrites);
  EXPECT_THAT(origin().Log("%H %p", ""), SizeIs(4 * kWrites + 1)) << "one line, nothing twice";
  ExpectAllSound({a.get(), b.get()});
}

constexpr char kCount[] = R"(
import errno, sys
done = 0
while done < int(sys.argv[1]):
    try:
        with open("counter", "r+b", 0) as f:
            n = int(f.read())
            f.seek(0)
            f.write(b"%d\n" % (n + 1))
        done += 1
    except OSError as error:
        if error.errno != errno.ESTALE: raise
)";

TEST_F(Remote, LosesNoIncrementOfACounterOnFourMachines) {
  std::vector<std::unique_ptr<Mount>> machines;
  for (const char* name : {"a", "b", "c", "d"}) machines.push_back(Machine(name));
  ASSERT_EQ(Write("setup", machines[0]->path() / "counter", "0\n"), "ok");
  for (const auto& machine : machines) ASSERT_EQ(Concordfs({"sync", machine->path()}).status, 0);
  constexpr int kIncrements = 6;
  std::vector<std::unique_ptr<Process>> agents;
  for (int i = 0; i < 8; ++i) {
    agents.push_back(std::make_unique<Process>(ProcessSpec{.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kCount, std::to_string(kIncrements)},
                                                           .cwd = machines[i % 4]->path(),
                                                           .environment = {{"CONCORDFS_AGENT", "agent-" + std::to_string(i)}},
                                                           .output_file = {}}));
  }
  for (const auto& agent : agents) {
    const Outcome outcome = agent->Wait(Milliseconds(100'000));
    EXPECT_EQ(outcome.status, 0) << outcome;
  }
  std::vector<std::string> counted;
  for (const std::string& line : Lines(origin().Output({"log", "--reverse", "--format=", "-p", "main", "--", "counter"}))) {
    if (line.size() > 1 && line[0] == '+' && line[1] != '+') counted.push_back(line.substr(1));
  }
  std::vector<std::string> expected;
  for (int n = 0; n <= 8 * kIncrements; ++n) expected.push_back(std::to_string(n));
  EXPECT_EQ(counted, expected);
  ExpectAllSound({machines[0].get(), machines[3].get()});
}

TEST_F(Remote, ServesTwoDaemonsOnOneRepository) {
  const auto first = Machine("a");
  Mount second(temp().path() / "a.git", temp().path() / "a2", {"--remote", Url()});
  constexpr int kWrites = 15;
  std::vector<std::unique_ptr<Process>> writers;
  for (const auto& path : {first->path(), second.path()}) {
    const std::string file = path.filename();
    writers.push_back(std::make_unique<Process>(ProcessSpec{
        .argv = {"bash", "-ec", "for n in $(seq " + std::to_string(kWrites) + "); do cp <(echo $n) " + file + "-f; done"},
        .cwd = path,
        .environment = {{"CONCORDFS_AGENT", file}},
        .output_file = {}}));
  }
  for (const auto& writer : writers) {
    const Outcome outcome = writer->Wait();
    EXPECT_EQ(outcome.status, 0) << outcome;
  }
  EXPECT_EQ(origin().CommitCount(), 2 * kWrites + 1);
  EXPECT_EQ(Git(temp().path() / "a.git", {"rev-parse", "main"}).out, origin().Head() + "\n");
}

TEST_F(Remote, ShowsWhatIsNewOnSyncAndOnHangUp) {
  const auto machine = Machine("a", {"--fetch-period", "3600"});
  Clone outside(origin(), temp().path() / "outside");
  outside.Push("f", "1\n");
  EXPECT_FALSE(std::filesystem::exists(machine->path() / "f"));
  ASSERT_EQ(Concordfs({"sync"}, machine->path()).status, 0);
  EXPECT_EQ(ReadFile(machine->path() / "f"), "1\n");
  outside.Push("f", "2\n");
  kill(machine->pid(), SIGHUP);
  EXPECT_TRUE(Eventually([&] { return ReadFile(machine->path() / "f") == "2\n"; }));
  EXPECT_TRUE(machine->DaemonRuns());
}

TEST_F(Remote, IsAskedAgainAndAgain) {
  const auto machine = Machine("a", {"--fetch-period", "0.05"});
  Clone outside(origin(), temp().path() / "outside");
  outside.Push("f", "1\n");
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(machine->path() / "f"); }));
}

TEST_F(Remote, IsAPathOrANameInTheConfiguration) {
  Mount by_path(temp().path() / "p.git", temp().path() / "p", {"--remote", origin().path()});
  ASSERT_EQ(Write("andrew", by_path.path() / "f", "by path\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "by path\n");
  ASSERT_EQ(Git(temp().path(), {"clone", "-q", "--bare", origin().path(), "n.git"}).status, 0);
  Mount by_name(temp().path() / "n.git", temp().path() / "n", {"--remote", "origin"});
  ASSERT_EQ(Write("benson", by_name.path() / "g", "by name\n"), "ok");
  EXPECT_EQ(origin().Show("g"), "by name\n");
  ExpectAllSound({&by_path, &by_name});
}

TEST_F(Remote, IsReachedBySshWithAKey) {
  const SshServer ssh(temp().path() / "ssh");
  const Environment environment = {{"GIT_SSH_COMMAND", ssh.Command()}};
  const std::vector<std::string> address = {"--remote", ssh.Url(origin().path()), "--ssh-key"};
  std::vector<std::string> with_key = address;
  with_key.push_back(ssh.key());
  {
    Mount machine(temp().path() / "s.git", temp().path() / "s", with_key, environment);
    ASSERT_EQ(Write("andrew", machine.path() / "f", "by ssh\n"), "ok");
    EXPECT_EQ(origin().Show("f"), "by ssh\n");
    const auto status = RemoteStatus(machine);
    EXPECT_EQ(status["state"], "up to date");
    EXPECT_THAT(status["url"].get<std::string>(), ::testing::Not(HasSubstr("root@")));
    EXPECT_THAT(machine.Log(), ::testing::Not(HasSubstr("root@")));
  }
  std::vector<std::string> with_strange_key = address;
  with_strange_key.push_back(ssh.strange_key());
  {
    Mount machine(temp().path() / "s.git", temp().path() / "s", with_strange_key, environment);
    EXPECT_EQ(State(machine), "no access");
    EXPECT_EQ(Write("andrew", machine.path() / "f", "2\n"), "EACCES");
    EXPECT_EQ(ReadFile(machine.path() / "f"), "by ssh\n");
  }
  ExpectAllSound({});
}

TEST_F(Remote, GetsItsFirstCommitFromTheFirstMachine) {
  ASSERT_EQ(Git(temp().path() / "server", {"init", "-q", "--bare", "-b", "main", "empty.git"}).status, 0);
  Mount machine(temp().path() / "e.git", temp().path() / "e", {"--remote", server().Url("empty.git")});
  ASSERT_EQ(Write("andrew", machine.path() / "f", "first\n"), "ok");
  EXPECT_EQ(Git(temp().path() / "server/empty.git", {"show", "main:f"}).out, "first\n");
}

TEST_F(Remote, OfABranchThatIsNowhereMountsNothing) {
  std::filesystem::create_directories(temp().path() / "x");
  const Outcome none = Concordfs({"mount", temp().path() / "x.git", temp().path() / "x", "--remote", Url(), "--branch", "typo"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("no such branch"));
  const Outcome secret = Concordfs({"mount", temp().path() / "x.git", temp().path() / "x", "--remote", "ssh://u:hush@h/x"});
  EXPECT_EQ(secret.status, 1);
  EXPECT_THAT(secret.err, ::testing::Not(HasSubstr("hush")));
  EXPECT_EQ(Concordfs({"mount", "x", "y", "--remote", "z", "--fetch-period", "soon"}).status, 2);
}

TEST_F(Remote, ReadOnlyMountsFollow) {
  const auto machine = Machine("a", {"--read-only"});
  Clone outside(origin(), temp().path() / "outside");
  outside.Push("f", "1\n");
  ASSERT_EQ(Concordfs({"sync", machine->path()}).status, 1) << "an attribute of a read-only mount can't be set";
  kill(machine->pid(), SIGHUP);
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(machine->path() / "f"); }));
}

}  // namespace
}  // namespace concordfs::mounttest
