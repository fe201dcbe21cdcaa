// Which names are scratch, and what every agent finds there (R12).
#include <filesystem>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr Milliseconds kSeen{20'000};

class Scratch : public MountTest {
 protected:
  // Where the repository keeps a scratch file of the branch.
  std::filesystem::path Plain(const std::string& file) const {
    return repository().path() / "concordfs" / "scratch" / "main" / InRepository(file);
  }
  // "scratch", "versioned", or what is odd about it.
  std::string KindOf(const std::string& file) const {
    const bool shown = std::filesystem::exists(std::filesystem::symlink_status(Dir() / file));
    const bool plain = std::filesystem::exists(std::filesystem::symlink_status(Plain(file)));
    const bool versioned = Version(file) != "absent";
    if (shown && plain != versioned) return plain ? "scratch" : "versioned";
    return std::string(shown ? "shown" : "not shown") + (plain ? ", plain" : "") + (versioned ? ", versioned" : "");
  }
  // Makes the files and says of each what it became.
  void ExpectKinds(const std::string& kind, const std::vector<std::string>& files) const {
    for (const std::string& file : files) {
      const std::string head = repository().Head();
      Must("andrew", "echo made > '" + file + "'");
      EXPECT_EQ(KindOf(file), kind) << file;
      if (kind == "scratch") {
        EXPECT_EQ(repository().Head(), head) << file << ": no commit";
      }
    }
  }
  std::vector<std::string> Names(const std::string& folder = ".") const {
    return Lines(As("reader", "ls -A " + folder).out);
  }
};

TEST_F(Scratch, IsWhatGitignoreFilesOfAnyFolderIgnore) {
  Must("andrew", "mkdir -p sub/deep out; printf '*.o\\n!keep.o\\n/out/\\nbuild-*/\\n' > .gitignore");
  Must("andrew", "printf 'local\\n!special.o\\n' > sub/.gitignore");
  Must("andrew", "mkdir build-x sub/build-y out/deep");
  ExpectKinds("scratch", {"a.o", "sub/b.o", "sub/deep/c.o", "out/a", "out/deep/b", "out/keep.o", "build-x/a",
                          "sub/build-y/a", "sub/local", "sub/deep/local"});
  ExpectKinds("versioned", {"keep.o", "sub/keep.o", "sub/special.o", "local", "a.c", "sub/out", "build-z"});
}

TEST_F(Scratch, IsWhatStockGitSaysOfACheckout) {
  Must("andrew", "mkdir a a/b; printf '*.log\\n!a/*.log\\n/a/b/*\\n!/a/b/x*\\n\\\\#odd\\n' > .gitignore");
  const std::vector<std::string> names{"1.log", "a/1.log", "a/b/1.log", "a/b/x",
                                       "a/b/y", "#odd",    "a/#odd",    "a/b/x.log"};
  for (const std::string& name : names) Must("andrew", "echo made > '" + name + "'");
  Clone clone(repository(), Outside() / "clone");
  for (const std::string& name : names) {
    const Outcome checked =
        mounttest::Run({.argv = {"git", "check-ignore", "--no-index", "--quiet", "--", InRepository(name)},
                        .cwd = clone.path(),
                        .environment = {},
                        .output_file = {}});
    ASSERT_LE(checked.status, 1) << checked;
    EXPECT_EQ(KindOf(name), checked.status == 0 ? "scratch" : "versioned") << name;
  }
}

TEST_F(Scratch, IsWhatTheRepositorysExcludeFileIgnores) {
  const std::filesystem::path exclude = repository().path() / "info" / "exclude";
  std::filesystem::create_directories(exclude.parent_path());
  const std::string before = std::filesystem::exists(exclude) ? ReadFile(exclude) : "";
  WriteFile(exclude, before + "\n/" + InRepository("excluded-*") + "\n");
  // It is read again when it has changed; names made before that stay versioned.
  int made = 0;
  EXPECT_TRUE(Eventually(
      [&] {
        const std::string name = "excluded-" + std::to_string(made++);
        Must("andrew", "echo made > " + name);
        return KindOf(name) == "scratch";
      },
      kSeen));
  WriteFile(exclude, before);
}

TEST_F(Scratch, IsWhatGitForbids) {
  Must("andrew", "mkdir .git sub sub/.GIT");
  ExpectKinds("scratch", {".git/config", "sub/.GIT/x", "git~1"});
  Must("andrew", "mkdir .git/deep; echo x > .git/deep/y; ln -s nowhere .git/link");
  EXPECT_EQ(KindOf(".git/deep/y"), "scratch");
  EXPECT_EQ(KindOf(".git/link"), "scratch");
  ExpectKinds("versioned", {".gitattributes", ".github", "git", "x.git"});
}

TEST_F(Scratch, IsWhatEditorsMakeForAMoment) {
  ExpectKinds("scratch", {"f~", ".f.swp", "4913", ".#f", "#f#", "f.tmp.77", "sedX1y2Zz", ".f.Ab3dEf", "tmpabx4q9z1"});
  ExpectKinds("versioned", {"4914", "sedation", "f.tmp", "tmp.f", ".f.config", "tmpfolder"});
  Must("andrew", "mkdir d~ && echo x > d~/f");
  EXPECT_EQ(KindOf("d~/f"), "versioned") << "the list is of files only";
}

TEST_F(Scratch, IsSharedByAgentsAtOnceAndIsNeverChecked) {
  Must("andrew", "echo '*.o' > .gitignore; echo A > s.o");
  const std::string head = repository().Head();
  AgentPython andrew("andrew", Dir());
  AgentPython benson("benson", Dir());
  ASSERT_EQ(andrew.Do("a = os.open('s.o', os.O_RDWR); os.read(a, 9)"), "ok");
  ASSERT_EQ(benson.Do("b = os.open('s.o', os.O_RDWR); os.read(b, 9)"), "ok");
  ASSERT_EQ(benson.Do("os.pwrite(b, b'benson', 0)"), "ok");
  EXPECT_EQ(andrew.Get("os.pread(a, 99, 0)"), "b'benson'") << "before any close";
  EXPECT_EQ(andrew.Do("os.pwrite(a, b'andrew was here', 0); os.close(a)"), "ok");
  EXPECT_EQ(benson.Get("os.pread(b, 99, 0)"), "b'andrew was here'");
  EXPECT_EQ(benson.Get("os.fstat(b).st_size"), "15");
  EXPECT_EQ(benson.Do("os.ftruncate(b, 3); os.close(b)"), "ok");
  EXPECT_EQ(As("andrew", "cat s.o; stat -c %s s.o").out, "and3\n");
  Must("benson", "rm s.o");
  EXPECT_NE(As("andrew", "cat s.o").status, 0);
  EXPECT_EQ(repository().Head(), head);
  EXPECT_THAT(Rejected("benson"), IsEmpty());
}

TEST_F(Scratch, SurvivesARemountAndACrash) {
  Must("andrew",
       "printf 'out/\\n' > .gitignore; mkdir -p out/d; echo A > out/d/a; ln out/d/a out/b; ln -s d out/l; chmod 2751 "
       "out/d");
  Must("andrew", "touch -d '2001-02-03 04:05:06.123456789' out/b; mkfifo out/p");
  const std::string command = "cd out; stat -c '%n %f %h %s %Y' a b d d/a l p 2>&1; cat l/a";
  const std::string before = As("reader", command).out;
  EXPECT_THAT(before, HasSubstr("A\n"));
  mount().Unmount();
  mount().Remount();
  EXPECT_EQ(As("reader", command).out, before);
  mount().Kill9();
  mount().Remount();
  EXPECT_EQ(As("reader", command).out, before);
  EXPECT_THAT(As("reader", "stat -c %.9Y out/b").out, HasSubstr(".123456789\n"));
}

TEST_F(Scratch, FollowsAChangedGitignoreForNewNamesAndLeavesOldOnes) {
  ExpectKinds("versioned", {"early.log"});
  Must("andrew", "echo '*.log' > .gitignore");
  ExpectKinds("scratch", {"late.log"});
  Must("andrew", "echo more >> early.log");
  EXPECT_EQ(Show("early.log"), "made\nmore\n") << "what is tracked is not ignored";
  Must("andrew", "rm .gitignore");
  ExpectKinds("versioned", {"later.log"});
  const std::string head = repository().Head();
  Must("andrew", "echo more >> late.log");
  EXPECT_EQ(repository().Head(), head);
  EXPECT_EQ(KindOf("late.log"), "scratch");
  Must("andrew", "mv late.log named-anew.log");
  EXPECT_EQ(Show("named-anew.log"), "made\nmore\n") << "until it is renamed";
}

TEST_F(Scratch, FollowsAGitignoreThatIsPushedFromOutside) {
  Must("andrew", "echo x > f");
  Clone clone(repository(), Outside() / "clone");
  clone.Push(InRepository(".gitignore"), "*.pushed\n");
  EXPECT_TRUE(Eventually([this] { return As("andrew", "cat .gitignore").out == "*.pushed\n"; }, kSeen));
  ExpectKinds("scratch", {"a.pushed"});
}

TEST_F(Scratch, SharesDirectoriesWithVersions) {
  Must("andrew", "echo '*.o' > .gitignore; mkdir d; echo c > d/a.c; echo o > d/a.o; mkdir d/sub; echo o > d/sub/b.o");
  EXPECT_THAT(Names("d"), UnorderedElementsAre("a.c", "a.o", "sub"));
  const int commits = repository().CommitCount();
  Must("andrew", "mv d e");
  EXPECT_EQ(repository().CommitCount(), commits + 1);
  EXPECT_THAT(Names("e"), UnorderedElementsAre("a.c", "a.o", "sub"));
  EXPECT_EQ(As("reader", "cat e/a.o e/a.c e/sub/b.o; ls d").out, "o\nc\no\n");
  EXPECT_THAT(As("andrew", "rmdir e").err, HasSubstr("not empty"));
  Must("andrew", "rm e/a.c");
  EXPECT_THAT(As("andrew", "rmdir e").err, HasSubstr("not empty"));
  EXPECT_THAT(Names("e"), UnorderedElementsAre("a.o", "sub"));
  Must("andrew", "echo c > e/b.c; rm -r e");
  EXPECT_THAT(Names(), UnorderedElementsAre(".gitignore"));
  EXPECT_EQ(Version("e"), "absent");
  Must("andrew", "mkdir e; ls -A e");
  EXPECT_THAT(Names("e"), IsEmpty()) << "nothing comes back";
}

TEST_F(Scratch, IsHiddenWhileATrackedFileFromOutsideHasItsName) {
  Must("andrew", "echo '*.o' > .gitignore; echo scratch > s.o");
  Clone clone(repository(), Outside() / "clone");
  WriteFile(clone.path() / InRepository("s.o"), "tracked\n");
  clone.Output({"add", "--force", InRepository("s.o")});
  clone.PushAll("a tracked s.o");
  EXPECT_TRUE(Eventually([this] { return As("andrew", "cat s.o").out == "tracked\n"; }, kSeen));
  EXPECT_THAT(Names(), UnorderedElementsAre(".gitignore", "s.o"));
  Must("andrew", "echo more >> s.o");
  EXPECT_EQ(Show("s.o"), "tracked\nmore\n");
  clone.Pull();
  clone.Output({"rm", "--quiet", InRepository("s.o")});
  clone.PushAll("no tracked s.o");
  EXPECT_TRUE(Eventually([this] { return As("andrew", "cat s.o").out == "scratch\n"; }, kSeen));
}

// Mounts of their own.
class ScratchMounts : public MountlessTest {
 protected:
  void SetUp() override {
    MountlessTest::SetUp();
    if (!HasFatalFailure()) repository_.emplace(temp().path() / "repository");
  }
  void TearDown() override {
    if (repository_) {
      EXPECT_EQ(repository_->Fsck(), "");
    }
  }
  Repository& repository() { return *repository_; }
  static Outcome As(const std::string& agent, const Mount& mount, const std::string& command) {
    return RunAs(agent, command, mount.path());
  }

 private:
  std::optional<Repository> repository_;
};

TEST_F(ScratchMounts, TakePatternsOfTheirOwn) {
  const std::string head = repository().Head();
  Mount mount(repository().path(), temp().path() / "mnt",
              {"--scratch", "/out/", "--scratch", "*.o", "--temporary", "*.bak"});
  EXPECT_EQ(As("andrew", mount, "mkdir out && echo x > out/a && echo x > a.o && echo x > f.bak && echo x > f~").status,
            0);
  EXPECT_EQ(repository().Head(), head);
  EXPECT_EQ(As("andrew", mount, "echo '!keep.o' > .gitignore; echo x > keep.o").status, 0);
  EXPECT_EQ(repository().Version("keep.o"), "absent") << "a pattern of the mount outweighs .gitignore";
}

TEST_F(ScratchMounts, LeaveTemporariesVersionedWhereTheyAreTold) {
  Mount mount(repository().path(), temp().path() / "mnt", {"--no-default-temporaries", "--temporary", "*.bak"});
  EXPECT_EQ(As("andrew", mount, "echo x > f~; echo x > f.bak; echo x > 4913").status, 0);
  EXPECT_EQ(repository().Show("f~"), "x\n");
  EXPECT_EQ(repository().Show("4913"), "x\n");
  EXPECT_EQ(repository().Version("f.bak"), "absent");
}

TEST_F(ScratchMounts, OfOneBranchShareItAndOfAnotherDont) {
  Mount one(repository().path(), temp().path() / "one");
  ASSERT_EQ(As("andrew", one, "printf '*.o\\n' > .gitignore; echo one > s.o").status, 0);
  repository().Output({"branch", "side/x", "main"});
  Mount two(repository().path(), temp().path() / "two");
  Mount side(repository().path(), temp().path() / "side", {"--branch", "side/x"});
  EXPECT_EQ(As("benson", two, "cat s.o").out, "one\n");
  EXPECT_NE(As("benson", side, "cat s.o").status, 0);
  EXPECT_EQ(As("benson", side, "echo side > s.o; cat s.o").out, "side\n");
  EXPECT_EQ(As("andrew", one, "cat s.o").out, "one\n");
  EXPECT_EQ(As("benson", two, "echo two > t.o").status, 0);
  EXPECT_TRUE(Eventually([&] { return As("andrew", one, "cat t.o").out == "two\n"; }, kSeen)) << "within a second";
}

TEST_F(ScratchMounts, ThatAreReadOnlyShowItAndRefuseToChangeIt) {
  {
    Mount mount(repository().path(), temp().path() / "mnt");
    ASSERT_EQ(As("andrew", mount, "printf '*.o\\n' > .gitignore; echo x > s.o; mkdir d; echo y > d/t.o").status, 0);
  }
  Mount mount(repository().path(), temp().path() / "mnt", {"--read-only"});
  EXPECT_EQ(As("andrew", mount, "cat s.o d/t.o").out, "x\ny\n");
  for (const char* command : {"echo y > s.o", "echo y >> s.o", "echo y > new.o", "rm s.o", "mv s.o t.o", "mkdir .git",
                              "ln s.o u.o", "chmod 600 s.o", "touch s.o", "mkfifo p.o"}) {
    EXPECT_THAT(As("andrew", mount, command).err, HasSubstr("Read-only file system")) << command;
  }
  EXPECT_EQ(As("andrew", mount, "cat s.o; ls").out, "x\nd\ns.o\n");
}

TEST_F(ScratchMounts, OnARepositoryWithoutAScratchAreaMakeItWhenItIsNeeded) {
  const std::filesystem::path area = repository().path() / "concordfs" / "scratch";
  { Mount mount(repository().path(), temp().path() / "mnt", {"--read-only"}); }
  EXPECT_FALSE(std::filesystem::exists(area)) << "a read-only mount makes nothing";
  Mount mount(repository().path(), temp().path() / "mnt");
  EXPECT_EQ(As("andrew", mount, "mkdir .git && echo x > .git/a && cat .git/a").out, "x\n");
}

}  // namespace
}  // namespace concordfs::mounttest
