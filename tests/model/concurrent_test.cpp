// Agents in threads of their own: what must hold of the history and of every answer, whatever the interleaving was.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <latch>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "tests/model/mount.h"
#include "tests/model/seed.h"

namespace concordfs::testing {
namespace {

using fs::Caller;

// Logs only grow, by one line at a time; their folder has one of two names. All else comes and goes.
const std::vector<std::string> kLogs = {"log0", "log1", "log2"};
const std::vector<std::string> kFolders = {"logs", "moved"};
const std::vector<std::string> kNames = {"a", "b", "c", "d/x", "d/y"};
constexpr int kSteps = 150;      // of each thread
constexpr int kSharedAgent = 5;  // has two processes

std::string FileOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

bool IsLog(const std::string& path) {
  return std::find(kLogs.begin(), kLogs.end(), FileOf(path)) != kLogs.end();
}

// One agent's process, in a thread.
class Worker {
 public:
  Worker(Mount& mount, std::uint64_t seed, int agent, int process)
      : kernel_(*mount.kernel), random_(seed), caller_(NumberedAgents::CallerOf(agent, process)), agent_(agent) {
    id_ = std::to_string(agent) + "/" + std::to_string(process);
  }

  void AppendBlindly() {
    const std::string path = PickLog();
    auto file = kernel_.Open(caller_, path, O_WRONLY | O_APPEND);
    if (!file) return Failed("open " + path, file.code(), {"not found", "stale"});
    const std::string line = NextLine();
    Finish(*file, path, line, kernel_.Write(*file, line));
  }
  void ReadAndRewrite() {
    const std::string path = PickLog();
    const auto content = Read(path);
    if (!content) return;
    auto file = kernel_.Open(caller_, path, O_WRONLY | O_TRUNC);
    if (!file) return Failed("open " + path, file.code(), {"not found", "stale"});
    const std::string line = NextLine();
    Finish(*file, path, line, kernel_.Write(*file, *content + line));
  }
  void ReadAndRewriteInPlace() {
    const std::string path = PickLog();
    auto file = kernel_.Open(caller_, path, O_RDWR);
    if (!file) return Failed("open " + path, file.code(), {"not found"});
    const auto content = kernel_.ReadAll(*file);
    if (!content) return Failed("read " + path, content.code(), {});
    seen_.insert(*content);
    const std::string line = NextLine();
    Finish(*file, path, line, kernel_.Write(*file, *content + line));
  }
  std::optional<std::string> Read(const std::string& path) {
    const auto content = kernel_.Cat(caller_, path);
    if (!content) {
      Failed("read " + path, content.code(), {"not found"});
      return std::nullopt;
    }
    seen_.insert(*content);
    return *content;
  }
  // Makes, replaces, moves and removes what nobody relies on.
  void Disturb() {
    const std::string path = kNames[random_() % kNames.size()];
    const std::string other = kNames[random_() % kNames.size()];
    switch (random_() % 6) {
      case 0: return Expect("echo " + path, kernel_.Echo(caller_, path, NextLine()), {"stale"});
      case 1: return Expect("append " + path, kernel_.Append(caller_, path, NextLine()), {"stale"});
      case 2: return Expect("unlink " + path, kernel_.Unlink(caller_, path), {"stale", "not found"});
      case 3:
        return Expect("rename " + path + " to " + other, kernel_.Rename(caller_, path, other),
                      {"stale", "not found", "busy"});
      case 4: return Create(path);
      default: Read(path);
    }
  }
  void MoveFolder() {
    const auto from = random_() % 2;
    Expect("rename folder", kernel_.Rename(caller_, kFolders[from], kFolders[1 - from]),
           {"not found", "not empty", "exists"});
  }

  std::uint64_t Dice() { return random_(); }
  int agent() const { return agent_; }
  const std::string& id() const { return id_; }

  // What was answered, in order.
  std::vector<std::string> accepted;
  std::vector<std::string> refused_and_parked;  // refused once it was written
  std::vector<std::string> wrong_answers;
  const std::set<std::string>& seen() const { return seen_; }

 private:
  std::string PickLog() { return kFolders[random_() % 2] + "/" + kLogs[random_() % kLogs.size()]; }
  std::string NextLine() { return id_ + ":" + std::to_string(next_++) + "\n"; }
  void Failed(const std::string& what, Code code, const std::set<std::string>& allowed) {
    if (!allowed.contains(CodeName(code))) wrong_answers.push_back(id_ + ": " + what + ": " + CodeName(code));
  }
  void Expect(const std::string& what, const Result<void>& done, const std::set<std::string>& allowed) {
    if (!done) Failed(what, done.code(), allowed);
  }
  void Create(const std::string& path) {
    auto file = kernel_.Open(caller_, path, O_WRONLY | O_CREAT | O_EXCL);
    // Stale: it has renamed a newer version than it knew away from there itself, as an editor does.
    if (!file) return Failed("create " + path, file.code(), {"exists", "stale"});
    Expect("write " + path, kernel_.Write(*file, NextLine()), {"stale"});
    Expect("close " + path, kernel_.Close(caller_, *file), {"stale"});
  }
  void Finish(Kernel::File& file, const std::string& path, const std::string& line, const Result<void>& written) {
    const auto closed = kernel_.Close(caller_, file);
    if (!written) Failed("write " + path, written.code(), {"stale"});
    if (!closed) Failed("close " + path, closed.code(), {"stale"});
    if (!written && closed) wrong_answers.push_back(id_ + ": a close after a refused write said ok");
    (written && closed ? accepted : refused_and_parked).push_back(line);
  }

  Kernel& kernel_;
  std::mt19937_64 random_;
  const Caller caller_;
  const int agent_;
  std::string id_;
  int next_ = 0;
  std::set<std::string> seen_;
};

class ConcurrentModel : public ::testing::Test {
 protected:
  static std::map<std::string, std::string> FirstFiles() {
    std::map<std::string, std::string> files = {{"d/.keep", ""}, {"logs/.keep", ""}, {"pushed", ""}};
    for (const std::string& log : kLogs) files["logs/" + log] = "";
    return files;
  }

  void CheckHistory(Mount& mount, const std::vector<std::unique_ptr<Worker>>& workers);
  void CheckView(Mount& mount);
};

// No lost update: a log only ever grew by lines of the commit's author; what was accepted is there once and in order,
// what was refused never was.
void ConcurrentModel::CheckHistory(Mount& mount, const std::vector<std::unique_ptr<Worker>>& workers) {
  std::map<std::string, std::string> logs;
  std::vector<std::string> lines;  // of all logs, in the order of their commits
  std::set<std::string> contents = {""};
  for (const PastCommit& past : mount.branch.History()) {
    for (const auto& [path, version] : past.after) {
      if (!version) continue;
      const std::string content = mount.branch.Content(version);
      contents.insert(content);
      if (!IsLog(path)) continue;
      std::string& before = logs[FileOf(path)];
      ASSERT_TRUE(content.starts_with(before)) << past.commit.message << "\nhas\n"
                                               << content << "after\n"
                                               << before << vcs::ToString(past.before.at(path));
      std::string added = content.substr(before.size());
      while (!added.empty()) {
        const std::string line = added.substr(0, added.find('\n') + 1);
        ASSERT_FALSE(line.empty()) << "half a line in " << content;
        EXPECT_EQ("agent" + line.substr(0, line.find('/')), past.commit.author.name) << past.commit.message;
        lines.push_back(line);
        added.erase(0, line.size());
      }
      before = content;
    }
  }
  const std::set<std::string> unique(lines.begin(), lines.end());
  EXPECT_EQ(unique.size(), lines.size()) << "a write is in history twice";

  std::map<std::string, std::string> parked;  // all refused content of an agent
  const auto list = vcs::Parking::List(mount.memory);
  ASSERT_TRUE(list);
  for (const vcs::Parked& one : *list) {
    const Files files = mount.branch.FilesOf(one.commit);
    const auto found = files.find(one.path);
    if (found != files.end()) parked[one.agent] += mount.branch.Content(found->second);
  }
  std::size_t accepted = 0;
  for (const auto& worker : workers) {
    EXPECT_THAT(worker->wrong_answers, ::testing::IsEmpty());
    std::vector<std::string> own;
    for (const std::string& line : lines) {
      if (line.starts_with(worker->id() + ":")) own.push_back(line);
    }
    if (worker->agent() == kSharedAgent) {
      // Its other process may publish what this one wrote into the working copy that they share, and this one's close
      // may still be refused for what either wrote later (R3): then a line is in history that was not acknowledged.
      std::erase_if(own, [&](const std::string& line) {
        return std::find(worker->refused_and_parked.begin(), worker->refused_and_parked.end(), line) !=
               worker->refused_and_parked.end();
      });
    }
    EXPECT_EQ(own, worker->accepted) << worker->id() << ": what was acknowledged, once and in order";
    accepted += own.size();
    for (const std::string& line : worker->refused_and_parked) {
      if (unique.contains(line)) continue;  // only of the shared agent, as above
      EXPECT_NE(parked[NumberedAgents::NameOf(worker->agent())].find(line), std::string::npos)
          << "not parked: " << line;
    }
    for (const std::string& content : worker->seen()) {
      EXPECT_TRUE(contents.contains(content)) << worker->id() << " read what never was published:\n" << content;
    }
  }
  EXPECT_GT(accepted, 0U);
}

// When all is quiet, what an agent sees is what is at head.
void ConcurrentModel::CheckView(Mount& mount) {
  mount.Synchronize();
  const Caller caller = NumberedAgents::CallerOf(20, 1);
  std::map<std::string, std::string> seen;
  const auto look_into = [&](const auto& self, const std::string& folder) -> void {
    const auto names = mount.kernel->List(caller, folder);
    ASSERT_TRUE(names) << folder;
    for (const std::string& name : *names) {
      const std::string path = folder.empty() ? name : folder + "/" + name;
      const auto attr = mount.kernel->Stat(caller, path);
      ASSERT_TRUE(attr) << path << ": " << attr.error().message;
      if (S_ISDIR(attr->mode)) {
        self(self, path);
        continue;
      }
      const auto content = mount.kernel->Cat(caller, path);
      ASSERT_TRUE(content) << path << ": " << content.error().message;
      EXPECT_EQ(attr->size, content->size()) << path;
      seen[path] = *content;
    }
  };
  look_into(look_into, "");
  std::map<std::string, std::string> heads;
  for (const auto& [path, version] : mount.branch.FilesOf(mount.branch.Tip().commit))
    heads[path] = mount.branch.Content(version);
  EXPECT_EQ(seen, heads);
}

TEST_F(ConcurrentModel, LosesNothingAndRefusesNobodyTwice) {
  const std::uint64_t seed = Seed();
  for (std::uint64_t round = 0; round < 3 && !HasFailure(); ++round) {
    SCOPED_TRACE("CONCORDFS_SEED=" + std::to_string(seed + round));
    Mount mount(FirstFiles());
    // Five agents; the last one has two processes, which only append: within an agent POSIX holds, and truncating what
    // its other process appends is its own affair.
    std::vector<std::unique_ptr<Worker>> workers;
    for (const auto& [agent, process] : {std::pair(1, 1), {2, 1}, {3, 1}, {4, 1}, {kSharedAgent, 1}, {kSharedAgent, 2}})
      workers.push_back(std::make_unique<Worker>(mount, seed + round + 1000 * workers.size(), agent, process));
    std::latch start(static_cast<std::ptrdiff_t>(workers.size()) + 1);
    std::vector<std::thread> threads;
    for (const auto& worker : workers) {
      threads.emplace_back([&start, &worker = *worker] {
        start.arrive_and_wait();
        for (int step = 0; step < kSteps; ++step) {
          const std::uint64_t dice = worker.Dice() % 100;
          if (dice < 30 || worker.agent() == kSharedAgent) {
            worker.AppendBlindly();
          } else if (dice < 50) {
            worker.ReadAndRewrite();
          } else if (dice < 65) {
            worker.ReadAndRewriteInPlace();
          } else if (dice < 97) {
            worker.Disturb();
          } else {
            worker.MoveFolder();
          }
        }
      });
    }
    std::thread outside([&] {
      std::mt19937_64 random(seed + round);
      start.arrive_and_wait();
      for (int push = 0; push < 40; ++push) {
        const std::string path = random() % 2 == 0 ? "pushed" : kNames[random() % kNames.size()];
        Changes changes;
        if (random() % 3 != 0 || path == "pushed") changes[path] = mount.branch.Blob("pushed" + std::to_string(push));
        if (changes.empty()) changes[path] = std::nullopt;
        mount.branch.Commit(changes);
      }
    });
    for (std::thread& thread : threads) thread.join();
    outside.join();
    CheckHistory(mount, workers);
    CheckView(mount);
  }
}

// Of N agents that add to one counter, none is lost and none is accepted twice; who is refused tries again.
TEST_F(ConcurrentModel, CountsEveryIncrement) {
  constexpr int kWorkers = 6;
  constexpr int kIncrements = 25;
  const std::map<std::string, std::string> files = {{"counter", "0"}};
  Mount mount(files);
  std::latch start(kWorkers);
  std::vector<std::thread> threads;
  for (int agent = 1; agent <= kWorkers; ++agent) {
    threads.emplace_back([&, caller = NumberedAgents::CallerOf(agent, 1)] {
      start.arrive_and_wait();
      for (int done = 0; done < kIncrements;) {
        const auto now = mount.kernel->Cat(caller, "counter");
        ASSERT_TRUE(now) << now.error().message;
        const auto added = mount.kernel->Echo(caller, "counter", std::to_string(std::stoi(*now) + 1));
        if (added) ++done;
        if (!added) {
          ASSERT_EQ(added.code(), Code::kStale) << added.error().message;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(mount.Head("counter"), std::to_string(kWorkers * kIncrements));
  const auto history = mount.NewHistory();
  ASSERT_EQ(history.size(), static_cast<std::size_t>(kWorkers * kIncrements));
  for (std::size_t i = 0; i < history.size(); ++i)
    EXPECT_EQ(mount.branch.Content(history[i].after.at("counter")), std::to_string(i + 1));
}

}  // namespace
}  // namespace concordfs::testing
