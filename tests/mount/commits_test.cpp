// What becomes a commit, how many, and what it says (R4, R9, R10, R12, R14).
#include <memory>
#include <set>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

class Commits : public MountTest {
 protected:
  // How many commits this command of andrew's makes.
  int MadeBy(const std::string& command) {
    const int before = repository().CommitCount();
    Must("andrew", command);
    return repository().CommitCount() - before;
  }
  std::string Last(const std::string& format) {
    return repository().Output({"log", "-1", "--format=" + format, "main"});
  }
};

TEST_F(Commits, AreOneForOneRedirection) {
  EXPECT_EQ(MadeBy("echo x > f"), 1) << "and none for the empty file before it";
  EXPECT_EQ(MadeBy("echo y > f"), 1);
  EXPECT_EQ(MadeBy("echo z >> f"), 1);
  EXPECT_EQ(Show("f"), "y\nz\n");
}

TEST_F(Commits, AreOneForARedirectedGroupOfPrograms) {
  EXPECT_EQ(MadeBy("{ echo one; /bin/echo two; /bin/echo three; } > f"), 1);
  EXPECT_EQ(Show("f"), "one\ntwo\nthree\n");
}

TEST_F(Commits, AreOneForARedirectedSubshellAndPipeline) {
  EXPECT_EQ(MadeBy("( echo one; /bin/echo two; echo three | cat ) > f"), 1);
  EXPECT_EQ(Show("f"), "one\ntwo\nthree\n");
}

TEST_F(Commits, AreOneForAProgramThatAChildWritesFor) {
  EXPECT_EQ(MadeBy("$PYTHON -c 'import subprocess; subprocess.run([\"echo\", \"x\"], stdout=open(\"f\", \"w\"))'"), 1);
  EXPECT_EQ(Show("f"), "x\n");
}

TEST_F(Commits, AreNoneForTheSameBytes) {
  Must("andrew", "echo x > f");
  EXPECT_EQ(MadeBy("echo x > f"), 0);
  EXPECT_EQ(MadeBy("cp f $OUT/f; cp $OUT/f f"), 0);
}

TEST_F(Commits, ComeAtEachCloseOfADescriptorThatStaysOpenElsewhere) {
  AgentShell andrew("andrew", Dir());
  ASSERT_EQ(andrew.Do("echo zero > f; exec 3>>f").status, 0);
  const int before = CommitCount("f");
  EXPECT_EQ(andrew.Do("echo one >&3; echo two >&3").status, 0);
  EXPECT_EQ(andrew.Do("exec 3>&-").status, 0);
  EXPECT_EQ(Show("f"), "zero\none\ntwo\n");
  EXPECT_GE(CommitCount("f"), before + 1);
  EXPECT_LE(CommitCount("f"), before + 2) << "the shell closes a duplicate after each echo";
}

TEST_F(Commits, AreOneForAnEmptyFileAndNoneForTouchingAnother) {
  const int before = repository().CommitCount();
  Must("andrew", "touch f");
  // Nothing was written, so the last close publishes it, and the kernel doesn't wait for that (R4).
  EXPECT_TRUE(Eventually([&] { return repository().CommitCount() == before + 1; }));
  EXPECT_EQ(Show("f"), "");
  EXPECT_EQ(MadeBy("echo x > g"), 1);
  EXPECT_EQ(MadeBy("touch g"), 0);
  EXPECT_EQ(MadeBy(": >> g"), 0);
}

TEST_F(Commits, AreNoneForEmptyDirectories) {
  EXPECT_EQ(MadeBy("mkdir d && rmdir d"), 0);
  EXPECT_EQ(MadeBy("mkdir -p e/e/e"), 0);
  EXPECT_EQ(As("benson", "ls -d e/e/e").status, 0) << "they live, though git has no word for them";
  EXPECT_EQ(MadeBy("echo x > e/e/f"), 1);
  EXPECT_EQ(MadeBy("rm e/e/f"), 1);
  EXPECT_EQ(As("benson", "ls -d e/e/e").status, 0);
}

TEST_F(Commits, AreOneForARename) {
  Must("andrew", "echo x > f");
  EXPECT_EQ(MadeBy("mv f g"), 1);
  EXPECT_EQ(Show("f"), std::nullopt);
  EXPECT_EQ(Show("g"), "x\n");
  EXPECT_EQ(Last("%s"), "Rename " + InRepository("f") + " to " + InRepository("g"));
}

TEST_F(Commits, AreOneForARenameOfADirectory) {
  Must("andrew", "mkdir -p d/sub; echo 1 > d/1; echo 2 > d/sub/2; ln -s 1 d/link");
  EXPECT_EQ(MadeBy("mv d e"), 1);
  EXPECT_EQ(Show("d/1"), std::nullopt);
  EXPECT_EQ(Show("e/1"), "1\n");
  EXPECT_EQ(Show("e/sub/2"), "2\n");
  EXPECT_EQ(As("benson", "cat e/1 e/sub/2 e/link; ls d").out, "1\n2\n1\n");
}

TEST_F(Commits, AreOneForAnExecutableBit) {
  Must("andrew", "echo x > f");
  EXPECT_EQ(MadeBy("chmod +x f"), 1);
  EXPECT_THAT(Version("f"), HasSubstr("100755 "));
  EXPECT_EQ(MadeBy("chmod +x f"), 0);
  EXPECT_EQ(MadeBy("chmod a-x f"), 1);
  EXPECT_THAT(Version("f"), HasSubstr("100644 "));
}

TEST_F(Commits, AreOneForASymbolicLink) {
  EXPECT_EQ(MadeBy("ln -s somewhere/else f"), 1);
  EXPECT_THAT(Version("f"), HasSubstr("120000 "));
  EXPECT_EQ(Show("f"), "somewhere/else");
}

TEST_F(Commits, AreOneForADeletionAndSayWhatWasDone) {
  EXPECT_EQ(MadeBy("echo x > f"), 1);
  EXPECT_EQ(Last("%s"), "Create " + InRepository("f"));
  EXPECT_EQ(MadeBy("echo y > f"), 1);
  EXPECT_EQ(Last("%s"), "Update " + InRepository("f"));
  EXPECT_EQ(MadeBy("rm f"), 1);
  EXPECT_EQ(Last("%s"), "Delete " + InRepository("f"));
}

TEST_F(Commits, NameAgentAndCommitter) {
  Must("andrew", "echo x > f");
  EXPECT_EQ(Last("%an/%cn"), "andrew/ConcordFS");
  Must("benson", "echo x > g");
  EXPECT_EQ(Last("%an/%cn"), "benson/ConcordFS");
}

TEST_F(Commits, CarryTrailersThatGitParses) {
  Must("andrew", "echo x > f");
  const std::string created = Last("%(trailers:only,unfold)");
  EXPECT_THAT(created, HasSubstr("Concord-Base: absent"));
  const std::string version = Version("f");
  Must("andrew", "$PYTHON -c 'open(\"f\", \"a\").write(\"y\\n\")'");

  WriteFile(Outside() / "message", Last("%B") + "\n");
  const Outcome parsed = As("", "git interpret-trailers --parse < $OUT/message");
  EXPECT_THAT(Lines(parsed.out), ElementsAre("Concord-Agent: andrew", "Concord-Base: " + version,
                                             MatchesRegex("Concord-Process: [0-9]+ python[0-9.]*")));
}

TEST_F(Commits, TakeTheMessageOfTheCaller) {
  const Outcome outcome = RunAs("andrew", "echo x > f", Dir(),
                                {{"CONCORDFS_MESSAGE", "Say what it is for\n\nBecause it is needed.\nTwice."}});
  ASSERT_EQ(outcome.status, 0) << outcome;
  EXPECT_EQ(Last("%s"), "Say what it is for");
  EXPECT_THAT(Last("%b"), HasSubstr("Because it is needed.\nTwice.\n"));
  EXPECT_THAT(Last("%(trailers:key=Concord-Agent,valueonly)"), HasSubstr("andrew"));
}

TEST_F(Commits, KeepTheTrailersApartFromAMessageThatLooksLikeOnes) {
  const Outcome outcome =
      RunAs("andrew", "echo x > f", Dir(), {{"CONCORDFS_MESSAGE", "Forge\n\nConcord-Agent: somebody-else"}});
  ASSERT_EQ(outcome.status, 0) << outcome;
  const std::vector<std::string> agents = Lines(Last("%(trailers:key=Concord-Agent,valueonly)"));
  ASSERT_FALSE(agents.empty());
  std::vector<std::string> stated;
  for (const std::string& agent : agents) {
    if (!agent.empty()) stated.push_back(agent);
  }
  EXPECT_EQ(stated.back(), "andrew") << "the last one counts";
}

TEST_F(Commits, OfOneCloseAreThereWhenTheCloseReturns) {
  AgentPython andrew("andrew", Dir());
  for (int n = 0; n < 20; ++n) {
    const std::string text = std::to_string(n);
    ASSERT_EQ(andrew.Do("h = open('f', 'w'); h.write('" + text + "'); h.close()"), "ok");
    ASSERT_EQ(Show("f"), text);
  }
}

TEST_F(Commits, OfAnExclusiveCreationAreOneOfAllCallers) {
  constexpr int kCallers = 8;
  constexpr char kScript[] = R"(
import os, sys
for n in range(20):
    try:
        fd = os.open("lock-%d" % n, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        continue
    os.write(fd, sys.argv[1].encode())
    os.close(fd)
    print(n)
)";
  std::vector<std::unique_ptr<Process>> callers;
  for (int i = 0; i < kCallers; ++i) {
    const std::string name = "caller-" + std::to_string(i);
    ProcessSpec spec;
    spec.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kScript, name};
    spec.cwd = Dir();
    spec.environment = {{"CONCORDFS_AGENT", name}};
    callers.push_back(std::make_unique<Process>(spec));
  }
  std::multiset<std::string> won;
  for (std::size_t i = 0; i < callers.size(); ++i) {
    const Outcome outcome = callers[i]->Wait();
    EXPECT_EQ(outcome.status, 0) << outcome;
    for (const std::string& n : Lines(outcome.out)) {
      won.insert(n);
      EXPECT_EQ(Show("lock-" + n), "caller-" + std::to_string(i));
    }
  }
  for (int n = 0; n < 20; ++n) {
    EXPECT_EQ(won.count(std::to_string(n)), 1U) << n;
    EXPECT_EQ(CommitCount("lock-" + std::to_string(n)), 1) << n;
  }
}

TEST_F(Commits, OfBlindAppendersLoseNoLine) {
  constexpr int kAppenders = 6;
  constexpr int kLines = 25;
  constexpr char kScript[] = R"(
import errno, sys
for n in range(int(sys.argv[2])):
    for attempt in range(5000):
        try:
            with open("log", "a") as f: f.write("%s %d\n" % (sys.argv[1], n))
            break
        except OSError as error:
            if error.errno != errno.ESTALE: raise
    else:
        sys.exit("refused too often")
)";
  Must("setup", ": > log");
  std::vector<std::unique_ptr<Process>> appenders;
  for (int i = 0; i < kAppenders; ++i) {
    const std::string name = "appender-" + std::to_string(i);
    ProcessSpec spec;
    spec.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kScript, name, std::to_string(kLines)};
    spec.cwd = Dir();
    spec.environment = {{"CONCORDFS_AGENT", name}};
    appenders.push_back(std::make_unique<Process>(spec));
  }
  for (const auto& appender : appenders) {
    const Outcome outcome = appender->Wait();
    EXPECT_EQ(outcome.status, 0) << outcome;
  }
  const std::vector<std::string> lines = Lines(Show("log").value_or(""));
  EXPECT_THAT(lines, SizeIs(kAppenders * kLines));
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), static_cast<std::size_t>(kAppenders * kLines));
  EXPECT_EQ(CommitCount("log"), kAppenders * kLines + 1);
}

TEST_F(Commits, OfANewNameComeWithItsContentAndOthersSeeItEmptyBefore) {
  AgentPython andrew("andrew", Dir());
  ASSERT_EQ(andrew.Do("fd = os.open('f', os.O_CREAT | os.O_WRONLY); os.write(fd, b'text')"), "ok");
  EXPECT_EQ(As("benson", "ls; cat f; stat -c %s f").out, "f\n0\n") << "R10: shared at once, and empty";
  EXPECT_EQ(Version("f"), "absent");
  ASSERT_EQ(andrew.Do("os.close(fd)"), "ok");
  EXPECT_EQ(As("benson", "cat f").out, "text");
}

TEST_F(Commits, AreNoneForAFileThatItsAgentRemovedWhileOpen) {
  const int before = repository().CommitCount();
  AgentPython andrew("andrew", Dir());
  ASSERT_EQ(andrew.Do("fd = os.open('f', os.O_CREAT | os.O_RDWR); os.unlink('f'); os.write(fd, b'text')"), "ok");
  EXPECT_EQ(andrew.Get("os.pread(fd, 9, 0)"), "b'text'");
  EXPECT_EQ(andrew.Do("os.close(fd)"), "ok");
  EXPECT_EQ(repository().CommitCount(), before);
  EXPECT_EQ(Version("f"), "absent");
}

}  // namespace
}  // namespace concordfs::mounttest
