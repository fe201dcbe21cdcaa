// A stale writer is refused, sees it, loses nothing, and can cure it (R2, R3, R5-R9).
#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class StaleWriter : public MountTest {};

TEST_F(StaleWriter, IsRefusedInItsShellAndAcceptedAfterReadingAgain) {
  AgentShell andrew("andrew", Dir());
  AgentShell benson("benson", Dir());
  ASSERT_EQ(andrew.Do("echo 'version A' > file.md").status, 0);
  EXPECT_EQ(andrew.Do("cat file.md").out, "version A\n");
  EXPECT_EQ(benson.Do("cat file.md").out, "version A\n");

  EXPECT_EQ(andrew.Do("echo 'Andrew was here' >> file.md").status, 0);
  const std::string head = repository().Head();
  const Outcome refused = benson.Do("echo 'Benson was here' >> file.md");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("file.md: Stale file handle"));
  EXPECT_EQ(repository().Head(), head);
  EXPECT_EQ(Show("file.md"), "version A\nAndrew was here\n");

  EXPECT_NE(benson.Do("echo 'Benson was here' >> file.md").status, 0) << "a blind retry must fail again (R8)";
  EXPECT_EQ(benson.Do("cat file.md").out, "version A\nAndrew was here\n");
  EXPECT_EQ(benson.Do("echo 'Benson was here' >> file.md").status, 0);
  EXPECT_EQ(Show("file.md"), "version A\nAndrew was here\nBenson was here\n");
  EXPECT_THAT(repository().Log("%an %cn", InRepository("file.md")),
              ElementsAre("andrew ConcordFS", "andrew ConcordFS", "benson ConcordFS"));
}

TEST_F(StaleWriter, HasItsTextParkedOnTheCommitThatItRead) {
  AgentShell andrew("andrew", Dir());
  AgentShell benson("parked-benson", Dir());
  ASSERT_EQ(andrew.Do("printf 'version A\\n1\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n9\\n' > file.md").status, 0);
  const std::string base_commit = repository().Head();
  ASSERT_EQ(benson.Do("exec 3<>file.md").status, 0);
  EXPECT_THAT(benson.Do("cat <&3").out, StartsWith("version A\n"));
  ASSERT_EQ(andrew.Do("sed -i 's/version A/version B/' file.md").status, 0);
  const std::string head = repository().Head();

  const Outcome refused = benson.Do("echo 'from Benson' >&3");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("write error: Stale file handle"));
  EXPECT_EQ(repository().Head(), head);

  benson.Do("exec 3>&-");
  ASSERT_THAT(Rejected("parked-benson"), SizeIs(1)) << "one refusal is parked once";
  const std::string parked = Rejected("parked-benson")[0];
  EXPECT_EQ(repository().Show(InRepository("file.md"), parked), "version A\n1\n2\n3\n4\n5\n6\n7\n8\n9\nfrom Benson\n");
  EXPECT_EQ(repository().Output({"rev-parse", parked + "^"}), base_commit);
  const std::string message = repository().Output({"log", "-1", "--format=%B", parked});
  EXPECT_THAT(message, HasSubstr(InRepository("file.md")));
  EXPECT_THAT(message, HasSubstr("andrew")) << "the winner";
  EXPECT_THAT(repository().Output({"diff", "main..." + parked}), HasSubstr("\n+from Benson"));
}

TEST_F(StaleWriter, CanMergeItsParkedTextWithStockGit) {
  Must("andrew", "printf '1\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n9\\n' > f");
  AgentShell benson("merging-benson", Dir());
  ASSERT_EQ(benson.Do("exec 3<>f; cat <&3").status, 0);
  Must("andrew", "sed -i 's/^1$/one/' f");
  EXPECT_NE(benson.Do("echo ten >&3").status, 0);
  ASSERT_THAT(Rejected("merging-benson"), SizeIs(1));

  Clone clone(repository(), Outside() / "clone");
  clone.Output({"fetch", "--quiet", "origin", Rejected("merging-benson")[0]});
  clone.Output({"-c", "user.name=benson", "-c", "user.email=b@example.org", "cherry-pick", "FETCH_HEAD"});
  clone.Output({"push", "--quiet", "origin", "HEAD:refs/heads/main"});
  EXPECT_EQ(Show("f"), "one\n2\n3\n4\n5\n6\n7\n8\n9\nten\n");
}

TEST_F(StaleWriter, IsRefusedAlsoWhenTheFileWasDeleted) {
  Must("andrew", "echo A > f");
  Must("benson", "cat f");
  Must("andrew", "rm f");
  const Outcome refused = As("benson", "echo mine > f");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("Stale file handle"));
  EXPECT_EQ(Version("f"), "absent");
}

TEST_F(StaleWriter, IsNotWhoeverOnlyLooked) {
  Must("andrew", "echo A > f");
  Must("looking-benson", "ls -l f; stat f; test -s f");
  Must("andrew", "echo B > f");
  Must("looking-benson", "echo C >> f");
  EXPECT_EQ(Show("f"), "B\nC\n");
}

TEST_F(StaleWriter, IsNotDisturbedByChangesOfOtherPaths) {
  Must("andrew", "echo A > f; echo A > g");
  Must("benson", "cat f");
  Must("andrew", "echo B > g; rm g; mkdir d; echo x > d/x");
  Must("benson", "echo mine >> f");
  EXPECT_EQ(Show("f"), "A\nmine\n");
}

TEST_F(StaleWriter, IsAcceptedWithoutACommitForBytesOfTheHeadThatOweNothingToItsBase) {
  Must("andrew", "echo A > f");
  AgentPython benson("same-benson", Dir());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_WRONLY | os.O_TRUNC); os.write(fd, b'B\\n')"), "ok");
  Must("andrew", "echo B > f");
  const std::string head = repository().Head();
  EXPECT_EQ(benson.Do("os.close(fd)"), "ok") << "same bytes never conflict (R5)";
  EXPECT_EQ(repository().Head(), head);
  EXPECT_THAT(Rejected("same-benson"), IsEmpty());
}

TEST_F(StaleWriter, IsRefusedForBytesOfTheHeadThatItMadeFromAnOlderVersion) {
  // Two who both make 6 of 5 mean 7.
  Must("andrew", "echo 5 > f");
  AgentPython benson("six", Dir());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.pwrite(fd, b'6\\n', 0)"), "ok");
  Must("andrew", "echo 6 > f");
  EXPECT_EQ(benson.Do("os.close(fd)"), "ESTALE");
}

TEST_F(StaleWriter, IsNeverMadeByTheAgentsOwnCommit) {
  Must("andrew", "echo A > f");
  AgentPython first("own", Dir());
  AgentPython second("own", Dir());
  EXPECT_EQ(first.Get("open('f').read()"), "A\\n");
  EXPECT_EQ(second.Do("t = open('f').read(); h = open('f', 'w'); h.write(t + 'second\\n'); h.close()"), "ok");
  EXPECT_EQ(first.Do("h = open('f', 'a'); h.write('first\\n'); h.close()"), "ok") << "R3: what it knew moves along";
  EXPECT_EQ(Show("f"), "A\nsecond\nfirst\n");
}

TEST_F(StaleWriter, HasNoConflictBetweenTwoDescriptorsOfOneAgent) {
  Must("andrew", "echo A > f");
  AgentPython one("pair", Dir());
  AgentPython two("pair", Dir());
  ASSERT_EQ(one.Do("a = os.open('f', os.O_RDWR | os.O_APPEND); os.read(a, 9)"), "ok");
  ASSERT_EQ(two.Do("b = os.open('f', os.O_RDWR | os.O_APPEND); os.read(b, 9)"), "ok");
  EXPECT_EQ(one.Do("os.write(a, b'one\\n')"), "ok");
  EXPECT_EQ(two.Get("os.pread(b, 99, 0)"), "b'A\\\\none\\\\n'") << "one working copy";
  EXPECT_EQ(two.Do("os.write(b, b'two\\n'); os.close(b)"), "ok");
  EXPECT_EQ(one.Do("os.write(a, b'three\\n'); os.close(a)"), "ok");
  EXPECT_EQ(Show("f"), "A\none\ntwo\nthree\n");
}

TEST_F(StaleWriter, ShowsNothingUncommittedToOthers) {
  Must("andrew", "echo A > f");
  AgentPython benson("hidden", Dir());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'mine\\n')"), "ok");
  EXPECT_EQ(As("andrew", "cat f; stat -c %s f").out, "A\n2\n");
  EXPECT_EQ(As("hidden", "cat f").out, "A\nmine\n") << "its own agent sees it (R3)";
  EXPECT_EQ(benson.Do("os.close(fd)"), "ok");
  EXPECT_EQ(As("andrew", "cat f").out, "A\nmine\n");
}

TEST_F(StaleWriter, IsJudgedByWhatItsOwnProcessReadBeforeWhatTheAgentRead) {
  Must("andrew", "echo A > f");
  AgentPython old_process("nearest", Dir());
  EXPECT_EQ(old_process.Get("open('f').read()"), "A\\n");
  Must("andrew", "echo B > f");
  Must("nearest", "cat f");
  EXPECT_EQ(old_process.Do("open('f', 'a')"), "ESTALE") << "this process still stands on A";
  Must("nearest", "echo mine >> f");
  EXPECT_EQ(Show("f"), "B\nmine\n");
}

TEST_F(StaleWriter, MayRetryBlindlyIfItNeverKnewThePath) {
  Must("andrew", "echo A > f");
  AgentPython blind("blind", Dir());
  ASSERT_EQ(blind.Do("fd = os.open('f', os.O_WRONLY | os.O_APPEND); os.write(fd, b'mine\\n')"), "ok");
  Must("andrew", "echo B >> f");
  EXPECT_EQ(blind.Do("os.close(fd)"), "ESTALE");
  EXPECT_EQ(blind.Do("fd = os.open('f', os.O_WRONLY | os.O_APPEND); os.write(fd, b'mine\\n'); os.close(fd)"), "ok");
  EXPECT_EQ(Show("f"), "A\nB\nmine\n");
}

TEST_F(StaleWriter, KeepsItsWorkingCopyWithTheFileWhenTheFileIsRenamed) {
  Must("andrew", "echo A > f");
  AgentPython benson("follows", Dir());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'mine\\n')"), "ok");
  Must("andrew", "mv f g");
  EXPECT_EQ(benson.Do("os.close(fd)"), "ok") << "R9: a working copy follows its file";
  EXPECT_EQ(Version("f"), "absent");
  EXPECT_EQ(Show("g"), "A\nmine\n");
}

TEST_F(StaleWriter, IsRefusedAndParkedWhenAnotherRemovedTheFileItHasOpen) {
  Must("andrew", "echo A > f");
  AgentPython benson("removed", Dir());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'mine\\n')"), "ok");
  Must("andrew", "rm f");
  EXPECT_EQ(benson.Do("os.close(fd)"), "ESTALE");
  EXPECT_EQ(Version("f"), "absent");
  ASSERT_THAT(Rejected("removed"), SizeIs(1));
  EXPECT_EQ(repository().Show(InRepository("f"), Rejected("removed")[0]), "A\nmine\n");
}

TEST_F(StaleWriter, HasItsRefusedRenameParkedOnce) {
  Must("andrew", "echo A > f");
  Must("renaming", "cat f; echo mine > f.new");
  Must("andrew", "echo B > f");
  EXPECT_NE(As("renaming", "mv f.new f").status, 0);
  ASSERT_THAT(Rejected("renaming"), SizeIs(1)) << "the kernel repeats a refused rename";
  EXPECT_EQ(repository().Show(InRepository("f"), Rejected("renaming")[0]), "mine\n");
}

// R6: each operation in which a stale writer may learn it, with what the process did before it became stale.
struct Refusal {
  const char* name;
  const char* before;
  const char* operation;
  bool parks;
  const char* again = nullptr;  // the second try, if it isn't the same operation
};

class StaleOperation : public MountTest, public ::testing::WithParamInterface<Refusal> {};

TEST_P(StaleOperation, ReportsESTALEAndLeavesTheHead) {
  Must("andrew", "echo A > f");
  AgentPython benson(std::string("r6-") + GetParam().name, Dir());
  ASSERT_EQ(benson.Do(GetParam().before), "ok");
  Must("andrew", "echo B > f");
  const std::string head = repository().Head();
  EXPECT_EQ(benson.Do(GetParam().operation), "ESTALE");
  const char* const again = GetParam().again != nullptr ? GetParam().again : GetParam().operation;
  EXPECT_EQ(benson.Do(again), "ESTALE") << "once refused, refused again";
  EXPECT_EQ(repository().Head(), head);
  EXPECT_EQ(Show("f"), "B\n");
  if (GetParam().parks) {
    EXPECT_THAT(Rejected(std::string("r6-") + GetParam().name), SizeIs(1));
  }
}

constexpr char kRead[] = "fd = os.open('f', os.O_RDWR); os.read(fd, 9)";
constexpr char kWritten[] = "fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'mine\\n'); e = os.dup(fd)";
constexpr char kReadOnly[] = "open('f').read()";

INSTANTIATE_TEST_SUITE_P(
    Each, StaleOperation,
    ::testing::Values(
        Refusal{"open_wronly", kReadOnly, "os.open('f', os.O_WRONLY)", false},
        Refusal{"open_trunc", kReadOnly, "os.open('f', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)", false},
        Refusal{"open_append", kReadOnly, "os.open('f', os.O_WRONLY | os.O_APPEND)", false},
        Refusal{"write", kRead, "os.write(fd, b'mine')", true},
        Refusal{"pwrite", kRead, "os.pwrite(fd, b'mine', 0)", true},
        Refusal{"ftruncate", kRead, "os.ftruncate(fd, 1)", true},
        Refusal{"fallocate", kRead, "os.posix_fallocate(fd, 0, 99)", true},
        Refusal{"copy_file_range",
                "open('src', 'w').write('mine'); s = os.open('src', 0); fd = os.open('f', os.O_RDWR); os.read(fd, 9)",
                "os.copy_file_range(s, fd, 4, 0, 0)", false},
        Refusal{"fsync", kWritten, "os.fsync(fd)", true},
        // A descriptor can't be closed twice: the duplicate's close must say it, too.
        Refusal{"close", kWritten, "os.close(fd)", true, "os.close(e)"},
        Refusal{"truncate", kReadOnly, "os.truncate('f', 1)", false},
        Refusal{"rename", "open('f').read(); open('n', 'w').write('mine')", "os.rename('n', 'f')", true},
        Refusal{"unlink", kReadOnly, "os.unlink('f')", false}),
    [](const ::testing::TestParamInfo<Refusal>& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace concordfs::mounttest
