// Machines in networks of their own whose links are cut: packets are lost, and nobody is told (V14).
#include "tests/mount/support/increments.h"
#include "tests/mount/support/machines.h"
#include "tests/mount/support/network.h"

namespace concordfs::mounttest {
namespace {

class RemoteNetwork : public MountlessTest {
 protected:
  void SetUp() override {
    MountlessTest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_EQ(WhyNoNetwork(), "");
  }
  void TearDown() override {
    if (HasFailure()) {
      for (const auto& machine : machines_) std::cerr << machine->path() << "\n" << machine->Log() << "\n";
    }
  }

  void Start(int machines, const std::vector<std::string>& files) {
    network_ = std::make_unique<Network>(machines);
    ASSERT_FALSE(HasFailure());
    origin_ = std::make_unique<Repository>(temp().MakeDirectory("server") / "origin.git");
    Clone clone(*origin_, temp().path() / "outside");
    for (const std::string& file : files) WriteFile(clone.path() / file, CounterAtZero());
    clone.PushAll("Outside: the counters");
    ASSERT_TRUE(StartServer()) << "no server";
    for (int machine = 0; machine < machines; ++machine) {
      const std::string name = "m" + std::to_string(machine);
      machines_.push_back(std::make_unique<Mount>(
          temp().path() / (name + ".git"), temp().path() / name,
          std::vector<std::string>{"--remote", Url(), "--remote-timeout", "1", "--fetch-period", "0.2"}, Environment{},
          network_->OnMachine(machine)));
    }
    ASSERT_FALSE(HasFailure());
  }
  void Count(int machine, const std::string& agent, const std::string& file) {
    agents_.push_back(std::make_unique<Incrementer>(agent, this->machine(machine).path(), file, Calm()));
  }
  // Has all of them count once more, by themselves.
  std::vector<Increments> Finish() {
    WriteFile(Calm(), "");
    std::vector<Increments> all;
    for (const auto& agent : agents_) all.push_back(agent->Finish());
    return all;
  }
  bool Grows(const std::string& file) {
    const int before = origin().CommitCount(file);
    return Eventually([&] { return origin().CommitCount(file) > before + 1; });
  }
  static std::string State(const Mount& machine) {
    const auto status = nlohmann::json::parse(Concordfs({"status", machine.path(), "--json"}).out, nullptr, false);
    return status.is_object() ? status["remote"].value("state", "") : "no status";
  }
  void ExpectAllSound() {
    EXPECT_EQ(origin().Fsck(), "");
    for (const auto& machine : machines_) {
      const Outcome fsck = Git(RepositoryOf(*machine), {"fsck", "--strict", "--no-dangling", "--no-progress"});
      EXPECT_EQ(fsck.status, 0) << fsck;
    }
  }
  static std::filesystem::path RepositoryOf(const Mount& machine) { return machine.path().string() + ".git"; }

  Network& network() { return *network_; }
  Repository& origin() { return *origin_; }
  Mount& machine(int number) { return *machines_.at(static_cast<std::size_t>(number)); }

 private:
  static std::string Url() { return "git://" + Network::ServerAddress() + "/origin.git"; }
  std::filesystem::path Calm() const { return temp().path() / "calm"; }
  bool StartServer() {
    std::vector<std::string> argv = network_->OnServer();
    const std::string programs = Lines(Git("/", {"--exec-path"}).out).at(0);
    const std::string folder = temp().path() / "server";
    for (const std::string& word : {programs + "/git-daemon", std::string("--listen=") + Network::ServerAddress(), "--base-path=" + folder,
                                    std::string("--export-all"), std::string("--enable=receive-pack"), folder}) {
      argv.push_back(word);
    }
    server_ = std::make_unique<Process>(ProcessSpec{.argv = argv, .environment = {}, .output_file = temp().path() / "server" / "log"});
    std::vector<std::string> look = network_->OnMachine(0);
    for (const std::string& word : {std::string("git"), std::string("ls-remote"), Url()}) look.push_back(word);
    return Eventually([&] { return mounttest::Run({.argv = look, .environment = {}, .output_file = {}}).status == 0; });
  }

  std::unique_ptr<Network> network_;
  std::unique_ptr<Repository> origin_;
  std::unique_ptr<Process> server_;
  std::vector<std::unique_ptr<Mount>> machines_;
  std::vector<std::unique_ptr<Incrementer>> agents_;
};

TEST_F(RemoteNetwork, CutInTheMiddleHoldsUpOneOfTwoMachinesAndLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(Start(2, {"counter", "own0", "own1"}));
  for (int number = 0; number < 2; ++number) {
    Count(number, "shared" + std::to_string(number), "counter");
    Count(number, "own" + std::to_string(number), "own" + std::to_string(number));
  }
  EXPECT_TRUE(Grows("own0"));
  network().Cut(0);
  EXPECT_TRUE(Eventually([&] { return State(machine(0)) == "unreachable"; }));
  EXPECT_TRUE(Grows("counter")) << "the other machine goes on";
  EXPECT_EQ(RunAs("reader", "cat counter", machine(0).path()).status, 0) << "and here it can be read";
  network().Join(0);
  EXPECT_TRUE(Grows("own0"));
  const std::vector<Increments> all = Finish();  // in the order in which they were started
  ExpectCounted(origin(), "counter", {all[0], all[2]});
  ExpectCounted(origin(), "own0", {all[1]});
  ExpectCounted(origin(), "own1", {all[3]});
  EXPECT_TRUE(all[1].refused.empty() && all[1].stale.empty() && all[1].in_doubt.empty()) << "a cut link is no staleness";
  ExpectParked(RepositoryOf(machine(0)), origin(), "counter", all[0]);
  ExpectParked(RepositoryOf(machine(1)), origin(), "counter", all[2]);
  ExpectAllSound();
}

TEST_F(RemoteNetwork, CutFromOneAfterTheOtherOfFourMachinesLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(Start(4, {"counter"}));
  for (int number = 0; number < 4; ++number) Count(number, "agent" + std::to_string(number), "counter");
  for (int number = 0; number < 4; ++number) {
    EXPECT_TRUE(Grows("counter"));
    network().Cut(number);
    if (number > 0) network().Join(number - 1);
  }
  network().Cut(0);  // two at a time
  EXPECT_TRUE(Grows("counter"));
  network().Join(0);
  network().Join(3);
  const std::vector<Increments> all = Finish();
  ExpectCounted(origin(), "counter", all);
  for (int number = 0; number < 4; ++number) {
    ExpectParked(RepositoryOf(machine(number)), origin(), "counter", all[static_cast<std::size_t>(number)]);
  }
  ExpectAllSound();
}

}  // namespace
}  // namespace concordfs::mounttest
