// Random calls by several agents, one at a time, each compared with the model; with remounts between.
//
// Left out, because nobody says what comes of it: what is read through a working copy after a refusal; changes through
// a mapping where another descriptor of the agent could carry them, or that would be refused; truncate(2) and renames
// of a file that the agent has open for writing and not published (it depends on what else its close publishes); copies
// between overlapping ranges; reading back what a handle's agent wrote before the handle read anything. Renames between
// scratch and versioned paths have tests of their own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <sstream>

#include "tests/model/seed.h"
#include "tests/mount/support/mount.h"
#include "tests/mount/support/repository.h"
#include "tests/mount/support/temp_dir.h"
#include "tests/posix/exercise/agents.h"
#include "tests/posix/exercise/model.h"

namespace concordfs::exercise {
namespace {

using namespace mounttest;  // NOLINT(google-build-using-namespace): the harness of all tests on mounts

constexpr int kRemounts = 5;
constexpr std::size_t kMaxOpen = 12;
constexpr std::size_t kMaxSize = 256 << 10;  // bytes
constexpr std::size_t kKeptSteps = 30;

int Operations() {
  const char* const text = std::getenv("CONCORDFS_EXERCISE_OPS");
  return text != nullptr ? std::stoi(text) : 6000;
}

std::string ErrorName(int error) {
  return error == 0 ? "ok" : error < 0 ? "no answer" : strerrorname_np(error);
}

class Exercise {
 public:
  // `folders` are below `root`; those whose name begins with `v` are versioned.
  Exercise(std::filesystem::path root, std::vector<std::string> folders, int agents, std::uint64_t seed, Mount* mount,
           const Repository* repository)
      : root_(std::move(root)),
        folders_(std::move(folders)),
        agents_(agents),
        random_(seed),
        model_(mount != nullptr ? (root_ / "v").string() : ""),
        mount_(mount),
        repository_(repository) {
    MakeFolders();
  }

  // Whether all agreed; report() tells.
  bool Run(int operations) {
    const int round = std::max(1, operations / (kRemounts + 1));
    for (count_ = 1; count_ <= operations && Good(); ++count_) {
      Step();
      if (count_ % round == 0 && Good()) Compare();
    }
    if (Good()) Compare();
    return Good();
  }
  bool Good() const { return complaint_.empty() && !::testing::Test::HasFailure(); }
  std::string report() const {
    std::ostringstream text;
    for (const auto& [path, step] : Last()) text << step << "\n";
    text << "operation " << count_ << ": " << complaint_;
    return text.str();
  }

 private:
  struct Open {
    int number;
    int agent;
    std::string path;
    int flags;
    bool Reads() const { return (flags & O_ACCMODE) != O_WRONLY; }
    bool Writes() const { return (flags & O_ACCMODE) != O_RDONLY; }
  };

  std::deque<std::pair<std::string, std::string>> Last() const {
    std::deque<std::pair<std::string, std::string>> last;
    for (auto at = trace_.rbegin(); at != trace_.rend() && last.size() < kKeptSteps; ++at) {
      if (at->first == culprit_ || at->second.find(culprit_) != std::string::npos) last.push_front(*at);
    }
    return last;
  }

  std::size_t Pick(std::size_t count) { return random_() % count; }
  bool Chance(unsigned percent) { return random_() % 100 < percent; }
  int PickAgent() { return static_cast<int>(Pick(static_cast<std::size_t>(agents_.count()))); }
  std::string PickFolder() { return (root_ / folders_[Pick(folders_.size())]).string(); }
  std::string PickPath() { return PickFolder() + "/n" + std::to_string(Pick(8)); }
  std::size_t PickSize() {
    switch (Pick(4)) {
      case 0: return 1 + Pick(50);
      case 1: return 1 + Pick(5000);
      case 2: return 4096 * (1 + Pick(8));
      default: return 1 + Pick(kMaxSize / 4);
    }
  }
  std::string PickData() {
    std::string data(PickSize(), '\0');
    std::uint64_t word = random_();
    for (char& byte : data) {
      word = word * 6364136223846793005U + 1442695040888963407U;
      byte = static_cast<char>(word >> 56);
    }
    return data;
  }
  std::size_t PickOffset(const std::string& content) {
    return Pick(std::min(content.size() + content.size() / 8 + 10, kMaxSize));
  }

  // Compares what a call answered with what it has to.
  void Check(const std::string& path, const std::string& what, int got, int expected) {
    trace_.emplace_back(path, std::to_string(count_) + " " + what + ": " + ErrorName(got));
    if (trace_.size() > 20'000) trace_.pop_front();
    if (got == expected) return;
    culprit_ = path;
    complaint_ = what + ": " + ErrorName(got) + " instead of " + ErrorName(expected);
  }
  void CheckBytes(const std::string& path, const std::string& got, const std::string& expected) {
    if (got == expected || !Good()) return;
    culprit_ = path;
    const auto differ = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
    complaint_ = "other bytes, from " + std::to_string(differ.first - got.begin()) + " on; " +
                 std::to_string(got.size()) + " bytes instead of " + std::to_string(expected.size());
  }

  void Step() {
    const std::size_t dice = Pick(100);
    if (open_.empty() || (dice < 22 && open_.size() < kMaxOpen)) return OpenOne();
    Open& file = open_[Pick(open_.size())];
    if (dice < 36) return ReadOne(file);
    if (dice < 52) return WriteOne(file);
    if (dice < 57) return ResizeOne(file);
    if (dice < 61) return FallocateOne(file);
    if (dice < 65) return MapOne(file);
    if (dice < 68) return SyncOne(file);
    if (dice < 71) return CopyOne(file);
    if (dice < 73) return SeekOne(file);
    if (dice < 87) return CloseOne(Pick(open_.size()));
    if (dice < 89) return Truncate();
    if (dice < 92) return Unlink();
    if (dice < 95) return Rename();
    if (dice < 98) return Size();
    List(PickFolder());
  }

  std::string Who(int agent, const std::string& path) const {
    return Agents::Name(agent) + " " + path.substr(root_.string().size() + 1);
  }
  std::string Who(const Open& file) const { return Who(file.agent, file.path) + " #" + std::to_string(file.number); }

  void OpenOne() {
    static constexpr int kFlags[] = {O_RDONLY,
                                     O_RDONLY,
                                     O_RDWR,
                                     O_RDWR,
                                     O_WRONLY,
                                     O_WRONLY | O_APPEND,
                                     O_WRONLY | O_TRUNC,
                                     O_RDWR | O_TRUNC,
                                     O_RDWR | O_CREAT,
                                     O_WRONLY | O_CREAT | O_TRUNC,
                                     O_WRONLY | O_CREAT | O_APPEND,
                                     O_RDWR | O_CREAT | O_EXCL};
    const Open file{next_++, PickAgent(), PickPath(), kFlags[Pick(std::size(kFlags))]};
    const Answer answer =
        agents_.Do(file.agent, {.call = Call::kOpen, .slot = file.number, .flags = file.flags}, file.path);
    std::ostringstream what;
    what << Who(file) << " open " << std::oct << file.flags;
    Check(file.path, what.str(), answer.error, model_.Open(file.number, file.agent, file.path, file.flags));
    if (answer.error == 0) open_.push_back(file);
  }

  void CloseOne(std::size_t index) {
    const Open file = open_[index];
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
    const Answer answer = agents_.Do(file.agent, {.call = Call::kClose, .slot = file.number});
    Check(file.path, Who(file) + " close", answer.error, model_.Close(file.number));
    if (!Good() || mount_ == nullptr) return;
    // The kernel doesn't wait for the release, by which what was only created or truncated is published.
    if (!Eventually([&] { return HandlesOnCopies(file.agent) <= model_.HandlesOnCopies(file.agent); })) {
      complaint_ = "the release of " + Who(file) + " never came";
    }
  }
  int HandlesOnCopies(int agent) const {
    int handles = 0;
    const auto status = nlohmann::json::parse(GetXattr(root_, "user.concordfs.status").value_or("{}"));
    for (const auto& each : status["agents"]) {
      if (each["name"] != Agents::Name(agent)) continue;
      for (const auto& copy : each["working_copies"]) handles += copy["handles"].get<int>();
    }
    return handles;
  }

  void ReadOne(const Open& file) { ReadBy(Call::kRead, file, " read "); }
  void ReadBy(Call call, const Open& file, const std::string& name) {
    const std::string* const seen = model_.Seen(file.number);
    if (!file.Reads() || seen == nullptr || !model_.ReadsForCertain(file.number)) return;
    if (seen->empty()) return;  // nothing is asked of the daemon for an empty file
    const std::size_t offset = Pick(seen->size());
    const std::size_t room = seen->size() - offset;
    const std::size_t length = call == Call::kMapRead ? 1 + Pick(room) : PickSize();
    const Answer answer = agents_.Do(file.agent, {.call = call,
                                                  .slot = file.number,
                                                  .offset = static_cast<std::int64_t>(offset),
                                                  .length = static_cast<std::int64_t>(length)});
    Check(file.path, Who(file) + name + std::to_string(offset) + "+" + std::to_string(length), answer.error, 0);
    CheckBytes(file.path, answer.data, seen->substr(offset, length));
    model_.WasRead(file.number);
  }

  void WriteOne(const Open& file) { WriteBy(Call::kWrite, file, PickData(), " write "); }
  void WriteBy(Call call, const Open& file, const std::string& data, const std::string& name) {
    if (!file.Writes()) return;
    const std::string* const seen = model_.Seen(file.number);
    const std::size_t offset = seen != nullptr ? PickOffset(*seen) : 0;
    if ((file.flags & O_APPEND) != 0 && seen != nullptr && seen->size() + data.size() > 2 * kMaxSize) return;
    const Answer answer = agents_.Do(
        file.agent, {.call = call, .slot = file.number, .offset = static_cast<std::int64_t>(offset)}, "", "", data);
    const int expected = model_.Write(file.number, [&](std::string& content) {
      const std::size_t at = (file.flags & O_APPEND) != 0 ? content.size() : offset;
      if (content.size() < at + data.size()) content.resize(at + data.size(), '\0');
      content.replace(at, data.size(), data);
    });
    Check(file.path, Who(file) + name + std::to_string(offset) + "+" + std::to_string(data.size()), answer.error,
          expected);
  }

  void ResizeOne(const Open& file) {
    if (!file.Writes()) return;
    const std::size_t size = Chance(20) ? 0 : Pick(kMaxSize);
    const Answer answer = agents_.Do(
        file.agent, {.call = Call::kFtruncate, .slot = file.number, .length = static_cast<std::int64_t>(size)});
    Check(file.path, Who(file) + " ftruncate " + std::to_string(size), answer.error,
          model_.Write(file.number, [&](std::string& content) { content.resize(size, '\0'); }));
  }

  void FallocateOne(const Open& file) {
    static constexpr int kModes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
    if (!file.Writes()) return;
    const int mode = kModes[Pick(3)];
    const std::size_t offset = Pick(kMaxSize / 2);
    const std::size_t length = PickSize();
    const Answer answer = agents_.Do(file.agent, {.call = Call::kFallocate,
                                                  .slot = file.number,
                                                  .flags = mode,
                                                  .offset = static_cast<std::int64_t>(offset),
                                                  .length = static_cast<std::int64_t>(length)});
    const auto change = [&](std::string& content) {
      if (mode == 0 && content.size() < offset + length) content.resize(offset + length, '\0');
      if ((mode & FALLOC_FL_PUNCH_HOLE) == 0 || offset >= content.size()) return;
      const std::size_t end = std::min(content.size(), offset + length);
      std::fill(content.begin() + static_cast<std::ptrdiff_t>(offset),
                content.begin() + static_cast<std::ptrdiff_t>(end), '\0');
    };
    Check(file.path,
          Who(file) + " fallocate mode " + std::to_string(mode) + " " + std::to_string(offset) + "+" +
              std::to_string(length),
          answer.error, model_.Write(file.number, change));
  }

  void MapOne(const Open& file) {
    if (Chance(50)) return ReadBy(Call::kMapRead, file, " map-read ");
    const std::string* const seen = model_.Seen(file.number);
    if ((file.flags & O_ACCMODE) != O_RDWR || seen == nullptr || seen->empty()) return;
    if (!model_.WouldAccept(file.number) || model_.OpenWriters(file.number) > 1) return;
    if (!model_.ReadsForCertain(file.number)) return;
    const std::size_t offset = Pick(seen->size());
    std::string data = PickData();
    data.resize(std::min(data.size(), seen->size() - offset));
    const Answer answer = agents_.Do(
        file.agent, {.call = Call::kMapWrite, .slot = file.number, .offset = static_cast<std::int64_t>(offset)}, "", "",
        data);
    model_.WasRead(file.number);  // the pages, before they are changed
    Check(file.path, Who(file) + " map-write " + std::to_string(offset) + "+" + std::to_string(data.size()),
          answer.error,
          model_.Write(file.number, [&](std::string& content) { content.replace(offset, data.size(), data); }));
  }

  void SyncOne(const Open& file) {
    const Answer answer = agents_.Do(file.agent, {.call = Call::kFsync, .slot = file.number});
    Check(file.path, Who(file) + " fsync", answer.error, model_.Sync(file.number));
  }

  void CopyOne(const Open& from) {
    const Open& to = open_[Pick(open_.size())];
    const std::string* const seen = model_.Seen(from.number);
    const std::string* const target = model_.Seen(to.number);
    if (to.agent != from.agent || to.path == from.path || !from.Reads() || !to.Writes() || (to.flags & O_APPEND) != 0 ||
        seen == nullptr || seen->empty() || target == nullptr || target == seen ||
        !model_.ReadsForCertain(from.number) || !model_.WouldAccept(to.number)) {
      return;
    }
    const std::size_t offset = Pick(seen->size());
    const std::size_t at = PickOffset(*target);
    const std::size_t length = PickSize();
    const Answer answer = agents_.Do(from.agent, {.call = Call::kCopy,
                                                  .slot = from.number,
                                                  .other_slot = to.number,
                                                  .offset = static_cast<std::int64_t>(offset),
                                                  .other_offset = static_cast<std::int64_t>(at),
                                                  .length = static_cast<std::int64_t>(length)});
    const auto copied = static_cast<std::size_t>(std::max<std::int64_t>(answer.value, 0));
    const std::string data = seen->substr(offset, copied);  // a short copy is allowed, as a short write is
    model_.WasRead(from.number);
    Check(to.path,
          Who(from) + " copy " + std::to_string(offset) + "+" + std::to_string(copied) + " to " + Who(to) + " at " +
              std::to_string(at),
          answer.error, model_.Write(to.number, [&](std::string& content) {
            if (content.size() < at + copied) content.resize(at + copied, '\0');
            content.replace(at, copied, data);
          }));
    if (copied == 0 || copied > std::min(length, seen->size() - offset)) {
      culprit_ = to.path;
      complaint_ = "copied " + std::to_string(copied) + " bytes";
    }
  }

  // Where holes are is the file system's business: it has to say that something is data or a hole, and where it ends.
  void SeekOne(const Open& file) {
    const std::string* const seen = model_.Seen(file.number);
    if (seen == nullptr || seen->empty()) return;
    const auto size = static_cast<std::int64_t>(seen->size());
    const auto offset = static_cast<std::int64_t>(Pick(seen->size()));
    const bool hole = Chance(50);
    const Answer answer =
        agents_.Do(file.agent,
                   {.call = Call::kSeek, .slot = file.number, .flags = hole ? SEEK_HOLE : SEEK_DATA, .offset = offset});
    const bool all_hole = !hole && answer.error == ENXIO;
    Check(file.path, Who(file) + (hole ? " seek-hole " : " seek-data ") + std::to_string(offset),
          all_hole ? 0 : answer.error, 0);
    const std::int64_t skipped_to = all_hole ? size : answer.value;
    const bool fits = answer.value >= offset && answer.value <= size;
    const auto begin = seen->begin() + offset;
    const bool zeros = hole || std::all_of(begin, seen->begin() + std::max(offset, std::min(skipped_to, size)),
                                           [](char byte) { return byte == 0; });
    if (Good() && (!(fits || all_hole) || !zeros)) {
      culprit_ = file.path;
      complaint_ = "seek from " + std::to_string(offset) + " led to " + std::to_string(answer.value);
    }
  }

  void Truncate() {
    const int agent = PickAgent();
    const std::string path = PickPath();
    if (model_.OpenHandles(agent, path) > 0 && model_.IsPublished(path)) return;
    if (!model_.IsPublished(path) && model_.SeenAt(agent, path)) return;
    const std::size_t size = Pick(kMaxSize);
    const Answer answer = agents_.Do(agent, {.call = Call::kTruncate, .length = static_cast<std::int64_t>(size)}, path);
    Check(path, Who(agent, path) + " truncate " + std::to_string(size), answer.error,
          model_.Truncate(agent, path, size));
  }

  void Unlink() {
    const int agent = PickAgent();
    const std::string path = PickPath();
    const Answer answer = agents_.Do(agent, {.call = Call::kUnlink}, path);
    Check(path, Who(agent, path) + " unlink", answer.error, model_.Unlink(agent, path));
  }

  void Rename() {
    const int agent = PickAgent();
    const std::string from = PickPath();
    const std::string to = PickPath();
    const bool same_kind = from.substr(root_.string().size() + 1, 1) == to.substr(root_.string().size() + 1, 1);
    if (from == to || !same_kind || !model_.IsPublished(from)) return;
    const Answer answer = agents_.Do(agent, {.call = Call::kRename}, from, to);
    Check(to, Who(agent, from) + " rename " + from + " to " + to, answer.error, model_.Rename(agent, from, to));
    for (Open& file : open_) {
      if (file.path == from && answer.error == 0) file.path = to;
    }
  }

  void Size() {
    const int agent = PickAgent();
    const std::string path = PickPath();
    const Answer answer = agents_.Do(agent, {.call = Call::kSize}, path);
    const auto expected = model_.SeenAt(agent, path);
    Check(path, Who(agent, path) + " stat", answer.error, expected ? 0 : ENOENT);
    if (!Good() || !expected || answer.value == static_cast<std::int64_t>(expected->size())) return;
    culprit_ = path;
    complaint_ = "size " + std::to_string(answer.value) + " instead of " + std::to_string(expected->size());
  }

  void List(const std::string& folder) {
    const Answer answer = agents_.Do(PickAgent(), {.call = Call::kList}, folder);
    std::string expected;
    for (const std::string& name : model_.Names(folder)) expected += name + "\n";
    Check(folder, "list " + folder, answer.error, 0);
    if (!Good() || answer.data == expected) return;
    culprit_ = folder;
    complaint_ = "names " + answer.data + "instead of " + expected;
  }

  void MakeFolders() {
    for (const std::string& folder : folders_) std::filesystem::create_directories(root_ / folder);
  }

  // Closes all, mounts again, and compares everything.
  void Compare() {
    while (Good() && !open_.empty()) CloseOne(0);
    if (mount_ != nullptr && Good()) {
      mount_->Unmount();
      EXPECT_EQ(repository_->Fsck(), "");
      for (const auto& [path, content] : model_.Published()) {
        CheckBytes(path, repository_->Show(path.substr(root_.string().size() + 1)).value_or("<absent>"), content);
      }
      mount_->Remount();
      model_.ForgetBases();
      MakeFolders();
    }
    for (const std::string& folder : folders_) {
      if (Good()) List((root_ / folder).string());
    }
    auto contents = model_.Published();
    contents.merge(model_.Plain());
    for (const auto& [path, content] : contents) {
      if (Good()) CheckBytes(path, ReadFile(path), content);
    }
  }

  const std::filesystem::path root_;
  const std::vector<std::string> folders_;
  Agents agents_;
  std::mt19937_64 random_;
  Model model_;
  Mount* const mount_;
  const Repository* const repository_;
  std::vector<Open> open_;
  int next_ = 0;
  int count_ = 0;
  std::deque<std::pair<std::string, std::string>> trace_;  // path, step
  std::string culprit_;
  std::string complaint_;
};

void Exercised(Exercise& exercise, std::uint64_t seed) {
  EXPECT_TRUE(exercise.Run(Operations())) << "CONCORDFS_SEED=" << seed << "\n" << exercise.report();
}

void OnAMount(const std::vector<std::string>& folders) {
  alarm(0);  // the number of operations decides how long it takes
  ASSERT_EQ(WhyNoMounts(), "");
  const std::uint64_t seed = concordfs::testing::Seed();
  const TempDir temp;
  const Repository repository(temp.path() / "repository");
  Clone(repository, temp.path() / "clone").Push(".gitignore", "/scratch*/\n");
  Mount mount(repository.path(), temp.path() / "mnt");
  Exercise exercise(mount.path(), folders, 4, seed, &mount, &repository);
  Exercised(exercise, seed);
}

TEST(Exercise, APlainDirectoryAgreesWithTheModel) {
  alarm(0);
  const std::uint64_t seed = concordfs::testing::Seed();
  const TempDir temp;
  Exercise exercise(temp.path(), {"v1", "v2", "scratch"}, 1, seed, nullptr, nullptr);
  Exercised(exercise, seed);
}

TEST(Exercise, VersionedPathsAgreeWithTheModel) {
  OnAMount({"v1", "v2"});
}

TEST(Exercise, ScratchPathsAgreeWithTheModel) {
  OnAMount({"scratch1", "scratch2"});
}

TEST(Exercise, BothBesideEachOtherAgreeWithTheModel) {
  OnAMount({"v1", "v2", "scratch1", "scratch2"});
}

}  // namespace
}  // namespace concordfs::exercise
