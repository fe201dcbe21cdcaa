// The built program as scripts see it, as far as that needs no mount: arguments, output, exit status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/tools/parked_repository.h"
#include "tests/tools/program.h"

namespace concordfs::tools {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
namespace stdfs = std::filesystem;

using Words = std::vector<std::string>;

TEST(CommandLine, PrintsHelpAndVersionForEveryCommand) {
  const std::vector<Words> commands = {{},
                                       {"init"},
                                       {"mount"},
                                       {"umount"},
                                       {"run"},
                                       {"status"},
                                       {"rejected"},
                                       {"rejected", "list"},
                                       {"rejected", "show"},
                                       {"rejected", "diff"},
                                       {"rejected", "restore"},
                                       {"rejected", "drop"},
                                       {"refresh"},
                                       {"sync"}};
  for (Words words : commands) {
    words.push_back("--help");
    const Outcome help = RunProgram(words, "/");
    EXPECT_EQ(help.exit_status, 0) << words.front();
    EXPECT_THAT(help.out, HasSubstr("Usage: concordfs")) << words.front();
    EXPECT_THAT(help.err, IsEmpty()) << words.front();
    words.back() = "--version";
    const Outcome version = RunProgram(words, "/");
    EXPECT_EQ(version.exit_status, 0) << words.front();
    EXPECT_THAT(version.out, StartsWith("concordfs ")) << words.front();
  }
}

TEST(CommandLine, ReturnsTwoForWrongUseWithOneLine) {
  const std::vector<Words> wrong = {{},
                                    {"frobnicate"},
                                    {"init"},
                                    {"mount", "r"},
                                    {"mount", "r", "m", "--durability", "disk"},
                                    {"mount", "r", "m", "-o", "uid=joe"},
                                    {"mount", "r", "m", "--max-file-size", "much"},
                                    {"mount", "r", "m", "--cache-memory", "much"},
                                    {"mount", "r", "m", "--agent", ""},
                                    {"mount", "r", "m", "--remote", "x", "--fetch-period", "soon"},
                                    {"mount", "r", "m", "--remote", "x", "--remote-timeout", "0"},
                                    {"mount", "r", "m", "--remote", "x", "--push", "later"},
                                    {"mount", "r", "m", "--remote", "x", "--push-backlog", "many"},
                                    {"mount", "r", "m", "--push", "async"},
                                    {"mount", "r", "m", "-o", "push=async"},
                                    {"mount", "r", "m", "--push-rejected"},
                                    {"umount"},
                                    {"run"},
                                    {"run", "--"},
                                    {"run", "--retry", "-1", "--", "true"},
                                    {"run", "--agent", "", "--", "true"},
                                    {"status", "a", "b"},
                                    {"rejected", "show"},
                                    {"rejected", "frobnicate"},
                                    {"refresh"},
                                    {"sync", "a", "b"}};
  for (const Words& words : wrong) {
    const Outcome outcome = RunProgram(words, "/");
    const std::string shown = testing::PrintToString(words);
    EXPECT_EQ(outcome.exit_status, 2) << shown;
    EXPECT_THAT(outcome.out, IsEmpty()) << shown;
    EXPECT_THAT(outcome.err, testing::MatchesRegex("concordfs: [^\n]*: [^\n]*\n")) << shown;
  }
}

TEST(CommandLine, InitMakesARepositoryOnce) {
  const TempDir folder;
  const Outcome made = RunProgram({"init", "r.git", "--branch", "trunk"}, folder.path());
  EXPECT_EQ(made.exit_status, 0) << made.err;
  EXPECT_TRUE(stdfs::exists(folder.path() / "r.git/refs/heads/trunk") ||
              stdfs::exists(folder.path() / "r.git/packed-refs"));
  const Outcome again = RunProgram({"init", "r.git"}, folder.path());
  EXPECT_EQ(again.exit_status, 1);
  EXPECT_THAT(again.err, StartsWith("concordfs: "));
}

TEST(CommandLine, MountRefusesWhatCanNotBeMountedOn) {
  ParkedRepository repository;
  stdfs::create_directories(repository.folder() / "full/x");
  stdfs::create_directory(repository.folder() / "m");
  stdfs::create_directory(repository.path() / "inside");
  std::ofstream(repository.folder() / "file") << "x";
  const auto error = [&](const Words& words) {
    const Outcome outcome = RunProgram(words, repository.folder());
    EXPECT_EQ(outcome.exit_status, 1) << testing::PrintToString(words);
    return outcome.err;
  };
  const std::string here = "concordfs: " + stdfs::canonical(repository.folder()).native();
  EXPECT_EQ(error({"mount", "r.git", "none"}), "concordfs: none: no such directory\n");
  EXPECT_EQ(error({"mount", "r.git", "full"}), here + "/full: the directory is not empty\n");
  EXPECT_EQ(error({"mount", "r.git", "file"}), here + "/file: not a directory\n");
  EXPECT_EQ(error({"mount", "r.git", "/proc"}), "concordfs: /proc: something else is mounted there\n");
  EXPECT_EQ(error({"mount", "r.git", "r.git/inside"}),
            here + "/r.git/inside: a repository can't be mounted inside itself\n");
  EXPECT_THAT(error({"mount", "no.git", "m"}), StartsWith(here + "/no.git: "));
  EXPECT_THAT(error({"mount", "full", "m"}), StartsWith(here + "/full: "));
}

TEST(CommandLine, MountIsMeantWhereAMountHelperIsCalled) {
  const TempDir folder;
  const Outcome by_name = RunProgram({"no.git", "none", "-n", "-o", "rw"}, folder.path(), "/sbin/mount.concordfs");
  EXPECT_EQ(by_name.exit_status, 1);
  EXPECT_EQ(by_name.err, "concordfs: none: no such directory\n");
  const Outcome by_form = RunProgram({"no.git", "none", "-o", "rw,dev,suid"}, folder.path());
  EXPECT_EQ(by_form.exit_status, 1);
  EXPECT_EQ(by_form.err, "concordfs: none: no such directory\n");
}

TEST(CommandLine, SaysWhereThereIsNoMount) {
  const TempDir folder;
  std::ofstream(folder.path() / "file") << "x";
  for (const Words& words : {Words{"status"},
                             {"status", "--json"},
                             {"refresh", "file"},
                             {"refresh", "absent"},
                             {"sync"},
                             {"run", "--mount", ".", "--", "true"},
                             {"rejected"},
                             {"umount", "."}}) {
    const Outcome outcome = RunProgram(words, folder.path());
    EXPECT_EQ(outcome.exit_status, 1) << testing::PrintToString(words);
    EXPECT_THAT(outcome.err,
                testing::AnyOf(HasSubstr("not inside a concordfs mount"), HasSubstr("no concordfs is mounted")));
  }
}

TEST(CommandLine, RunReturnsTheCommandsStatusOutsideOfAMount) {
  const auto status = [](const Words& command) {
    Words words = {"run", "--retry", "3", "--"};
    words.insert(words.end(), command.begin(), command.end());
    return RunProgram(words, "/").exit_status;
  };
  EXPECT_EQ(status({"true"}), 0);
  EXPECT_EQ(status({"sh", "-c", "exit 7"}), 7);
  EXPECT_EQ(status({"sh", "-c", "kill -TERM $$"}), 128 + 15);
  EXPECT_EQ(status({"/nonexistent/program"}), 127);
  EXPECT_EQ(status({"/etc/passwd"}), 126);
}

TEST(CommandLine, RunMakesTheCommandTheAgentAndLeavesItsWordsAlone) {
  const Outcome outcome = RunProgram(
      {"run", "--agent", "andrew", "--", "sh", "-c", "echo \"$CONCORDFS_AGENT $*\"", "x", "--agent", "--", "-o"}, "/");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "andrew --agent -- -o\n");
  EXPECT_EQ(RunProgram({"run", "echo", "status", "--", "-x"}, "/").out, "status -- -x\n");
}

// What `concordfs rejected` prints in the repository, where it has to succeed.
std::string Rejected(ParkedRepository& repository, Words words) {
  words.insert(words.begin(), {"rejected", "--repo", "r.git"});
  const Outcome outcome = RunProgram(words, repository.folder());
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  return outcome.out;
}

TEST(CommandLine, RejectedListsWhatIsParked) {
  ParkedRepository repository;
  EXPECT_EQ(Rejected(repository, {}), "Nothing is parked.\n");
  EXPECT_EQ(Rejected(repository, {"--json"}), "[]\n");
  const auto parked = repository.Park("docs/file.md", "A\nandrew\n");
  EXPECT_THAT(Rejected(repository, {}), HasSubstr(parked.id));
  EXPECT_EQ(Rejected(repository, {}), Rejected(repository, {"list"}));
  const json list = json::parse(Rejected(repository, {"list", "--json"}));
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["id"], parked.id);
}

TEST(CommandLine, RejectedShowsTheContentOfOne) {
  ParkedRepository repository;
  const auto parked = repository.Park("docs/file.md", "A\nandrew\n");
  EXPECT_THAT(Rejected(repository, {"show", parked.id.substr(0, 5)}), testing::EndsWith("\n\nA\nandrew\n"));
  const json shown = json::parse(Rejected(repository, {"show", parked.id, "--json"}));
  EXPECT_EQ(shown["content"], "A\nandrew\n");
  EXPECT_EQ(shown["size"], 9);
}

TEST(CommandLine, RejectedDiffsOneAgainstItsBase) {
  ParkedRepository repository;
  const auto parked = repository.Park("docs/file.md", "A\nandrew\n");
  const std::string diff = Rejected(repository, {"diff", parked.id});
  EXPECT_THAT(diff, testing::EndsWith("@@ -1 +1,2 @@\n A\n+andrew\n"));
  EXPECT_EQ(json::parse(Rejected(repository, {"diff", parked.id, "--json"}))["diff"], diff);
}

TEST(CommandLine, RejectedRestoresOneToAFileAndDropsIt) {
  ParkedRepository repository;
  const auto parked = repository.Park("docs/file.md", "A\nandrew\n");
  EXPECT_EQ(Rejected(repository, {"restore", parked.id, "--output", "out"}), "restored docs/file.md to out\n");
  std::ifstream out(repository.folder() / "out");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(out), {}), "A\nandrew\n");
  EXPECT_EQ(json::parse(Rejected(repository, {"drop", parked.id, "--json"}))["dropped"], true);
  EXPECT_EQ(Rejected(repository, {}), "Nothing is parked.\n");
}

TEST(CommandLine, RejectedFailsForAnUnknownOrAmbiguousId) {
  ParkedRepository repository;
  repository.Park("a", "1");
  const Outcome unknown = RunProgram({"rejected", "drop", "nosuch", "--repo", "r.git"}, repository.folder());
  EXPECT_EQ(unknown.exit_status, 1);
  EXPECT_THAT(unknown.err, StartsWith("concordfs: nosuch: "));
  // 17 ids begin with 16 digits at most, so two begin alike.
  std::map<char, int> first_digits;
  for (int i = 0; i < 17; ++i) ++first_digits[repository.Park("b", std::to_string(i)).id[0]];
  for (const auto& [digit, count] : first_digits) {
    if (count < 2) continue;
    const Outcome ambiguous = RunProgram({"rejected", "drop", {digit}, "--repo", "r.git"}, repository.folder());
    EXPECT_EQ(ambiguous.exit_status, 1);
    EXPECT_THAT(ambiguous.err, HasSubstr("more than one"));
  }
}

}  // namespace
}  // namespace concordfs::tools
