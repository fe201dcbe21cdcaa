// git itself, working in the mount.
#include "tests/workloads/workload.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;

constexpr int kFiles = 2000;

class GitWorkload : public WorkloadTest {
 protected:
  // In a directory with a clone: everything that one does with one.
  void WorkWithTheClone(const std::string& directory) {
    EXPECT_EQ(Must("git status --porcelain", directory), "");
    Must("git fsck --strict --no-progress", directory);
    Must("echo changed >> d1/sub/f1; echo new > new; git add -A; git commit -q -m second", directory);
    EXPECT_EQ(Must("git status --porcelain; git log --format=%s", directory), "second\nfirst\n");
    Must("git checkout -q -b side HEAD~1; test ! -e new; git merge -q --no-edit main; test -e new; git gc -q",
         directory);
    EXPECT_EQ(Must("git status --porcelain; git diff main; git stash list", directory), "");
    Must("git fsck --strict --no-progress; git push -q origin side", directory);
    EXPECT_EQ(MustOutside("git -C source log --format=%s side"), "second\nfirst\n");
  }
};

TEST_F(GitWorkload, ClonesIntoAnIgnoredDirectory) {
  MustOutside(MakeSourceRepository(kFiles));
  const std::string head = repository().Head();
  Must("mkdir out && git clone -q $OUT/source out/clone");
  EXPECT_EQ(Must("find . -type f -path './d*' | wc -l", "out/clone"), std::to_string(kFiles) + "\n");
  WorkWithTheClone("out/clone");
  EXPECT_EQ(repository().Head(), head) << "no commit for a scratch file";
  mount().Unmount();
  mount().Remount();
  EXPECT_EQ(Must("git status --porcelain; git fsck --strict --no-progress", "out/clone"), "");
}

TEST_F(GitWorkload, ClonesIntoVersionedPaths) {
  MustOutside(MakeSourceRepository(kFiles));
  Must("git clone -q $OUT/source clone");
  // The files are versioned, each with its commit, and what is in .git is not.
  EXPECT_EQ(repository().Output({"ls-tree", "-r", "--name-only", "main:clone"}),
            MustOutside("git -C source ls-tree -r --name-only main | head -c -1"));
  EXPECT_THAT(repository().Log("%s", "clone/d1/sub/f1"), ::testing::ElementsAre("Create clone/d1/sub/f1"));
  EXPECT_EQ(repository().Version("clone/run").substr(0, 7), "100755 ");
  EXPECT_EQ(repository().Version("clone/link").substr(0, 7), "120000 ");
  WorkWithTheClone("clone");
  EXPECT_EQ(repository().Show("clone/d1/sub/f1"), "content of file 1\nchanged\n");
  mount().Unmount();
  mount().Remount();
  EXPECT_EQ(Must("git status --porcelain; git fsck --strict --no-progress", "clone"), "");
}

TEST_F(GitWorkload, HasARepositoryOfItsOwnOverTheMountedTree) {
  Must("echo A > f; git init -q -b main; git add f .gitignore; git commit -q -m first; echo B >> f");
  EXPECT_EQ(Must("git status --porcelain"), " M f\n");
  Must(
      "git stash -q; test $(cat f) = A; git stash pop -q; git commit -q -a -m second; git worktree add -q out/tree "
      "HEAD~1");
  EXPECT_EQ(Must("cat out/tree/f; git status --porcelain"), "A\n");
  EXPECT_EQ(repository().Show("f"), "A\nB\n");
  EXPECT_THAT(Must("git blame -s f"), HasSubstr("B"));
}

TEST_F(GitWorkload, HasItsPatchesApplied) {
  Must("seq 100 > f; seq 100 > g");
  MustOutside(
      "printf -- '--- a/f\\n+++ b/f\\n@@ -1,3 +1,3 @@\\n 1\\n-2\\n+two\\n 3\\n--- a/g\\n+++ b/g\\n@@ -98,3 +98,4 @@\\n "
      "98\\n 99\\n 100\\n+101\\n' > p");
  // Of each file: of a hundred names that patch draws for its temporary, three look like words, and are versioned.
  const auto count = [&] { return repository().CommitCount("f") + repository().CommitCount("g"); };
  const int commits = count();
  Must("patch -s -p1 < $OUT/p");
  EXPECT_EQ(count(), commits + 2) << "one for each file";
  EXPECT_EQ(Must("sed -n 2p f; tail -1 g; ls -A"), "two\n101\n.gitignore\nf\ng\n");
  Must("patch -s -p1 -R < $OUT/p");
  EXPECT_EQ(count(), commits + 4);
  Must("git apply $OUT/p");
  EXPECT_EQ(Must("sed -n 2p f; tail -1 g; ls -A"), "two\n101\n.gitignore\nf\ng\n");
  EXPECT_EQ(count(), commits + 8) << "git unlinks a file before it makes it again";
}

}  // namespace
}  // namespace concordfs::mounttest
