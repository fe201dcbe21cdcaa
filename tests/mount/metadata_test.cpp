// What git can't hold: permissions, owners, times, empty directories; shared between agents, kept across mounts (R12).
#include <fcntl.h>
#include <sys/stat.h>

#include <ctime>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr time_t kLongAgo = 1'000'000'000;  // of the commits that were there before the first mount

std::string TextOf(const statx_timestamp& time) {
  std::string nanoseconds = std::to_string(time.tv_nsec);
  nanoseconds.insert(0, 9 - nanoseconds.size(), '0');
  return std::to_string(time.tv_sec) + "." + nanoseconds;
}

struct statx StatxOf(const std::filesystem::path& path) {
  struct statx status {};
  constexpr unsigned kWanted = STATX_BASIC_STATS | STATX_BTIME;
  EXPECT_EQ(statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, kWanted, &status), 0) << path << ": errno " << errno;
  return status;
}

// All but the ctime, which is never anybody's choice. So that a test shows what is wrong with one comparison.
std::string Facts(const std::filesystem::path& path) {
  const struct statx status = StatxOf(path);
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.stx_mode) & 07777U);
  const std::string birth = (status.stx_mask & STATX_BTIME) != 0 ? TextOf(status.stx_btime) : "unknown";
  return std::string(mode) + " " + std::to_string(status.stx_uid) + ":" + std::to_string(status.stx_gid) + " atime " +
         TextOf(status.stx_atime) + " mtime " + TextOf(status.stx_mtime) + " birth " + birth;
}

std::string ModeOf(const std::filesystem::path& path) {
  return Facts(path).substr(0, 4);
}

std::string MtimeOf(const std::filesystem::path& path) {
  return TextOf(StatxOf(path).stx_mtime);
}

timespec RealTime() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

bool operator<=(const timespec& a, const timespec& b) {
  return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec <= b.tv_nsec);
}

timespec MtimeAsTime(const std::filesystem::path& path) {
  const struct statx status = StatxOf(path);
  return {static_cast<time_t>(status.stx_mtime.tv_sec), static_cast<long>(status.stx_mtime.tv_nsec)};
}

class Metadata : public MountlessTest {
 protected:
  void SetUp() override {
    MountlessTest::SetUp();
    if (HasFatalFailure()) return;
    repository_.emplace(temp().path() / "repository");
  }
  void TearDown() override {
    if (mount_ && mount_->mounted()) mount_->Unmount();
    mount_.reset();
    if (repository_) {
      EXPECT_EQ(repository_->Fsck(), "");
    }
  }

  // The tests that look at the time of the first mount have something to do before it.
  Mount& mount() {
    if (!mount_) {
      mount_.emplace(repository_->path(), temp().path() / "mnt", std::vector<std::string>{"--allow-other"});
    }
    return *mount_;
  }
  // Agents that live in the mount keep it busy: they are gone by then.
  void Remount() {
    mount().Unmount();
    mount().Remount();
    ASSERT_TRUE(mount().mounted());
  }
  Repository& repository() { return *repository_; }
  std::filesystem::path P(const std::string& path) { return mount().path() / path; }
  Outcome As(const std::string& agent, const std::string& command) { return RunAs(agent, command, mount().path()); }
  void Must(const std::string& agent, const std::string& command) {
    const Outcome outcome = As(agent, command);
    EXPECT_EQ(outcome.status, 0) << agent << "$ " << command << "\n" << outcome;
  }
  Clone& clone() {
    if (!clone_) clone_.emplace(*repository_, temp().path() / "clone");
    return *clone_;
  }
  // A push of files whose commit has this time.
  void PushAt(time_t time, const std::vector<std::string>& paths) {
    clone().Pull();
    for (const std::string& path : paths) {
      std::filesystem::create_directories((clone().path() / path).parent_path());
      WriteFile(clone().path() / path, path + " at " + std::to_string(time) + "\n");
    }
    const std::string date = std::to_string(time) + " +0000";
    const Outcome pushed =
        RunAs("", "git add --all && git commit -qm Outside && git push -q origin HEAD:refs/heads/main", clone().path(),
              {{"GIT_AUTHOR_NAME", "outsider"},
               {"GIT_AUTHOR_EMAIL", "outsider@example.org"},
               {"GIT_COMMITTER_NAME", "outsider"},
               {"GIT_COMMITTER_EMAIL", "outsider@example.org"},
               {"GIT_COMMITTER_DATE", date},
               {"GIT_AUTHOR_DATE", date}});
    EXPECT_EQ(pushed.status, 0) << pushed;
  }
  // Takes a change of the clone's working tree to the branch.
  void PushChange(const std::function<void(const std::filesystem::path&)>& change) {
    clone().Pull();
    change(clone().path());
    clone().PushAll("Outside");
  }
  bool EventuallyListed(const std::string& directory, const std::string& listing) {
    return Eventually([&] { return As("watcher", "ls -A " + directory).out == listing; });
  }

 private:
  std::optional<Repository> repository_;
  std::optional<Mount> mount_;
  std::optional<Clone> clone_;
};

enum class End { kUnmount, kCrash };

// What holds whichever way the mount ended.
class MetadataAfter : public Metadata, public ::testing::WithParamInterface<End> {
 protected:
  void EndAndRemount() {
    if (GetParam() == End::kCrash) {
      mount().Kill9();
    } else {
      mount().Unmount();
    }
    mount().Remount();
    ASSERT_TRUE(mount().mounted());
  }
  // Notes what is known of these paths, ends the mount, and compares.
  void ExpectKept(const std::vector<std::string>& paths) {
    std::vector<std::string> before;
    for (const std::string& path : paths) before.push_back(Facts(P(path)));
    EndAndRemount();
    for (std::size_t i = 0; i < paths.size(); ++i) EXPECT_EQ(Facts(P(paths[i])), before[i]) << paths[i];
  }
};

INSTANTIATE_TEST_SUITE_P(, MetadataAfter, ::testing::Values(End::kUnmount, End::kCrash),
                         [](const auto& end) { return end.param == End::kCrash ? "ACrash" : "AnUnmount"; });

TEST_P(MetadataAfter, IsWhatPeopleSetOfFilesDirectoriesAndSymlinks) {
  Must("andrew", "echo x > private; echo x > plain; echo x > setuid; mkdir d empty; echo x > d/below; ln -s plain l");
  AgentPython andrew("andrew", mount().path());
  ASSERT_EQ(andrew.Do("os.chown('setuid', 12, 13); os.chown('d', 14, 15); os.lchown('l', 16, 17)"), "ok");
  ASSERT_EQ(andrew.Do("os.chmod('private', 0o600); os.chmod('setuid', 0o4755); os.chmod('d', 0o2755)"), "ok");
  ASSERT_EQ(andrew.Do("os.chmod('empty', 0o1700)"), "ok");
  int n = 0;
  for (const std::string path : {"private", "setuid", "d", "d/below", "empty", "l"}) {
    const std::string first = std::to_string(++n);
    const std::string times = "(" + first + "00000000000000001, " + first + "00000000123456789)";
    ASSERT_EQ(andrew.Do("os.utime('" + path + "', ns=" + times + ", follow_symlinks=False)"), "ok") << path;
  }
  EXPECT_THAT(Facts(P("private")), HasSubstr("0600 0:0 atime 100000000.000000001 mtime 100000000.123456789"));
  EXPECT_THAT(Facts(P("setuid")), HasSubstr("4755 12:13 atime 200000000.000000001 mtime 200000000.123456789"));
  EXPECT_THAT(Facts(P("d")), HasSubstr("2755 14:15 atime 300000000.000000001 mtime 300000000.123456789"));
  EXPECT_THAT(Facts(P("l")), HasSubstr("0777 16:17 atime 600000000.000000001 mtime 600000000.123456789"));
  for (const std::string path : {"private", "setuid", "d", "d/below", "empty", "l"}) {
    EXPECT_THAT(Facts(P(path)), Not(HasSubstr("unknown"))) << "born here: " << path;
  }
  ASSERT_EQ(andrew.Do("os.chdir('/')"), "ok");
  ExpectKept({"private", "plain", "setuid", "d", "d/below", "empty", "l"});
}

TEST_P(MetadataAfter, HoldsForWhatWasMadeWithItsPermissions) {
  Must("andrew", "umask 077; echo x > private; mkdir d; echo x > d/below");
  EXPECT_EQ(ModeOf(P("private")), "0600");
  {
    AgentPython benson("benson", mount().path());
    ASSERT_EQ(benson.Do("os.umask(0); fd = os.open('open', os.O_WRONLY | os.O_CREAT, 0o660)"), "ok");
    ASSERT_EQ(benson.Do("os.write(fd, b'x'); os.close(fd); os.mknod('node', 0o100640)"), "ok");
  }
  Must("andrew", "umask 077; echo old > saved; chmod 644 saved; echo new > saved.tmp.1; mv saved.tmp.1 saved");
  Must("nobody", "chmod 777 .; umask 022; setpriv --reuid 65534 --regid 65533 --clear-groups sh -c 'echo x > theirs'");
  const std::vector<std::string> paths = {"private", "d", "d/below", "open", "node", "saved", "theirs"};
  const auto permissions = [&] {
    std::string text;
    for (const std::string& path : paths) text += Facts(P(path)).substr(0, Facts(P(path)).find(" atime")) + "\n";
    return text;
  };
  const std::string before = permissions();
  EXPECT_EQ(before, "0600 0:0\n0700 0:0\n0600 0:0\n0660 0:0\n0640 0:0\n0600 0:0\n0644 65534:65533\n");
  if (GetParam() == End::kUnmount) {
    ExpectKept(paths);
  } else {
    EndAndRemount();
  }
  EXPECT_EQ(permissions(), before) << "what was private is private from its close on";
}

TEST_P(MetadataAfter, EmptyDirectoriesAreWhereTheyWere) {
  Must("andrew", "mkdir -p made/below removed emptied filled; rmdir removed");
  Must("andrew", "echo x > emptied/f; echo x > filled/f; rm emptied/f; mkdir -p gone/below; rm -r gone");
  EXPECT_EQ(As("andrew", "find . -type d | sort").out, ".\n./emptied\n./filled\n./made\n./made/below\n");
  EndAndRemount();
  EXPECT_EQ(As("andrew", "find . -type d | sort").out, ".\n./emptied\n./filled\n./made\n./made/below\n");
  Must("andrew", "rmdir made/below made emptied; rm filled/f");
  EndAndRemount();
  EXPECT_EQ(As("andrew", "find . -type d | sort").out, ".\n./filled\n") << "the agent has not removed it";
  Must("andrew", "rmdir filled");
  EndAndRemount();
  EXPECT_EQ(As("andrew", "find . -type d | sort").out, ".\n");
}

TEST_P(MetadataAfter, RenamesTakeItAlong) {
  Must("andrew",
       "mkdir -p d/sub d/empty other; echo x > f; echo x > d/g; echo x > d/sub/h; chmod 600 f d/sub/h; chmod 700 d");
  Must("andrew", "chown 12:13 f d/sub; chmod 750 d/empty; touch -d '2001-02-03 04:05:06.789' f d/g d/sub");
  const std::vector<std::string> before = {Facts(P("f")), Facts(P("d/g")), Facts(P("d/sub/h")), Facts(P("d/empty"))};
  const std::string of_sub = Facts(P("d/sub"));
  Must("andrew", "mv f other/f; mv d other/d");
  const auto now = [this] {
    return std::vector<std::string>{Facts(P("other/f")), Facts(P("other/d/g")), Facts(P("other/d/sub/h")),
                                    Facts(P("other/d/empty"))};
  };
  EXPECT_EQ(now(), before);
  EXPECT_EQ(ModeOf(P("other/d")), "0700");
  EndAndRemount();
  EXPECT_EQ(now(), before);
  EXPECT_EQ(Facts(P("other/d/sub")), of_sub);
  EXPECT_EQ(ModeOf(P("other/d")), "0700");
  EXPECT_EQ(As("andrew", "ls -A").out, "other\n");
}

TEST_P(MetadataAfter, ExchangesSwapIt) {
  Must("andrew", "echo f > f; echo g > g; chmod 600 f; chown 12:13 g; touch -d '2001-02-03' g");
  const std::string of_f = Facts(P("f"));
  const std::string of_g = Facts(P("g"));
  ASSERT_EQ(renameat2(AT_FDCWD, P("f").c_str(), AT_FDCWD, P("g").c_str(), RENAME_EXCHANGE), 0) << errno;
  EXPECT_EQ(Facts(P("f")), of_g);
  EXPECT_EQ(Facts(P("g")), of_f);
  EndAndRemount();
  EXPECT_EQ(Facts(P("f")), of_g);
  EXPECT_EQ(Facts(P("g")), of_f);
}

TEST_P(MetadataAfter, ARenameOverAFileGivesTheNewFiles) {
  Must("andrew", "echo old > f; chmod 640 f; chown 12:13 f; touch -d '2001-02-03' f; echo new > g; chmod 600 g; cat f");
  const std::string of_g = Facts(P("g"));
  Must("andrew", "mv g f");
  EXPECT_EQ(Facts(P("f")), of_g);
  EndAndRemount();
  EXPECT_EQ(Facts(P("f")), of_g);
  EXPECT_EQ(repository().Show("f"), "new\n");
}

TEST_P(MetadataAfter, ARemovedFilesIsNotTheNextOnes) {
  Must("andrew", "umask 022; echo x > f; chmod 600 f; chown 12:13 f; touch -d '2001-02-03' f; rm f");
  EndAndRemount();
  Must("andrew", "umask 022; echo y > f");
  EXPECT_THAT(Facts(P("f")), HasSubstr("0644 0:0"));
  EXPECT_THAT(Facts(P("f")), Not(HasSubstr("mtime 981")));
}

TEST_P(MetadataAfter, TimesSetBeforeTheCloseArePublishedWithTheContent) {
  {
    AgentPython andrew("andrew", mount().path());
    ASSERT_EQ(andrew.Do("open('f', 'w').write('x')"), "ok");
    ASSERT_EQ(andrew.Do("fd = os.open('f', os.O_WRONLY); os.pwrite(fd, b'y', 0)"), "ok");
    ASSERT_EQ(andrew.Do("os.utime(fd, ns=(1000000000000000001, 1000000000000000002)); os.close(fd)"), "ok");
  }
  EXPECT_EQ(repository().Show("f"), "y");
  EXPECT_THAT(Facts(P("f")), HasSubstr("atime 1000000000.000000001 mtime 1000000000.000000002"));
  if (GetParam() == End::kCrash) return;  // a publish is kept by the next flush, not by its close
  EndAndRemount();
  EXPECT_THAT(Facts(P("f")), HasSubstr("atime 1000000000.000000001 mtime 1000000000.000000002"));
}

TEST_F(Metadata, OfADirectoryThatAPushFillsAndEmptiesIsItsMakers) {
  Must("andrew", "mkdir e; chmod 700 e; ls -A e");
  clone().Push("e/f", "x\n");
  EXPECT_TRUE(EventuallyListed("e", "f\n"));
  EXPECT_EQ(ModeOf(P("e")), "0700");
  PushChange([](const auto& here) { std::filesystem::remove(here / "e" / "f"); });
  EXPECT_TRUE(EventuallyListed("e", "")) << "nobody has removed the directory";
  Remount();
  EXPECT_EQ(As("andrew", "ls -A").out, "e\n");
  EXPECT_EQ(ModeOf(P("e")), "0700");
  Must("andrew", "rmdir e; mkdir e; rmdir e");
  Remount();
  EXPECT_EQ(As("andrew", "ls -A").out, "");
}

TEST_F(Metadata, OfADirectoryThatGitHoldsGoesWithItsLastFileFromOutside) {
  Must("andrew", "mkdir -p d/e; echo x > d/e/f; chmod 700 d; ls -R");
  PushChange([](const auto& here) { std::filesystem::remove_all(here / "d"); });
  EXPECT_TRUE(EventuallyListed("", ""));
  Remount();
  EXPECT_EQ(As("andrew", "ls -A").out, "");
  Must("andrew", "umask 022; mkdir d");
  EXPECT_EQ(ModeOf(P("d")), "0755") << "another directory";
}

TEST_F(Metadata, IsTheFirstHeadsTimeForWhatNobodyTouched) {
  PushAt(kLongAgo - 100, {"d/early", "d/changed"});
  PushAt(kLongAgo, {"late"});
  const std::string first = std::to_string(kLongAgo) + ".000000000";
  for (const std::string path : {"d/early", "late", "d/changed", "d"}) EXPECT_EQ(MtimeOf(P(path)), first) << path;
  Must("andrew", "echo x > other; echo x > d/changed");
  EXPECT_NE(MtimeOf(P("d/changed")), first);
  for (int remount = 0; remount < 3; ++remount) {
    for (const std::string path : {"d/early", "late", "d"}) EXPECT_EQ(MtimeOf(P(path)), first) << path;
    const std::string changed = MtimeOf(P("d/changed"));
    Must("andrew", "echo " + std::to_string(remount) + " > other");
    if (remount == 1) {
      mount().Kill9();
      mount().Remount();
    } else {
      Remount();
    }
    if (remount != 1) {
      EXPECT_EQ(MtimeOf(P("d/changed")), changed);
    }
  }
}

TEST_F(Metadata, TellsMakeExactlyWhichFilesAPushChanged) {
  PushAt(kLongAgo, {"d/changed", "d/untouched", "own", "removed", "other/untouched"});
  const std::string first = std::to_string(kLongAgo) + ".000000000";
  EXPECT_EQ(MtimeOf(P("d/changed")), first);
  EXPECT_EQ(MtimeOf(P("d/untouched")), first);
  Must("andrew", "echo x > own; touch -d '2001-02-03 04:05:06.7' own");
  const std::string own = MtimeOf(P("own"));
  const timespec before = RealTime();
  PushAt(kLongAgo + 50, {"d/changed", "d/new"});  // older than what was built here meanwhile
  // The kernel hears of one name after the other.
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(P("d/new")) && before <= MtimeAsTime(P("d")); }));
  EXPECT_TRUE(Eventually([&] { return before <= MtimeAsTime(P("d/changed")); }));
  for (int remount = 0; remount < 2; ++remount) {
    for (const std::string path : {"d/changed", "d/new"}) {
      EXPECT_TRUE(before <= MtimeAsTime(P(path))) << path;
      EXPECT_TRUE(MtimeAsTime(P(path)) <= RealTime()) << path;
    }
    EXPECT_TRUE(before <= MtimeAsTime(P("d"))) << "a name came";
    EXPECT_EQ(MtimeOf(P("d/untouched")), first);
    EXPECT_EQ(MtimeOf(P("other/untouched")), first);
    EXPECT_EQ(MtimeOf(P("other")), first);
    EXPECT_EQ(MtimeOf(P("own")), own);
    const std::string changed = MtimeOf(P("d/changed"));
    const std::string added = MtimeOf(P("d/new"));
    Remount();
    EXPECT_EQ(MtimeOf(P("d/changed")), changed);
    EXPECT_EQ(MtimeOf(P("d/new")), added);
  }
}

TEST_F(Metadata, OfAPushWhileNothingWasMountedIsTheNextMountsTime) {
  PushAt(kLongAgo, {"changed", "untouched"});
  const std::string first = MtimeOf(P("untouched"));
  Must("andrew", "echo x > own");
  const std::string own = MtimeOf(P("own"));
  mount().Unmount();
  const timespec before = RealTime();
  PushAt(kLongAgo + 50, {"changed"});
  mount().Remount();
  EXPECT_TRUE(before <= MtimeAsTime(P("changed")));
  EXPECT_EQ(MtimeOf(P("untouched")), first);
  EXPECT_EQ(MtimeOf(P("own")), own);
}

TEST_F(Metadata, OfUntouchedFilesMovesWithTheirDirectory) {
  PushAt(kLongAgo, {"d/early", "d/sub/early"});
  const std::string first = MtimeOf(P("d/early"));
  PushAt(kLongAgo + 50, {"d/late"});  // another epoch
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(P("d/late")); }));
  const std::string late = MtimeOf(P("d/late"));
  Must("andrew", "mv d e");
  for (int remount = 0; remount < 2; ++remount) {
    EXPECT_EQ(MtimeOf(P("e/early")), first);
    EXPECT_EQ(MtimeOf(P("e/sub/early")), first);
    EXPECT_EQ(MtimeOf(P("e/late")), late);
    Remount();
  }
}

TEST_F(Metadata, OfAPrivateFileStaysPrivateWhenAPushMakesItAProgram) {
  Must("andrew", "echo x > f; chmod 600 f; chown 12:13 f; echo x > g; chmod 640 g");
  const auto set_bit = [&](bool on) {
    PushChange([&](const auto& here) {
      using std::filesystem::perms;
      const auto options = on ? std::filesystem::perm_options::add : std::filesystem::perm_options::remove;
      for (const char* name : {"f", "g"}) std::filesystem::permissions(here / name, perms::owner_exec, options);
    });
  };
  set_bit(true);
  EXPECT_TRUE(Eventually([&] { return ModeOf(P("f")) == "0700" && ModeOf(P("g")) == "0750"; })) << ModeOf(P("f"));
  EXPECT_THAT(Facts(P("f")), HasSubstr(" 12:13 "));
  Remount();
  EXPECT_EQ(ModeOf(P("f")), "0700");
  EXPECT_EQ(ModeOf(P("g")), "0750");
  set_bit(false);
  EXPECT_TRUE(Eventually([&] { return ModeOf(P("f")) == "0600" && ModeOf(P("g")) == "0640"; })) << ModeOf(P("f"));
  clone().Push("f", "changed\n");
  EXPECT_TRUE(Eventually([&] { return ReadFile(P("f")) == "changed\n"; }));
  EXPECT_EQ(ModeOf(P("f")), "0600") << "permissions are the file's, not the version's";
  Remount();
  EXPECT_EQ(ModeOf(P("f")), "0600");
  EXPECT_EQ(ModeOf(P("g")), "0640");
}

TEST_F(Metadata, IsSharedByAgentsAlsoByWhoHasTheFileOpen) {
  Must("andrew", "umask 022; echo A > f");
  AgentPython andrew("andrew", mount().path());
  AgentPython reader("reader", mount().path());
  ASSERT_EQ(andrew.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'mine\\n')"), "ok");
  ASSERT_EQ(reader.Do("fd = os.open('f', os.O_RDONLY)"), "ok");
  EXPECT_EQ(andrew.Get("oct(os.fstat(fd).st_mode)"), "0o100644");
  Must("benson", "chmod 640 f; chown 12:13 f");
  for (AgentPython* agent : {&andrew, &reader}) {
    // The kernel is told after the answer to chmod.
    EXPECT_TRUE(Eventually([&] { return agent->Get("oct(os.fstat(fd).st_mode)") == "0o100640"; }));
    EXPECT_TRUE(Eventually([&] { return agent->Get("os.fstat(fd).st_uid") == "12"; }));
  }
  EXPECT_EQ(andrew.Do("os.close(fd)"), "ok") << "permissions are no version: nothing is stale";
  for (AgentPython* agent : {&andrew, &reader}) agent->Do("os.closerange(3, 99); os.chdir('/')");
  EXPECT_EQ(repository().Show("f"), "A\nmine\n");
  EXPECT_THAT(Facts(P("f")), HasSubstr("0640 12:13"));
  Remount();
  EXPECT_THAT(Facts(P("f")), HasSubstr("0640 12:13"));
}

TEST_F(Metadata, MakesNoCommitUnlessTheExecBitChanges) {
  Must("andrew", "umask 022; echo x > f; mkdir d; cat f");
  const int commits = repository().CommitCount();
  Must("benson", "chmod 600 f; chmod 2644 f; chown 12:13 f; touch f; touch -d 2001-02-03 f; chmod 700 d; touch d");
  Must("benson", "chmod 644 f");
  EXPECT_EQ(repository().CommitCount(), commits);
  Must("benson", "chmod 755 f");
  EXPECT_EQ(repository().CommitCount(), commits + 1);
  EXPECT_THAT(repository().Version("f"), HasSubstr("100755 "));
  Must("benson", "chmod 711 f; chmod 4755 f");
  EXPECT_EQ(repository().CommitCount(), commits + 1);
  Must("benson", "chmod 655 f");
  EXPECT_EQ(repository().CommitCount(), commits + 2) << "git's bit is the owner's";
  EXPECT_THAT(repository().Version("f"), HasSubstr("100644 "));
  EXPECT_EQ(ModeOf(P("f")), "0655");
  Remount();
  EXPECT_EQ(ModeOf(P("f")), "0655");
}

TEST_F(Metadata, IsSeenInAnotherMountOfTheBranch) {
  Must("andrew", "umask 022; echo x > f; mkdir d; echo x > d/g");
  Mount other(repository().path(), temp().path() / "other", {"--allow-other"});
  ASSERT_TRUE(other.mounted());
  EXPECT_EQ(Facts(other.path() / "f").substr(0, 8), "0644 0:0");
  EXPECT_EQ(ModeOf(other.path() / "d"), "0755");
  EXPECT_EQ(ModeOf(other.path() / "d/g"), "0644");
  AgentPython open_there("benson", other.path());
  ASSERT_EQ(open_there.Do("fd = os.open('f', os.O_RDONLY)"), "ok");
  Must("andrew", "chmod 600 f; chown 12:13 f; touch -d '2001-02-03 04:05:06.7' f; chmod 700 d; chmod 640 d/g");
  EXPECT_TRUE(Eventually([&] { return Facts(other.path() / "f") == Facts(P("f")); })) << Facts(other.path() / "f");
  EXPECT_TRUE(Eventually([&] { return ModeOf(other.path() / "d") == "0700"; }));
  EXPECT_TRUE(Eventually([&] { return ModeOf(other.path() / "d/g") == "0640"; }));
  EXPECT_EQ(open_there.Get("oct(os.fstat(fd).st_mode)"), "0o100600");
  // And back, of a file that was published there.
  EXPECT_EQ(RunAs("benson", "umask 077; cat f; echo y > f; echo new > new", other.path()).status, 0);
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(P("new")) && ModeOf(P("new")) == "0600"; }));
  EXPECT_TRUE(Eventually([&] { return Facts(other.path() / "f") == Facts(P("f")); }))
      << Facts(other.path() / "f") << " there, here " << Facts(P("f"));
}

TEST_F(Metadata, AgesAFileWhoseBytesAreWrittenAgainWithoutACommit) {
  Must("andrew", "echo x > f; touch -d '2001-02-03 04:05:06.7' f");
  const std::string old = MtimeOf(P("f"));
  const int commits = repository().CommitCount();
  const timespec before = RealTime();
  Must("andrew", "echo x > f");
  EXPECT_NE(MtimeOf(P("f")), old);
  EXPECT_TRUE(before <= MtimeAsTime(P("f")));
  EXPECT_EQ(repository().CommitCount(), commits);
  const std::string now = MtimeOf(P("f"));
  Remount();
  EXPECT_EQ(MtimeOf(P("f")), now);
}

TEST_F(Metadata, CantBeChangedInAReadOnlyMount) {
  Must("andrew", "echo x > f; mkdir d empty; chmod 600 f; chmod 700 d");
  const std::string of_f = Facts(P("f"));
  const Mount other(repository().path(), temp().path() / "other", {"--read-only"});
  ASSERT_TRUE(other.mounted());
  EXPECT_EQ(Facts(other.path() / "f"), of_f);
  EXPECT_EQ(ModeOf(other.path() / "d"), "0700");
  EXPECT_EQ(RunAs("andrew", "ls", other.path()).out, "d\nempty\nf\n");
  AgentPython andrew("andrew", other.path());
  EXPECT_EQ(andrew.Do("os.chmod('f', 0o644)"), "EROFS");
  EXPECT_EQ(andrew.Do("os.chown('f', 1, 1)"), "EROFS");
  EXPECT_EQ(andrew.Do("os.utime('f')"), "EROFS");
  EXPECT_EQ(andrew.Do("os.chmod('d', 0o755)"), "EROFS");
  EXPECT_EQ(andrew.Do("os.mkdir('e')"), "EROFS");
  EXPECT_EQ(Facts(P("f")), of_f);
  Must("andrew", "chmod 640 f");
  EXPECT_TRUE(Eventually([&] { return ModeOf(other.path() / "f") == "0640"; })) << "it hears of it all the same";
}

TEST_F(Metadata, OfAFileThatAnEditorMovesAsideAndMakesAgainIsTheOldOneUntilItIsPublished) {
  Must("andrew", "echo old > f; chmod 640 f; chown 12:13 f");
  const std::string old = Facts(P("f"));
  const int commits = repository().CommitCount();
  AgentPython vim("andrew", mount().path());
  const auto others = [&] { return As("benson", "stat -c '%a %u:%g' f; cat f").out; };
  ASSERT_EQ(vim.Do("os.umask(0o022); os.rename('f', 'f~')"), "ok");
  EXPECT_EQ(others(), "640 12:13\nold\n");
  ASSERT_EQ(vim.Do("fd = os.open('f', os.O_WRONLY | os.O_CREAT, 0o644); os.write(fd, b'new\\n')"), "ok");
  EXPECT_EQ(others(), "640 12:13\nold\n");
  ASSERT_EQ(vim.Do("os.fchmod(fd, 0o600)"), "ok");
  EXPECT_EQ(vim.Get("oct(os.fstat(fd).st_mode)"), "0o100600");
  EXPECT_EQ(others(), "640 12:13\nold\n");
  ASSERT_EQ(vim.Do("os.close(fd); os.unlink('f~')"), "ok");
  EXPECT_EQ(others(), "600 0:0\nnew\n");
  EXPECT_EQ(vim.Get("oct(os.stat('f').st_mode)"), "0o100600");
  EXPECT_EQ(repository().CommitCount(), commits + 1);
  ASSERT_EQ(vim.Do("os.chdir('/')"), "ok");
  Remount();
  EXPECT_EQ(others(), "600 0:0\nnew\n");
}

TEST_F(Metadata, OfAFileThatAnotherUserRemovesAndMakesAgainIsThatUsers) {
  Must("andrew", "umask 022; chmod 777 .; echo x > f; chmod 600 f; echo x > g");
  const std::string other_user = "setpriv --reuid 65534 --regid 65533 --clear-groups ";
  EXPECT_NE(As("nobody", other_user + "cat f").status, 0) << "the kernel checks permissions";
  Must("nobody", other_user + "sh -c 'umask 027; rm -f f; echo y > f; mkdir d; ln -s f l'");
  for (int remount = 0; remount < 2; ++remount) {
    EXPECT_THAT(Facts(P("f")), HasSubstr("0640 65534:65533"));
    EXPECT_THAT(Facts(P("d")), HasSubstr("0750 65534:65533"));
    EXPECT_THAT(Facts(P("l")), HasSubstr("0777 65534:65533"));
    EXPECT_THAT(Facts(P("g")), HasSubstr("0644 0:0"));
    Remount();
  }
  EXPECT_EQ(repository().Show("f"), "y\n");
}

}  // namespace
}  // namespace concordfs::mounttest
