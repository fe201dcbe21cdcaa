// Ordinary programs as agents: a stale one fails visibly and changes nothing; after reading again it succeeds.
#include <ostream>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr char kAbsent[] = "absent";

struct Program {
  const char* name;
  const char* command;               // writes "mine" into f; $OUT/mine is a file outside the mount with the line "mine"
  const char* result;                // what f then holds if it was "line B" before; kAbsent if it is gone
  int commits = 1;                   // that name f: programs that unlink first publish a deletion and a creation
  const char* while_fresh = "true";  // what the agent did while it knew the newest version
};

std::ostream& operator<<(std::ostream& stream, const Program& program) {
  return stream << program.command;
}

class Programs : public MountTest, public ::testing::WithParamInterface<Program> {};

TEST_P(Programs, FailVisiblyWhenStaleAndSucceedAfterReadingAgain) {
  const Program& program = GetParam();
  const std::string benson = std::string("benson-") + program.name;
  WriteFile(Outside() / "mine", "mine\n");
  Must("andrew", "echo 'line A' > f");
  Must(benson, std::string("cat f && ") + program.while_fresh);
  Must("andrew", "echo 'line B' > f");
  const std::string version = Version("f");
  const int commits = CommitCount("f");

  const Outcome refused = As(benson, program.command);
  EXPECT_NE(refused.status, 0);
  // node has no name for the errno, only its number.
  EXPECT_THAT(refused.err, AnyOf(HasSubstr("Stale file handle"), HasSubstr("ESTALE"), HasSubstr("-116"))) << refused;
  EXPECT_EQ(Version("f"), version);
  EXPECT_EQ(CommitCount("f"), commits);
  EXPECT_EQ(As("andrew", "cat f").out, "line B\n");

  Must(benson, "cat f");
  const Outcome accepted = As(benson, program.command);
  EXPECT_EQ(accepted.status, 0) << accepted;
  EXPECT_EQ(Show("f").value_or(kAbsent), program.result);
  EXPECT_EQ(CommitCount("f"), commits + program.commits);
  EXPECT_EQ(repository().Log("%an", InRepository("f")).back(), benson);
}

const Program kPrograms[] = {
    {"redirection", "echo mine > f", "mine\n"},
    {"appending_redirection", "echo mine >> f", "line B\nmine\n"},
    {"redirection_of_a_program", "/bin/echo mine > f", "mine\n"},
    {"dash_redirection", "dash -c 'echo mine > f'", "mine\n"},
    {"dash_appending_redirection", "dash -c 'echo mine >> f'", "line B\nmine\n"},
    {"cp", "cp $OUT/mine f", "mine\n"},
    {"cp_f", "cp -f $OUT/mine f", "mine\n"},
    {"mv_from_outside", "cp $OUT/mine $OUT/m && mv $OUT/m f", "mine\n", 2},
    {"mv_from_inside", "cp $OUT/mine f.new && mv f.new f", "mine\n"},
    {"mv_f_from_inside", "cp $OUT/mine f.new && mv -f f.new f", "mine\n"},
    {"tee", "echo mine | tee f", "mine\n"},
    {"tee_a", "echo mine | tee -a f", "line B\nmine\n"},
    {"dd", "dd if=$OUT/mine of=f status=none", "mine\n"},
    {"dd_conv_notrunc", "dd if=$OUT/mine of=f conv=notrunc status=none", "mine\nB\n"},
    {"truncate", "truncate -s 4 f", "line"},
    {"rm", "rm f", kAbsent},
    {"rm_f", "rm -f f", kAbsent},
    {"install", "install -m 644 $OUT/mine f", "mine\n", 2},
    {"ln_sf", "ln -sf mine f", "mine"},
    {"sed_i_on_a_copy", "sed -i s/line/mine/ f.copy && mv f.copy f", "mine A\n", 1, "cp f f.copy"},
    {"python_w", "$PYTHON -c 'open(\"f\", \"w\").write(\"mine\\n\")'", "mine\n"},
    {"python_a", "$PYTHON -c 'open(\"f\", \"a\").write(\"mine\\n\")'", "line B\nmine\n"},
    {"python_r_plus_unread",
     "$PYTHON -c 'f = open(\"f\", \"r+b\", 0); f.truncate(0); f.write(b\"mine\\n\"); f.close()'", "mine\n"},
    {"python_os_replace", "$PYTHON -c 'import os; open(\"t\", \"w\").write(\"mine\\n\"); os.replace(\"t\", \"f\")'",
     "mine\n"},
    {"python_os_truncate", "$PYTHON -c 'import os; os.truncate(\"f\", 4)'", "line"},
    {"python_os_unlink", "$PYTHON -c 'import os; os.unlink(\"f\")'", kAbsent},
#ifdef CONCORDFS_NODE
    {"node_writeFileSync", "$NODE -e 'fs.writeFileSync(\"f\", \"mine\\n\")'", "mine\n"},
    {"node_appendFileSync", "$NODE -e 'fs.appendFileSync(\"f\", \"mine\\n\")'", "line B\nmine\n"},
#endif
};

INSTANTIATE_TEST_SUITE_P(Each, Programs, ::testing::ValuesIn(kPrograms),
                         [](const ::testing::TestParamInfo<Program>& each) { return std::string(each.param.name); });

// Programs that read the file themselves before they write it are never stale.
class ReadingPrograms : public MountTest {};

TEST_F(ReadingPrograms, SedInPlaceStandsOnWhatItReads) {
  Must("andrew", "echo 'line A' > f");
  Must("benson", "cat f");
  Must("andrew", "echo 'line B' > f");
  const int commits = CommitCount("f");
  Must("benson", "sed -i s/line/mine/ f");
  EXPECT_EQ(Show("f"), "mine B\n");
  EXPECT_EQ(CommitCount("f"), commits + 1);
}

TEST_F(ReadingPrograms, GitApplyRefusesAPatchOfAnOlderVersionAndAppliesOneOfThisVersion) {
  WriteFile(Outside() / "a.patch", "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-line A\n+mine\n");
  WriteFile(Outside() / "b.patch", "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-line B\n+mine\n");
  Must("andrew", "echo 'line A' > f");
  Must("benson", "cat f");
  Must("andrew", "echo 'line B' > f");
  const std::string version = Version("f");

  const Outcome refused = As("benson", "git apply $OUT/a.patch");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("patch does not apply"));
  EXPECT_EQ(Version("f"), version);
  Must("benson", "git apply $OUT/b.patch");
  EXPECT_EQ(Show("f"), "mine\n");
  EXPECT_EQ(repository().Log("%an", InRepository("f")).back(), "benson");
}

TEST_F(ReadingPrograms, GitApplyIsRefusedWhenTheFileChangesBetweenItsReadAndItsWrite) {
  // The patch arrives through a pipe in two parts: git has read no file before the end, so the race is played with a
  // process that does as git does, read, unlink, create, and in which the other's commit falls between.
  Must("andrew", "echo 'line A' > f");
  AgentPython benson("apply-benson", Dir());
  ASSERT_EQ(benson.Do("t = open('f').read().replace('line', 'mine')"), "ok");
  Must("andrew", "echo 'line B' > f");
  EXPECT_EQ(benson.Do("os.unlink('f'); fd = os.open('f', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)"), "ESTALE");
  EXPECT_EQ(Show("f"), "line B\n");
}

TEST_F(ReadingPrograms, AnEditorsSaveIsOneContentCommitAndLeavesNoOtherName) {
  // What vim does with backupcopy=no: a probe, a backup by rename, a new file, fsync, mode and owner, the backup
  // removed.
  Must("andrew", "echo 'line A' > f");
  AgentPython vim("vim", Dir());
  ASSERT_EQ(vim.Do("t = open('f').read()"), "ok");
  ASSERT_EQ(vim.Do("p = os.open('4913', os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644); os.close(p); os.unlink('4913')"),
            "ok");
  ASSERT_EQ(vim.Do("os.rename('f', 'f~')"), "ok");
  ASSERT_EQ(vim.Do("fd = os.open('f', os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644); os.write(fd, b'saved\\n')"), "ok");
  ASSERT_EQ(vim.Do("os.fsync(fd); os.fchmod(fd, 0o644); os.fchown(fd, os.getuid(), os.getgid()); os.close(fd)"), "ok");
  ASSERT_EQ(vim.Do("os.unlink('f~')"), "ok");
  EXPECT_EQ(Show("f"), "saved\n");
  EXPECT_EQ(Version("f~"), "absent");
  EXPECT_EQ(Version("4913"), "absent");
}

TEST_F(ReadingPrograms, AnEditorsSaveByBackupIsRefusedWhenStale) {
  Must("andrew", "echo 'line A' > f");
  AgentPython vim("stale-vim", Dir());
  ASSERT_EQ(vim.Do("t = open('f').read()"), "ok");
  Must("andrew", "echo 'line B' > f");
  const std::string refused = vim.Do(
      "os.rename('f', 'f~'); fd = os.open('f', os.O_CREAT | os.O_WRONLY | os.O_EXCL); os.write(fd, b'x'); "
      "os.close(fd)");
  EXPECT_EQ(refused, "ESTALE");
  EXPECT_NE(Show("f"), "x");
}

}  // namespace
}  // namespace concordfs::mounttest
