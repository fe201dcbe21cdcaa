// The maintenance thread, beside writers, readers and stock git.
#include "vcs/git/maintenance.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "tests/support/tmpfs_mount.h"
#include "tests/vcs/written_history.h"

namespace concordfs::vcs::git {
namespace {

using std::chrono::milliseconds;

// So small that everything happens soon.
MaintenanceOptions Eager() {
  MaintenanceOptions options;
  options.roll_objects = 60;
  options.idle_roll_objects = 1;
  options.merge_packs = 4;
  options.idle = milliseconds(300);
  options.keeper.roll_objects = 100;
  options.first_retry = milliseconds(20);
  options.last_retry = milliseconds(100);
  options.keeper.grace = milliseconds(1'000);
  options.keeper.least_grace = milliseconds(200);
  options.keeper.removal_period = milliseconds(50);
  return options;
}

class MaintenanceThread : public GitStore {
 protected:
  MaintenanceOptions WithTips(MaintenanceOptions options = Eager()) {
    options.tips = [this] { return std::vector{repo_.Head()}; };
    return options;
  }
  void ExpectAllThere(int commits) {
    repo_.ExpectFsckClean();
    EXPECT_EQ(repo_.Git("rev-list --count main").output, std::to_string(commits + 1) + "\n");
  }

  WrittenHistory history_{repo_};
};

TEST_F(MaintenanceThread, ManyCommitsEndInFewPacksWhileGitReadsAndCollects) {
  std::vector<std::string> failures;
  Maintenance maintenance(repo_.path().string(), Eager());
  std::atomic<bool> written = false;
  std::thread reader([&] {
    bool collected = false;
    for (int round = 0; !written; ++round) {
      // Not before: on a busy machine it would pack everything itself.
      const bool collect = !collected && maintenance.counters().merges > 0 && maintenance.counters().rolls > 5;
      collected = collected || collect;
      // No fsck: it lists loose objects and packs one after the other, and takes what moves in between for missing.
      const char* const command = collect          ? "gc -q"
                                  : round % 2 == 0 ? "log -p -n 200 main"
                                                   : "rev-list --objects --all";
      const Outcome outcome = repo_.Git(command);
      if (outcome.status != 0) failures.push_back(std::string(command) + ": " + outcome.output.substr(0, 2000));
    }
  });
  for (int i = 0; i < 600; ++i) maintenance.Note(history_.Commit());
  EXPECT_TRUE(Eventually([&] { return maintenance.counters().pending == 0; }));
  written = true;
  reader.join();
  EXPECT_THAT(failures, ::testing::IsEmpty());
  EXPECT_TRUE(Eventually([&] {
    const MaintenanceCounters now = maintenance.counters();
    return now.retired == 0 && now.packs < 10;
  }));
  const MaintenanceCounters counters = maintenance.counters();
  EXPECT_EQ(counters.dropped, 0U);
  EXPECT_GT(counters.rolls, 5U);
  EXPECT_GT(counters.merges, 0U);
  EXPECT_TRUE(Eventually([&] { return CountOf(repo_, "count") < 20; })) << "what was listed just then waits a moment";
  EXPECT_LT(CountOf(repo_, "packs"), 10);
  maintenance.Stop();
  ExpectAllThere(600);
}

TEST_F(MaintenanceThread, TheStoreReadsEverythingWhilePacksComeAndGo) {
  MaintenanceOptions options = Eager();
  options.idle = milliseconds(20);
  options.keeper.grace = milliseconds(200);
  Maintenance maintenance(repo_.path().string(), options);
  Mutex mutex;
  std::vector<WrittenObject> all;
  std::atomic<bool> written = false;
  std::string failure;
  std::thread reader([&] {
    std::mt19937 random(1);
    while (!written && failure.empty()) {
      WrittenObject object;
      {
        MutexLock lock(mutex);
        if (all.empty()) continue;
        object = all[random() % all.size()];
      }
      const auto read = store().Read(object.id, object.kind);
      if (!read) failure = read.error().message;
    }
  });
  for (int i = 0; i < 600; ++i) {
    std::vector<WrittenObject> objects = history_.Commit();
    {
      MutexLock lock(mutex);
      all.insert(all.end(), objects.begin(), objects.end());
    }
    maintenance.Note(std::move(objects));
    // Waits for it now and then, so that packs are merged and removed all the while.
    if (i % 100 == 99) {
      EXPECT_TRUE(Eventually([&] { return maintenance.counters().pending == 0; }));
    }
  }
  EXPECT_TRUE(Eventually([&] { return maintenance.counters().merges > 0 && maintenance.counters().retired == 0; }));
  written = true;
  reader.join();
  EXPECT_EQ(failure, "");
  for (const WrittenObject& object : all) ASSERT_OK(store().Read(object.id, object.kind));
}

TEST_F(MaintenanceThread, KilledAtAnyMomentItHasLostNothing) {
  const std::string path = repo_.path().string();
  std::random_device seed;
  constexpr int kKills = 12;
  const unsigned first = seed();
  std::mt19937 random(first);
  for (int kill = 0; kill < kKills; ++kill) {
    std::array<int, 2> counts;
    ASSERT_EQ(::pipe2(counts.data(), O_CLOEXEC), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {  // only _exit from here
      MaintenanceOptions options = WithTips();
      options.roll_objects = 15;
      options.keeper.grace = milliseconds(20);
      options.keeper.least_grace = milliseconds(10);
      repo_.Reopen();
      WrittenHistory history(repo_);
      Maintenance maintenance(path, options);
      for (;;) {
        maintenance.Note(history.Commit());
        if (::write(counts[1], "c", 1) != 1) ::_exit(1);
      }
    }
    ::close(counts[1]);
    const int wanted = static_cast<int>(random() % 150);
    char byte;
    for (int i = 0; i < wanted && ::read(counts[0], &byte, 1) == 1; ++i) {
    }
    ::kill(child, SIGKILL);
    int status;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child failed before";
    ::close(counts[0]);
    static_cast<void>(ClearDeadLock(repo_.path(), kMain));
    const Outcome fsck = repo_.Git("fsck --strict --full --no-dangling");
    ASSERT_EQ(fsck.status, 0) << "seed " << first << ", kill " << kill << ": " << fsck.output;
    ASSERT_EQ(repo_.Git("log -p main > /dev/null").status, 0);
  }
  // The next one cleans up after them; but for what was written and not published, 3 objects at most each time.
  repo_.Reopen();
  MaintenanceOptions options = WithTips();
  options.keeper.left_age = std::chrono::seconds(0);
  Maintenance maintenance(path, options);
  EXPECT_TRUE(Eventually([&] {
    const MaintenanceCounters now = maintenance.counters();
    return CountOf(repo_, "count") <= 3 * kKills && now.packs < 6 && now.retired == 0;
  })) << repo_.Git("count-objects -v").output
      << maintenance.counters().packs << " packs, " << maintenance.counters().retired << " retired, "
      << maintenance.counters().pending << " pending " << maintenance.counters().last_failure;
  repo_.ExpectFsckClean();
  EXPECT_THAT(repo_.Git("count-objects -v").output, ::testing::Not(::testing::HasSubstr("tmp_")));
}

TEST_F(MaintenanceThread, WhatAKilledDaemonLeftIsFoundAtTheStart) {
  history_.Commits(50);
  Maintenance maintenance(repo_.path().string(), WithTips());
  EXPECT_TRUE(Eventually([&] { return maintenance.counters().rolled_objects >= 150; }));
  EXPECT_LT(CountOf(repo_, "count"), 5);
  maintenance.Stop();
  ExpectAllThere(50);
}

TEST_F(MaintenanceThread, HintsThatAreTooManyAreDroppedAndFoundAgain) {
  MaintenanceOptions options = WithTips();
  options.max_pending = 30;
  options.roll_objects = 20;
  const auto written = history_.Commits(50);
  Maintenance maintenance(repo_.path().string(), options);
  maintenance.Note(written);
  EXPECT_LE(maintenance.counters().pending, 60U);
  EXPECT_TRUE(Eventually([&] { return CountOf(repo_, "count") < 5; }));
  EXPECT_GT(maintenance.counters().dropped, 0U);
  maintenance.Stop();
  ExpectAllThere(50);
}

TEST_F(MaintenanceThread, WaitsWhileAGitGcRuns) {
  std::array<char, 256> host{};
  ASSERT_EQ(::gethostname(host.data(), host.size() - 1), 0);
  WriteFile(repo_.path() / "gc.pid", std::to_string(::getpid()) + " " + host.data());
  Maintenance maintenance(repo_.path().string(), Eager());
  maintenance.Note(history_.Commits(30));
  EXPECT_EQ(maintenance.counters().rolls, 0U);
  stdfs::remove(repo_.path() / "gc.pid");
  EXPECT_TRUE(Eventually([&] { return maintenance.counters().rolled_objects == 90; }));
}

TEST_F(MaintenanceThread, TwoOnOneRepositoryTakeTurns) {
  Maintenance one(repo_.path().string(), Eager());
  Maintenance two(repo_.path().string(), Eager());
  for (int i = 0; i < 200; ++i) (i % 2 == 0 ? one : two).Note(history_.Commit());
  EXPECT_TRUE(Eventually([&] {
    return one.counters().pending + two.counters().pending == 0 && one.counters().retired + two.counters().retired == 0;
  }));
  EXPECT_GT(one.counters().rolls, 0U);
  EXPECT_GT(two.counters().rolls, 0U);
  one.Stop();
  two.Stop();
  ExpectAllThere(200);
}

TEST_F(MaintenanceThread, AFailureIsToldOnceAndTriedAgain) {
  TmpfsMount disk("size=3m");
  Repo repo(disk.path() / "repo");
  WrittenHistory history(repo);
  const auto written = history.Commits(60);
  std::ofstream filler(disk.path() / "filler");
  while (filler.write("0123456789abcdef", 16).flush().good()) {
  }
  MaintenanceOptions options = Eager();
  std::atomic<int> told = 0;
  options.log = [&](const std::string&) { ++told; };
  Maintenance maintenance(repo.path().string(), options);
  maintenance.Note(written);
  EXPECT_TRUE(Eventually([&] { return maintenance.counters().failures >= 3; }));
  EXPECT_NE(maintenance.counters().last_failure, "");
  EXPECT_EQ(maintenance.counters().pending, written.size());
  EXPECT_LE(told, 2) << "a pack or an index, whichever doesn't fit";
  repo.ExpectFsckClean();
  stdfs::remove(disk.path() / "filler");
  filler.close();
  EXPECT_TRUE(Eventually([&] { return maintenance.counters().rolled_objects == written.size(); }));
  maintenance.Stop();
  repo.ExpectFsckClean();
}

TEST_F(MaintenanceThread, StopsInTheMiddleOfARoll) {
  MaintenanceOptions options = Eager();
  options.share = 0.0001;  // it sleeps for a minute after 5 ms of work
  for (int i = 0; i < 3; ++i) {
    const auto written = history_.Commits(100);
    Maintenance maintenance(repo_.path().string(), options);
    maintenance.Note(written);
    EXPECT_TRUE(Eventually([&] { return maintenance.counters().pending > 0; }));
    const auto begin = std::chrono::steady_clock::now();
    maintenance.Stop();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  }
  ExpectAllThere(300);
}

}  // namespace
}  // namespace concordfs::vcs::git
