// Readers beside writers: every handle is one version, whole, for as long as it is open (R1).
#include <memory>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;

class Readers : public MountTest {};

// A file says how many lines it has, and each line says its version: a mixture can't pass for a version.
constexpr char kWriter[] = R"(
import errno, random, sys
me, rounds = sys.argv[1], int(sys.argv[2])
written = 0
for n in range(rounds * 100):
    count = random.choice((1, 7, 100, 3000, 20000))
    line = "%s-%d" % (me, n)
    try:
        with open("f") as f: f.read()
        with open("f", "w") as f:
            f.write("%d %s\n" % (count, line) + (line + "\n") * count)
        written += 1
    except OSError as error:
        if error.errno != errno.ESTALE: raise
    if written == rounds: break
print(written)
)";

constexpr char kReader[] = R"(
import mmap, os, sys
stop = sys.argv[1]
reads, seen = 0, set()
def check(data, size, how):
    if len(data) != size: sys.exit("%s: size %d, but %d bytes read" % (how, size, len(data)))
    lines = data.decode().split("\n")
    count, name = lines[0].split()
    if lines[1:] != [name] * int(count) + [""]: sys.exit("%s: torn: %r..., %d lines" % (how, lines[:3], len(lines)))
    seen.add(name)
while True:
    last = os.path.exists(stop)
    fd = os.open("f", os.O_RDONLY)
    size = os.fstat(fd).st_size
    parts = []
    while True:
        part = os.read(fd, 5000)
        if not part: break
        parts.append(part)
    check(b"".join(parts), size, "read")
    if os.fstat(fd).st_size != size: sys.exit("fstat changed under an open handle")
    with mmap.mmap(fd, 0, mmap.MAP_PRIVATE, mmap.PROT_READ) as mapped: check(mapped[:], size, "mmap")
    os.close(fd)
    with open("f", "rb") as f: check(f.read(), os.fstat(f.fileno()).st_size, "new open")
    reads += 1
    if last: break
print(reads, len(seen))
)";

TEST_F(Readers, NeverSeeATornFileBesideWriters) {
  Must("setup", "printf '1 start\\nstart\\n' > f");
  const std::filesystem::path stop = Outside() / "stop";
  const auto start = [this](const std::string& agent, std::vector<std::string> arguments) {
    ProcessSpec spec;
    spec.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c"};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.cwd = Dir();
    spec.environment = {{"CONCORDFS_AGENT", agent}};
    return std::make_unique<Process>(spec);
  };
  auto reader_one = start("reader-1", {kReader, stop});
  auto reader_two = start("reader-2", {kReader, stop});
  auto writer_one = start("writer-1", {kWriter, "one", "60"});
  auto writer_two = start("writer-2", {kWriter, "two", "60"});
  for (const auto& writer : {writer_one.get(), writer_two.get()}) {
    const Outcome outcome = writer->Wait();
    EXPECT_EQ(outcome.status, 0) << outcome;
    EXPECT_EQ(outcome.out, "60\n") << "every write was accepted in the end";
  }
  WriteFile(stop, "");
  for (const auto& reader : {reader_one.get(), reader_two.get()}) {
    const Outcome outcome = reader->Wait();
    EXPECT_EQ(outcome.status, 0) << outcome;
    int reads = 0;
    int versions = 0;
    ASSERT_EQ(sscanf(outcome.out.c_str(), "%d %d", &reads, &versions), 2) << outcome;
    EXPECT_GE(reads, 10);
    EXPECT_GE(versions, 3) << "the reader must have seen files change";
  }
  EXPECT_EQ(CommitCount("f"), 121);
}

TEST_F(Readers, KeepTheVersionThatTheyOpenedAfterThreeCommits) {
  Must("andrew", "for i in $(seq 3000); do echo 'version A'; done > f");
  AgentPython benson("benson", Dir());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDONLY); m = mmap.mmap(fd, 0, mmap.MAP_PRIVATE, mmap.PROT_READ)"), "ok");
  ASSERT_EQ(benson.Do("n = os.open('f', os.O_RDONLY)"), "ok");
  Must("andrew", "echo B > f");
  Must("andrew", "for i in $(seq 9000); do echo 'version C'; done > f");
  Must("andrew", "sed -i s/C/D/ f");
  EXPECT_EQ(benson.Get("os.fstat(fd).st_size"), "30000");
  EXPECT_EQ(benson.Get("m[:] == b'version A\\n' * 3000"), "True") << "a mapping, never touched before";
  EXPECT_EQ(benson.Get("os.pread(fd, 99999, 0) == b'version A\\n' * 3000"), "True");
  EXPECT_EQ(benson.Get("os.pread(n, 99999, 0) == b'version A\\n' * 3000"), "True") << "a handle not read before";
  EXPECT_EQ(benson.Get("open('f').read() == 'version D\\n' * 9000"), "True") << "a new open sees the newest";
}

TEST_F(Readers, KeepAFileThatWasRemoved) {
  Must("andrew", "echo 'version A' > f");
  AgentPython benson("benson", Dir());
  ASSERT_EQ(benson.Do("fd = os.open('f', os.O_RDONLY)"), "ok");
  Must("andrew", "rm f");
  EXPECT_EQ(benson.Get("os.read(fd, 99)"), "b'version A\\\\n'");
  EXPECT_EQ(benson.Do("os.open('f', os.O_RDONLY)"), "ENOENT");
}

TEST_F(Readers, SeeACommitInTheFirstOpenAfterItsClose) {
  Must("andrew", "echo 0 > f");
  AgentPython writer("andrew", Dir());
  AgentPython reader("benson", Dir());
  for (int n = 1; n <= 200; ++n) {
    const std::string text(static_cast<std::size_t>(n), 'x');
    ASSERT_EQ(writer.Do("h = open('f', 'w'); h.write('" + text + "'); h.close()"), "ok");
    ASSERT_EQ(reader.Get("(os.stat('f').st_size, len(open('f').read()))"),
              "(" + std::to_string(n) + ", " + std::to_string(n) + ")");
  }
}

TEST_F(Readers, FollowALogWithTail) {
  Must("andrew", "echo first > log");
  Process tail({.argv = {"tail", "-n", "+1", "-s", "0.05", "-F", "log"},
                .cwd = Dir(),
                .environment = {{"CONCORDFS_AGENT", "benson"}},
                .output_file = {}});
  const auto printed = [&tail](const std::string& text) {
    return tail.WaitFor([&] { return tail.out().find(text) != std::string::npos; });
  };
  EXPECT_TRUE(printed("first\n"));
  Must("andrew", "echo second >> log");
  EXPECT_TRUE(printed("second\n")) << tail.out() << tail.err();
  Must("andrew", "sed -i s/first/one/ log; echo third >> log");
  EXPECT_TRUE(printed("third\n")) << tail.out() << tail.err();
  tail.Kill(SIGTERM);
  tail.Wait();
}

}  // namespace
}  // namespace concordfs::mounttest
