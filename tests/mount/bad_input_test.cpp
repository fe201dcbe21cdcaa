// What is wrong is refused with one clear sentence, and costs no more than what is wrong.
#include <sys/mount.h>

#include <cstring>
#include <ostream>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

void ExpectOneClearError(const Outcome& outcome, const std::string& about) {
  EXPECT_EQ(outcome.status, 1) << outcome;
  EXPECT_THAT(outcome.err, StartsWith("concordfs: "));
  EXPECT_THAT(outcome.err, HasSubstr(about));
  EXPECT_THAT(Lines(outcome.err), SizeIs(1)) << "one clear error";
}

class BadMount : public MountlessTest {
 protected:
  // Tries to mount in the background, as a user does. A mount that succeeds against expectation is undone.
  Outcome TryToMount(const std::filesystem::path& repository, const std::filesystem::path& mountpoint,
                     const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments{"mount", repository, mountpoint};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome outcome = Concordfs(arguments);
    if (outcome.status == 0) Concordfs({"umount", mountpoint});
    return outcome;
  }
};

TEST_F(BadMount, OfWhatIsNoRepositoryIsRefused) {
  const auto mnt = temp().MakeDirectory("mnt");
  const auto folder = temp().MakeDirectory("folder");
  ExpectOneClearError(TryToMount(folder, mnt), folder);
  ExpectOneClearError(TryToMount(temp().path() / "nothing", mnt), "nothing");
  WriteFile(temp().path() / "file", "text");
  ExpectOneClearError(TryToMount(temp().path() / "file", mnt), "file");
}

TEST_F(BadMount, OfAMissingBranchIsRefused) {
  const Repository repository(temp().path() / "repository");
  ExpectOneClearError(TryToMount(repository.path(), temp().MakeDirectory("mnt"), {"--branch", "elsewhere"}),
                      "elsewhere");
}

TEST_F(BadMount, OnAPlaceThatIsNoEmptyDirectoryIsRefused) {
  const Repository repository(temp().path() / "repository");
  const auto full = temp().MakeDirectory("full");
  WriteFile(full / "x", "x");
  ExpectOneClearError(TryToMount(repository.path(), full), "not empty");
  ExpectOneClearError(TryToMount(repository.path(), temp().path() / "missing"), "missing");
  ExpectOneClearError(TryToMount(repository.path(), full / "x"), "not a directory");
}

TEST_F(BadMount, OnAMountIsRefusedAndLeavesThatMountAlone) {
  const Repository repository(temp().path() / "repository");
  Mount mount(repository.path(), temp().path() / "mnt");
  ASSERT_TRUE(mount.mounted());
  ExpectOneClearError(Concordfs({"mount", repository.path(), mount.path()}), "mounted");
  EXPECT_EQ(RunAs("andrew", "echo x > f && cat f", mount.path()).out, "x\n");
}

TEST_F(BadMount, WithOptionsThatDoNotExistIsAUsageError) {
  const Repository repository(temp().path() / "repository");
  const auto mnt = temp().MakeDirectory("mnt");
  EXPECT_EQ(TryToMount(repository.path(), mnt, {"--no-such-option"}).status, 2);
  EXPECT_EQ(TryToMount(repository.path(), mnt, {"--durability", "eternal"}).status, 2);
  EXPECT_NE(TryToMount(repository.path(), mnt, {"-o", "no_such_option_at_all"}).status, 0);
}

TEST_F(BadMount, OfARepositoryWithACorruptHeadIsRefused) {
  const Repository repository(temp().path() / "repository");
  const std::string head = repository.Head();
  const auto object = repository.path() / "objects" / head.substr(0, 2) / head.substr(2);
  std::filesystem::permissions(object, std::filesystem::perms::owner_all);
  WriteFile(object, "garbage");
  const Outcome outcome = TryToMount(repository.path(), temp().MakeDirectory("mnt"));
  ExpectOneClearError(outcome, "concordfs: ");
}

class BadObject : public MountlessTest {};

TEST_F(BadObject, IsEIOForItsFileOnlyAndNamedInTheLog) {
  Repository repository(temp().path() / "repository");
  Clone clone(repository, temp().path() / "clone");
  clone.Push("good.txt", "good\n");
  clone.Push("damaged.txt", "this will be damaged\n");
  const std::string blob = repository.Output({"rev-parse", "main:damaged.txt"});
  const auto object = repository.path() / "objects" / blob.substr(0, 2) / blob.substr(2);
  ASSERT_TRUE(std::filesystem::exists(object));
  std::filesystem::permissions(object, std::filesystem::perms::owner_all);
  WriteFile(object, "x\x01garbage");

  Mount mount(repository.path(), temp().path() / "mnt");
  ASSERT_TRUE(mount.mounted());
  const Outcome read = RunAs("andrew", "cat damaged.txt", mount.path());
  EXPECT_NE(read.status, 0);
  EXPECT_THAT(read.err, HasSubstr("Input/output error"));
  EXPECT_THAT(mount.Log(), HasSubstr("damaged.txt"));
  EXPECT_EQ(RunAs("andrew", "cat good.txt && ls", mount.path()).out, "good\ndamaged.txt\ngood.txt\n");
  EXPECT_EQ(RunAs("andrew", "ls -l good.txt", mount.path()).status, 0);
  EXPECT_EQ(RunAs("andrew", "echo more >> good.txt && echo new > new.txt", mount.path()).status, 0);
  EXPECT_EQ(repository.Show("good.txt"), "good\nmore\n");
  // Writing the very bytes whose object is damaged must not take the damaged one for stored.
  EXPECT_EQ(RunAs("andrew", "echo 'this will be damaged' > copy.txt", mount.path()).status, 0);
  EXPECT_EQ(repository.Show("copy.txt"), "this will be damaged\n");
}

TEST_F(BadObject, OfADirectoryIsEIOForThatDirectoryOnly) {
  Repository repository(temp().path() / "repository");
  Clone clone(repository, temp().path() / "clone");
  clone.Push("bad/inner.txt", "inner\n");
  clone.Push("good/inner.txt", "good inner\n");
  const std::string tree = repository.Output({"rev-parse", "main:bad"});
  std::filesystem::remove(repository.path() / "objects" / tree.substr(0, 2) / tree.substr(2));

  Mount mount(repository.path(), temp().path() / "mnt");
  ASSERT_TRUE(mount.mounted());
  EXPECT_THAT(RunAs("andrew", "cat bad/inner.txt", mount.path()).err, HasSubstr("Input/output error"));
  EXPECT_EQ(RunAs("andrew", "cat good/inner.txt", mount.path()).out, "good inner\n");
  EXPECT_EQ(RunAs("andrew", "echo x > good/inner.txt", mount.path()).status, 0);
  EXPECT_EQ(repository.Show("good/inner.txt"), "x\n");
}

class BadNames : public MountTest {};

TEST_F(BadNames, OfMoreThan255BytesAreTooLong) {
  const std::string longest(255, 'n');
  Must("andrew", "echo x > " + longest);
  EXPECT_EQ(Show(longest), "x\n");
  const Outcome refused = As("andrew", "echo x > " + longest + "n");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("File name too long"));
  EXPECT_THAT(As("andrew", "mkdir " + longest + "n").err, HasSubstr("File name too long"));
  EXPECT_THAT(As("andrew", "mv " + longest + " " + longest + "n").err, HasSubstr("File name too long"));
}

TEST_F(BadNames, ThatAreNotUtf8Work) {
  Must("andrew", "echo x > $'caf\\xe9.txt' && cat $'caf\\xe9.txt' && mv $'caf\\xe9.txt' $'\\xff\\xfe'");
  EXPECT_EQ(Show("\xff\xfe"), "x\n");
  EXPECT_EQ(repository().Output({"log", "--format=%H", "main", "--", InRepository("\xff\xfe")}), repository().Head());
  EXPECT_EQ(repository().Fsck(), "");
}

TEST_F(BadNames, ThatHoldANewlineWork) {
  Must("andrew", "echo x > $'two\\nlines' && echo y >> $'two\\nlines' && mkdir $'d\\n' && echo z > $'d\\n/f'");
  EXPECT_EQ(Show("two\nlines"), "x\ny\n");
  EXPECT_EQ(Show("d\n/f"), "z\n");
  EXPECT_EQ(CommitCount("two\nlines"), 2);
  EXPECT_EQ(Lines(repository().Output({"log", "-1", "--format=%(trailers:key=Concord-Agent,valueonly)", "main"}))[0],
            "andrew");
  AgentPython benson("benson", Dir());
  ASSERT_EQ(benson.Do("fd = os.open('two\\nlines', os.O_RDWR); os.read(fd, 99); os.write(fd, b'mine')"), "ok");
  Must("andrew", "echo B > $'two\\nlines'");
  EXPECT_EQ(benson.Do("os.close(fd)"), "ESTALE");
  ASSERT_THAT(Rejected("benson"), SizeIs(1));
  EXPECT_EQ(repository().Show(InRepository("two\nlines"), Rejected("benson")[0]), "x\ny\nmine");
  EXPECT_EQ(repository().Fsck(), "");
}

TEST_F(BadNames, OfEveryOtherOddSortWork) {
  Must("andrew",
       "for n in ' ' '-rf' '*' '?' '\"q\"' \"it's\" '\\' ':(glob)' '~' $'\\t' $'\\x01' '...' '#' 'a b' '@{0}'; do "
       "printf '%s' \"$n\" > \"./$n\" || exit 1; done");
  EXPECT_EQ(Show(" "), " ");
  EXPECT_EQ(Show("\\"), "\\");
  EXPECT_EQ(Show("\x01"), "\x01");
  EXPECT_EQ(repository().Fsck(), "");
}

// "\u200c" and "\u200d" are what HFS+ ignores in names, "\ufeff" too.
class ForbiddenName : public MountTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(ForbiddenName, IsScratchWhateverHasIt) {  // R12
  AgentPython andrew("andrew", Dir());
  ASSERT_EQ(andrew.Do(std::string("n = '") + GetParam() + "'; open('f', 'w').write('x')"), "ok");
  EXPECT_EQ(andrew.Do("os.stat(n)"), "ENOENT") << "whoever looks for a repository finds none";
  const int commits = repository().CommitCount(InRepository("."));
  EXPECT_EQ(andrew.Do("open(n, 'w').write('a'); os.unlink(n)"), "ok");
  EXPECT_EQ(andrew.Do("os.symlink('f', n); os.unlink(n)"), "ok");
  EXPECT_EQ(andrew.Do("os.mknod(n); os.unlink(n)"), "ok");
  EXPECT_EQ(andrew.Do("os.mkdir(n); open(n + '/below', 'w').write('b'); os.mkdir(n + '/d'); os.rename(n + '/below', n + '/d/f')"), "ok");
  EXPECT_EQ(andrew.Get("open(n + '/d/f').read()"), "b");
  EXPECT_EQ(andrew.Get("sorted(os.listdir('.')) == sorted([n, 'f'])"), "True");
  EXPECT_EQ(andrew.Do("os.unlink(n + '/d/f'); os.rmdir(n + '/d'); os.rmdir(n)"), "ok");
  EXPECT_EQ(repository().CommitCount(InRepository(".")), commits);
  EXPECT_EQ(andrew.Do("os.rename('f', n)"), "ok") << "the other way: a deletion";
  EXPECT_EQ(andrew.Get("open(n).read()"), "x");
  EXPECT_EQ(Show("f"), std::nullopt);
  EXPECT_EQ(repository().Fsck(), "");
}

INSTANTIATE_TEST_SUITE_P(Each, ForbiddenName,
                         ::testing::Values(".git", ".GIT", ".gIt", "git~1", "GIT~1", ".g\\u200cit", ".git\\u200d",
                                           "\\ufeff.git", ".git ", ".git.", ".git::$INDEX_ALLOCATION"),
                         [](const ::testing::TestParamInfo<const char*>& each) {
                           return "n" + std::to_string(each.index);
                         });

// A repository on a small disk of its own.
class FullDisk : public MountlessTest {
 protected:
  void SetUp() override {
    MountlessTest::SetUp();
    if (HasFatalFailure()) return;
    disk_ = temp().MakeDirectory("disk");
    ASSERT_EQ(::mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=4m,mode=700"), 0) << std::strerror(errno);
    repository_.emplace(disk_ / "repository");
    mount_.emplace(repository_->path(), temp().path() / "mnt");
    ASSERT_TRUE(mount_->mounted());
  }
  void TearDown() override {
    if (repository_) {
      EXPECT_EQ(repository_->Fsck(), "");
    }
    mount_.reset();
    if (!disk_.empty()) umount2(disk_.c_str(), MNT_DETACH);
  }
  void MakeRoom() {
    ASSERT_EQ(::mount("tmpfs", disk_.c_str(), "tmpfs", MS_REMOUNT, "size=64m,mode=700"), 0) << std::strerror(errno);
  }
  // Fills the disk but for so many bytes, more or less.
  void LeaveRoomFor(std::uint64_t bytes) {
    const auto filler = disk_ / "filler";
    std::filesystem::remove(filler);
    const std::uint64_t free = std::filesystem::space(disk_).available;
    if (free > bytes) WriteFile(filler, std::string(free - bytes, 'f'));
  }
  Repository& repository() { return *repository_; }
  Mount& mount() { return *mount_; }

 private:
  std::filesystem::path disk_;
  std::optional<Repository> repository_;
  std::optional<Mount> mount_;
};

TEST_F(FullDisk, IsENOSPCInAWriteAndLosesNothing) {
  AgentPython andrew("andrew", mount().path());
  ASSERT_EQ(andrew.Do("h = open('f', 'w'); h.write('A'); h.close(); os.listdir('.')"), "ok");
  const std::string head = repository().Head();
  ASSERT_EQ(andrew.Do("fd = os.open('f', os.O_RDWR)"), "ok");
  EXPECT_EQ(andrew.Do("for i in range(100): os.pwrite(fd, b'x' * 65536, i * 65536)"), "ENOSPC");
  EXPECT_EQ(RunAs("benson", "cat f", mount().path()).out, "A");
  EXPECT_EQ(repository().Head(), head);
  MakeRoom();
  EXPECT_EQ(andrew.Do("for i in range(100): os.pwrite(fd, b'y' * 65536, i * 65536)"), "ok");
  EXPECT_EQ(andrew.Do("os.close(fd)"), "ok");
  EXPECT_EQ(repository().Show("f"), std::string(6553600, 'y'));
}

TEST_F(FullDisk, AtAnyPointOfACommitIsReportedAndPublishesNothing) {
  AgentPython andrew("andrew", mount().path());
  ASSERT_EQ(andrew.Do("os.mkdir('d'); h = open('d/f', 'w'); h.write('A'); h.close()"), "ok");
  ASSERT_EQ(andrew.Do("def put(text):\n"
                      "    fd = os.open('d/f', os.O_RDWR)\n"
                      "    try: os.pwrite(fd, text.encode(), 0)\n"
                      "    finally: os.close(fd)\n"),
            "ok");
  std::string accepted = "A";
  int refused = 0;
  for (int room = 0; room <= 48; room += 4) {
    SCOPED_TRACE("room for " + std::to_string(room) + " KiB");
    // Incompressible, as blobs are compressed.
    const std::string text = std::to_string(100 + room) + andrew.Get("os.urandom(4096).hex()");
    LeaveRoomFor(static_cast<std::uint64_t>(room) * 1024);
    const std::string outcome = andrew.Do("put('" + text + "')");
    if (outcome == "ok") {
      accepted = text;
    } else {
      EXPECT_EQ(outcome, "ENOSPC");
      ++refused;
    }
    EXPECT_EQ(repository().Show("d/f"), accepted);
    EXPECT_EQ(repository().Fsck(), "");
    LeaveRoomFor(1 << 20);
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(andrew.Do("h = open('d/f', 'w'); h.write('room again'); h.close()"), "ok");
  EXPECT_EQ(repository().Show("d/f"), "room again");
}

TEST_F(FullDisk, AtACloseKeepsTheContentWhichIsPublishedByWritingAgain) {
  AgentPython andrew("andrew", mount().path());
  ASSERT_EQ(andrew.Do("h = open('f', 'w'); h.write('A'); h.close()"), "ok");
  ASSERT_EQ(andrew.Do("fd = os.open('f', os.O_RDWR); e = os.dup(fd); os.write(fd, os.urandom(4096).hex().encode())"),
            "ok");
  LeaveRoomFor(0);
  EXPECT_EQ(andrew.Do("os.close(fd)"), "ENOSPC");
  EXPECT_EQ(repository().Show("f"), "A");
  EXPECT_EQ(andrew.Get("len(os.pread(e, 99999, 0))"), "8192") << "the working copy stays";
  LeaveRoomFor(1 << 20);
  EXPECT_EQ(andrew.Do("os.pwrite(e, b'again', 0); os.close(e)"), "ok");
  EXPECT_EQ(repository().Show("f")->substr(0, 5), "again");
  EXPECT_EQ(repository().Show("f")->size(), 8192U);
}

class ReadOnly : public MountlessTest {};

TEST_F(ReadOnly, MountIsEROFSForEveryWrite) {
  Repository repository(temp().path() / "repository");
  Clone clone(repository, temp().path() / "clone");
  clone.Push("f", "A\n");
  const std::string head = repository.Head();
  Mount mount(repository.path(), temp().path() / "mnt", {"--read-only"});
  ASSERT_TRUE(mount.mounted());
  EXPECT_EQ(RunAs("andrew", "cat f", mount.path()).out, "A\n");
  for (const char* command : {"echo x > f", "echo x > new", "rm f", "mv f g", "mkdir d", "ln -s f l", "chmod +x f",
                              "truncate -s 0 f", "touch f"}) {
    const Outcome outcome = RunAs("andrew", command, mount.path());
    EXPECT_NE(outcome.status, 0) << command;
    EXPECT_THAT(outcome.err, HasSubstr("Read-only file system")) << command;
  }
  clone.Push("f", "B\n");
  EXPECT_TRUE(Eventually([&] { return RunAs("andrew", "cat f", mount.path()).out == "B\n"; })) << "it follows";
  EXPECT_THAT(repository.Log("%s", "f"), SizeIs(2));
}

TEST_F(ReadOnly, RepositoryCanBeReadAndIsEROFSForWrites) {
  const auto disk = temp().MakeDirectory("disk");
  ASSERT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=8m"), 0) << std::strerror(errno);
  Repository repository(disk / "repository");
  Clone clone(repository, temp().path() / "clone");
  clone.Push("f", "A\n");
  ASSERT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=8m"), 0) << std::strerror(errno);
  {
    Mount mount(repository.path(), temp().path() / "mnt");
    ASSERT_TRUE(mount.mounted());
    EXPECT_EQ(RunAs("andrew", "cat f", mount.path()).out, "A\n");
    for (const char* command : {"echo x > f", "echo x > new", "rm f", "mkdir d"}) {
      const Outcome outcome = RunAs("andrew", command, mount.path());
      EXPECT_NE(outcome.status, 0) << command;
      EXPECT_THAT(outcome.err, HasSubstr("Read-only file system")) << command;
    }
  }
  EXPECT_EQ(repository.Show("f"), "A\n");
  umount2(disk.c_str(), MNT_DETACH);
}

class LimitedSize : public MountlessTest {};

TEST_F(LimitedSize, IsEFBIGForALargerFile) {
  Repository repository(temp().path() / "repository");
  Mount mount(repository.path(), temp().path() / "mnt", {"--max-file-size", "100000"});
  ASSERT_TRUE(mount.mounted());
  AgentPython andrew("andrew", mount.path());
  ASSERT_EQ(andrew.Do("fd = os.open('f', os.O_RDWR | os.O_CREAT); os.write(fd, b'x' * 1000)"), "ok");
  EXPECT_EQ(andrew.Do("os.pwrite(fd, b'x' * 1000, 100000)"), "EFBIG");
  EXPECT_EQ(andrew.Do("os.ftruncate(fd, 100001)"), "EFBIG");
  EXPECT_EQ(andrew.Do("os.truncate('f', 100001)"), "EFBIG");
  EXPECT_EQ(andrew.Do("os.posix_fallocate(fd, 0, 100001)"), "EFBIG");
  EXPECT_EQ(andrew.Do("os.close(fd)"), "ok");
  EXPECT_EQ(repository.Show("f"), std::string(1000, 'x'));
}

}  // namespace
}  // namespace concordfs::mounttest
