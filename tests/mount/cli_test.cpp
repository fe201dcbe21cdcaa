// The commands of `concordfs` and the extended attributes, as a user meets them.
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

nlohmann::json Parse(const Outcome& outcome) {
  EXPECT_EQ(outcome.status, 0) << outcome;
  const nlohmann::json parsed = nlohmann::json::parse(outcome.out, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << "not JSON: " << outcome.out;
  return parsed;
}

class Help : public ::testing::TestWithParam<const char*> {};

TEST_P(Help, IsThereAndExitsWithZero) {
  std::vector<std::string> arguments{"--help"};
  if (GetParam()[0] != '\0') arguments.insert(arguments.begin(), GetParam());
  const Outcome outcome = Concordfs(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("concordfs"));
  EXPECT_THAT(outcome.err, IsEmpty());
}

TEST_P(Help, IsPointedToByAUsageErrorWithStatusTwo) {
  std::vector<std::string> arguments{"--no-such-option"};
  if (GetParam()[0] != '\0') arguments.insert(arguments.begin(), GetParam());
  if (GetParam() == std::string("run")) arguments.pop_back();  // the words behind it are a command; it needs one
  const Outcome outcome = Concordfs(arguments);
  EXPECT_EQ(outcome.status, 2) << outcome;
  EXPECT_THAT(outcome.err, StartsWith("concordfs: "));
  EXPECT_THAT(outcome.out, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Of, Help,
                         ::testing::Values("", "init", "mount", "umount", "run", "status", "rejected", "refresh"),
                         [](const ::testing::TestParamInfo<const char*>& each) {
                           return each.param[0] == '\0' ? std::string("concordfs") : std::string(each.param);
                         });

class Init : public MountlessTest {};

TEST_F(Init, MakesABareRepositoryWithOneEmptyCommit) {
  Repository repository(temp().path() / "new" / "repository");
  EXPECT_EQ(repository.CommitCount(), 1);
  EXPECT_EQ(repository.Output({"rev-parse", "--is-bare-repository"}), "true");
  EXPECT_EQ(repository.Output({"ls-tree", "-r", "main"}), "");
  EXPECT_EQ(repository.Output({"config", "gc.auto"}), "0");
  EXPECT_EQ(repository.Fsck(), "");
}

TEST_F(Init, LeavesWhatIsThereAlone) {
  Repository repository(temp().path() / "repository");
  const std::string head = repository.Head();
  const Outcome again = Concordfs({"init", repository.path()});
  EXPECT_EQ(again.status, 1) << again;
  EXPECT_THAT(again.err, StartsWith("concordfs: "));
  EXPECT_EQ(repository.Head(), head);
}

class BackgroundMount : public MountlessTest {};

TEST_F(BackgroundMount, ReturnsWhenItAnswersAndEndsWithUmount) {
  Repository repository(temp().path() / "repository");
  const auto mnt = temp().MakeDirectory("mnt");
  const Outcome mounted = Concordfs({"mount", repository.path(), mnt});
  ASSERT_EQ(mounted.status, 0) << mounted;
  const auto pid = GetXattr(mnt, "user.concordfs.pid");
  ASSERT_TRUE(pid.has_value()) << "mount returned before it answered";
  EXPECT_EQ(RunAs("andrew", "echo x > f && cat f", mnt).out, "x\n");
  EXPECT_EQ(RunAs("andrew", "grep concordfs /proc/self/mounts | grep -c " + mnt.string(), "/").out, "1\n");
  const Outcome unmounted = Concordfs({"umount", mnt});
  EXPECT_EQ(unmounted.status, 0) << unmounted;
  // Its executable can be named as long as it runs; a zombie that nobody has reaped yet has none.
  std::error_code gone;
  static_cast<void>(std::filesystem::read_symlink("/proc/" + *pid + "/exe", gone));
  EXPECT_TRUE(gone) << "the daemon is gone when umount returns";
  EXPECT_EQ(RunAs("andrew", "ls", mnt).out, "");
  EXPECT_TRUE(std::filesystem::exists(repository.path() / "concordfs" / "log"));
}

TEST_F(BackgroundMount, TakesRelativePathsAndFstabOptions) {
  Repository repository(temp().path() / "repository");
  temp().MakeDirectory("mnt");
  const Outcome mounted = Concordfs(
      {"mount", "repository", "mnt", "-o", "rw,noauto,nosuid,nodev,x-systemd.automount,agent=robot"}, temp().path());
  ASSERT_EQ(mounted.status, 0) << mounted;
  EXPECT_EQ(RunAs("andrew", "echo x > f", temp().path() / "mnt").status, 0);
  EXPECT_EQ(repository.Log("%an", "f").back(), "robot");
  EXPECT_EQ(Concordfs({"umount", "mnt"}, temp().path()).status, 0);
}

TEST_F(BackgroundMount, ServesAnotherBranch) {
  Repository repository(temp().path() / "repository");
  repository.Output({"branch", "work", "main"});
  const auto mnt = temp().MakeDirectory("mnt");
  ASSERT_EQ(Concordfs({"mount", repository.path(), mnt, "--branch", "work"}).status, 0);
  EXPECT_EQ(RunAs("andrew", "echo x > f", mnt).status, 0);
  EXPECT_EQ(Concordfs({"umount", mnt}).status, 0);
  EXPECT_EQ(repository.Show("f", "refs/heads/work"), "x\n");
  EXPECT_EQ(repository.Show("f"), std::nullopt);
}

TEST_F(BackgroundMount, WithPowerDurabilityCommitsTheSame) {
  Repository repository(temp().path() / "repository");
  const auto mnt = temp().MakeDirectory("mnt");
  ASSERT_EQ(Concordfs({"mount", repository.path(), mnt, "--durability", "power"}).status, 0);
  EXPECT_EQ(RunAs("andrew", "echo A > f; cat f; echo B >> f", mnt).out, "A\n");
  EXPECT_EQ(repository.Show("f"), "A\nB\n");
  EXPECT_EQ(Concordfs({"umount", mnt}).status, 0);
}

TEST_F(BackgroundMount, IsWhatUmountAsksFor) {
  const Outcome outcome = Concordfs({"umount", temp().path()});
  EXPECT_EQ(outcome.status, 1) << outcome;
  EXPECT_THAT(outcome.err, StartsWith("concordfs: "));
}

TEST_F(BackgroundMount, CleansUpADeadMountPointWithUmount) {
  Repository repository(temp().path() / "repository");
  Mount mount(repository.path(), temp().path() / "mnt");
  ASSERT_TRUE(mount.mounted());
  mount.Kill9();
  const Outcome outcome = Concordfs({"umount", mount.path()});
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_EQ(RunAs("andrew", "ls", mount.path()).status, 0);
}

class CommandLine : public MountTest {
 protected:
  Outcome ConcordfsAs(const std::string& agent, const std::vector<std::string>& arguments) {
    return Concordfs(arguments, Dir(), {{"CONCORDFS_AGENT", agent}});
  }
  // Makes the agent stale on `f` with a parked "A\nmine\n", and returns the id.
  std::string ParkFor(const std::string& agent) {
    Must("andrew", "echo A > f");
    AgentPython python(agent, Dir());
    EXPECT_EQ(python.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'mine\\n')"), "ok");
    Must("andrew", "echo B > f");
    EXPECT_EQ(python.Do("os.close(fd)"), "ESTALE");
    const std::vector<std::string> refs = Rejected(agent);
    EXPECT_THAT(refs, SizeIs(1));
    return refs.empty() ? "none" : refs[0].substr(refs[0].rfind('/') + 1);
  }
};

TEST_F(CommandLine, StatusShowsOpenWorkingCopiesAndTheirBases) {
  Must("andrew", "echo A > f");
  const std::string base = Version("f");
  AgentPython benson("status-benson", Dir());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'mine\\n')"), "ok");
  const auto working_copy = [this]() -> nlohmann::json {
    const nlohmann::json status = Parse(Concordfs({"status", "--json"}, Dir()));
    EXPECT_TRUE(status.contains("counters"));
    EXPECT_EQ(status.value("pid", 0), mount().pid());
    for (const nlohmann::json& agent : status.value("agents", nlohmann::json::array())) {
      if (agent.value("name", "") != "status-benson") continue;
      for (const nlohmann::json& copy : agent.value("working_copies", nlohmann::json::array())) return copy;
    }
    return {};
  };
  nlohmann::json copy = working_copy();
  ASSERT_FALSE(copy.is_null());
  EXPECT_EQ(copy.value("path", ""), InRepository("f"));
  EXPECT_EQ(copy.value("base", ""), base);
  EXPECT_EQ(copy.value("stale", true), false);
  Must("andrew", "echo B > f");
  copy = working_copy();
  ASSERT_FALSE(copy.is_null());
  EXPECT_EQ(copy.value("stale", false), true);
  EXPECT_EQ(benson.Do("os.close(fd)"), "ESTALE");
}

TEST_F(CommandLine, StatusWorksWithAPathAndForPeople) {
  Must("andrew", "echo A > f");
  const Outcome from_outside = Concordfs({"status", mount().path()});
  EXPECT_EQ(from_outside.status, 0) << from_outside;
  EXPECT_THAT(from_outside.out, HasSubstr("andrew"));
  EXPECT_EQ(Concordfs({"status", Dir() / "f"}).status, 0);
  const Outcome nowhere = Concordfs({"status", "/"});
  EXPECT_EQ(nowhere.status, 1) << nowhere;
  EXPECT_THAT(nowhere.err, StartsWith("concordfs: "));
}

TEST_F(CommandLine, StatusCounts) {
  const auto counters = [this] { return Parse(Concordfs({"status", "--json"}, Dir())).at("counters"); };
  const nlohmann::json before = counters();
  ParkFor("counted");
  const nlohmann::json after = counters();
  EXPECT_EQ(after.at("commits").get<int>() - before.at("commits").get<int>(), 2);
  EXPECT_EQ(after.at("refusals").get<int>() - before.at("refusals").get<int>(), 1);
  EXPECT_EQ(after.at("parked").get<int>() - before.at("parked").get<int>(), 1);
}

TEST_F(CommandLine, RunGivesItsAgentToTheCommandAndReturnsItsStatus) {
  EXPECT_EQ(ConcordfsAs("andrew", {"run", "--agent", "carol", "--", "sh", "-c", "echo x > f; exit 7"}).status, 7);
  EXPECT_EQ(repository().Log("%an", InRepository("f")).back(), "carol");
  EXPECT_EQ(ConcordfsAs("andrew", {"run", "--", "sh", "-c", "echo x > g"}).status, 0);
  EXPECT_EQ(repository().Log("%an", InRepository("g")).back(), "andrew");
  EXPECT_EQ(ConcordfsAs("andrew", {"run", "--", "no-such-command-at-all"}).status, 127);
}

TEST_F(CommandLine, RunRepeatsARefusedCommand) {
  Must("andrew", "echo A > f");
  Must("runner", "cat f");
  Must("andrew", "echo B > f");
  // Stale at first; its second try reads.
  const Outcome outcome = ConcordfsAs(
      "", {"run", "--agent", "runner", "--retry", "3", "--", "sh", "-c", "echo mine >> f || { cat f; exit 1; }"});
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_EQ(Show("f"), "B\nmine\n");
}

TEST_F(CommandLine, RunGivesUpWithStatus75) {
  Must("andrew", "echo A > f");
  Must("giver", "cat f");
  Must("andrew", "echo B > f");
  const std::string tries = (Outside() / "tries").string();
  const Outcome outcome = ConcordfsAs(
      "", {"run", "--agent", "giver", "--retry", "3", "--", "sh", "-c", "echo try >> " + tries + "; echo mine > f"});
  EXPECT_EQ(outcome.status, 75) << outcome;
  EXPECT_THAT(Lines(ReadFile(tries)), SizeIs(4)) << "one, and three more";
  EXPECT_EQ(Show("f"), "B\n");
  EXPECT_EQ(ConcordfsAs("", {"run", "--agent", "giver", "--", "sh", "-c", "echo mine > f"}).status, 75);
}

TEST_F(CommandLine, RejectedListsAndShows) {
  const std::string id = ParkFor("lister");
  const Outcome list = Concordfs({"rejected"}, Dir());
  EXPECT_EQ(list.status, 0) << list;
  EXPECT_THAT(list.out, HasSubstr(id));
  EXPECT_THAT(list.out, HasSubstr(InRepository("f")));
  nlohmann::json found;
  for (const nlohmann::json& item : Parse(Concordfs({"rejected", "list", "--json"}, Dir()))) {
    if (item.value("id", "") == id) found = item;
  }
  ASSERT_FALSE(found.is_null());
  EXPECT_EQ(found.value("agent", ""), "lister");
  EXPECT_EQ(found.value("path", ""), InRepository("f"));
  EXPECT_EQ(found.value("winner", ""), "andrew");
  EXPECT_EQ(found.value("head", ""), Version("f"));
  const Outcome show = Concordfs({"rejected", "show", id}, Dir());
  EXPECT_THAT(show.out, HasSubstr("lister"));
  EXPECT_THAT(show.out, HasSubstr("A\nmine\n"));
  EXPECT_EQ(Parse(Concordfs({"rejected", "show", id, "--json"}, Dir())).value("content", ""), "A\nmine\n");
  const Outcome unknown = Concordfs({"rejected", "show", "ffffffffffff"}, Dir());
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, StartsWith("concordfs: "));
}

TEST_F(CommandLine, RejectedDiffsAgainstTheBase) {
  const std::string id = ParkFor("differ");
  const Outcome diff = Concordfs({"rejected", "diff", id}, Dir());
  EXPECT_EQ(diff.status, 0) << diff;
  EXPECT_THAT(diff.out, HasSubstr("\n+mine\n"));
  EXPECT_THAT(diff.out, Not(HasSubstr("+B")));
}

TEST_F(CommandLine, RejectedRestoresOnTopOfTheCurrentVersion) {
  const std::string id = ParkFor("restorer");
  const Outcome restored = ConcordfsAs("restorer", {"rejected", "restore", id});
  EXPECT_EQ(restored.status, 0) << restored;
  EXPECT_EQ(Show("f"), "A\nmine\n");
  EXPECT_EQ(repository().Log("%an", InRepository("f")).back(), "restorer");
  EXPECT_EQ(CommitCount("f"), 3);
}

TEST_F(CommandLine, RejectedRestoresToAFileElsewhere) {
  const std::string id = ParkFor("elsewhere");
  const std::string version = Version("f");
  const Outcome restored = ConcordfsAs("elsewhere", {"rejected", "restore", id, "--output", Outside() / "mine"});
  EXPECT_EQ(restored.status, 0) << restored;
  EXPECT_EQ(ReadFile(Outside() / "mine"), "A\nmine\n");
  EXPECT_EQ(Version("f"), version);
}

TEST_F(CommandLine, RejectedDrops) {
  const std::string id = ParkFor("dropper");
  const Outcome dropped = Concordfs({"rejected", "drop", id}, Dir());
  EXPECT_EQ(dropped.status, 0) << dropped;
  EXPECT_THAT(Rejected("dropper"), IsEmpty());
  EXPECT_EQ(Concordfs({"rejected", "drop", id}, Dir()).status, 1);
}

TEST_F(CommandLine, RejectedWorksOnARepositoryByName) {
  const std::string id = ParkFor("by-name");
  EXPECT_THAT(Concordfs({"rejected", "list", "--repo", repository().path()}).out, HasSubstr(id));
  EXPECT_EQ(Concordfs({"rejected", "list"}).status, 1) << "which repository?";
}

TEST_F(CommandLine, RefreshCuresStalenessWithoutAReading) {
  Must("andrew", "echo A > f");
  Must("refresher", "cat f");
  Must("andrew", "echo B > f");
  EXPECT_NE(As("refresher", "echo mine >> f").status, 0);
  const Outcome refreshed = ConcordfsAs("refresher", {"refresh", "f"});
  EXPECT_EQ(refreshed.status, 0) << refreshed;
  Must("refresher", "echo mine >> f");
  EXPECT_EQ(Show("f"), "B\nmine\n");
}

TEST_F(CommandLine, RefreshAdoptsADeletion) {
  Must("andrew", "echo A > f");
  Must("refresher", "cat f");
  Must("andrew", "rm f");
  EXPECT_NE(As("refresher", "echo mine > f").status, 0);
  const Outcome refreshed = ConcordfsAs("refresher", {"refresh", "f"});
  EXPECT_EQ(refreshed.status, 0) << refreshed;
  Must("refresher", "echo mine > f");
  EXPECT_EQ(Show("f"), "mine\n");
}

TEST_F(CommandLine, RefreshOutsideOfAMountIsAnError) {
  const Outcome outcome = Concordfs({"refresh", "/etc/passwd"});
  EXPECT_EQ(outcome.status, 1) << outcome;
  EXPECT_THAT(outcome.err, StartsWith("concordfs: "));
}

class Attributes : public MountTest {
 protected:
  std::string Value(const std::string& agent, const std::string& name) {
    const Outcome outcome = As(agent, "getfattr --only-values -n user.concordfs." + name + " f");
    EXPECT_EQ(outcome.status, 0) << outcome;
    return outcome.out;
  }
};

TEST_F(Attributes, TellVersionBaseStalenessAndAgent) {
  Must("andrew", "echo A > f");
  const std::string a = Version("f");
  EXPECT_EQ(Value("benson", "version"), a);
  EXPECT_EQ(Value("benson", "agent"), "benson");
  Must("benson", "cat f");
  EXPECT_EQ(Value("benson", "base"), a);
  EXPECT_EQ(Value("benson", "stale"), "no");
  Must("andrew", "echo B > f");
  EXPECT_EQ(Value("benson", "version"), Version("f"));
  EXPECT_EQ(Value("benson", "base"), a);
  EXPECT_EQ(Value("benson", "stale"), "yes");
  EXPECT_EQ(Value("andrew", "stale"), "no");
}

TEST_F(Attributes, OfABaseAreAnIfMatch) {
  Must("andrew", "echo A > f");
  const std::string a = Version("f");
  Must("andrew", "echo B > f");
  const std::string b = Version("f");
  Must("benson", "setfattr -n user.concordfs.base -v '" + a + "' f");
  EXPECT_NE(As("benson", "echo mine > f").status, 0) << "the file isn't the version it must match";
  EXPECT_EQ(Version("f"), b);
  Must("benson", "setfattr -n user.concordfs.base -v '" + b + "' f");
  Must("benson", "echo mine > f");
  EXPECT_EQ(Show("f"), "mine\n");
}

TEST_F(Attributes, RefuseWhatIsNoVersion) {
  Must("andrew", "echo A > f");
  EXPECT_NE(As("andrew", "setfattr -n user.concordfs.base -v nonsense f").status, 0);
  EXPECT_NE(As("andrew", "setfattr -n user.concordfs.version -v nonsense f").status, 0);
}

TEST_F(Attributes, OfOthersAreNotSupportedAndNoProblem) {
  Must("andrew", "echo A > f");
  EXPECT_FALSE(GetXattr(Dir() / "f", "user.other").has_value());
  EXPECT_FALSE(GetXattr(Dir() / "f", "security.capability").has_value());
  Must("andrew", "cp -a f g && ls -l && cat g");
  EXPECT_EQ(Show("g"), "A\n");
}

TEST_F(Attributes, AreNotCopiedByCpA) {
  Must("andrew", "echo A > f; cp -a f g; cp -a f $OUT/h; cp -a $OUT/h i");
  EXPECT_EQ(Show("i"), "A\n");
}

TEST_F(Attributes, OfTheRootNameTheMount) {
  EXPECT_EQ(GetXattr(mount().path(), "user.concordfs.repository"), repository().path().string());
  EXPECT_EQ(GetXattr(mount().path(), "user.concordfs.branch"), "refs/heads/main");
  EXPECT_EQ(GetXattr(mount().path(), "user.concordfs.mountpoint"), mount().path().string());
  EXPECT_EQ(GetXattr(mount().path(), "user.concordfs.pid"), std::to_string(mount().pid()));
}

}  // namespace
}  // namespace concordfs::mounttest
