// The steps of the maintenance, one at a time, on real repositories.
#include "vcs/git/pack_keeper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <set>
#include <thread>

#include "tests/support/tmpfs_mount.h"
#include "tests/vcs/written_history.h"
#include "vcs/git/handles.h"
#include "vcs/git/loose_walk.h"
#include "vcs/git/processes.h"

namespace concordfs::vcs::git {
namespace {

using std::chrono::milliseconds;

bool GoOn() {
  return true;
}

PackInfo Pack(std::uint32_t objects, std::int64_t age = 0) {
  PackInfo info;
  info.path = "pack-" + std::to_string(objects);
  info.objects = objects;
  info.bytes = objects * 100ULL;
  info.mtime_ns = -age;
  return info;
}

std::multiset<std::uint32_t> Chosen(const std::vector<std::uint32_t>& sizes, const MergeLimits& limits = {}) {
  std::vector<PackInfo> packs;
  for (const std::uint32_t size : sizes) packs.push_back(Pack(size));
  std::multiset<std::uint32_t> chosen;
  for (const PackInfo& pack : ChooseMerge(packs, limits)) chosen.insert(pack.objects);
  return chosen;
}

using Sizes = std::multiset<std::uint32_t>;

TEST(ChooseMerge, LeavesAGeometricProgressionAlone) {
  EXPECT_EQ(Chosen({}), Sizes());
  EXPECT_EQ(Chosen({5}), Sizes());
  EXPECT_EQ(Chosen({1, 2, 4, 8, 100}), Sizes());
}

TEST(ChooseMerge, TakesTheSmallOnesUpToWhereTheProgressionBegins) {
  EXPECT_EQ(Chosen({3, 3, 3, 100}), Sizes({3, 3, 3}));
  EXPECT_EQ(Chosen({100, 3, 90, 4}), Sizes({3, 4, 90, 100}));
  EXPECT_EQ(Chosen({1, 1, 3, 10, 40}), Sizes({1, 1, 3})) << "3 would be too small beside their sum";
}

TEST(ChooseMerge, KeepsToTheLimits) {
  MergeLimits limits;
  limits.objects = 100;
  EXPECT_EQ(Chosen({60, 60, 60}, limits), Sizes()) << "settled";
  EXPECT_EQ(Chosen({40, 40, 40}, limits), Sizes({40, 40}));
  EXPECT_EQ(Chosen({3, 3, 60, 60}, limits), Sizes({3, 3}));
  limits.bytes = 5000;
  EXPECT_EQ(Chosen({20, 20, 20}, limits), Sizes({20, 20}));
}

TEST(ChooseMerge, LeavesBoundPacksAloneAndTakesTheOldestFirst) {
  std::vector<PackInfo> packs = {Pack(3, 1), Pack(4, 3), Pack(5, 2)};
  packs.push_back(Pack(4, 9));
  packs.back().is_bound = true;
  const auto chosen = ChooseMerge(packs, {});
  ASSERT_EQ(chosen.size(), 3U);
  EXPECT_EQ(chosen[0].objects, 4U);
  EXPECT_EQ(chosen[1].objects, 5U);
  EXPECT_EQ(chosen[2].objects, 3U);
}

// Another process that has a folder open.
class Lister {
 public:
  explicit Lister(const stdfs::path& folder) {
    const FileDescriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY));  // inherited, and closed here
    EXPECT_TRUE(descriptor.ok());
    pid_ = ::fork();
    if (pid_ != 0) return;
    for (;;) ::pause();
  }
  ~Lister() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Lister(const Lister&) = delete;
  Lister& operator=(const Lister&) = delete;

 private:
  pid_t pid_ = -1;
};

class Keeper : public GitStore {
 protected:
  static KeeperLimits Limits() {
    KeeperLimits limits;
    limits.grace = milliseconds(10'000);
    limits.removal_period = milliseconds(0);
    return limits;
  }
  stdfs::path packs() const { return repo_.path() / "objects/pack"; }
  // Commits, and rolls what they wrote into a pack.
  std::string RollSome(int commits) {
    auto rolled = keeper_.Roll(history_.Commits(commits), PackCompression::kFast, GoOn);
    EXPECT_TRUE(rolled.ok());
    return rolled ? rolled->path : "";
  }
  std::size_t MergeAll() {
    auto merged = keeper_.Merge(PackCompression::kFast, GoOn);
    EXPECT_TRUE(merged.ok()) << (merged ? "" : merged.error().message);
    return merged ? *merged : 0;
  }
  void ExpectAllThere() {
    repo_.ExpectFsckClean();
    EXPECT_EQ(repo_.Git("rev-list --count main").output, std::to_string(history_.count() + 1) + "\n");
    EXPECT_EQ(repo_.Git("log -p main -- f > /dev/null").status, 0);
    EXPECT_EQ(CountOf(repo_, "garbage"), 0);
  }

  WrittenHistory history_{repo_};
  PackKeeper keeper_{repo_.path().string(), Limits()};
  const PackKeeper::Clock::time_point later_ = PackKeeper::Clock::now() + std::chrono::minutes(5);
};

TEST_F(Keeper, WhatIsLooseBecomesOnePackOfDeltas) {
  const int before = CountOf(repo_, "count");
  const auto written = history_.Commits(100);
  ASSERT_EQ(CountOf(repo_, "count"), before + 300);
  const auto rolled = keeper_.Roll(written, PackCompression::kFast, GoOn);
  ASSERT_OK(rolled);
  EXPECT_EQ(rolled->taken, 300U);
  EXPECT_EQ(rolled->packed, 300U);
  EXPECT_EQ(CountOf(repo_, "count"), before);
  EXPECT_EQ(CountOf(repo_, "in-pack"), 300);
  EXPECT_LT(stdfs::file_size(rolled->path + ".pack"), 60'000U);
  ExpectAllThere();
  // Nothing is left to be done, for whoever tells of them again.
  const auto again = keeper_.Roll(written, PackCompression::kFast, GoOn);
  ASSERT_OK(again);
  EXPECT_EQ(again->taken, 300U);
  EXPECT_EQ(again->packed, 0U);
  EXPECT_EQ(again->path, "");
}

TEST_F(Keeper, ARollEndsAtItsLimits) {
  KeeperLimits limits = Limits();
  limits.roll_objects = 10;
  const auto written = history_.Commits(5);
  auto rolled = PackKeeper(repo_.path().string(), limits).Roll(written, PackCompression::kFast, GoOn);
  ASSERT_OK(rolled);
  EXPECT_EQ(rolled->taken, 10U);
  limits.roll_objects = 100;
  limits.roll_bytes = 1;
  rolled = PackKeeper(repo_.path().string(), limits).Roll(std::span(written).subspan(10), PackCompression::kFast, GoOn);
  ASSERT_OK(rolled);
  EXPECT_EQ(rolled->taken, 1U);
  ExpectAllThere();
}

TEST_F(Keeper, ARollThatIsStoppedAnywhereRemovesNothing) {
  const auto written = history_.Commits(4);
  const int before = CountOf(repo_, "count");
  int stop_at = 0;
  for (;; ++stop_at) {
    int asked = 0;
    const auto rolled = keeper_.Roll(written, PackCompression::kFast, [&] { return asked++ < stop_at; });
    if (rolled) break;
    EXPECT_EQ(rolled.code(), Code::kInterrupted);
    EXPECT_EQ(CountOf(repo_, "count"), before);
    repo_.ExpectFsckClean();
  }
  EXPECT_EQ(stop_at, 24) << "asked for each object that it reads, and that it reads back";
  EXPECT_EQ(CountOf(repo_, "count"), before - 12);
  ExpectAllThere();
}

TEST_F(Keeper, DamagedVanishedAndLargeObjectsAreLeftAsTheyAre) {
  auto written = history_.Commits(3);
  ASSERT_OK(repo_.store().AddBlob(RandomBytes(70'000)));
  const ObjectId large = store().Hash(ObjectKind::kBlob, RandomBytes(70'000));
  written.push_back({large, ObjectKind::kBlob, std::nullopt});
  const std::string good = ReadFile(repo_.LooseFile(written[0].id));
  const std::string vanished = ReadFile(repo_.LooseFile(written[4].id));
  std::string bad = good;
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
  WriteFile(repo_.LooseFile(written[0].id), bad);
  stdfs::remove(repo_.LooseFile(written[4].id));
  KeeperLimits limits = Limits();
  limits.loose_bytes = 60'000;
  const auto rolled = PackKeeper(repo_.path().string(), limits).Roll(written, PackCompression::kFast, GoOn);
  ASSERT_OK(rolled);
  EXPECT_EQ(rolled->taken, 10U);
  EXPECT_EQ(rolled->packed, 7U);
  EXPECT_EQ(ReadFile(repo_.LooseFile(written[0].id)), bad);
  EXPECT_TRUE(stdfs::exists(repo_.LooseFile(large)));
  WriteFile(repo_.LooseFile(written[0].id), good);
  WriteFile(repo_.LooseFile(written[4].id), vanished);
  ExpectAllThere();
}

TEST_F(Keeper, MergedPacksStayForTheirGraceAndThenGo) {
  for (int i = 0; i < 5; ++i) RollSome(5);
  ASSERT_EQ(CountOf(repo_, "packs"), 5);
  EXPECT_EQ(MergeAll(), 5U);
  EXPECT_EQ(keeper_.retired_count(), 5U);
  EXPECT_EQ(CountOf(repo_, "packs"), 6);
  ASSERT_OK(keeper_.CountPacks());
  EXPECT_EQ(*keeper_.CountPacks(), 1U);
  EXPECT_EQ(MergeAll(), 0U);
  ASSERT_OK(keeper_.RemoveRetired(PackKeeper::Clock::now()));
  EXPECT_EQ(CountOf(repo_, "packs"), 6) << "too early";
  const auto removed = keeper_.RemoveRetired(later_);
  ASSERT_OK(removed);
  EXPECT_EQ(*removed, 5U);
  EXPECT_EQ(CountOf(repo_, "packs"), 1);
  EXPECT_EQ(std::distance(stdfs::directory_iterator(packs()), {}), 2);
  ExpectAllThere();
}

TEST_F(Keeper, ALongQueueOfRetiredPacksIsShortenedEarlier) {
  KeeperLimits limits = Limits();
  limits.max_retired = 1;
  limits.least_grace = milliseconds(0);
  PackKeeper keeper(repo_.path().string(), limits);
  for (int i = 0; i < 3; ++i) ASSERT_OK(keeper.Roll(history_.Commits(2), PackCompression::kFast, GoOn));
  ASSERT_OK(keeper.Merge(PackCompression::kFast, GoOn));
  ASSERT_OK(keeper.RemoveRetired(PackKeeper::Clock::now()));
  EXPECT_EQ(keeper.retired_count(), 1U);
  ExpectAllThere();
}

TEST_F(Keeper, ARetiredPackStaysIfSomebodyElseRepackedMeanwhile) {
  const std::string one = RollSome(5);
  const std::string two = RollSome(5);
  ASSERT_EQ(MergeAll(), 2U);
  const std::string copy = ReadFile(one + ".pack");
  stdfs::remove(one + ".pack");
  WriteFile(one + ".pack", copy);  // a pack of the same content: its name is the same
  ASSERT_OK(keeper_.RemoveRetired(later_));
  EXPECT_TRUE(stdfs::exists(one + ".pack")) << "it is another file now";
  EXPECT_FALSE(stdfs::exists(two + ".pack"));
  ExpectAllThere();
}

TEST_F(Keeper, ARetiredPackStaysIfItsSuccessorIsGone) {
  RollSome(5);
  const std::set<stdfs::path> before(stdfs::directory_iterator(packs()), {});
  RollSome(5);
  const std::set<stdfs::path> sources(stdfs::directory_iterator(packs()), {});
  ASSERT_EQ(MergeAll(), 2U);
  for (const auto& file : stdfs::directory_iterator(packs())) {
    if (!sources.contains(file.path())) stdfs::remove(file.path());
  }
  const auto removed = keeper_.RemoveRetired(later_);
  ASSERT_OK(removed);
  EXPECT_EQ(*removed, 0U);
  EXPECT_EQ(keeper_.retired_count(), 0U);
  ExpectAllThere();
  EXPECT_EQ(MergeAll(), 2U) << "they are packs like any other again";
}

TEST_F(Keeper, AMergeThatIsStoppedAnywhereRemovesNothing) {
  RollSome(2);
  RollSome(2);
  int stop_at = 0;
  for (;; ++stop_at) {
    int asked = 0;
    const auto merged = keeper_.Merge(PackCompression::kFast, [&] { return asked++ < stop_at; });
    if (merged) break;
    EXPECT_EQ(merged.code(), Code::kInterrupted);
    EXPECT_EQ(CountOf(repo_, "packs"), 2);
  }
  EXPECT_EQ(stop_at, 12);
  ExpectAllThere();
}

TEST_F(Keeper, KeptPacksAndAMultiPackIndexAreRespected) {
  const std::string kept = RollSome(5);
  WriteFile(kept + ".keep", "");
  RollSome(5);
  EXPECT_EQ(MergeAll(), 0U);
  RollSome(5);
  ASSERT_EQ(repo_.Git("multi-pack-index write").status, 0);
  EXPECT_CODE(keeper_.Merge(PackCompression::kFast, GoOn), Code::kNotSupported);
  stdfs::remove(packs() / "multi-pack-index");
  EXPECT_EQ(MergeAll(), 2U);
  ASSERT_OK(keeper_.RemoveRetired(later_));
  EXPECT_TRUE(stdfs::exists(kept + ".pack"));
  ExpectAllThere();
}

TEST_F(Keeper, ARetiredPackStaysWhileAMultiPackIndexMayNameIt) {
  const std::string kept = RollSome(5);
  RollSome(5);
  ASSERT_EQ(MergeAll(), 2U);
  WriteFile(kept + ".keep", "");
  ASSERT_EQ(repo_.Git("multi-pack-index write").status, 0);
  ASSERT_OK(keeper_.RemoveRetired(later_));
  EXPECT_EQ(CountOf(repo_, "packs"), 3);
  ExpectAllThere();
  stdfs::remove(packs() / "multi-pack-index");
  ASSERT_OK(keeper_.RemoveRetired(later_));
  EXPECT_EQ(CountOf(repo_, "packs"), 2) << "the successor, and what somebody keeps";
  EXPECT_TRUE(stdfs::exists(kept + ".pack"));
  ExpectAllThere();
}

TEST_F(Keeper, ADamagedPackIsLeftAlone) {
  const std::string good = RollSome(5);
  const std::string path = RollSome(5);
  const std::string bytes = ReadFile(path + ".pack");
  std::string bad = bytes;
  bad[100] = static_cast<char>(bad[100] ^ 1);
  WriteFile(path + ".pack", bad);
  EXPECT_CODE(keeper_.Merge(PackCompression::kFast, GoOn), Code::kCorrupt);
  EXPECT_EQ(MergeAll(), 0U);
  RollSome(5);
  RollSome(5);
  EXPECT_EQ(MergeAll(), 2U) << "the others go on";
  ASSERT_OK(keeper_.RemoveRetired(later_));
  EXPECT_EQ(ReadFile(path + ".pack"), bad);
  WriteFile(path + ".pack", bytes);
  ExpectAllThere();
}

TEST_F(Keeper, AFullDiskRemovesNothing) {
  TmpfsMount disk("size=3m");
  Repo repo(disk.path() / "repo");
  WrittenHistory history(repo);
  const auto written = history.Commits(60);
  PackKeeper keeper(repo.path().string(), Limits());
  std::ofstream filler(disk.path() / "filler");
  while (filler.write("0123456789abcdef", 16).flush().good()) {
  }
  const int before = CountOf(repo, "count");
  EXPECT_CODE(keeper.Roll(written, PackCompression::kFast, GoOn), Code::kNoSpace);
  EXPECT_EQ(CountOf(repo, "count"), before);
  EXPECT_EQ(CountOf(repo, "garbage"), 0);
  repo.ExpectFsckClean();
  stdfs::remove(disk.path() / "filler");
  filler.close();
  const auto rolled = keeper.Roll(written, PackCompression::kFast, GoOn);
  ASSERT_OK(rolled);
  EXPECT_EQ(rolled->packed, written.size());
  repo.ExpectFsckClean();
}

TEST_F(Keeper, StaysOutOfTheWayOfAGitGcOnThisHostOrAnother) {
  const auto write_pid = [&](const std::string& pid, const std::string& host) {
    WriteFile(repo_.path() / "gc.pid", pid + " " + host);
    return GitGcRuns(repo_.path().string());
  };
  std::array<char, 256> host{};
  ASSERT_EQ(::gethostname(host.data(), host.size() - 1), 0);
  EXPECT_FALSE(GitGcRuns(repo_.path().string()));
  EXPECT_TRUE(write_pid(std::to_string(::getpid()), host.data()));
  EXPECT_FALSE(write_pid("4194305", host.data())) << "over the highest pid there is";
  EXPECT_TRUE(write_pid("4194305", "another-host"));
  EXPECT_FALSE(write_pid("", ""));
  WriteFile(repo_.path() / "objects/maintenance.lock", "");
  EXPECT_TRUE(GitGcRuns(repo_.path().string()));
  stdfs::last_write_time(repo_.path() / "objects/maintenance.lock",
                         stdfs::file_time_type::clock::now() - std::chrono::hours(13));
  EXPECT_FALSE(GitGcRuns(repo_.path().string())) << "left by one that died";
  stdfs::remove(repo_.path() / "objects/maintenance.lock");
  RollSome(3);
  RollSome(3);
  ASSERT_EQ(MergeAll(), 2U);
  write_pid(std::to_string(::getpid()), host.data());
  ASSERT_OK(keeper_.RemoveRetired(later_));
  EXPECT_EQ(keeper_.retired_count(), 2U);
  stdfs::remove(repo_.path() / "gc.pid");
  ASSERT_OK(keeper_.RemoveRetired(later_));
  EXPECT_EQ(keeper_.retired_count(), 0U);
}

// A `git fsck` that goes on until this ends: an object of the repository is a pipe that nobody writes to.
class EndlessFsck {
 public:
  explicit EndlessFsck(const stdfs::path& repository) : pipe_(repository / "objects/00" / std::string(38, '0')) {
    stdfs::create_directory(pipe_.parent_path());
    EXPECT_EQ(::mkfifo(pipe_.c_str(), 0600), 0);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::execlp("git", "git", "-C", repository.c_str(), "fsck", "--strict", nullptr);
    ::_exit(127);
  }
  ~EndlessFsck() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    stdfs::remove(pipe_);
  }
  EndlessFsck(const EndlessFsck&) = delete;
  EndlessFsck& operator=(const EndlessFsck&) = delete;

 private:
  const stdfs::path pipe_;
  pid_t pid_;
};

TEST_F(Keeper, RetiredPacksStayWhileAnFsckMayHaveListedThem) {
  for (int i = 0; i < 3; ++i) RollSome(5);
  ASSERT_EQ(MergeAll(), 3U);
  const Repo elsewhere(folder_.path() / "elsewhere");
  {
    const EndlessFsck fsck(elsewhere.path());
    ASSERT_TRUE(Eventually([&] { return GitFsckRuns(elsewhere.path().string()); }));
    EXPECT_FALSE(GitFsckRuns(repo_.path().string()));
  }
  {
    const EndlessFsck fsck(repo_.path());
    ASSERT_TRUE(Eventually([&] { return GitFsckRuns(repo_.path().string()); }));
    ASSERT_OK(keeper_.RemoveRetired(later_));
    EXPECT_EQ(keeper_.retired_count(), 3U);
    ASSERT_OK(keeper_.RemoveRetired(later_ + std::chrono::hours(1)));
    EXPECT_EQ(keeper_.retired_count(), 0U) << "not for ever";
  }
  EXPECT_FALSE(GitFsckRuns(repo_.path().string()));
  ExpectAllThere();
}

TEST_F(Keeper, WhatIsPackedAndStillLooseIsPruned) {
  const auto written = history_.Commits(10);
  const ObjectId& id = written[4].id;
  const std::string content = ReadFile(repo_.LooseFile(id));
  ASSERT_OK(keeper_.Roll(written, PackCompression::kFast, GoOn));
  WriteFile(repo_.LooseFile(id), content);  // as if it had been killed before
  const auto more = history_.Commits(1);
  auto loose = ListLoose((repo_.path() / "objects").string(), 1000);
  EXPECT_TRUE(loose.contains(id));
  ASSERT_OK(keeper_.PrunePacked(loose, GoOn));
  EXPECT_FALSE(loose.contains(id));
  EXPECT_TRUE(loose.contains(more[0].id));
  EXPECT_FALSE(stdfs::exists(repo_.LooseFile(id)));
  EXPECT_TRUE(stdfs::exists(repo_.LooseFile(more[0].id)));
  ExpectAllThere();
}

TEST_F(Keeper, WhatIsListedByAnotherProcessStaysUntilItIsDone) {
  const auto written = history_.Commits(100);
  const stdfs::path listed = repo_.LooseFile(written[0].id).parent_path();
  const auto is_there = [&](const WrittenObject& object) { return stdfs::exists(repo_.LooseFile(object.id)); };
  {
    const Lister lister(listed);
    ASSERT_OK(keeper_.Roll(written, PackCompression::kFast, GoOn));
    for (const WrittenObject& object : written) {
      EXPECT_EQ(is_there(object), repo_.LooseFile(object.id).parent_path() == listed) << object.id.Hex();
    }
    keeper_.RemoveSpares();
    EXPECT_GT(keeper_.spare_count(), 0U);
    EXPECT_TRUE(is_there(written[0]));
  }
  keeper_.RemoveSpares();
  EXPECT_EQ(keeper_.spare_count(), 0U);
  EXPECT_FALSE(is_there(written[0]));
  ExpectAllThere();
}

TEST_F(Keeper, AnFsckBesideItMissesNothing) {
  // Objects that fsck takes a while to look at.
  std::vector<WrittenObject> written = history_.Commits(600);
  std::atomic<bool> is_done = false;
  int checks = 0;
  std::thread checker([&] {
    while (!is_done || checks == 0) {
      repo_.ExpectFsckClean();
      ++checks;
    }
  });
  for (std::span<const WrittenObject> left(written); !left.empty();) {
    const auto rolled = keeper_.Roll(left.first(std::min<std::size_t>(left.size(), 150)), PackCompression::kStored, GoOn);
    ASSERT_OK(rolled);
    left = left.subspan(rolled->taken);
  }
  is_done = true;
  checker.join();
  keeper_.RemoveSpares();
  EXPECT_EQ(keeper_.spare_count(), 0U);
  ExpectAllThere();
}

TEST_F(Keeper, WhatWasLeftLooseIsFoundFromTheTip) {
  RollSome(10);
  const auto written = history_.Commits(20);
  ASSERT_OK(repo_.store().AddBlob("reachable from nothing"));
  const std::vector tips{repo_.Head()};
  const std::string objects_dir = (repo_.path() / "objects").string();
  const auto find = [&] { return FindReachable(objects_dir, ListLoose(objects_dir, 1000), tips, GoOn); };
  auto found = find();
  ASSERT_OK(found);
  std::set<ObjectId> expected;
  for (const WrittenObject& object : written) expected.insert(object.id);
  std::set<ObjectId> ids;
  int alike = 0;
  for (const WrittenObject& object : *found) {
    if (object.like) {
      ++alike;
      EXPECT_TRUE(ids.contains(*object.like)) << "it comes first";
    }
    EXPECT_TRUE(ids.insert(object.id).second) << "found twice";
  }
  EXPECT_EQ(ids, expected);
  EXPECT_EQ(alike, 38) << "every tree and blob but the oldest";
  // Who is stopped in the middle finds the rest again.
  auto rolled = keeper_.Roll(std::span(*found).first(25), PackCompression::kFast, GoOn);
  ASSERT_OK(rolled);
  EXPECT_EQ(rolled->packed, 25U);
  found = find();
  ASSERT_OK(found);
  EXPECT_EQ(found->size(), 35U);
  rolled = keeper_.Roll(*found, PackCompression::kFast, GoOn);
  ASSERT_OK(rolled);
  EXPECT_LT(stdfs::file_size(rolled->path + ".pack"), 10'000U);
  ExpectAllThere();
  found = find();
  ASSERT_OK(found);
  EXPECT_TRUE(found->empty());
  EXPECT_CODE(FindReachable(objects_dir, {}, tips, [] { return false; }), Code::kInterrupted);
}

}  // namespace
}  // namespace concordfs::vcs::git
