// What becomes of writers when a remote, the way to it or a daemon fails.
#include <csignal>
#include <functional>
#include <set>

#include "tests/mount/support/machines.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;

class RemoteFault : public MachinesTest {
 protected:
  // What becomes of a server that is gone is known after this.
  static std::vector<std::string> Impatient() { return {"--remote-timeout", "0.5", "--fetch-period", "0.1"}; }
};

TEST_F(RemoteFault, OfTheServerIsNoStalenessAndWritingAgainPublishes) {
  const auto machine = Machine("a", Impatient());
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  server().Kill9();
  AgentPython andrew("andrew", machine->path());
  ASSERT_EQ(andrew.Do("f = open('f', 'r+b', 0); f.read(); f.seek(0); f.write(b'2\\n')"), "ok");
  EXPECT_EQ(andrew.Do("f.close()"), "EHOSTUNREACH");
  EXPECT_EQ(RunAs("benson", "cat f", machine->path()).out, "1\n") << "reads go on from what is known";
  EXPECT_EQ(State(*machine), "unreachable");
  EXPECT_EQ(andrew.Get("open('f').read()"), "2\\n") << "the working copy stays";
  server().Start();
  ASSERT_EQ(andrew.Do("f = open('f', 'wb', 0); f.write(b'3\\n'); f.close()"), "ok");
  EXPECT_EQ(origin().Show("f"), "3\n");
  EXPECT_EQ(State(*machine), "up to date");
}

TEST_F(RemoteFault, OfTheServerIsWaitedForAWhile) {
  const auto machine = Machine("a", {"--remote-timeout", "50"});
  server().Kill9();
  Process writer({.argv = {"bash", "-c", "echo patient > f"}, .cwd = machine->path(), .environment = {{"CONCORDFS_AGENT", "andrew"}}, .output_file = {}});
  EXPECT_TRUE(Eventually([&] { return State(*machine) == "unreachable"; }));
  server().Start();
  EXPECT_EQ(writer.Wait().status, 0);
  EXPECT_EQ(origin().Show("f"), "patient\n");
}

// The state of a thread of that name: "S", "D".
std::string ThreadState(pid_t process, const std::string& name) {
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    const std::string stat = ReadFile(thread.path() / "stat");  // "17 (name) S ..."
    const auto end = stat.rfind(')');
    if (stat.substr(0, end).ends_with("(" + name)) return stat.substr(end + 2, 1);
  }
  return "";
}

// An agent that renames has its directory locked and waits for the daemon, which waits for the lock, to have the kernel forget a name in it.
TEST_F(RemoteFault, AndADeathWhileTheKernelIsToldOfItHangNobodyUp) {
  const auto machine = Machine("a", {"--fetch-period", "3600", "--remote-timeout", "50"});
  ASSERT_EQ(RunAs("setup", "mkdir d && echo 1 > d/p && echo 1 > d/others && ls d", machine->path()).status, 0);
  const auto step = [&](const std::string& name) { return temp().path() / name; };
  const std::string place = temp().path().string();
  InstallHook("pre-receive", "[ -z \"$REMOTE_ADDR\" ] && exit 0\n"  // only of a machine
                             "n=$(ls " + place + " | grep -c entered); touch " + place + "/entered$n\n"
                             "[ $n -ge 2 ] && exit 0\n"
                             "while [ ! -e " + place + "/go$n ]; do sleep 0.02; done\n");
  Process renamer({.argv = {"mv", "d/p", "d/q"}, .cwd = machine->path(), .environment = {{"CONCORDFS_AGENT", "andrew"}}, .output_file = {}});
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(step("entered0")); }));
  Clone outside(origin(), step("outside"));
  std::filesystem::remove(outside.path() / "d/others");
  outside.PushAll("gone");
  WriteFile(step("go0"), "");  // it is too late
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(step("entered1")); }));
  ASSERT_TRUE(Eventually([&] { return ThreadState(machine->pid(), "notifier") == "D"; }));
  machine->Kill9();
  EXPECT_NE(renamer.Wait().status, 0);
  EXPECT_THAT(RunAs("a", "ls " + machine->path().string(), "/").err, HasSubstr("not connected"));
  WriteFile(step("go1"), "");
  machine->Remount();
  ASSERT_TRUE(machine->mounted());
  EXPECT_EQ(Write("andrew", machine->path() / "f", "on\n"), "ok");
}

TEST_F(RemoteFault, ThatHoldsUpAPushHoldsUpNoReader) {
  const auto machine = Machine("a", {"--remote-timeout", "50"});
  ASSERT_EQ(Write("andrew", machine->path() / "other", "to be read\n"), "ok");
  const auto go = temp().path() / "go";
  const auto reached = temp().path() / "reached";
  InstallHook("pre-receive", "touch " + reached.string() + "; while [ ! -e " + go.string() + " ]; do sleep 0.02; done\n");
  // More of them than a session without a remote has threads.
  constexpr int kWriters = 40;
  std::vector<std::unique_ptr<Process>> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.push_back(std::make_unique<Process>(ProcessSpec{.argv = {"cp", "/etc/hostname", "f" + std::to_string(i)},
                                                            .cwd = machine->path(),
                                                            .environment = {{"CONCORDFS_AGENT", "agent-" + std::to_string(i)}},
                                                            .output_file = {}}));
  }
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(reached); }));
  const auto waiting = [&] {
    const Outcome status = Concordfs({"status", machine->path(), "--json"});
    return nlohmann::json::parse(status.out)["counters"]["queue_depth"].get<int>();
  };
  EXPECT_TRUE(Eventually([&] { return waiting() >= kWriters - 8; })) << waiting();
  EXPECT_EQ(RunAs("reader", "cat other && ls | wc -l && stat -c %s other", machine->path()).status, 0);
  EXPECT_EQ(RunAs("reader", "echo unversioned > .#scratch~ && cat .#scratch~", machine->path()).out, "unversioned\n");
  for (const auto& writer : writers) EXPECT_TRUE(writer->Running());
  WriteFile(go, "");
  for (const auto& writer : writers) {
    const Outcome outcome = writer->Wait();
    EXPECT_EQ(outcome.status, 0) << outcome;
  }
  EXPECT_EQ(origin().CommitCount(), kWriters + 2);
  EXPECT_LE(RemoteStatus(*machine)["pushes"].get<int>(), 10) << "what waited together was pushed together";
}

TEST_F(RemoteFault, OfARuleIsEaccesAndInTheServersWords) {
  const auto machine = Machine("a");
  InstallHook("update", "echo 'not on a Sunday' >&2; exit 1\n");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "1\n"), "EACCES");
  EXPECT_THAT(machine->Log(), HasSubstr("not on a Sunday"));
  const auto status = RemoteStatus(*machine);
  EXPECT_EQ(status["state"], "declined");
  EXPECT_THAT(status["last_error"].get<std::string>(), HasSubstr("not on a Sunday"));
  std::filesystem::remove(origin().path() / "hooks/update");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "2\n"), "ok");
  EXPECT_EQ(origin().CommitCount("f"), 1);
}

TEST_F(RemoteFault, OfARewoundBranchOverwritesNothingAndEndsByItself) {
  const auto machine = Machine("a", {"--fetch-period", "0.05"});
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  const std::string lost = origin().Head();
  origin().Output({"update-ref", "refs/heads/main", "main^"});
  const std::string rewound = origin().Head();
  EXPECT_TRUE(Eventually([&] { return State(*machine) == "rewound"; }));
  EXPECT_EQ(Write("andrew", machine->path() / "f", "2\n"), "EROFS");
  EXPECT_EQ(origin().Head(), rewound);
  EXPECT_THAT(machine->Log(), HasSubstr("push " + lost));
  EXPECT_EQ(RunAs("benson", "cat f", machine->path()).out, "1\n");
  origin().Output({"update-ref", "refs/heads/main", lost});
  EXPECT_TRUE(Eventually([&] { return State(*machine) == "up to date"; }));
  EXPECT_EQ(Write("andrew", machine->path() / "f", "3\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "3\n");
}

TEST_F(RemoteFault, KeepsNobodyFromMountingWhatIsHereNorFromUnmounting) {
  auto machine = Machine("a", {"--remote-timeout", "0.3"});
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  server().Kill9();
  machine->Unmount();
  machine->Remount();
  EXPECT_THAT(machine->Log(), HasSubstr("mounting what is here"));
  EXPECT_EQ(ReadFile(machine->path() / "f"), "1\n");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "2\n"), "EHOSTUNREACH");
  machine->Unmount();
  server().Start();
  machine->Remount();
  EXPECT_THAT(Lines(Git(temp().path() / "a.git", {"for-each-ref", "refs/concordfs/recovered"}).out), ::testing::SizeIs(1))
      << "what could not be published is there";
}

// Writes numbers into a file of its own until it is told to stop, and prints those that were acknowledged.
constexpr char kSteadyWriter[] = R"(
import errno, os, sys, time
n = 0
while not os.path.exists(sys.argv[2]):
    n += 1
    try:
        folder = os.open(os.path.dirname(sys.argv[1]), os.O_DIRECTORY)
        try:
            fd = os.open(os.path.basename(sys.argv[1]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, dir_fd=folder)
            try: os.write(fd, b"%d\n" % n)
            finally: os.close(fd)
            os.fstatvfs(folder)  # a close answers 0 also when the daemon was gone before
        finally: os.close(folder)
        print(n, flush=True)
        time.sleep(0.1)  # else who is a little slower loses every race
    except OSError as error:
        if error.errno == errno.ESTALE: print("stale", n, flush=True)
        if error.errno in (errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT): time.sleep(0.005)
)";

class Storm : public RemoteFault {
 protected:
  static constexpr Milliseconds kProgress{25'000};  // also under a sanitizer on a busy machine
  // Of the other end, too: a push there is some processes.
  static std::vector<std::string> Patient() { return {"--remote-timeout", "3"}; }
  // With a folder that is there only while something is mounted.
  void SetUp() override {
    RemoteFault::SetUp();
    Clone(origin(), temp().path() / "outside").Push("d/others", "x\n");
  }
  std::unique_ptr<Process> Writer(const Mount& machine, const std::string& name) {
    return std::make_unique<Process>(ProcessSpec{.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kSteadyWriter, machine.path() / "d" / name, Stop()},
                                                 .cwd = "/",
                                                 .environment = {{"CONCORDFS_AGENT", name}},
                                                 .output_file = {}});
  }
  std::filesystem::path Stop() const { return temp().path() / "stop"; }
  // Every acknowledged number is in the server's history, in order, none of them twice.
  void ExpectAllThere(const std::string& name, const Outcome& writer) {
    EXPECT_EQ(writer.status, 0) << writer;
    std::vector<std::string> published;
    for (const std::string& commit : Lines(origin().Output({"rev-list", "--reverse", "main", "--", "d/" + name}))) {
      published.push_back(origin().Show("d/" + name, commit).value_or("deleted"));
    }
    EXPECT_EQ(std::set<std::string>(published.begin(), published.end()).size(), published.size()) << "something is there twice";
    for (const std::string& number : Lines(writer.out)) {
      EXPECT_THAT(number, ::testing::Not(HasSubstr("stale"))) << "nobody else writes this file";
      EXPECT_THAT(published, ::testing::Contains(number + "\n"));
    }
    EXPECT_GT(Lines(writer.out).size(), 3U);
  }
  // Two machines write while `kill` ends something again and again.
  void LoseAndDoubleNothingWhile(const std::function<void(Mount& a)>& kill) {
    const auto a = Machine("a", Patient());
    const auto b = Machine("b", Patient());
    auto on_a = Writer(*a, "fa");
    auto on_b = Writer(*b, "fb");
    for (int kills = 0; kills < 4; ++kills) {
      const int before = origin().CommitCount("d/fa");
      EXPECT_TRUE(Eventually([&] { return origin().CommitCount("d/fa") > before + 2; }, kProgress));
      kill(*a);
    }
    WriteFile(Stop(), "");
    ExpectAllThere("fa", on_a->Wait());
    ExpectAllThere("fb", on_b->Wait());
    ExpectAllSound({a.get(), b.get()});
  }
};

TEST_F(Storm, OfKilledDaemonsLosesAndDoublesNothing) {
  LoseAndDoubleNothingWhile([](Mount& a) {
    a.Kill9();
    a.Remount();
  });
}

TEST_F(Storm, OfKilledServersLosesAndDoublesNothing) {
  LoseAndDoubleNothingWhile([this](Mount&) { KillAndRestartServer(); });
}

}  // namespace
}  // namespace concordfs::mounttest
