// Several machines on one git server: async mode, where closes don't wait for the server.
#include <csignal>
#include <functional>
#include <map>
#include <set>

#include "tests/mount/support/machines.h"

namespace concordfs::mounttest {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class AsyncRemote : public MachinesTest {
 protected:
  std::unique_ptr<Mount> AsyncMachine(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--push", "async"});
    return Machine(name, more);
  }
  // It hears of what others pushed only by its own pushes, and when it is told to ask.
  static std::vector<std::string> Slow() { return {"--fetch-period", "3600"}; }

  static int Waiting(const Mount& machine) { return RemoteStatus(machine).value("waiting", -1); }
  static int Lost(const Mount& machine) { return RemoteStatus(machine).value("lost", -1); }
  static Outcome Sync(const Mount& machine) { return Concordfs({"sync", machine.path()}); }
  static void ExpectSynced(const Mount& machine) {
    const Outcome synced = Sync(machine);
    EXPECT_EQ(synced.status, 0) << synced << RemoteStatus(machine);
  }
  static std::string GitDir(const Mount& machine) { return machine.path().string() + ".git"; }

  static nlohmann::json Rejected(const Mount& machine) {
    const Outcome listed = Concordfs({"rejected", "list", "--json", "--repo", GitDir(machine)});
    const auto json = nlohmann::json::parse(listed.out, nullptr, false);
    EXPECT_TRUE(json.is_array()) << listed;
    return json.is_array() ? json : nlohmann::json::array();
  }
  // What is parked there, each "agent: path: content".
  static std::vector<std::string> ParkedContents(const Mount& machine) {
    std::vector<std::string> contents;
    for (const auto& parked : Rejected(machine)) {
      const Outcome shown =
          Concordfs({"rejected", "show", parked["id"].get<std::string>(), "--json", "--repo", GitDir(machine)});
      const auto json = nlohmann::json::parse(shown.out, nullptr, false);
      EXPECT_TRUE(json.is_object()) << shown;
      const std::string content =
          json.is_object() && json["content"].is_string() ? json["content"].get<std::string>() : "absent";
      contents.push_back(parked["agent"].get<std::string>() + ": " + parked["path"].get<std::string>() + ": " +
                         content);
    }
    return contents;
  }
  void ExpectLinear() { EXPECT_THAT(Lines(origin().Output({"rev-list", "--min-parents=2", "main"})), IsEmpty()); }
};

TEST_F(AsyncRemote, AcknowledgesWhileTheServerIsDownAndPushesWhenItIsBack) {
  const auto machine = AsyncMachine("a", {"--remote-timeout", "0.5", "--fetch-period", "0.1"});
  server().Kill9();
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  ASSERT_EQ(Write("andrew", machine->path() / "f", "2\n"), "ok");
  EXPECT_TRUE(Eventually([&] { return State(*machine) == "unreachable"; }));
  const auto status = RemoteStatus(*machine);
  EXPECT_EQ(status["push"], "async");
  EXPECT_EQ(status["waiting"], 2);
  EXPECT_GE(status["oldest"].get<int>(), 0);
  EXPECT_THAT(Concordfs({"status", machine->path()}).out, HasSubstr("2 commits wait"));
  const Outcome synced = Sync(*machine);
  EXPECT_EQ(synced.status, 1);
  server().Start();
  EXPECT_TRUE(Eventually([&] { return origin().Show("f") == "2\n"; }));
  EXPECT_TRUE(Eventually([&] { return Waiting(*machine) == 0; }));
  EXPECT_EQ(origin().CommitCount("f"), 2);
  ExpectAllSound({machine.get()});
}

TEST_F(AsyncRemote, HasAllThatWasCommittedWhenSyncReturns) {
  const auto machine = AsyncMachine("a");
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Write("andrew", machine->path() / "f", std::to_string(i)), "ok");
  ASSERT_EQ(Sync(*machine).status, 0);
  EXPECT_EQ(origin().Show("f"), "19");
  EXPECT_EQ(origin().CommitCount("f"), 20);
  EXPECT_LT(RemoteStatus(*machine)["pushes"].get<int>(), 20) << "what waits goes together";
}

TEST_F(AsyncRemote, LosesNothingWhereTwoMachinesChangeDifferentFiles) {
  const auto a = AsyncMachine("a", Slow());
  const auto b = AsyncMachine("b", Slow());
  server().Kill9();
  ASSERT_EQ(Write("andrew", a->path() / "fa", "a\n"), "ok");
  ASSERT_EQ(RunAs("benson", "mkdir d && echo b > d/fb", b->path()).status, 0);
  ASSERT_EQ(RunAs("andrew", "mkdir d && echo a > d/fa", a->path()).status, 0);
  server().Start();
  ASSERT_EQ(Sync(*a).status, 0);
  ASSERT_EQ(Sync(*b).status, 0);
  ASSERT_EQ(Sync(*a).status, 0);
  for (const auto& machine : {a->path(), b->path()}) {
    EXPECT_EQ(ReadFile(machine / "d/fa") + ReadFile(machine / "d/fb") + ReadFile(machine / "fa"), "a\nb\na\n");
  }
  EXPECT_EQ(Lost(*a) + Lost(*b), 0);
  ExpectLinear();
  ExpectAllSound({a.get(), b.get()});
}

TEST_F(AsyncRemote, TellsTheLoserOnceAndParksItsWork) {
  const auto a = AsyncMachine("a", Slow());
  const auto b = AsyncMachine("b", Slow());
  ASSERT_EQ(Write("setup", a->path() / "f", "0\n"), "ok");
  ASSERT_EQ(Sync(*a).status, 0);
  ASSERT_EQ(Sync(*b).status, 0);
  ASSERT_EQ(RunAs("andrew", "cat f && echo andrew > f", a->path()).status, 0);
  ASSERT_EQ(Sync(*a).status, 0);
  AgentPython benson("benson", b->path());  // machine b doesn't know of it
  ASSERT_EQ(benson.Do("f = open('f', 'r+b', 0); f.read(); f.seek(0); f.write(b'benson\\n'); f.close()"), "ok");
  ASSERT_EQ(Sync(*b).status, 0);
  EXPECT_EQ(RunAs("reader", "cat f", b->path()).out, "andrew\n") << "others are told nothing";
  EXPECT_EQ(Lost(*b), 1);
  EXPECT_EQ(RemoteStatus(*b)["lost_untold"], 1);
  EXPECT_THAT(b->Log(), HasSubstr("lost f of benson to the remote"));
  EXPECT_EQ(benson.Do("open('f').read()"), "ESTALE");
  EXPECT_EQ(benson.Get("open('f').read()"), "andrew\\n") << "told once";
  EXPECT_EQ(RemoteStatus(*b)["lost_untold"], 0);
  ASSERT_EQ(benson.Do("f = open('f', 'ab', 0); f.write(b'and benson\\n'); f.close()"), "ok");
  ASSERT_EQ(Sync(*b).status, 0);
  EXPECT_EQ(origin().Show("f"), "andrew\nand benson\n");
  EXPECT_THAT(ParkedContents(*b), ElementsAre("benson: f: benson\n"));
  EXPECT_THAT(ParkedContents(*a), IsEmpty());
  const std::string id = Rejected(*b)[0]["id"];
  EXPECT_THAT(Concordfs({"rejected", "diff", id, "--repo", GitDir(*b)}).out, HasSubstr("-0\n+benson\n"));
  EXPECT_EQ(Rejected(*b)[0]["winner"], "andrew");
  EXPECT_EQ(RunAs("benson", CONCORDFS_BINARY " rejected restore " + id, b->path()).status, 0);
  EXPECT_EQ(ReadFile(b->path() / "f"), "benson\n");
  ExpectLinear();
  ExpectAllSound({a.get(), b.get()});
}

TEST_F(AsyncRemote, TellsALoserThatOnlyWritesAndOneThatHasTheFileOpen) {
  const auto a = AsyncMachine("a", Slow());
  const auto b = AsyncMachine("b", Slow());
  ASSERT_EQ(RunAs("andrew", "echo andrew > f && echo andrew > g", a->path()).status, 0);
  ASSERT_EQ(Sync(*a).status, 0);
  server().Kill9();  // until b has all of it
  AgentPython holder("holder", b->path());
  ASSERT_EQ(holder.Do("f = open('g', 'wb', 0); f.write(b'1'); import os; os.close(os.dup(f.fileno()))"), "ok");
  ASSERT_EQ(RunAs("benson", "echo benson > f", b->path()).status, 0);
  server().Start();
  ASSERT_EQ(Sync(*b).status, 0);
  EXPECT_EQ(Lost(*b), 2);
  EXPECT_EQ(Write("benson", b->path() / "f", "blind\n"), "ESTALE");
  EXPECT_EQ(Write("benson", b->path() / "f", "blind\n"), "ESTALE") << "R8: what it knows is stale until it reads";
  EXPECT_EQ(RunAs("benson", "cat f && echo sighted > f", b->path()).out, "andrew\n");
  EXPECT_EQ(holder.Do("f.close()"), "ESTALE");
  EXPECT_EQ(holder.Get("open('g').read()"), "andrew\\n");
  EXPECT_EQ(RemoteStatus(*b)["lost_untold"], 0);
}

TEST_F(AsyncRemote, LosesAChainAsAWholeAndNothingInBetween) {
  const auto a = AsyncMachine("a", Slow());
  const auto b = AsyncMachine("b", Slow());
  ASSERT_EQ(Write("andrew", a->path() / "f", "a"), "ok");
  ASSERT_EQ(Sync(*a).status, 0);
  server().Kill9();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(Write("benson", b->path() / "f", "b" + std::to_string(i)), "ok");
    ASSERT_EQ(Write("caren", b->path() / "other", "c" + std::to_string(i)), "ok");
  }
  server().Start();
  ASSERT_EQ(Sync(*b).status, 0);
  EXPECT_EQ(origin().Show("f"), "a");
  EXPECT_EQ(origin().Show("other"), "c3");
  EXPECT_EQ(origin().CommitCount("other"), 3);
  EXPECT_THAT(ParkedContents(*b), ::testing::UnorderedElementsAre("benson: f: b1", "benson: f: b2", "benson: f: b3"));
  EXPECT_EQ(RunAs("caren", "cat other", b->path()).out, "c3");
  ExpectLinear();
  ExpectAllSound({a.get(), b.get()});
}

TEST_F(AsyncRemote, TellsWhoLostARenameOrADeletion) {
  const auto a = AsyncMachine("a", Slow());
  const auto b = AsyncMachine("b", Slow());
  ASSERT_EQ(RunAs("setup", "echo 0 > deleted && echo 0 > renamed", a->path()).status, 0);
  ASSERT_EQ(Sync(*a).status, 0);
  ASSERT_EQ(Sync(*b).status, 0);
  ASSERT_EQ(RunAs("andrew", "cat * && echo a > deleted && echo a > renamed", a->path()).status, 0);
  ASSERT_EQ(Sync(*a).status, 0);
  server().Kill9();
  ASSERT_EQ(RunAs("benson", "rm deleted && mv renamed new-name", b->path()).status, 0);
  server().Start();
  ASSERT_EQ(Sync(*b).status, 0);
  AgentPython benson("benson", b->path());
  EXPECT_EQ(benson.Do("open('deleted').read()"), "ESTALE");
  EXPECT_EQ(benson.Get("open('deleted').read()"), "a\\n");
  EXPECT_EQ(benson.Do("open('new-name').read()"), "ESTALE") << "also of a name that isn't there any more";
  EXPECT_EQ(benson.Do("open('new-name').read()"), "ENOENT");
  EXPECT_EQ(benson.Get("open('renamed').read()"), "a\\n");
  EXPECT_THAT(ParkedContents(*b), ::testing::UnorderedElementsAre("benson: deleted: absent", "benson: new-name: 0\n"));
  EXPECT_EQ(origin().Output({"ls-tree", "--name-only", "main"}), "deleted\nrenamed");
  ExpectAllSound({a.get(), b.get()});
}

TEST_F(AsyncRemote, SaysWhatIsLeftWhenItIsUnmountedAndTheNextMountPushesIt) {
  auto machine = AsyncMachine("a", {"--remote-timeout", "0.5"});
  server().Kill9();
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  const Outcome unmounted = Concordfs({"umount", machine->path()});
  EXPECT_EQ(unmounted.status, 0);
  EXPECT_THAT(unmounted.err, HasSubstr("1 commits are not on the remote yet"));
  server().Start();
  machine->Remount();
  EXPECT_EQ(origin().Show("f"), "1\n");
  ASSERT_EQ(Write("andrew", machine->path() / "f", "2\n"), "ok");
  machine->Unmount();
  EXPECT_EQ(origin().Show("f"), "2\n") << "an unmount pushes what it can";
}

TEST_F(AsyncRemote, TellsAfterARemountWhatLostWithoutIt) {
  const auto a = AsyncMachine("a", Slow());
  auto b = AsyncMachine("b", {"--fetch-period", "3600", "--remote-timeout", "0.5"});
  ASSERT_EQ(Write("andrew", a->path() / "f", "a\n"), "ok");
  ASSERT_EQ(Sync(*a).status, 0);
  server().Kill9();
  ASSERT_EQ(Write("benson", b->path() / "f", "b\n"), "ok");
  b->Kill9();
  server().Start();
  b->Remount();
  AgentPython benson("benson", b->path());
  EXPECT_EQ(benson.Do("open('f').read()"), "ESTALE");
  EXPECT_EQ(benson.Get("open('f').read()"), "a\\n");
  EXPECT_THAT(ParkedContents(*b), ElementsAre("benson: f: b\n"));
}

TEST_F(AsyncRemote, HasABoundOnWhatWaits) {
  const auto machine = AsyncMachine("a", {"--push-backlog", "3", "--remote-timeout", "0.5"});
  server().Kill9();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n" + std::to_string(i)), "ok");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "2\n"), "EHOSTUNREACH");
  EXPECT_THAT(machine->Log(), HasSubstr("3 commits wait for the remote"));
  server().Start();
  EXPECT_TRUE(Eventually([&] { return Waiting(*machine) == 0; }));
  EXPECT_EQ(Write("andrew", machine->path() / "f", "3\n"), "ok");
}

TEST_F(AsyncRemote, IsAskedForWithARemoteOnly) {
  const Outcome without = Concordfs({"mount", "x", "y", "--push", "async"});
  EXPECT_EQ(without.status, 2);
  EXPECT_THAT(without.err, HasSubstr("--remote"));
  EXPECT_EQ(Concordfs({"mount", "x", "y", "--remote", "z", "--push", "later"}).status, 2);
}

TEST_F(AsyncRemote, GivesParkedWorkToOtherMachines) {
  const auto a = AsyncMachine("a", Slow());
  const auto b = AsyncMachine("b", {"--fetch-period", "3600", "--push-rejected"});
  ASSERT_EQ(Write("andrew", a->path() / "f", "andrew\n"), "ok");
  ASSERT_EQ(Sync(*a).status, 0);
  ASSERT_EQ(Write("benson", b->path() / "f", "benson\n"), "ok");
  ASSERT_EQ(Sync(*b).status, 0);
  const auto pushed = [&] { return RemoteStatus(*b)["rejected"]["pushed"].get<int>(); };
  EXPECT_TRUE(Eventually([&] { return pushed() == 1; }));
  EXPECT_THAT(ParkedContents(*a), IsEmpty());
  const Outcome fetched =
      Git(GitDir(*a), {"fetch", "-q", Url(), "refs/concordfs/rejected/*:refs/concordfs/rejected/*"});
  ASSERT_EQ(fetched.status, 0) << fetched;
  EXPECT_THAT(ParkedContents(*a), ElementsAre("benson: f: benson\n"));
  EXPECT_THAT(Lines(Git(GitDir(*a), {"for-each-ref", "refs/concordfs/rejected"}).out),
              ::testing::Eq(Lines(Git(GitDir(*b), {"for-each-ref", "refs/concordfs/rejected"}).out)));
  ExpectAllSound({a.get(), b.get()});
}

TEST_F(AsyncRemote, PublishesOnWhereTheServerTakesNoParkedWork) {
  InstallHook("update", "case $1 in refs/heads/*) exit 0;; esac; echo 'branches only' >&2; exit 1\n");
  const auto machine = Machine("a", {"--push-rejected"});
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  AgentPython benson("benson", machine->path());
  ASSERT_EQ(benson.Do("open('f').read()"), "ok");
  ASSERT_EQ(RunAs("andrew", "cat f && echo 2 > f", machine->path()).status, 0);
  EXPECT_EQ(benson.Do("g = open('f', 'r+b', 0); g.write(b'stale')"), "ESTALE");
  EXPECT_TRUE(Eventually([&] { return RemoteStatus(*machine)["rejected"]["declined"] == 1; }));
  EXPECT_THAT(machine->Log(), HasSubstr("branches only"));
  EXPECT_EQ(Write("caren", machine->path() / "g", "1\n"), "ok");
  EXPECT_EQ(State(*machine), "up to date");
  EXPECT_EQ(origin().Show("g"), "1\n");
}

// Writes numbers into a file of its own, with a pause after each, and prints those that were acknowledged.
constexpr char kSaver[] = R"(
import errno, os, sys, time
n = 0
while not os.path.exists(sys.argv[2]):
    n += 1
    try:
        fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try: os.write(fd, b"%s %d\n" % (sys.argv[3].encode(), n))
        finally: os.close(fd)
        print(n, flush=True)
        time.sleep(float(sys.argv[4]))  # s
    except OSError as error:
        if error.errno == errno.ESTALE:
            try: open(sys.argv[1]).read()
            except OSError: pass
        else: time.sleep(0.005)
)";

class AsyncStorm : public AsyncRemote {
 protected:
  // With a folder that is there only while something is mounted.
  void SetUp() override {
    AsyncRemote::SetUp();
    Clone(origin(), temp().path() / "outside").Push("d/others", "x\n");
  }
  std::filesystem::path Stop() const { return temp().path() / "stop"; }
  // With a pause, all machines together write less than is pushed meanwhile; a sanitizer makes that several times
  // slower.
  static std::string Pause() { return std::to_string(0.02 * Patience() * Patience()); }
  std::unique_ptr<Process> Writer(const Mount& machine, const std::string& agent, const std::string& file,
                                  const std::string& pause_s = Pause()) {
    return std::make_unique<Process>(ProcessSpec{
        .argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kSaver, machine.path() / "d" / file, Stop(), agent, pause_s},
        .cwd = "/",
        .environment = {{"CONCORDFS_AGENT", agent}},
        .output_file = {}});
  }
  // The lines that commits added, in the order in which git shows them.
  static std::vector<std::string> AddedLines(const std::string& git_dir, std::vector<std::string> which) {
    which.insert(which.begin(), {"log", "--format=", "-p", "-U0"});
    std::vector<std::string> added;
    for (const std::string& line : Lines(Git(git_dir, which).out)) {
      if (line.starts_with('+') && !line.starts_with("++")) added.push_back(line.substr(1));
    }
    return added;
  }
  // What was published at the path, in order.
  std::vector<std::string> Published(const std::string& file) {
    return AddedLines(origin().path(), {"--reverse", "main", "--", "d/" + file});
  }
  static std::vector<std::string> Parked(const Mount& machine) {
    return AddedLines(GitDir(machine),
                      {"--no-walk=unsorted", "--glob=refs/concordfs/rejected", "--glob=refs/concordfs/recovered"});
  }
};

TEST_F(AsyncStorm, OnDifferentFilesLosesNothingAtAll) {
  std::vector<std::unique_ptr<Mount>> machines;
  for (const char* name : {"a", "b", "c", "d"}) machines.push_back(AsyncMachine(name));
  std::vector<std::unique_ptr<Process>> writers;
  for (int i = 0; i < 8; ++i) {
    const std::string name = "agent-" + std::to_string(i);
    writers.push_back(Writer(*machines[static_cast<std::size_t>(i) % 4], name, name));
  }
  EXPECT_TRUE(Eventually([&] { return origin().CommitCount() > 100; }, Milliseconds(60'000)));
  WriteFile(Stop(), "");
  std::vector<Outcome> outcomes;
  for (const auto& writer : writers) outcomes.push_back(writer->Wait());
  for (const auto& machine : machines) ExpectSynced(*machine);
  for (int i = 0; i < 8; ++i) {
    const std::string name = "agent-" + std::to_string(i);
    std::vector<std::string> acknowledged;
    for (const std::string& number : Lines(outcomes[static_cast<std::size_t>(i)].out))
      acknowledged.push_back(name + " " + number);
    EXPECT_EQ(Published(name), acknowledged);
  }
  for (const auto& machine : machines) EXPECT_EQ(Lost(*machine), 0);
  ExpectLinear();
  ExpectAllSound({machines[0].get(), machines[3].get()});
}

TEST_F(AsyncStorm, OfAgentsThatNeverPauseKeepsNoMachineOut) {
  const auto a = AsyncMachine("a");
  const auto b = AsyncMachine("b");
  std::vector<std::unique_ptr<Process>> writers;
  for (const Mount* machine : {a.get(), b.get()}) {
    for (const char* which : {"1", "2"}) {
      const std::string name = machine->path().filename().string() + which;
      // With a pause, where a sanitizer leaves no time.
      writers.push_back(Writer(*machine, name, name, Patience() > 1 ? Pause() : "0"));
    }
  }
  const auto pushes = [](const Mount& machine) { return RemoteStatus(machine).value("pushes", 0); };
  for (const Mount* machine : {a.get(), b.get()}) {
    EXPECT_TRUE(Eventually([&] { return pushes(*machine) > 3; }, Milliseconds(60'000))) << machine->path();
  }
  WriteFile(Stop(), "");
  for (const auto& writer : writers) (void)writer->Wait();
  for (const auto& machine : {a.get(), b.get()}) ExpectSynced(*machine);
  EXPECT_EQ(Lost(*a) + Lost(*b), 0);
  ExpectLinear();
  ExpectAllSound({a.get(), b.get()});
}

TEST_F(AsyncStorm, OfKilledDaemonsAndServersLosesNothingThatWasAcknowledged) {
  const std::vector<std::string> options = {"--remote-timeout", "3", "--fetch-period", "0.5"};
  const auto a = AsyncMachine("a", options);
  const auto b = AsyncMachine("b", options);
  // Both files are written on both machines.
  std::map<std::string, std::pair<std::string, std::unique_ptr<Process>>> writers;  // by agent: file, process
  for (const auto& [agent, file] :
       std::vector<std::pair<std::string, std::string>>{{"a1", "f"}, {"a2", "own"}, {"b1", "f"}, {"b2", "g"}}) {
    writers[agent] = {file, Writer(*(agent[0] == 'a' ? a : b), agent, file)};
  }
  for (int kills = 0; kills < 5; ++kills) {
    const int before = origin().CommitCount();
    EXPECT_TRUE(Eventually([&] { return origin().CommitCount() > before + 4; }, Milliseconds(25'000)));
    if (kills % 3 == 2) KillServer();
    Mount& machine = *(kills % 2 == 0 ? a : b);
    machine.Kill9();
    machine.Remount();
    if (kills % 3 == 2) server().Start();
  }
  WriteFile(Stop(), "");
  std::map<std::string, Outcome> outcomes;
  for (auto& [agent, writer] : writers) outcomes.emplace(agent, writer.second->Wait());
  for (const auto* machine : {a.get(), b.get(), a.get()}) ExpectSynced(*machine);

  std::vector<std::string> parked = Parked(*a);
  for (std::string& line : Parked(*b)) parked.push_back(std::move(line));
  for (const auto& [agent, writer] : writers) {
    const std::vector<std::string> published = Published(writer.first);
    for (const std::string& number : Lines(outcomes.at(agent).out)) {
      const std::string line = agent + " " + number;
      const auto there = std::count(published.begin(), published.end(), line);
      const auto kept = std::count(parked.begin(), parked.end(), line);
      EXPECT_EQ(there + kept, 1) << line << ": " << there << " times on the server, " << kept << " times parked";
    }
    EXPECT_GT(Lines(outcomes.at(agent).out).size(), 3U);
  }
  EXPECT_THAT(Published("own"), Contains(HasSubstr("a2 ")));
  EXPECT_THAT(parked, Not(IsEmpty())) << "two machines wrote one file";
  ExpectLinear();
  ExpectAllSound({a.get(), b.get()});
}

}  // namespace
}  // namespace concordfs::mounttest
