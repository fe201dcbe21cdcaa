// Random interleavings of several agents' steps, each compared with the reference model.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "tests/model/mount.h"
#include "tests/model/reference.h"
#include "tests/model/seed.h"

namespace concordfs::testing {
namespace {

using Answer = Reference::Answer;
using fs::Caller;

const std::map<std::string, std::string> kFiles = {{"f", "f0"},
                                                   {"g", "g0"},
                                                   {"d/f", "df0"},
                                                   {"d/g", "dg0"},
                                                   {"d/.keep", "nobody's"},
                                                   {"e/h", "eh0"},
                                                   {"e/.keep", "nobody's"}};
constexpr int kAgents = 3;
constexpr int kProcesses = 2;  // of each agent
constexpr std::size_t kMaxOpen = 6;

// One file system and one reference model that take the same steps.
class Walk {
 public:
  explicit Walk(std::uint64_t seed) : random_(seed), mount_(kFiles), reference_(kFiles) {}

  // Returns false once the two disagree; report() tells.
  bool Run(int steps) {
    for (int i = 0; i < steps && Good(); ++i) Step();
    while (Good() && !open_.empty()) CloseOne(0);
    if (Good()) CompareEnd();
    return Good();
  }
  bool Good() const { return complaint_.empty(); }
  std::string report() const {
    std::string text;
    for (const std::string& line : trace_) text += line + "\n";
    return text + "=> " + complaint_;
  }

 private:
  struct OpenFile {
    std::size_t number;  // the reference's
    Kernel::File file;
    int agent;
    int process;
    std::string path;  // when it was opened
    Reference::OpenMode mode;
  };

  std::size_t Pick(std::size_t count) { return random_() % count; }
  bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  std::string PickPath() {
    static const std::string kPaths[] = {"f", "g", "new", "e/h", "e/f", "d/f", "d/g", "d/new"};
    std::string path = kPaths[Pick(std::size(kPaths))];
    if (path[0] == 'd' && (reference_.HasDirectory("x") != Chance(3))) path[0] = 'x';
    return path;
  }
  // Content that nobody ever wrote; sometimes what is at head, or what was there before.
  std::string PickContent(const std::string& path) {
    const Reference::Version head = reference_.Head(path);
    if (head && !head->empty() && Chance(8)) return *head;
    std::string content = "c" + std::to_string(next_content_++);
    content.resize(content.size() + Pick(4) * Pick(4), '.');
    return content;
  }

  void Step() {
    const int agent = 1 + static_cast<int>(Pick(kAgents));
    const int process = 1 + static_cast<int>(Pick(kProcesses));
    const std::size_t dice = Pick(100);
    if (dice < 26 && open_.size() < kMaxOpen) return OpenOne(agent, process);
    if (dice < 40 && !open_.empty()) return ReadOne(Pick(open_.size()));
    if (dice < 58 && !open_.empty()) return WriteOne(Pick(open_.size()));
    if (dice < 63 && !open_.empty()) return FlushOne(Pick(open_.size()));
    if (dice < 80 && !open_.empty()) return CloseOne(Pick(open_.size()));
    if (dice < 83) return Unlink(agent, process);
    if (dice < 88) return Rename(agent, process);
    if (dice < 89) return RenameDirectory(agent, process);
    if (dice < 90) return Refresh(agent, process);
    if (dice < 93) return Outside();
    if (dice < 94) return List(agent, process);
    if (dice < 95) return mount_.kernel->DropCaches();
    OpenOne(agent, process);
  }

  void OpenOne(int agent, int process) {
    static const std::pair<int, Reference::OpenMode> kModes[] = {
        {O_RDONLY, {.read = true}},
        {O_RDONLY, {.read = true}},
        {O_RDWR, {.read = true, .write = true}},
        {O_WRONLY, {.write = true}},
        {O_WRONLY | O_APPEND, {.write = true, .append = true}},
        {O_WRONLY | O_TRUNC, {.write = true, .truncate = true}},
        {O_RDWR | O_TRUNC, {.read = true, .write = true, .truncate = true}},
        {O_WRONLY | O_CREAT | O_TRUNC, {.write = true, .truncate = true, .create = true}},
        {O_WRONLY | O_CREAT | O_APPEND, {.write = true, .append = true, .create = true}},
        {O_RDWR | O_CREAT | O_EXCL, {.read = true, .write = true, .create = true, .exclusive = true}}};
    const auto& [flags, mode] = kModes[Pick(std::size(kModes))];
    const std::string path = PickPath();
    const auto opened = mount_.kernel->Open(CallerOf(agent, process), path, flags);
    const Answer expected = reference_.Open(agent, process, path, mode);
    std::ostringstream what;
    what << Who(agent, process) << " opens " << path << (mode.read ? " r" : "") << (mode.write ? " w" : "")
         << (mode.append ? " append" : "") << (mode.truncate ? " trunc" : "") << (mode.create ? " creat" : "")
         << (mode.exclusive ? " excl" : "") << " as #" << next_handle_;
    Compare(what.str(), Told(opened), expected);
    if (opened && Good()) open_.push_back(OpenFile{next_handle_++, *opened, agent, process, path, mode});
  }

  void ReadOne(std::size_t index) {
    OpenFile& file = open_[index];
    if (!file.mode.read) return;
    const auto content = mount_.kernel->ReadAll(file.file);
    Compare("#" + std::to_string(file.number) + " reads", content ? Answer{"ok", *content} : Told(content),
            reference_.Read(file.number));
  }

  void WriteOne(std::size_t index) {
    OpenFile& file = open_[index];
    if (!file.mode.write) return;
    const std::string data = PickContent(file.path);
    const auto written = mount_.kernel->Write(file.file, data);
    Compare("#" + std::to_string(file.number) + " writes " + data, Told(written), reference_.Write(file.number, data));
  }

  // A duplicate is closed, by the process or by a child that inherited it.
  void FlushOne(std::size_t index) { Flush(open_[index], Chance(70) ? open_[index].process : 9); }
  void Flush(const OpenFile& file, int process) {
    MaybeBeforeSwap(file.path);
    const auto flushed = mount_.kernel->Flush(CallerOf(file.agent, process), file.file);
    ApplyBeforeSwap();
    Compare("#" + std::to_string(file.number) + " flushed by " + Who(file.agent, process), Told(flushed),
            reference_.Flush(file.number, process));
  }

  void CloseOne(std::size_t index) {
    const OpenFile file = open_[index];
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
    Flush(file, Chance(85) ? file.process : 9);
    if (!Good()) return;
    MaybeBeforeSwap(file.path);
    mount_.kernel->Release(file.file);
    ApplyBeforeSwap();
    reference_.Release(file.number);
    Compare("#" + std::to_string(file.number) + " released", Answer(), Answer());
  }

  void Unlink(int agent, int process) {
    const std::string path = PickPath();
    MaybeBeforeSwap(path);
    if (before_swap_ && before_swap_->path == path && !before_swap_->content) {
      before_swap_->content = PickContent("");  // two deletions of one file don't conflict, and both are told ok
    }
    const auto done = mount_.kernel->Unlink(CallerOf(agent, process), path);
    ApplyBeforeSwap();
    Compare(Who(agent, process) + " unlinks " + path, Told(done), reference_.Unlink(agent, process, path));
  }

  void Rename(int agent, int process) {
    const std::string from = PickPath();
    const std::string to = PickPath();
    if (from == to) return;
    MaybeBeforeSwap(to);
    const auto done = mount_.kernel->Rename(CallerOf(agent, process), from, to);
    ApplyBeforeSwap();
    Compare(Who(agent, process) + " renames " + from + " to " + to, Told(done),
            reference_.Rename(agent, process, from, to));
  }

  void RenameDirectory(int agent, int process) {
    const std::string from = reference_.HasDirectory("d") ? "d" : "x";
    const std::string to = from == "d" ? "x" : "d";
    const auto done = mount_.kernel->Rename(CallerOf(agent, process), from, to);
    Compare(Who(agent, process) + " renames the directory " + from + " to " + to, Told(done),
            reference_.RenameDirectory(agent, from, to));
  }

  void Refresh(int agent, int process) {
    const std::string path = PickPath();
    const std::size_t slash = path.find('/');
    const std::string directory = slash == std::string::npos ? "" : path.substr(0, slash);
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    const auto done = mount_.kernel->SetXattr(CallerOf(agent, process), directory, "user.concordfs.refresh", name);
    Compare(Who(agent, process) + " refreshes " + path, Told(done), reference_.Refresh(agent, path));
  }

  void List(int agent, int process) {
    for (const std::string directory : {"", "d", "x", "e"}) {
      auto names = mount_.kernel->List(CallerOf(agent, process), directory);
      if (names) std::erase(*names, kProbe);
      if (names) std::sort(names->begin(), names->end());
      std::ostringstream expected;
      std::ostringstream got;
      for (const std::string& name : reference_.Names(directory)) expected << name << " ";
      if (names) {
        for (const std::string& name : *names) got << name << " ";
      }
      const bool exists = reference_.HasDirectory(directory);
      Compare("list " + directory, Answer{names ? "ok" : CodeName(names.code()), got.str()},
              Answer{exists ? "ok" : "not found", exists ? expected.str() : ""});
    }
  }

  // A commit from outside: somewhere, or at the path that somebody is about to publish.
  struct OutsideCommit {
    std::string path;
    Reference::Version content;
  };
  std::optional<OutsideCommit> PickOutside(const std::string& near) {
    const std::string path = Chance(60) ? near : PickPath();
    const std::size_t slash = path.find('/');
    if (slash != std::string::npos && !reference_.HasDirectory(path.substr(0, slash))) return std::nullopt;
    OutsideCommit outside{path, std::nullopt};
    if (!reference_.Head(path) || Chance(70)) outside.content = PickContent("");
    return outside;
  }
  void Commit(const OutsideCommit& outside) {
    Changes changes;
    changes[outside.path] = outside.content ? vcs::MaybeVersion(mount_.branch.Blob(*outside.content)) : std::nullopt;
    mount_.branch.Commit(changes, "outside");
  }
  void Trace(const OutsideCommit& outside) {
    trace_.push_back("outside commits " + outside.path + " = " + outside.content.value_or("<absent>"));
  }
  void Outside() {
    const auto outside = PickOutside(PickPath());
    if (!outside) return;
    Commit(*outside);
    Trace(*outside);
    reference_.Outside("outside", outside->path, outside->content);
    mount_.Synchronize();
    CompareHeads();
  }
  // Sometimes the branch moves right before the next swap (R11); the reference sees it as a commit just before the
  // step.
  void MaybeBeforeSwap(const std::string& near) {
    before_swap_.reset();
    fired_ = false;
    if (!Chance(12)) return;
    before_swap_ = PickOutside(near);
    if (!before_swap_) return;
    mount_.memory.SetBeforeSwap([this](const vcs::Publication& publication) {
      if (publication.ref != "refs/heads/main") return;
      mount_.memory.SetBeforeSwap({});
      fired_ = true;
      Commit(*before_swap_);
    });
  }
  void ApplyBeforeSwap() {
    mount_.memory.SetBeforeSwap({});
    if (!fired_) return;
    Trace(*before_swap_);
    reference_.Outside("outside", before_swap_->path, before_swap_->content);
  }

  void Compare(const std::string& what, const Answer& got, const Answer& expected) {
    trace_.push_back(what + ": " + got.code + (got.content.empty() ? "" : " '" + got.content + "'"));
    if (got != expected) {
      complaint_ = "expected: " + expected.code + (expected.content.empty() ? "" : " '" + expected.content + "'");
      return;
    }
    CompareHeads();
  }
  void CompareHeads() {
    const vcs::ObjectId tip = mount_.branch.Tip().commit;
    if (tip == last_tip_ && reference_.history().size() == last_history_) return;
    last_tip_ = tip;
    last_history_ = reference_.history().size();
    std::map<std::string, std::string> heads;
    for (const auto& [path, version] : mount_.branch.FilesOf(tip)) {
      if (path != kProbe) heads[path] = mount_.branch.Content(version);
    }
    if (heads == reference_.Heads()) return;
    complaint_ = "head is not what was accepted:";
    for (const auto& [path, content] : heads) complaint_ += " " + path + "=" + content;
    complaint_ += " instead of";
    for (const auto& [path, content] : reference_.Heads()) complaint_ += " " + path + "=" + content;
  }

  // Every accepted write is in history exactly once and in order; every refused one is parked byte for byte.
  void CompareEnd() {
    std::vector<Reference::Commit> history;
    for (const PastCommit& past : mount_.NewHistory()) {
      Reference::Commit commit{past.commit.author.name, {}};
      for (const auto& [path, version] : past.after)
        commit.changes[path] = version ? Reference::Version(mount_.branch.Content(version)) : std::nullopt;
      if (commit.changes.contains(kProbe)) continue;
      history.push_back(std::move(commit));
    }
    if (history != reference_.history()) {
      complaint_ = "history:\n" + Text(history) + "instead of\n" + Text(reference_.history());
      return;
    }
    std::set<Reference::Parked> parked;
    const auto list = vcs::Parking::List(mount_.memory);
    if (!list) complaint_ = "parked: " + list.error().message;
    if (!list) return;
    for (const vcs::Parked& one : *list) {
      const Files files = mount_.branch.FilesOf(one.commit);
      const auto found = files.find(one.path);
      if (found == files.end()) continue;
      for (int agent = 1; agent <= kAgents; ++agent) {
        if (NumberedAgents::NameOf(agent) != one.agent) continue;
        parked.insert(Reference::Parked{agent, one.path, mount_.branch.Content(found->second)});
      }
    }
    for (const Reference::Parked& one : reference_.MustBeParked()) {
      if (parked.contains(one)) continue;
      complaint_ = "not parked: agent" + std::to_string(one.agent) + "'s " + one.path + " = " + one.content;
      return;
    }
  }

  static std::string Text(const std::vector<Reference::Commit>& history) {
    std::string text;
    for (const Reference::Commit& commit : history) {
      text += "  " + commit.author + ":";
      for (const auto& [path, content] : commit.changes) text += " " + path + "=" + content.value_or("<absent>");
      text += "\n";
    }
    return text;
  }
  static Caller CallerOf(int agent, int process) { return NumberedAgents::CallerOf(agent, process); }
  static std::string Who(int agent, int process) {
    return "agent" + std::to_string(agent) + "/" + std::to_string(process);
  }
  template <class T>
  static Answer Told(const Result<T>& result) {
    return Answer{result ? "ok" : CodeName(result.code()), ""};
  }

  std::mt19937_64 random_;
  Mount mount_;
  Reference reference_;
  std::vector<OpenFile> open_;
  std::size_t next_handle_ = 0;
  int next_content_ = 0;
  std::optional<OutsideCommit> before_swap_;
  std::atomic<bool> fired_ = false;
  vcs::ObjectId last_tip_;
  std::size_t last_history_ = 0;
  std::vector<std::string> trace_;
  std::string complaint_;
};

TEST(RandomModel, AgreesWithTheReferenceOnEveryStep) {
  const std::uint64_t seed = Seed();
  for (std::uint64_t round = 0; round < 60; ++round) {
    Walk walk(seed + round);
    ASSERT_TRUE(walk.Run(100)) << "CONCORDFS_SEED=" << seed + round << "\n" << walk.report();
  }
}

}  // namespace
}  // namespace concordfs::testing
