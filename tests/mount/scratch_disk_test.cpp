// Scratch files have all that the disk gives them (R12), with kernel passthrough and without.
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;

// Runs with passthrough, if the kernel has it, and without.
class ScratchDisk : public MountlessTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    MountlessTest::SetUp();
    if (HasFatalFailure()) return;
    repository_.emplace(temp().path() / "repository");
    std::vector<std::string> arguments{"--scratch", "/out/"};
    if (GetParam() == std::string("daemon")) arguments.push_back("--no-passthrough");
    mount_.emplace(repository_->path(), temp().path() / "mnt", arguments);
    std::filesystem::create_directory(mount_->path() / "out");
    head_ = repository_->Head();
  }
  void TearDown() override {
    if (!repository_) return;
    EXPECT_EQ(repository_->Head(), head_) << "a commit for a scratch file";
    EXPECT_EQ(repository_->Fsck(), "");
  }
  Mount& mount() { return *mount_; }
  std::filesystem::path Out() const { return mount_->path() / "out"; }
  Outcome As(const std::string& agent, const std::string& command) const { return RunAs(agent, command, Out()); }
  nlohmann::json Status() const {
    return nlohmann::json::parse(Concordfs({"status", "--json", mount_->path()}).out)["scratch"];
  }

 private:
  std::optional<Repository> repository_;
  std::optional<Mount> mount_;
  std::string head_;
};

INSTANTIATE_TEST_SUITE_P(By, ScratchDisk, ::testing::Values("kernel", "daemon"),
                         [](const ::testing::TestParamInfo<const char*>& each) { return std::string(each.param); });

TEST_P(ScratchDisk, CountsNoReadOrWriteThatTheKernelDoes) {
  const nlohmann::json before = Status();
  const bool passthrough = before["passthrough"];
  EXPECT_EQ(As("andrew", "dd if=/dev/zero of=big bs=64K count=160 status=none; cat big | wc -c").out, "10485760\n");
  EXPECT_EQ(As("benson", "echo x >> big; tail -c 2 big; truncate -s 5M big; stat -c %s big").out, "x\n5242880\n");
  const nlohmann::json after = Status();
  if (passthrough) {
    EXPECT_STREQ(GetParam(), "kernel");
    EXPECT_EQ(after["read_requests"], before["read_requests"]);
    EXPECT_EQ(after["write_requests"], before["write_requests"]);
  } else {
    EXPECT_GT(after["read_requests"], before["read_requests"]);
    EXPECT_GT(after["write_requests"], before["write_requests"]);
  }
  EXPECT_EQ(after["open_files"], 0);
}

TEST_P(ScratchDisk, LinksFiles) {
  EXPECT_EQ(As("andrew", "echo x > a; mkdir d; ln a b; ln b d/c; stat -c %h a b d/c | sort -u").out, "3\n");
  EXPECT_EQ(As("benson", "test a -ef b && test b -ef d/c && echo same; echo y >> d/c; cat a").out, "same\nx\ny\n");
  EXPECT_EQ(As("benson", "rm a; stat -c %h b; cp -al d e; test b -ef e/c && echo same; stat -c %h b").out,
            "2\nsame\n3\n");
  EXPECT_EQ(As("andrew", "mv b d/c; ls b d/c").out, "b\nd/c\n") << "rename(2) of a file over itself does nothing";
}

TEST_P(ScratchDisk, HasSocketsAndPipes) {
  AgentPython server("andrew", Out());
  ASSERT_EQ(server.Do("import socket; s = socket.socket(socket.AF_UNIX); s.bind('sock'); s.listen()"), "ok");
  AgentPython client("benson", Out());
  EXPECT_EQ(client.Do("import socket; c = socket.socket(socket.AF_UNIX); c.connect('sock'); c.send(b'hello')"), "ok");
  EXPECT_EQ(server.Get("s.accept()[0].recv(9)"), "b'hello'");
  EXPECT_EQ(As("andrew", "mkfifo p; cat p & echo through > p; wait; test -S sock && test -p p && rm sock p && ls").out,
            "through\n");
}

TEST_P(ScratchDisk, LocksFilesAcrossAgents) {
  AgentPython andrew("andrew", Out());
  AgentPython benson("benson", Out());
  for (AgentPython* agent : {&andrew, &benson}) {
    ASSERT_EQ(
        agent->Do("f = os.open('locked', os.O_RDWR | os.O_CREAT); g = os.open('locked2', os.O_RDWR | os.O_CREAT)"),
        "ok");
  }
  ASSERT_EQ(andrew.Do("fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(g, fcntl.LOCK_EX, 10, 0)"), "ok");
  EXPECT_EQ(benson.Do("fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"), "EAGAIN");
  EXPECT_EQ(benson.Do("fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)"), "EAGAIN");
  EXPECT_EQ(benson.Do("fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 10)"), "ok");
  ASSERT_EQ(andrew.Do("os.close(f); os.close(g)"), "ok");
  EXPECT_EQ(benson.Do("fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"), "ok");
  EXPECT_EQ(benson.Do("fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)"), "ok");
}

TEST_P(ScratchDisk, MapsFilesShared) {
  AgentPython andrew("andrew", Out());
  AgentPython benson("benson", Out());
  ASSERT_EQ(andrew.Do("f = os.open('m', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 8192); m = mmap.mmap(f, 8192)"), "ok");
  ASSERT_EQ(benson.Do("f = os.open('m', os.O_RDWR); m = mmap.mmap(f, 8192)"), "ok");
  ASSERT_EQ(andrew.Do("m[0:5] = b'hello'"), "ok");
  EXPECT_EQ(benson.Get("m[0:5]"), "b'hello'");
  ASSERT_EQ(benson.Do("m[4096:4099] = b'you'"), "ok");
  EXPECT_EQ(andrew.Get("m[4096:4099]"), "b'you'");
  ASSERT_EQ(andrew.Do("m.flush(); m.close(); os.close(f)"), "ok");
  ASSERT_EQ(benson.Do("m.flush(); m.close(); os.close(f)"), "ok");
  EXPECT_EQ(As("andrew", "head -c 5 m; tail -c 4096 m | head -c 3").out, "helloyou");
}

TEST_P(ScratchDisk, KeepsAttributes) {
  AgentPython andrew("andrew", Out());
  ASSERT_EQ(andrew.Do("open('f', 'w').close(); os.setxattr('f', 'user.a', b'1'); os.setxattr('f', 'user.b', b'')"),
            "ok");
  EXPECT_EQ(andrew.Get("sorted(os.listxattr('f'))"), "['user.a', 'user.b']");
  EXPECT_EQ(andrew.Get("os.getxattr('f', 'user.a')"), "b'1'");
  EXPECT_EQ(andrew.Do("os.setxattr('f', 'user.a', b'2', os.XATTR_CREATE)"), "EEXIST");
  EXPECT_EQ(andrew.Do("os.removexattr('f', 'user.b'); os.getxattr('f', 'user.b')"), "ENODATA");
  EXPECT_EQ(As("andrew", "chmod 4711 f; chown 12:34 f; chmod 4711 f; touch -d @12.5 f; stat -c '%a %u %g %.1Y' f").out,
            "4711 12 34 12.5\n");
  EXPECT_EQ(As("andrew", "test \"$(stat -c %W f)\" -gt 1500000000 && echo born").out, "born\n");
  EXPECT_EQ(As("andrew", "umask 027; mkdir d; echo > d/f; stat -c %a d d/f").out, "750\n640\n");
}

TEST_P(ScratchDisk, HasHoles) {
  AgentPython andrew("andrew", Out());
  ASSERT_EQ(andrew.Do("f = os.open('h', os.O_RDWR | os.O_CREAT); os.pwrite(f, b'x' * 4096, 1 << 20); os.fsync(f)"),
            "ok");
  EXPECT_EQ(andrew.Get("os.fstat(f).st_size"), std::to_string((1 << 20) + 4096));
  EXPECT_EQ(andrew.Get("os.fstat(f).st_blocks * 512 < 1 << 19"), "True");
  EXPECT_EQ(andrew.Get("os.lseek(f, 0, os.SEEK_HOLE)"), "0");
  EXPECT_EQ(andrew.Get("os.lseek(f, 0, os.SEEK_DATA)"), std::to_string(1 << 20));
  EXPECT_EQ(andrew.Do("os.lseek(f, 2 << 20, os.SEEK_DATA)"), "ENXIO");
  EXPECT_EQ(As("andrew",
               "fallocate -l 2M h; stat -c %s h; fallocate -p -o 1M -l 4K h; tail -c +1048577 h | tr -d '\\0' | wc -c")
                .out,
            "2097152\n0\n");
}

TEST_P(ScratchDisk, AppendsOfTwoAgentsAreAllThere) {
  constexpr char kAppend[] =
      "import os,sys\nfd = os.open('log', os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
      "for i in range(500): os.write(fd, b'%s %d\\n' % (sys.argv[1].encode(), i))";
  std::vector<std::unique_ptr<Process>> agents;
  for (const char* name : {"andrew", "benson"}) {
    ProcessSpec spec;
    spec.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kAppend, name};
    spec.cwd = Out();
    spec.environment = {{"CONCORDFS_AGENT", name}};
    agents.push_back(std::make_unique<Process>(spec));
  }
  for (const auto& agent : agents) EXPECT_EQ(agent->Wait().status, 0);
  EXPECT_EQ(
      As("reader", "wc -l < log; sort -u log | wc -l; grep -c '^andrew [0-9]*$' log; grep -c '^benson [0-9]*$' log")
          .out,
      "1000\n1000\n500\n500\n");
}

TEST_P(ScratchDisk, KeepsAnUnlinkedFileForWhoHasItOpen) {
  AgentPython andrew("andrew", Out());
  ASSERT_EQ(andrew.Do("f = os.open('gone', os.O_RDWR | os.O_CREAT); os.write(f, b'one'); os.unlink('gone')"), "ok");
  EXPECT_NE(As("benson", "cat gone").status, 0);
  EXPECT_EQ(andrew.Do("os.write(f, b'two'); os.fchmod(f, 0o600); os.ftruncate(f, 5)"), "ok");
  EXPECT_EQ(andrew.Get("os.pread(f, 9, 0), os.fstat(f).st_nlink, os.fstat(f).st_size"), "(b'onetw', 0, 5)");
  EXPECT_EQ(As("benson", "echo other > gone; cat gone").out, "other\n");
  EXPECT_EQ(andrew.Get("os.pread(f, 9, 0)"), "b'onetw'");
  EXPECT_EQ(andrew.Do("os.close(f)"), "ok");
}

TEST_P(ScratchDisk, RunsProgramsAndGuardsTheirText) {
  EXPECT_EQ(As("andrew", "cp \"$(command -v sleep)\" prog && chmod 755 prog").status, 0);
  ProcessSpec spec;
  spec.argv = {Out() / "prog", "60"};
  Process program(spec);
  // The child runs it once /proc says so.
  const std::string exe = "/proc/" + std::to_string(program.pid()) + "/exe";
  ASSERT_TRUE(Eventually([&] {
    std::error_code error;
    return std::filesystem::read_symlink(exe, error) == Out() / "prog";
  }));
  AgentPython benson("benson", Out());
  EXPECT_EQ(benson.Do("os.open('prog', os.O_WRONLY)"), "ETXTBSY");
  program.Kill(SIGKILL);
  program.Wait();
  ASSERT_EQ(benson.Do("f = os.open('prog', os.O_WRONLY)"), "ok");
  EXPECT_THAT(As("andrew", "./prog 0").err, HasSubstr("Text file busy"));
  ASSERT_EQ(benson.Do("os.close(f)"), "ok");
  EXPECT_EQ(As("andrew", "./prog 0").status, 0);
}

TEST_P(ScratchDisk, ListsThousandsOfNames) {
  EXPECT_EQ(
      As("andrew", "mkdir d; cd d; seq -f n%g 3000 | xargs touch; ls | wc -l; rm n1??; ls | wc -l; rm -r ../d").out,
      "3000\n2900\n");
}

// An ordinary user mounts with fusermount3 and has no right to passthrough. A mount namespace has a /dev/fuse for
// everybody, whatever the machine's is.
constexpr char kOrdinaryUser[] = R"(
set -e
mknod fuse c 10 229; chmod 666 fuse; mount --bind fuse /dev/fuse
exec setpriv --reuid 65534 --regid 65534 --clear-groups bash -e <<'END'
./concordfs init r >&2
mkdir m
./concordfs mount r m --scratch /out/ >&2
trap './concordfs umount m' EXIT
cd m
mkdir out
dd if=/dev/zero of=out/a bs=1M count=3 status=none
ln out/a out/b
stat -c '%s %h %u' out/b
echo v > v
cp out/a out/c
mv out/c f
git -C ../r log --format=%s -2 main
cat v out/a | wc -c
../concordfs status --json . | grep -o '"passthrough": *[a-z]*' | tr -d ' '
cd ..
./concordfs umount m
trap - EXIT
git -C r fsck --strict --no-progress >&2
END
)";

TEST_F(MountlessTest, WorksTheSameForAnOrdinaryUser) {
  const Outcome there = RunAs("", "command -v fusermount3 setpriv unshare", "/");
  ASSERT_EQ(there.status, 0) << "fusermount3 (package fuse3), setpriv and unshare are needed, and found are: "
                             << there.out;
  const std::filesystem::path home = temp().MakeDirectory("home");
  std::filesystem::permissions(temp().path(), std::filesystem::perms(0755));
  ASSERT_EQ(RunAs("", "cp " CONCORDFS_BINARY " concordfs && chown -R 65534:65534 .", home).status, 0);
  const Outcome outcome =
      mounttest::Run({.argv = {"unshare", "--mount", "--propagation", "private", "bash", "-c", kOrdinaryUser},
                      .cwd = home,
                      .environment = {{"CONCORDFS_AGENT", "nobody"}, {"HOME", home}},
                      .output_file = {}});
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_EQ(outcome.out, "3145728 2 65534\nCreate f\nCreate v\n3145730\n\"passthrough\":false\n");
}

}  // namespace
}  // namespace concordfs::mounttest
