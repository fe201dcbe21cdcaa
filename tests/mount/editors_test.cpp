// Saves as editors and other programs do them: one content commit each, nothing else in the history, and a stale one
// refused and kept (R7, R9, R12).
#include <filesystem>
#include <ostream>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;
using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A pattern for commands: runs what follows as another agent, while the editor has the file.
#define AS_ANDREW "env CONCORDFS_AGENT=andrew "

struct Save {
  const char* name;
  const char* command;             // appends the line "saved" to f
  const char* stale_command = "";  // the same, while andrew appends "between" to f; empty: can't be played
  const char* leaves = "f\n";      // what `ls -A` then shows
};

std::ostream& operator<<(std::ostream& stream, const Save& save) {
  return stream << save.name;
}

// Edits f in nano on a terminal: reads the screen until nano is there, then types.
constexpr char kNano[] = R"(
import os, pty, select, sys, time
def expect(fd, text, seen=b''):
    end = time.monotonic() + 30
    while text not in seen:
        if time.monotonic() > end or not select.select([fd], [], [], 30)[0]: sys.exit('no %r in %r' % (text, seen))
        try: seen += os.read(fd, 65536)
        except OSError: sys.exit('nano ended: %r' % seen)
pid, fd = pty.fork()
if pid == 0: os.execvpe('nano', ['nano', '--ignorercfiles', *sys.argv[1:], '+2', 'f'], dict(os.environ, TERM='xterm'))
expect(fd, b'Help')
os.write(fd, b'saved\x0f')
expect(fd, b'Name to Write')
os.write(fd, b'\r')
expect(fd, b'Wrote')
os.write(fd, b'\x18')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
)";

// What vim does without terminal and user's settings. `set` comes first, then the edit, then what happens meanwhile.
#define VIM                                                                                                     \
  "$(command -v vim || command -v vim.tiny) -es -u NONE -i NONE --cmd 'set nocp' -c 'set backupskip= swapfile " \
  "directory=. updatecount=1' "
#define VIM_EDIT "-c 'normal Gosaved' -c 'preserve' "
#define VIM_MEANWHILE "-c 'silent !" AS_ANDREW "sh -c \"echo between >> f\"' "
#define VIM_WRITE "-c 'w!' -c 'q!' f"
// vim sees that the file has changed and asks. Where it copies the file to a backup after a yes, it has read the newest
// version, and its write is no longer stale.
#define VIM_SAYS_NO "printf n | " VIM
#define VIM_SAYS_YES "printf y | " VIM
// Whose text is not saved can't quit, and puts it elsewhere.
#define VIM_WRITE_OR_KEEP "-c 'w!' -c 'q' -c 'w! $OUT/kept' -c 'cq' f"

// What Emacs's save-buffer does: a lock by symlink, an auto-save file, a backup by rename, a new file.
#define EMACS_LOCK                                                                                            \
  "os.symlink('a@b.1:2', '.#f'); t = open('f').read(); m = os.stat('f').st_mode; open('#f#', 'w').write(t + " \
  "'saved\\n'); "
#define EMACS_SAVE                                                                                                \
  "os.rename('f', 'f~'); g = os.open('f', os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_EXCL, 0o644); "            \
  "os.write(g, (t + 'saved\\n').encode()); os.fsync(g); os.fchmod(g, m & 0o777); os.close(g); os.unlink('#f#'); " \
  "os.unlink('.#f')"
#define EMACS_SAVE_PRECIOUS                                                                                           \
  "n, p = tempfile.mkstemp(prefix='tmp', dir='.'); os.write(n, (t + 'saved\\n').encode()); os.fchmod(n, m & 0o777); " \
  "os.close(n); os.rename(p, 'f'); os.unlink('#f#'); os.unlink('.#f')"
#define PYTHON(text) "$PYTHON -c \"import os, subprocess, tempfile; " text "\""
#define MEANWHILE "subprocess.run('echo between >> f', shell=True, env=dict(os.environ, CONCORDFS_AGENT='andrew')); "

const Save kSaves[] = {
    {"vim_backupcopy_yes", VIM "-c 'set backup writebackup backupcopy=yes' " VIM_EDIT VIM_WRITE,
     VIM_SAYS_NO "-c 'set backup writebackup backupcopy=yes' " VIM_EDIT VIM_MEANWHILE VIM_WRITE_OR_KEEP, "f\nf~\n"},
    {"vim_backupcopy_no", VIM "-c 'set backup writebackup backupcopy=no' " VIM_EDIT VIM_WRITE,
     VIM_SAYS_NO "-c 'set backup writebackup backupcopy=no' " VIM_EDIT VIM_MEANWHILE VIM_WRITE_OR_KEEP, "f\nf~\n"},
    {"vim_without_a_lasting_backup", VIM "-c 'set nobackup writebackup backupcopy=auto' " VIM_EDIT VIM_WRITE,
     VIM_SAYS_NO "-c 'set nobackup writebackup backupcopy=auto' " VIM_EDIT VIM_MEANWHILE VIM_WRITE_OR_KEEP},
    {"vim_without_a_backup", VIM "-c 'set nobackup nowritebackup' " VIM_EDIT VIM_WRITE,
     VIM_SAYS_YES "-c 'set nobackup nowritebackup' " VIM_EDIT VIM_MEANWHILE VIM_WRITE_OR_KEEP},
    {"nano", "$PYTHON $OUT/nano.py"},
    {"nano_with_a_backup", "$PYTHON $OUT/nano.py --backup", "", "f\nf~\n"},
    {"emacs", PYTHON(EMACS_LOCK EMACS_SAVE), PYTHON(EMACS_LOCK MEANWHILE EMACS_SAVE), "f\nf~\n"},
    {"emacs_file_precious", PYTHON(EMACS_LOCK EMACS_SAVE_PRECIOUS), PYTHON(EMACS_LOCK MEANWHILE EMACS_SAVE_PRECIOUS)},
    {"sed", "sed -i '$a saved' f", "sed -i -e '1e " AS_ANDREW "sh -c \"echo between >> f\"' -e '$a saved' f"},
    {"perl", "perl -i -pe '$_ .= qq(saved\\n) if eof' f",
     "perl -i -pe 'system(q(" AS_ANDREW "sh -c \"echo between >> f\")); $_ .= qq(saved\\n) if eof' f"},
    {"perl_with_a_backup", "perl -i~ -pe '$_ .= qq(saved\\n) if eof' f", "", "f\nf~\n"},
    {"patch", "patch -s f $OUT/f.patch"},
    {"python_replace",
     PYTHON("t = open('f').read(); m = os.stat('f').st_mode; n, p = tempfile.mkstemp(dir='.'); os.write(n, (t + "
            "'saved\\n').encode()); "
            "os.fchmod(n, m); os.close(n); os.replace(p, 'f')"),
     PYTHON("t = open('f').read(); m = os.stat('f').st_mode; n, p = tempfile.mkstemp(dir='.'); os.write(n, (t + "
            "'saved\\n').encode()); "
            "os.fchmod(n, m); os.close(n); " MEANWHILE "os.replace(p, 'f')")},
    {"temporary_with_the_pid", "cat f > f.tmp.$$ && echo saved >> f.tmp.$$ && chmod 755 f.tmp.$$ && mv f.tmp.$$ f",
     "cat f > f.tmp.$$ && echo saved >> f.tmp.$$ && " AS_ANDREW "sh -c 'echo between >> f'; mv f.tmp.$$ f"},
    // It opens the file that it replaces, so that it is never stale by what its agent read before.
    {"rsync", "cat f > $OUT/f && echo saved >> $OUT/f && chmod 755 $OUT/f && rsync -a $OUT/f f"},
    {"rsync_in_place", "cat f > $OUT/f && echo saved >> $OUT/f && chmod 755 $OUT/f && rsync -a --inplace $OUT/f f"},
};

class Editors : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (HasFatalFailure()) return;
    WriteFile(Outside() / "nano.py", kNano);
    WriteFile(Outside() / "f.patch", "--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n line A\n+saved\n");
    // Of long ago: vim takes no notice of a change that is less than two seconds newer.
    Must("andrew", "echo 'line A' > f; chmod 755 f; touch -d 2001-02-03 f");
  }
  // Every name that a commit has ever touched in this test's directory.
  std::string NamesInHistory() const {
    return repository().Output({"log", "--format=", "--name-only", "main", "--", InRepository("")});
  }
  void ExpectOnlyFInHistory() const { EXPECT_THAT(Lines(NamesInHistory()), Each(AnyOf(IsEmpty(), InRepository("f")))); }
  std::string Names() const { return As("reader", "ls -A").out; }
};

class Saves : public Editors, public ::testing::WithParamInterface<Save> {};

TEST_P(Saves, AreOneCommitAndNothingElse) {
  const int commits = repository().CommitCount();
  Must("editor", GetParam().command);
  EXPECT_EQ(Show("f"), "line A\nsaved\n");
  EXPECT_EQ(repository().CommitCount(), commits + 1);
  EXPECT_EQ(repository().Log("%an: %s").back(), "editor: Update " + InRepository("f"));
  ExpectOnlyFInHistory();
  EXPECT_THAT(Version("f"), HasSubstr("100755 ")) << "the mode is kept";
  EXPECT_EQ(Names(), GetParam().leaves);
  EXPECT_EQ(As("andrew", "cat f; test -x f && echo executable").out, "line A\nsaved\nexecutable\n");
  const std::string blame = repository().Output({"blame", "--line-porcelain", "main", "--", InRepository("f")});
  EXPECT_THAT(blame.substr(0, blame.find("\n\t")), HasSubstr("author andrew")) << "its history goes back";
  EXPECT_THAT(Rejected("editor"), IsEmpty());
}

TEST_P(Saves, CanBeRepeated) {
  const int commits = repository().CommitCount();
  for (int round = 1; round <= 3; ++round) {
    Must("editor", std::string("echo 'line A' > f; ") + GetParam().command);
    EXPECT_EQ(Show("f"), "line A\nsaved\n");
  }
  EXPECT_EQ(repository().CommitCount(), commits + 5) << "the first `echo` changes nothing";
  ExpectOnlyFInHistory();
  EXPECT_EQ(Names(), GetParam().leaves);
}

INSTANTIATE_TEST_SUITE_P(By, Saves, ::testing::ValuesIn(kSaves),
                         [](const ::testing::TestParamInfo<Save>& each) { return std::string(each.param.name); });

std::vector<Save> SavesToRace() {
  std::vector<Save> saves;
  for (const Save& save : kSaves) {
    if (*save.stale_command != '\0') saves.push_back(save);
  }
  return saves;
}

class StaleSaves : public Editors, public ::testing::WithParamInterface<Save> {};

TEST_P(StaleSaves, AreRefusedAndKept) {
  const std::string editor = std::string("stale-") + GetParam().name;
  const int commits = repository().CommitCount();
  const Outcome refused = As(editor, GetParam().stale_command);
  EXPECT_NE(refused.status, 0) << refused;
  EXPECT_EQ(Show("f"), "line A\nbetween\n");
  EXPECT_EQ(repository().CommitCount(), commits + 1) << "andrew's";
  ExpectOnlyFInHistory();
  // The text is a parked commit, or the editor's still.
  const std::vector<std::string> parked = Rejected(editor);
  std::string kept;
  for (const std::string& ref : parked) kept += repository().Show(InRepository("f"), ref).value_or("");
  kept += As(editor, "cat $OUT/kept '#f#' f.tmp.* 2>/dev/null").out;
  EXPECT_THAT(kept, HasSubstr("saved"));
  EXPECT_THAT(As("reader", "cat f").out, EndsWith("between\n"));
}

INSTANTIATE_TEST_SUITE_P(By, StaleSaves, ::testing::ValuesIn(SavesToRace()),
                         [](const ::testing::TestParamInfo<Save>& each) { return std::string(each.param.name); });

TEST_F(Editors, ThatReplaceASymlinkMakeOneCommit) {
  Must("andrew", "ln -s old link");
  const int commits = repository().CommitCount();
  // As `ln -sf` does it. (Of the names that it draws, 3 in 100 look like words.)
  AgentPython editor("editor", Dir());
  ASSERT_EQ(editor.Do("os.symlink('new', 'CuX4bQ2z'); os.rename('CuX4bQ2z', 'link')"), "ok");
  EXPECT_EQ(Show("link"), "new");
  EXPECT_EQ(repository().CommitCount(), commits + 1);
  EXPECT_EQ(repository().Log("%s").back(), "Update " + InRepository("link"));
  EXPECT_EQ(Names(), "f\nlink\n");
}

TEST_F(Editors, ThatUnlinkTheFileAndMakeItAgainMakeTwoCommits) {
  const int commits = repository().CommitCount();
  Must("editor", "git apply $OUT/f.patch");
  EXPECT_EQ(Show("f"), "line A\nsaved\n");
  EXPECT_THAT(Version("f"), HasSubstr("100755 "));
  EXPECT_EQ(repository().CommitCount(), commits + 2) << "an unlink is a deletion at once: nobody may wait for more";
  ExpectOnlyFInHistory();
  EXPECT_EQ(Names(), "f\n");
}

// Reads f until it is told to stop, and says what else than a whole version it has seen.
constexpr char kViewer[] = R"(
import sys, os
whole = {b'line A\n'} | {b'round %d\n' % i for i in range(1000)}
print('reading', flush=True)
reads = 0
while not os.path.exists(sys.argv[1]):
    try: text = open('f', 'rb').read()
    except OSError as error: text = error.strerror.encode()
    if text not in whole: sys.exit('seen: %r after %d reads' % (text, reads))
    reads += 1
print(reads)
)";

TEST_F(Editors, NeverMakeTheFileMissingToOthers) {
  ProcessSpec spec;
  spec.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kViewer, Outside() / "stop"};
  spec.cwd = Dir();
  spec.environment = {{"CONCORDFS_AGENT", "reader"}};
  Process reader(spec);
  ASSERT_TRUE(reader.WaitFor([&] { return !reader.out().empty(); }));
  AgentPython editor("editor", Dir());
  ASSERT_EQ(editor.Do("t = open('f').read()"), "ok");
  for (int round = 0; round < 60; ++round) {
    const std::string text = "b'round " + std::to_string(round) + "\\n'";
    const std::string aside =
        "os.rename('f', 'f~'); fd = os.open('f', os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644); "
        "os.write(fd, " +
        text + "); os.fsync(fd); os.close(fd); os.unlink('f~')";
    const std::string over =
        "fd = os.open('f.tmp.1', os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644); "
        "os.write(fd, " +
        text + "); os.close(fd); os.replace('f.tmp.1', 'f')";
    ASSERT_EQ(editor.Do(round % 2 == 0 ? aside : over), "ok") << round;
  }
  WriteFile(Outside() / "stop", "");
  const Outcome ended = reader.Wait();
  EXPECT_EQ(ended.status, 0) << ended;
  EXPECT_EQ(CommitCount("f"), 62);
  ExpectOnlyFInHistory();
}

TEST_F(Editors, ThatMoveAFileAsideAndDontComeBackHaveDeletedIt) {
  AgentPython andrew("andrew", Dir());
  Must("editor", "mv f f~");
  const std::string seen = andrew.Get("open('f').read()");
  if (Version("f") != "absent") {
    EXPECT_EQ(seen, "line A\\n") << "others see it until it is deleted";
  }
  EXPECT_TRUE(Eventually([this] { return Version("f") == "absent"; }));
  EXPECT_EQ(repository().Log("%an: %s").back(), "editor: Delete " + InRepository("f"));
  EXPECT_EQ(andrew.Do("open('f')"), "ENOENT");
  EXPECT_EQ(As("andrew", "cat f~; ls -A").out, "line A\nf~\n");
}

TEST_F(Editors, ThatMoveAFileAsideSeeItGoneAtOnce) {
  AgentPython editor("editor", Dir());
  ASSERT_EQ(editor.Do("os.rename('f', 'f~')"), "ok");
  EXPECT_EQ(editor.Do("open('f')"), "ENOENT");
  EXPECT_EQ(editor.Get("sorted(os.listdir())"), "['f~']");
  ASSERT_EQ(editor.Do("os.rename('f~', 'f')"), "ok") << "and back again, as after a failed save";
  EXPECT_EQ(editor.Get("open('f').read()"), "line A\\n");
  EXPECT_EQ(Show("f"), "line A\n");
}

TEST_F(Editors, ThatSaveOverAChangeMadeWhileTheFileWasAsideAreRefused) {
  AgentPython editor("aside-editor", Dir());
  ASSERT_EQ(editor.Do("t = open('f').read(); os.rename('f', 'f~')"), "ok");
  Must("andrew", "echo between >> f");
  EXPECT_EQ(editor.Do("os.open('f', os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)"), "ESTALE");
  EXPECT_EQ(editor.Do("os.rename('f~', 'f')"), "ESTALE") << "nor may the old text come back over it";
  EXPECT_EQ(Show("f"), "line A\nbetween\n");
}

}  // namespace
}  // namespace concordfs::mounttest
