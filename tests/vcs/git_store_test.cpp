// What only the store on git has: repositories that can't be opened, objects in files and packs that can be damaged.
#include "vcs/git/git_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <utility>
#include <vector>

#include "tests/vcs/git_repo.h"

namespace concordfs::vcs::git {
namespace {

using ::testing::HasSubstr;

// Making and opening repositories.

TEST_F(GitStore, InitMakesABareRepositoryWithOneEmptyCommit) {
  EXPECT_TRUE(repo_.repository().bare);
  EXPECT_EQ(repo_.repository().git_dir, stdfs::canonical(repo_.path()));
  EXPECT_EQ(repo_.Git("symbolic-ref HEAD").output, "refs/heads/main\n");
  EXPECT_EQ(repo_.Git("log --format='%an <%ae> %cn %s'").output, "ConcordFS <concordfs@localhost> ConcordFS Start\n");
  EXPECT_EQ(repo_.Git("ls-tree -r HEAD").output, "");
  EXPECT_EQ(repo_.Git("config gc.auto").output, "0\n");
  repo_.ExpectFsckClean();
}

TEST_F(GitStore, InitTakesAnEmptyFolderAndABranchOfAnyValidName) {
  const stdfs::path path = folder_.path() / "empty";
  stdfs::create_directory(path);
  ASSERT_OK(InitRepository(path, "team/work"));
  EXPECT_EQ(Shell("git -C " + path.string() + " rev-parse --abbrev-ref HEAD").output, "team/work\n");
}

TEST_F(GitStore, InitRefusesWhatIsThereAndLeavesItAlone) {
  const stdfs::path full = folder_.path() / "full";
  WriteFile(full / "precious", "1");
  EXPECT_CODE(InitRepository(full, "main"), Code::kExists);
  EXPECT_EQ(ReadFile(full / "precious"), "1");
  EXPECT_CODE(InitRepository(full / "precious", "main"), Code::kExists);
  EXPECT_CODE(InitRepository(repo_.path(), "main"), Code::kExists);
}

TEST_F(GitStore, InitRefusesABadBranchNameAndMakesNothing) {
  for (const char* branch : {"", "a b", "a..b", "-a", "HEAD", "a\nb", "a.lock"}) {
    EXPECT_CODE(InitRepository(folder_.path() / "new", branch), Code::kInvalidName);
    EXPECT_FALSE(stdfs::exists(folder_.path() / "new")) << branch;
  }
}

TEST_F(GitStore, OpenSaysWhatIsWrong) {
  EXPECT_CODE(OpenRepository(folder_.path() / "nothing", Durability::kProcess), Code::kNotFound);

  WriteFile(folder_.path() / "plain/file", "x");
  auto plain = OpenRepository(folder_.path() / "plain", Durability::kProcess);
  EXPECT_CODE(plain, Code::kInvalidArgument);
  EXPECT_THAT(plain.error().message, HasSubstr("not a git repository"));
  EXPECT_CODE(OpenRepository(folder_.path() / "plain/file", Durability::kProcess), Code::kInvalidArgument);

  const std::string sha256 = (folder_.path() / "sha256").string();
  ASSERT_EQ(Shell("git init -q --bare --object-format=sha256 " + sha256).status, 0);
  auto other_hash = OpenRepository(sha256, Durability::kProcess);
  EXPECT_CODE(other_hash, Code::kInvalidArgument);
  EXPECT_THAT(other_hash.error().message, HasSubstr("SHA-1"));

  const std::string reftable = (folder_.path() / "reftable").string();
  ASSERT_EQ(
      Shell("git init -q --bare " + reftable + " && git -C " + reftable +
            " config core.repositoryformatversion 1 && git -C " + reftable + " config extensions.refStorage reftable")
          .status,
      0);
  auto other_refs = OpenRepository(reftable, Durability::kProcess);
  EXPECT_CODE(other_refs, Code::kInvalidArgument);
  EXPECT_THAT(other_refs.error().message, HasSubstr("refs in files"));
}

TEST_F(GitStore, OpenSearchesNoParentFolder) {
  const stdfs::path tree = folder_.path() / "tree";
  ASSERT_EQ(Shell("git init -q " + tree.string()).status, 0);
  stdfs::create_directory(tree / "sub");
  auto opened = OpenRepository(tree, Durability::kProcess);
  ASSERT_OK(opened);
  EXPECT_FALSE(opened->bare);
  EXPECT_EQ(opened->git_dir, stdfs::canonical(tree / ".git"));
  EXPECT_CODE(OpenRepository(tree / "sub", Durability::kProcess), Code::kInvalidArgument);
}

TEST_F(GitStore, OpensARepositoryOfAnotherUser) {
  ASSERT_EQ(Shell("chown -R 65534:65534 " + repo_.path().string()).status, 0) << "this test needs root";
  ASSERT_OK(OpenRepository(repo_.path(), Durability::kProcess));
}

// Objects.

TEST_F(GitStore, HashesAreGits) {
  EXPECT_EQ(store().Hash(ObjectKind::kBlob, "hello\n").Hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(store().Hash(ObjectKind::kTree, "").Hex(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
}

TEST_F(GitStore, StockGitReadsWhatWasCommitted) {
  const std::string content = RandomBytes(2'000'000);
  ASSERT_OK(repo_.Commit(content, "one"));
  EXPECT_TRUE(repo_.Git("show HEAD:f").output == content);
  EXPECT_EQ(repo_.Git("log --format=%s").output, "one\nStart\n");
  repo_.ExpectFsckClean();
}

// Each way in which a crash or a disk damages a file.
const std::pair<const char*, std::function<std::string(std::string)>> kDamages[] = {
    {"empty", [](const std::string&) { return std::string(); }},
    {"one byte", [](std::string bytes) { return bytes.substr(0, 1); }},
    {"cut in its header", [](std::string bytes) { return bytes.substr(0, 8); }},
    {"cut in half", [](std::string bytes) { return bytes.substr(0, bytes.size() / 2); }},
    {"last byte gone", [](std::string bytes) { return bytes.substr(0, bytes.size() - 1); }},
    {"a bit flipped at its start",
     [](std::string bytes) {
       bytes[0] = static_cast<char>(bytes[0] ^ 1);
       return bytes;
     }},
    {"a bit flipped in its middle",
     [](std::string bytes) {
       bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
       return bytes;
     }},
    {"zeros", [](std::string bytes) { return std::string(bytes.size(), '\0'); }},
    {"garbage behind", [](std::string bytes) { return bytes + "x"; }},
};

TEST_F(GitStore, ADamagedLooseObjectIsReportedThenKeptAsideAndReplaced) {
  for (const std::size_t size : {std::size_t{2000}, std::size_t{2'500'000}}) {
    unsigned seed = 0;
    for (const auto& [name, damage] : kDamages) {
      SCOPED_TRACE(std::string(name) + ", of " + std::to_string(size));
      const std::string content = RandomBytes(size, ++seed);
      const ObjectId id = store().Hash(ObjectKind::kBlob, content);
      ASSERT_OK(store().AddBlob(content));
      const std::string damaged = damage(ReadFile(repo_.LooseFile(id)));
      WriteFile(repo_.LooseFile(id), damaged);

      EXPECT_CODE(store().Read(id, ObjectKind::kBlob), Code::kCorrupt);
      ASSERT_OK(store().AddBlob(content));
      auto read = store().Read(id, ObjectKind::kBlob);
      ASSERT_OK(read);
      EXPECT_TRUE(*read == content);
      EXPECT_EQ(ReadFile(repo_.path() / "concordfs/damaged" / id.Hex()), damaged);
    }
  }
  repo_.ExpectFsckClean();
  struct stat state;
  ASSERT_EQ(::stat((repo_.path() / "concordfs/damaged").c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 07777, 0700U) << "nobody else may read what was private";
}

TEST_F(GitStore, AnObjectThatClaimsTheIdOfAnotherIsCorrupt) {
  const std::string content = "the right bytes";
  const ObjectId id = store().Hash(ObjectKind::kBlob, content);
  auto other = store().AddBlob("quite other bytes");
  ASSERT_OK(other);
  WriteFile(repo_.LooseFile(id), ReadFile(repo_.LooseFile(*other)));
  EXPECT_CODE(store().Read(id, ObjectKind::kBlob), Code::kCorrupt);
  ASSERT_OK(store().AddBlob(content));
  ASSERT_OK(store().Read(id, ObjectKind::kBlob));
}

TEST_F(GitStore, ReplacesADamagedTreeAndCommitOnPublish) {
  auto blob = store().AddBlob("content");
  ASSERT_OK(blob);
  const Publication publication = repo_.CommitOf(*blob, repo_.Head(), "one");
  for (const NewObject& object : publication.objects) WriteFile(repo_.LooseFile(object.id), "");
  ASSERT_OK(store().Publish(publication));
  repo_.ExpectFsckClean();
}

TEST_F(GitStore, ReadsPackedObjectsAndWritesNoneOfThemAgain) {
  const std::string content = RandomBytes(100'000);
  ASSERT_OK(repo_.Commit(content, "one"));
  const ObjectId blob = store().Hash(ObjectKind::kBlob, content);
  ASSERT_EQ(repo_.Git("gc -q --prune=now").status, 0);
  ASSERT_FALSE(stdfs::exists(repo_.LooseFile(blob)));
  repo_.Reopen();
  auto read = store().Read(blob, ObjectKind::kBlob);
  ASSERT_OK(read);
  EXPECT_TRUE(*read == content);
  auto size = store().BlobSize(blob);
  ASSERT_OK(size);
  EXPECT_EQ(*size, content.size());
  ASSERT_OK(store().AddBlob(content));
  EXPECT_FALSE(stdfs::exists(repo_.LooseFile(blob)));
}

TEST_F(GitStore, KeepsReadingWhilePacksAreReplaced) {
  std::vector<ObjectId> blobs;
  for (int i = 0; i < 5; ++i) {
    const std::string content = RandomBytes(5000, static_cast<unsigned>(i + 1));
    ASSERT_OK(repo_.Commit(content, std::to_string(i)));
    blobs.push_back(store().Hash(ObjectKind::kBlob, content));
    ASSERT_EQ(repo_.Git("repack -a -d -q").status, 0);
    ASSERT_EQ(repo_.Git("prune-packed").status, 0);
    for (const ObjectId& blob : blobs) ASSERT_OK(store().Read(blob, ObjectKind::kBlob));
  }
}

TEST_F(GitStore, ADamagedPackIsCorruptUntilTheBytesAreAddedAgain) {
  const std::string content = RandomBytes(50'000);
  ASSERT_OK(repo_.Commit(content, "one"));
  const ObjectId blob = store().Hash(ObjectKind::kBlob, content);
  ASSERT_EQ(repo_.Git("repack -a -d -q").status, 0);
  ASSERT_EQ(repo_.Git("prune-packed").status, 0);
  for (const auto& entry : stdfs::directory_iterator(repo_.path() / "objects/pack")) {
    if (entry.path().extension() != ".pack") continue;
    std::string pack = ReadFile(entry.path());
    for (std::size_t at = pack.size() / 2; at < pack.size() / 2 + 100; ++at) pack[at] = '\0';
    WriteFile(entry.path(), pack);
  }
  repo_.Reopen();
  EXPECT_CODE(store().Read(blob, ObjectKind::kBlob), Code::kCorrupt);
  ASSERT_OK(store().AddBlob(content));
  auto read = store().Read(blob, ObjectKind::kBlob);
  ASSERT_OK(read);
  EXPECT_TRUE(*read == content);
}

TEST_F(GitStore, ReadsWhatAnAlternateHas) {
  ASSERT_OK(repo_.Commit("from the alternate\n", "one"));
  const std::string borrower = (folder_.path() / "borrower").string();
  ASSERT_EQ(Shell("git clone -q --bare --shared " + repo_.path().string() + " " + borrower).status, 0);
  auto opened = OpenRepository(borrower, Durability::kProcess);
  ASSERT_OK(opened);
  auto read = opened->store->Read(store().Hash(ObjectKind::kBlob, "from the alternate\n"), ObjectKind::kBlob);
  ASSERT_OK(read);
  EXPECT_EQ(*read, "from the alternate\n");
}

TEST_F(GitStore, RefusesAnObjectThatIsTooBigByItsHeader) {
  // "blob 999999999999\0" and nothing more: what a hostile object of a few bytes can claim.
  const std::string script =
      "python3 -c \"import zlib,sys; sys.stdout.buffer.write(zlib.compress(b'blob 999999999999\\\\0' + b'x' * 100))\" "
      "> ";
  const ObjectId id = store().Hash(ObjectKind::kBlob, "never seen");
  stdfs::create_directories(repo_.LooseFile(id).parent_path());
  const Outcome made = Shell(script + repo_.LooseFile(id).string());
  ASSERT_EQ(made.status, 0) << made.output;
  EXPECT_CODE(store().Read(id, ObjectKind::kBlob), Code::kCorrupt);
}

std::uint64_t PeakMemoryKiB() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6));
  }
  return 0;
}

TEST_F(GitStore, MemoryDoesNotGrowWithABlobsSize) {
  constexpr std::uint64_t kSize = 64U << 20;
  constexpr std::uint64_t kAllowedKiB = 16U << 10;
  const stdfs::path path = folder_.path() / "large";
  {
    std::ofstream file(path, std::ios::binary);
    for (unsigned i = 0; i < kSize >> 20; ++i) file << RandomBytes(1U << 20, i + 1);
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int copy = ::open((folder_.path() / "copy").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_GE(copy, 0);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
  const std::uint64_t before = PeakMemoryKiB();
  ASSERT_GT(before, 0U);
  auto id = store().AddBlob(fd, kSize);
  ASSERT_OK(id);
  ASSERT_OK(store().CopyBlobTo(*id, copy));
  EXPECT_LE(PeakMemoryKiB(), before + kAllowedKiB);
  ::close(fd);
  ::close(copy);
  EXPECT_EQ(Shell("cmp " + path.string() + " " + (folder_.path() / "copy").string()).status, 0);
}

}  // namespace
}  // namespace concordfs::vcs::git
