// What crosses the border between scratch and versioned paths: a checked commit each time (R9, R12).
#include <filesystem>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ScratchBorder : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (HasFatalFailure()) return;
    Must("andrew", "echo 'out/' > .gitignore; mkdir out");
  }
  std::string LastSubject() const { return repository().Log("%an: %s").back(); }
  int Commits() const { return repository().CommitCount(); }
};

TEST_F(ScratchBorder, IsCrossedByOneCommitThatCreates) {
  Must("andrew", "echo new > out/f");
  const int commits = Commits();
  Must("benson", "mv out/f f");
  EXPECT_EQ(Commits(), commits + 1);
  EXPECT_EQ(LastSubject(), "benson: Create " + InRepository("f"));
  EXPECT_EQ(Show("f"), "new\n");
  EXPECT_NE(As("andrew", "ls out/f").status, 0);
  Must("andrew", "cat f; echo more >> f");
  EXPECT_EQ(Show("f"), "new\nmore\n");
}

TEST_F(ScratchBorder, IsCrossedByOneCommitThatUpdates) {
  Must("andrew", "echo A > f");
  Must("benson", "cat f; echo B > out/f");
  const int commits = Commits();
  Must("benson", "mv out/f f");
  EXPECT_EQ(Commits(), commits + 1);
  EXPECT_EQ(LastSubject(), "benson: Update " + InRepository("f"));
  EXPECT_EQ(As("andrew", "cat f").out, "B\n");
}

TEST_F(ScratchBorder, RefusesAStaleWriterAndChangesNothing) {
  Must("andrew", "echo A > f");
  Must("late-1", "cat f; echo mine > out/f");
  Must("andrew", "echo B > f");
  const std::string head = repository().Head();
  AgentPython late("late-1", Dir());
  EXPECT_EQ(late.Do("os.rename('out/f', 'f')"), "ESTALE");
  EXPECT_EQ(repository().Head(), head);
  EXPECT_EQ(As("late-1", "cat out/f").out, "mine\n") << "the source is still there";
  ASSERT_THAT(Rejected("late-1"), SizeIs(1)) << "parked once, although the kernel asks twice";
  EXPECT_EQ(repository().Show(InRepository("f"), Rejected("late-1")[0]), "mine\n");
  EXPECT_EQ(late.Get("open('f').read()"), "B\\n");
  EXPECT_EQ(late.Do("os.rename('out/f', 'f')"), "ok") << "after reading again";
  EXPECT_EQ(Show("f"), "mine\n");
}

TEST_F(ScratchBorder, TakesSymlinksAndTheExecutableBit) {
  Must("andrew", "ln -s target out/l; echo '#!/bin/sh' > out/x; chmod 755 out/x");
  const int commits = Commits();
  Must("andrew", "mv out/l l; mv out/x x");
  EXPECT_EQ(Commits(), commits + 2);
  EXPECT_THAT(Version("l"), HasSubstr("120000 "));
  EXPECT_EQ(Show("l"), "target");
  EXPECT_THAT(Version("x"), HasSubstr("100755 "));
  EXPECT_EQ(As("benson", "readlink l; test -x x && echo yes").out, "target\nyes\n");
  Must("andrew", "mv l out/l; mv x out/x");
  EXPECT_EQ(As("benson", "readlink out/l; test -x out/x && echo yes").out, "target\nyes\n");
  EXPECT_EQ(Version("l"), "absent");
}

TEST_F(ScratchBorder, RefusesAStaleSymlinkToo) {
  Must("late-2", "ln -s a l; ln -s mine out/l");
  Must("andrew", "ln -sfn b l");
  AgentPython late("late-2", Dir());
  EXPECT_EQ(late.Do("os.rename('out/l', 'l')"), "ESTALE");
  EXPECT_EQ(Show("l"), "b");
  EXPECT_EQ(late.Get("os.readlink('out/l')"), "mine");
}

TEST_F(ScratchBorder, IsCrossedTheOtherWayByADeletion) {
  Must("andrew", "echo A > f");
  const int commits = Commits();
  Must("andrew", "mv f out/f");
  EXPECT_EQ(Commits(), commits + 1);
  EXPECT_EQ(LastSubject(), "andrew: Delete " + InRepository("f"));
  EXPECT_EQ(As("benson", "cat out/f; ls").out, "A\nout\n");
}

TEST_F(ScratchBorder, RefusesAStaleDeletion) {
  Must("andrew", "echo A > f");
  Must("late-3", "cat f");
  Must("andrew", "echo B > f");
  const std::string head = repository().Head();
  AgentPython late("late-3", Dir());
  EXPECT_EQ(late.Do("os.rename('f', 'out/f')"), "ESTALE");
  EXPECT_EQ(repository().Head(), head);
  EXPECT_EQ(As("andrew", "ls out; cat f").out, "B\n") << "nothing was put there";
}

TEST_F(ScratchBorder, TakesAnUnpublishedWorkingCopyAlongWithItsBytes) {
  Must("andrew", "echo A > f");
  AgentPython andrew("andrew", Dir());
  ASSERT_EQ(andrew.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'unpublished\\n')"), "ok");
  EXPECT_EQ(andrew.Do("os.rename('f', 'out/f')"), "ok");
  EXPECT_EQ(As("benson", "cat out/f").out, "A\nunpublished\n");
  andrew.Do("os.close(fd)");
  EXPECT_EQ(Version("f"), "absent");
  EXPECT_EQ(As("andrew", "ls; cat out/f").out, "out\nA\nunpublished\n");
}

TEST_F(ScratchBorder, IsClosedToDirectoriesAndMvCopies) {
  Must("andrew", "mkdir -p out/d/e; echo 1 > out/d/one; echo 2 > out/d/e/two");
  AgentPython andrew("andrew", Dir());
  EXPECT_EQ(andrew.Do("os.rename('out/d', 'd')"), "EXDEV");
  Must("andrew", "mv out/d d");
  EXPECT_EQ(Show("d/one"), "1\n");
  EXPECT_EQ(Show("d/e/two"), "2\n");
  EXPECT_EQ(As("benson", "ls out").out, "");
  EXPECT_EQ(andrew.Do("os.rename('d', 'out/d')"), "EXDEV");
  Must("andrew", "mv d out/d");
  EXPECT_EQ(Version("d"), "absent");
  EXPECT_EQ(As("benson", "cat out/d/one out/d/e/two; ls").out, "1\n2\nout\n");
}

TEST_F(ScratchBorder, IsClosedToHardLinks) {
  Must("andrew", "echo A > f; echo B > out/f");
  AgentPython andrew("andrew", Dir());
  EXPECT_EQ(andrew.Do("os.link('out/f', 'g')"), "EPERM");
  EXPECT_EQ(andrew.Do("os.link('f', 'out/g')"), "EPERM");
  EXPECT_EQ(andrew.Do("os.link('f', 'g')"), "EPERM");
  EXPECT_EQ(andrew.Do("os.link('out/f', 'out/g')"), "ok");
}

TEST_F(ScratchBorder, IsClosedToWhatGitHasNoKindFor) {
  Must("andrew", "mkfifo out/p");
  AgentPython andrew("andrew", Dir());
  EXPECT_EQ(andrew.Do("os.rename('out/p', 'p')"), "EPERM");
  EXPECT_EQ(andrew.Do("os.mkfifo('q')"), "EPERM");
  EXPECT_EQ(As("benson", "ls out").out, "p\n");
}

TEST_F(ScratchBorder, LeavesOtherLinksOfWhatWasPublishedAlone) {
  Must("andrew", "echo A > out/f; ln out/f out/g; mv out/f f");
  EXPECT_EQ(As("benson", "cat out/g; stat -c %h out/g").out, "A\n1\n");
  Must("benson", "echo B > out/g");
  EXPECT_EQ(Show("f"), "A\n");
  EXPECT_EQ(As("andrew", "cat f").out, "A\n");
}

TEST_F(ScratchBorder, IsFollowedByADescriptorWhoseLaterWritesArePublishedAtItsClose) {
  AgentPython andrew("andrew", Dir());
  ASSERT_EQ(
      andrew.Do("fd = os.open('out/f', os.O_RDWR | os.O_CREAT); os.write(fd, b'one\\n'); os.rename('out/f', 'f')"),
      "ok");
  EXPECT_EQ(Show("f"), "one\n");
  const int commits = Commits();
  EXPECT_EQ(andrew.Do("os.write(fd, b'two\\n'); os.close(fd)"), "ok");
  EXPECT_EQ(Show("f"), "one\ntwo\n");
  EXPECT_EQ(Commits(), commits + 1);
  EXPECT_THAT(repository().Log("%an: %s", InRepository("f")),
              ElementsAre("andrew: Create " + InRepository("f"), "andrew: Update " + InRepository("f")));
  EXPECT_EQ(As("benson", "cat f").out, "one\ntwo\n");
}

TEST_F(ScratchBorder, IsFollowedByADescriptorThatPublishesNothingIfNothingIsWritten) {
  AgentPython andrew("andrew", Dir());
  ASSERT_EQ(
      andrew.Do("fd = os.open('out/f', os.O_RDWR | os.O_CREAT); os.write(fd, b'one\\n'); os.rename('out/f', 'f')"),
      "ok");
  const std::string head = repository().Head();
  EXPECT_EQ(andrew.Do("os.close(fd)"), "ok");
  EXPECT_EQ(repository().Head(), head);
}

TEST_F(ScratchBorder, IsFollowedByADescriptorThatIsRefusedOnceItIsStale) {
  AgentPython late("late-4", Dir());
  ASSERT_EQ(late.Do("fd = os.open('out/f', os.O_RDWR | os.O_CREAT); os.write(fd, b'one\\n'); os.rename('out/f', 'f')"),
            "ok");
  Must("andrew", "cat f; echo andrew > f");
  const std::string head = repository().Head();
  EXPECT_EQ(late.Do("os.write(fd, b'two\\n'); os.close(fd)"), "ESTALE");
  EXPECT_EQ(repository().Head(), head);
  ASSERT_THAT(Rejected("late-4"), SizeIs(1));
  EXPECT_EQ(repository().Show(InRepository("f"), Rejected("late-4")[0]), "one\ntwo\n");
}

TEST_F(ScratchBorder, IsAtTheNameWhereARuleStopped) {
  Must("andrew", "echo '*.o' >> .gitignore; echo x > a.o; echo out/ > .gitignore");
  const int commits = Commits();
  Must("andrew", "mv a.o b.o");
  EXPECT_EQ(Commits(), commits + 1) << "a new name is what the rules say now";
  EXPECT_EQ(Show("b.o"), "x\n");
}

TEST_F(ScratchBorder, IsNotThereBetweenTwoScratchPaths) {
  Must("andrew", "mkdir -p out/d/e .git; echo x > out/d/e/f");
  const std::string head = repository().Head();
  Must("andrew", "mv out/d .git/d; mv .git/d/e/f f~; mv f~ out/g; mv .git/d out/h");
  EXPECT_EQ(repository().Head(), head);
  EXPECT_EQ(As("benson", "cat out/g; ls out/h").out, "x\ne\n");
  EXPECT_THAT(Rejected("andrew"), IsEmpty());
}

}  // namespace
}  // namespace concordfs::mounttest
