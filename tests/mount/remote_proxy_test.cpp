// Every way in which a network can fail a push or a fetch, at every point of it (V14): docs/remote.md, "What is
// promised".
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <iomanip>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "tests/model/seed.h"
#include "tests/mount/support/fault_proxy.h"
#include "tests/mount/support/increments.h"
#include "tests/mount/support/machines.h"

namespace concordfs::mounttest {
namespace {

constexpr char kPush[] = "git-receive-pack";
constexpr char kFetch[] = "git-upload-pack";

// Saves a file by one system call each. Returns the errno of the first that failed, 0 if it was published.
int SaveFile(const std::filesystem::path& file, const std::string& content) {
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return errno;
  int error = write(fd, content.data(), content.size()) < 0 ? errno : 0;
  if (close(fd) != 0 && error == 0) error = errno;
  return error;
}

// How often the fault comes.
enum class Extent {
  kOnce,         // in one conversation; what follows is untouched
  kEachTime,     // in each of its kind at this point; the others are untouched
  kAllFromThere  // nothing else gets through any more
};

struct Case {
  Strike strike;
  Extent extent = Extent::kOnce;
};

std::ostream& operator<<(std::ostream& stream, const Case& which) {
  static constexpr const char* kFaults[] = {"reset", "close", "half-close", "silence"};
  static constexpr const char* kExtents[] = {"once", "each time", "and all from there on"};
  return stream << kFaults[static_cast<int>(which.strike.fault)] << " after " << which.strike.after_bytes
                << " bytes to the " << (which.strike.way == Way::kToServer ? "server" : "client") << ", "
                << kExtents[static_cast<int>(which.extent)];
}

// A server's repository, a machine that reaches it by a way that fails, and one that has no such trouble.
class Lane {
 public:
  Lane(const TempDir& temp, GitServer& server, const std::string& name, const std::string& timeout)
      : origin_(temp.path() / "server" / (name + ".git")), proxy_(server.port()) {
    const auto machine = [&](const std::string& url, const std::string& machine_name, const std::string& patience) {
      return std::make_unique<Mount>(temp.path() / (machine_name + ".git"), temp.path() / machine_name,
                                     std::vector<std::string>{"--remote", url, "--agent", "writer", "--remote-timeout",
                                                              patience, "--fetch-period", "3600"});
    };
    machine_ = machine(proxy_.Url(name + ".git"), name + "-far", timeout);
    other_ = machine(server.Url(name + ".git"), name + "-near", "60");
    EXPECT_EQ(WriteNext(), 0);
    proxy_.TakePassed();
  }

  // Where a conversation of this kind can be cut: before and after each message, and in the middle of those of a push.
  std::vector<Strike> Points(const std::string& service) {
    MakeWork(service);
    EXPECT_EQ(WriteNext(), 0);
    std::vector<Strike> points;
    EXPECT_TRUE(Eventually([&] {
      for (const PassedMessages& passed : proxy_.TakePassed()) {
        if (passed.service == service && points.empty()) points = PointsIn(passed, service == kPush);
      }
      return !points.empty();
    }));
    return points;
  }

  void Try(const std::string& service, const Case& which) {
    MakeWork(service);
    auto struck = std::make_shared<std::atomic<bool>>(false);
    proxy_.Follow([=](const std::string& its) -> Course {
      if (*struck && which.extent == Extent::kAllFromThere) return {Strike{which.strike.way, 0, which.strike.fault}};
      if (its != service || (*struck && which.extent == Extent::kOnce)) return {};
      *struck = true;
      return {which.strike};
    });
    // Two pushes may have been begun already, before the fault; what is struck then is the beginning of a later one.
    const int saves = service == kPush ? 4 : 1;
    int error = 0;
    for (int saved = 0; saved < saves && error == 0; ++saved) error = WriteNext();
    EXPECT_TRUE(error == 0 || error == EHOSTUNREACH) << which << ": errno " << error;
    EXPECT_TRUE(*struck) << which;
    if (which.extent == Extent::kOnce && which.strike.fault != Fault::kSilence) {
      EXPECT_EQ(error, 0) << which << ": one more attempt would have been enough";
    }
    // The fault is over. What was held up comes late, while the writer writes again.
    proxy_.Follow({});
    proxy_.Release();
    EXPECT_TRUE(Eventually([&] {
      if (error != 0) error = WriteAgain();
      EXPECT_NE(error, ESTALE) << which << ", and written again";
      return error == 0;
    })) << which
        << ", and written again: errno " << error;
  }

  // The server has each version once, in order.
  void ExpectAllThereOnce() {
    std::vector<std::string> there;
    for (const std::string& line : Lines(origin_.Output({"log", "--reverse", "--format=", "-p", "main", "--", "f"}))) {
      if (line.size() > 1 && line[0] == '+' && line[1] != '+') there.push_back(line.substr(1) + "\n");
    }
    std::vector<std::string> written;
    for (int n = 1; n <= version_; ++n) written.push_back(Content(n));
    EXPECT_EQ(there, written);
    EXPECT_EQ(origin_.Output({"log", "--merges", "--format=%H", "main"}), "");
    for (const Mount* mount : {machine_.get(), other_.get()}) {
      const auto repository = mount->path().string() + ".git";
      EXPECT_EQ(Git(repository, {"for-each-ref", "refs/concordfs/rejected"}).out, "") << "nobody was stale";
      const Outcome fsck = Git(repository, {"fsck", "--strict", "--no-dangling", "--no-progress"});
      EXPECT_EQ(fsck.status, 0) << fsck;
    }
    EXPECT_EQ(origin_.Fsck(), "");
  }

 private:
  static std::string Content(int n) {
    std::ostringstream text;
    text << std::setw(6) << std::setfill('0') << n << "\n";  // all of one size, so that points stay what they are
    return text.str();
  }
  int WriteNext() {
    ++version_;
    return WriteAgain();
  }
  int WriteAgain() const { return SaveFile(machine_->path() / "f", Content(version_)); }
  // A push that finds the remote ahead fetches.
  void MakeWork(const std::string& service) {
    if (service == kFetch) {
      EXPECT_EQ(SaveFile(other_->path() / "g", Content(version_)), 0);
    }
  }
  static std::vector<Strike> PointsIn(const PassedMessages& passed, bool in_messages) {
    std::vector<Strike> points;
    for (const auto& [way, ends] : {std::pair{Way::kToServer, passed.to_server}, {Way::kToClient, passed.to_client}}) {
      points.push_back({way, 0, {}});
      std::uint64_t begin = 0;
      for (const std::uint64_t end : ends) {
        if (in_messages && end - begin > 4) points.push_back({way, (begin + end) / 2, {}});
        points.push_back({way, end, {}});
        begin = end;
      }
    }
    return points;
  }

  Repository origin_;
  FaultProxy proxy_;
  std::unique_ptr<Mount> machine_;
  std::unique_ptr<Mount> other_;
  int version_ = 0;
};

struct Sweep {
  std::string service;
  Fault fault;
};

class RemoteSweep : public MachinesTest, public ::testing::WithParamInterface<Sweep> {
 protected:
  // Who may wait, where one more attempt is enough, and those who find out soon that a fault lasts: --remote-timeout.
  // What works takes less, also under a sanitizer.
  static std::string Patient() { return "60"; }
  // Silence lasts for as long, again and again.
  static std::string Impatient() {
    return std::to_string((GetParam().fault == Fault::kSilence ? 0.6 : 1.0) * Patience());
  }

  // All cases, a few at a time: most of their time they wait.
  void RunAll(const std::vector<Case>& cases, std::vector<std::unique_ptr<Lane>>& lanes) {
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (const auto& lane : lanes) {
      threads.emplace_back([&cases, &next, lane = lane.get()] {
        for (std::size_t n = next++; n < cases.size(); n = next++) lane->Try(GetParam().service, cases[n]);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

TEST_P(RemoteSweep, LosesAndDoublesNothingAndIsNeverStaleness) {
  std::vector<std::unique_ptr<Lane>> patient;
  std::vector<std::unique_ptr<Lane>> impatient;
  // Silence ends by a timeout only.
  const bool is_silent = GetParam().fault == Fault::kSilence;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    const bool is_patient = !is_silent && patient.size() < 2;
    (is_patient ? patient : impatient)
        .push_back(std::make_unique<Lane>(temp(), server(), name, is_patient ? Patient() : Impatient()));
  }

  std::vector<Case> once;
  std::vector<Case> lasting;
  const std::vector<Strike> points = (is_silent ? impatient : patient)[0]->Points(GetParam().service);
  EXPECT_GT(points.size(), 12U);
  // Under a sanitizer, which makes all of it slow, each fault comes at every fourth, and all of them together at each.
  const bool is_slow = Patience() > 1;
  for (std::size_t n = is_slow ? static_cast<std::size_t>(GetParam().fault) : 0; n < points.size();
       n += is_slow ? 4 : 1) {
    Strike point = points[n];
    point.fault = GetParam().fault;
    once.push_back({point, Extent::kOnce});
    // A fetch has more points, and each takes longer: these two in turns.
    const bool is_odd = once.size() % 2 == 1;
    if (GetParam().service == kPush || is_odd) lasting.push_back({point, Extent::kEachTime});
    if (GetParam().service == kPush || !is_odd) lasting.push_back({point, Extent::kAllFromThere});
  }
  if (is_silent) lasting.insert(lasting.end(), once.begin(), once.end());
  std::thread with_patience([&] { RunAll(once, patient); });
  RunAll(lasting, impatient);
  with_patience.join();
  for (const auto& lane : patient) lane->ExpectAllThereOnce();
  for (const auto& lane : impatient) lane->ExpectAllThereOnce();
}

std::string NameOf(const ::testing::TestParamInfo<Sweep>& info) {
  static constexpr const char* kFaults[] = {"Reset", "Closed", "HalfClosed", "Silent"};
  return std::string(info.param.service == kPush ? "PushThatIs" : "FetchThatIs") +
         kFaults[static_cast<int>(info.param.fault)];
}

INSTANTIATE_TEST_SUITE_P(Of, RemoteSweep,
                         ::testing::Values(Sweep{kPush, Fault::kReset}, Sweep{kPush, Fault::kClose},
                                           Sweep{kPush, Fault::kHalfClose}, Sweep{kPush, Fault::kSilence},
                                           Sweep{kFetch, Fault::kReset}, Sweep{kFetch, Fault::kClose},
                                           Sweep{kFetch, Fault::kHalfClose}, Sweep{kFetch, Fault::kSilence}),
                         NameOf);

// Four machines with two agents each, on a way that fails at random, with daemons and the server killed now and then.
class RandomFaults : public MachinesTest {
 protected:
  void SetUp() override {
    MachinesTest::SetUp();
    if (HasFatalFailure()) return;
    random_.seed(concordfs::testing::Seed());
    proxy_ = std::make_unique<FaultProxy>(server().port());
  }

  void TearDown() override {
    if (!HasFailure()) return;
    for (const auto& machine : machines_) std::cerr << machine->path() << "\n" << machine->Log() << "\n";
  }

  // Agent n counts in names[n]: what is said there must be true of it in the end.
  void CountWhileAllFails(const std::vector<std::string>& names) {
    Clone clone(origin(), temp().path() / "outside");
    for (const std::string& name : std::set<std::string>(names.begin(), names.end()))
      WriteFile(clone.path() / name, CounterAtZero());
    clone.PushAll("Outside: the counters");
    for (const char* name : {"a", "b", "c", "d"}) {
      machines_.push_back(
          std::make_unique<Mount>(temp().path() / (std::string(name) + ".git"), temp().path() / name,
                                  std::vector<std::string>{"--remote", proxy_->Url("origin.git"), "--remote-timeout",
                                                           "1", "--fetch-period", "0.2"}));
    }
    const auto calm = temp().path() / "calm";
    std::vector<std::unique_ptr<Incrementer>> agents;
    for (std::size_t n = 0; n < names.size(); ++n) {
      agents.push_back(std::make_unique<Incrementer>("agent" + std::to_string(n), MachineOf(n).path(), names[n], calm));
    }
    proxy_->Follow([random = std::mt19937_64(random_())](const std::string&) mutable { return AnyCourse(random); });
    for (int kills = 0; kills < 6; ++kills) {
      const int before = origin().CommitCount();
      Eventually([&] { return origin().CommitCount() > before + 4; },
                 Milliseconds(2'000));  // or nothing gets through just now
      KillSomething();
    }
    proxy_->Follow({});
    proxy_->Release();
    WriteFile(calm, "");  // everything goes on by itself
    for (const auto& agent : agents) increments_.push_back(agent->Finish());
    for (std::size_t n = 0; n < names.size(); ++n)
      ExpectParked(MachineOf(n).path().string() + ".git", origin(), names[n], increments_[n]);
    EXPECT_EQ(origin().Output({"log", "--merges", "--format=%H", "main"}), "");
    std::vector<const Mount*> all;
    for (const auto& machine : machines_) all.push_back(machine.get());
    ExpectAllSound(all);
  }
  Mount& MachineOf(std::size_t agent) { return *machines_[agent % machines_.size()]; }
  const std::vector<Increments>& increments() const { return increments_; }

 private:
  static Course AnyCourse(std::mt19937_64& random) {
    const auto below = [&](std::uint64_t limit) { return random() % limit; };
    Course course;
    if (below(3) == 0) course.delay = Milliseconds(below(20));
    if (below(10) >= 3) return course;
    static constexpr Fault kFaults[] = {Fault::kReset,     Fault::kReset,     Fault::kClose,
                                        Fault::kHalfClose, Fault::kHalfClose, Fault::kSilence};
    course.strike =
        Strike{below(2) == 0 ? Way::kToServer : Way::kToClient, below(1500), kFaults[below(std::size(kFaults))]};
    return course;
  }
  void KillSomething() {
    if (random_() % 3 == 0) {
      KillAndRestartServer();
      return;
    }
    Mount& machine = MachineOf(random_() % machines_.size());
    machine.Kill9();
    machine.Remount();
  }

  std::mt19937_64 random_;
  std::unique_ptr<FaultProxy> proxy_;
  std::vector<std::unique_ptr<Mount>> machines_;
  std::vector<Increments> increments_;
};

TEST_F(RandomFaults, LoseAndDoubleNoIncrementOfACounterOfAll) {
  CountWhileAllFails(std::vector<std::string>(8, "counter"));
  ExpectCounted(origin(), "counter", increments());
}

TEST_F(RandomFaults, LoseAndDoubleNoIncrementOfEachOnesOwn) {
  std::vector<std::string> names;
  for (int n = 0; n < 8; ++n) names.push_back("counter" + std::to_string(n));
  CountWhileAllFails(names);
  for (std::size_t n = 0; n < names.size(); ++n) {
    const Increments& of = increments()[n];
    ExpectCounted(origin(), names[n], {of});
    // Nobody else writes it: stale is only who starts anew after his daemon was killed, and what that one had sent
    // comes late.
    EXPECT_LE(of.refused.size() + of.in_doubt.size(), of.orphaned.size()) << names[n];
  }
}

class SlowWay : public MachinesTest {};

TEST_F(SlowWay, GetsItsTurnBesideAMachineThatNeverPauses) {
  FaultProxy proxy(server().port());
  proxy.Follow([](const std::string&) { return Course{.strike = {}, .delay = std::chrono::milliseconds(15)}; });
  const auto fast = Machine("fast", {"--agent", "fast"});
  const Mount slow(temp().path() / "slow.git", temp().path() / "slow",
                   {"--remote", proxy.Url("origin.git"), "--agent", "slow", "--remote-timeout", "30"});
  std::atomic<bool> is_done = false;
  int saves = 0;
  std::thread writer([&] {
    while (!is_done) EXPECT_EQ(SaveFile(fast->path() / "mine", std::to_string(++saves)), 0);
  });
  constexpr int kSlowSaves = 4;
  for (int n = 0; n < kSlowSaves; ++n) EXPECT_EQ(SaveFile(slow.path() / "yours", std::to_string(n)), 0);
  is_done = true;
  writer.join();
  EXPECT_EQ(origin().CommitCount("mine"), saves);
  EXPECT_EQ(origin().CommitCount("yours"), kSlowSaves);
  ExpectAllSound({fast.get(), &slow});
}

}  // namespace
}  // namespace concordfs::mounttest
