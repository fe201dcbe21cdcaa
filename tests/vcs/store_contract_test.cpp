// What every Store keeps, run against the one in memory and the one on git, so that the first can't drift.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <fstream>
#include <random>
#include <thread>

#include "tests/support/expect_result.h"
#include "tests/support/memory_store.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"
#include "vcs/git/git_store.h"
#include "vcs/store.h"

namespace concordfs::vcs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kMain;

class MemoryHarness {
 public:
  Store& store() { return store_; }
  void Damage(const ObjectId& id) { store_.Damage(id); }
  void ForceRef(const std::string& name, const ObjectId& target) { store_.ForceRef(name, target); }

 private:
  MemoryStore store_;
};

class GitHarness {
 public:
  GitHarness() {
    const auto path = folder_.path() / "repo";
    auto made = git::InitRepository(path, "elsewhere");
    if (!made) throw std::runtime_error(made.error().message);
    auto opened = git::OpenRepository(path, git::Durability::kProcess);
    if (!opened) throw std::runtime_error(opened.error().message);
    repository_ = std::move(*opened);
  }
  Store& store() { return *repository_.store; }

  // Cuts the object's file in half, as a crash does.
  void Damage(const ObjectId& id) {
    const auto path = repository_.git_dir / "objects" / id.Hex().substr(0, 2) / id.Hex().substr(2);
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0) << path;
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  }
  void ForceRef(const std::string& name, const ObjectId& target) {
    std::ofstream(repository_.git_dir / name) << target.Hex() << "\n";
  }

 private:
  TempDir folder_;
  git::Repository repository_;
};

// An unnamed file with this content.
class File {
 public:
  explicit File(std::string_view content) : fd_(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    if (fd_ < 0) throw std::runtime_error("no file below /tmp can be made");
    if (::pwrite(fd_, content.data(), content.size(), 0) != static_cast<ssize_t>(content.size())) {
      throw std::runtime_error("a file below /tmp can't be written");
    }
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }
  std::string Content() const {
    struct stat state;
    EXPECT_EQ(::fstat(fd_, &state), 0);
    std::string content(static_cast<std::size_t>(state.st_size), '\0');
    EXPECT_EQ(::pread(fd_, content.data(), content.size(), 0), state.st_size);
    return content;
  }

 private:
  const int fd_;
};

std::string RandomBytes(std::size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

template <class Harness>
class StoreContract : public ::testing::Test {
 protected:
  Store& store() { return harness_.store(); }

  // A commit of an empty tree that differs from all others by its text; and the objects that it needs.
  Publication CommitOn(const std::optional<ObjectId>& parent, const std::string& text, const char* ref = kMain) {
    const NewObject tree{store().Hash(ObjectKind::kTree, ""), ObjectKind::kTree, ""};
    std::string lines = "tree " + tree.id.Hex() + "\n";
    if (parent) lines += "parent " + parent->Hex() + "\n";
    lines += "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n" + text + "\n";
    const NewObject commit{store().Hash(ObjectKind::kCommit, lines), ObjectKind::kCommit, lines};
    Publication publication;
    publication.objects = {tree, commit};
    publication.ref = ref;
    publication.expected = parent;
    publication.tip = commit.id;
    publication.reason = "test: " + text;
    return publication;
  }

  ObjectId MustPublish(const std::optional<ObjectId>& parent, const std::string& text, const char* ref = kMain) {
    const Publication publication = CommitOn(parent, text, ref);
    const auto published = store().Publish(publication);
    EXPECT_TRUE(published.ok()) << published.error().message;
    return publication.tip;
  }

  std::optional<ObjectId> MustReadRef(const std::string& name) {
    auto target = store().ReadRef(name);
    EXPECT_TRUE(target.ok()) << target.error().message;
    return target.ok() ? *target : std::nullopt;
  }

  ObjectId MustAdd(std::string_view bytes) {
    auto id = store().AddBlob(bytes);
    EXPECT_TRUE(id.ok()) << id.error().message;
    return id.ok() ? *id : ObjectId();
  }

  Harness harness_;
};

using Harnesses = ::testing::Types<MemoryHarness, GitHarness>;
class HarnessName {
 public:
  template <class T>
  static std::string GetName(int) {
    return std::is_same_v<T, MemoryHarness> ? "Memory" : "Git";
  }
};
TYPED_TEST_SUITE(StoreContract, Harnesses, HarnessName);

TYPED_TEST(StoreContract, HashDependsOnBytesAndKind) {
  Store& store = this->store();
  EXPECT_EQ(store.Hash(ObjectKind::kBlob, "a"), store.Hash(ObjectKind::kBlob, "a"));
  EXPECT_NE(store.Hash(ObjectKind::kBlob, "a"), store.Hash(ObjectKind::kBlob, "b"));
  EXPECT_NE(store.Hash(ObjectKind::kBlob, ""), store.Hash(ObjectKind::kTree, ""));
}

TYPED_TEST(StoreContract, ReadsBackWhatWasAdded) {
  Store& store = this->store();
  for (const std::string& bytes : {std::string(), std::string("text\n"), std::string("\0\1\0", 3), RandomBytes(700'001),
                                   std::string(100'000, 'x')}) {
    const ObjectId id = this->MustAdd(bytes);
    EXPECT_EQ(id, store.Hash(ObjectKind::kBlob, bytes));
    auto read = store.Read(id, ObjectKind::kBlob);
    ASSERT_OK(read);
    EXPECT_TRUE(*read == bytes) << bytes.size();
    auto size = store.BlobSize(id);
    ASSERT_OK(size);
    EXPECT_EQ(*size, bytes.size());
  }
}

TYPED_TEST(StoreContract, AnUnknownObjectIsNotFound) {
  const ObjectId unknown = this->store().Hash(ObjectKind::kBlob, "never added");
  EXPECT_CODE(this->store().Read(unknown, ObjectKind::kBlob), Code::kNotFound);
  EXPECT_CODE(this->store().BlobSize(unknown), Code::kNotFound);
  File file("");
  EXPECT_CODE(this->store().CopyBlobTo(unknown, file.fd()), Code::kNotFound);
  EXPECT_CODE(this->store().Read(ObjectId(), ObjectKind::kBlob), Code::kNotFound);
}

TYPED_TEST(StoreContract, AnObjectOfAnotherKindIsCorrupt) {
  const ObjectId blob = this->MustAdd("blob");
  const ObjectId commit = this->MustPublish(std::nullopt, "one");
  EXPECT_CODE(this->store().Read(blob, ObjectKind::kCommit), Code::kCorrupt);
  EXPECT_CODE(this->store().Read(commit, ObjectKind::kTree), Code::kCorrupt);
  EXPECT_CODE(this->store().BlobSize(commit), Code::kCorrupt);
  File file("");
  EXPECT_CODE(this->store().CopyBlobTo(commit, file.fd()), Code::kCorrupt);
}

TYPED_TEST(StoreContract, CopiesABlobFromTheFilesStartAndLeavesItsPosition) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{3'000'000}}) {
    const std::string bytes = RandomBytes(size);
    const ObjectId id = this->MustAdd(bytes);
    File file("");
    ASSERT_EQ(::lseek(file.fd(), 17, SEEK_SET), 17);
    const auto copied = this->store().CopyBlobTo(id, file.fd());
    ASSERT_OK(copied);
    EXPECT_TRUE(file.Content() == bytes) << size;
    EXPECT_EQ(::lseek(file.fd(), 0, SEEK_CUR), 17);
  }
}

TYPED_TEST(StoreContract, AddsTheFirstBytesOfAFile) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{1} << 20, std::size_t{3'000'000}}) {
    const std::string bytes = RandomBytes(size);
    File file(bytes + "more than that");
    ASSERT_EQ(::lseek(file.fd(), 3, SEEK_SET), 3);
    for (int time = 0; time < 2; ++time) {  // the second time it is there already
      auto id = this->store().AddBlob(file.fd(), size);
      ASSERT_OK(id);
      EXPECT_EQ(*id, this->store().Hash(ObjectKind::kBlob, bytes));
    }
    auto read = this->store().Read(this->store().Hash(ObjectKind::kBlob, bytes), ObjectKind::kBlob);
    ASSERT_OK(read);
    EXPECT_TRUE(*read == bytes) << size;
    EXPECT_EQ(::lseek(file.fd(), 0, SEEK_CUR), 3);
  }
}

TYPED_TEST(StoreContract, AFileThatIsTooShortIsAnIoError) {
  File file("short");
  EXPECT_CODE(this->store().AddBlob(file.fd(), 6), Code::kIo);
  EXPECT_CODE(this->store().AddBlob(file.fd(), 5'000'000), Code::kIo);
}

TYPED_TEST(StoreContract, ADamagedObjectIsCorruptUntilItIsAddedAgain) {
  for (const std::size_t size : {std::size_t{4000}, std::size_t{3'000'000}}) {
    const std::string bytes = RandomBytes(size);
    const ObjectId id = this->MustAdd(bytes);
    this->harness_.Damage(id);
    EXPECT_CODE(this->store().Read(id, ObjectKind::kBlob), Code::kCorrupt);
    File copy("");
    EXPECT_CODE(this->store().CopyBlobTo(id, copy.fd()), Code::kCorrupt);

    File file(bytes);
    auto again = this->store().AddBlob(file.fd(), size);
    ASSERT_OK(again);
    auto read = this->store().Read(id, ObjectKind::kBlob);
    ASSERT_OK(read);
    EXPECT_TRUE(*read == bytes) << size;
  }
}

TYPED_TEST(StoreContract, PublishReplacesADamagedObject) {
  const Publication publication = this->CommitOn(std::nullopt, "one");
  ASSERT_OK(this->store().Publish(publication));
  for (const NewObject& object : publication.objects) this->harness_.Damage(object.id);
  Publication elsewhere = publication;
  elsewhere.ref = "refs/heads/other";
  const auto published = this->store().Publish(elsewhere);
  ASSERT_OK(published);
  for (const NewObject& object : publication.objects) {
    auto read = this->store().Read(object.id, object.kind);
    ASSERT_OK(read);
    EXPECT_EQ(*read, std::string(object.bytes));
  }
}

TYPED_TEST(StoreContract, PublishStoresTheBatchAndMovesTheRefOnce) {
  EXPECT_EQ(this->MustReadRef(kMain), std::nullopt);
  const ObjectId first = this->MustPublish(std::nullopt, "first");
  Publication batch = this->CommitOn(first, "second");
  const ObjectId second = batch.tip;
  const Publication third = this->CommitOn(second, "third");
  batch.objects.insert(batch.objects.end(), third.objects.begin(), third.objects.end());
  batch.tip = third.tip;
  const auto published = this->store().Publish(batch);
  ASSERT_OK(published);
  EXPECT_EQ(this->MustReadRef(kMain), third.tip);
  for (const NewObject& object : batch.objects) {
    auto read = this->store().Read(object.id, object.kind);
    ASSERT_OK(read);
    EXPECT_EQ(*read, std::string(object.bytes));
  }
}

TYPED_TEST(StoreContract, PublishOnAnOldTipIsRefMovedAndMovesNothing) {
  const ObjectId first = this->MustPublish(std::nullopt, "first");
  const ObjectId second = this->MustPublish(first, "second");
  EXPECT_CODE(this->store().Publish(this->CommitOn(first, "late")), Code::kRefMoved);
  EXPECT_CODE(this->store().Publish(this->CommitOn(std::nullopt, "new")), Code::kRefMoved);
  EXPECT_EQ(this->MustReadRef(kMain), second);
}

TYPED_TEST(StoreContract, PublishOnARefThatIsGoneIsRefMoved) {
  const ObjectId first = this->MustPublish(std::nullopt, "first");
  ASSERT_OK(this->store().DeleteRef(kMain, first));
  EXPECT_CODE(this->store().Publish(this->CommitOn(first, "second")), Code::kRefMoved);
  EXPECT_EQ(this->MustReadRef(kMain), std::nullopt);
}

TYPED_TEST(StoreContract, PublishOnARefThatWasMovedFromOutsideIsRefMoved) {
  const ObjectId first = this->MustPublish(std::nullopt, "first");
  Publication push = this->CommitOn(first, "pushed", "refs/heads/elsewhere-2");
  push.expected = std::nullopt;
  ASSERT_OK(this->store().Publish(push));
  const ObjectId pushed = push.tip;
  this->harness_.ForceRef(kMain, pushed);
  EXPECT_CODE(this->store().Publish(this->CommitOn(first, "second")), Code::kRefMoved);
  EXPECT_EQ(this->MustReadRef(kMain), pushed);
  this->MustPublish(pushed, "third");
}

TYPED_TEST(StoreContract, PublishOfTheTipThatIsThereSucceeds) {
  const Publication publication = this->CommitOn(std::nullopt, "first");
  ASSERT_OK(this->store().Publish(publication));
  EXPECT_TRUE(this->store().Publish(publication).ok());
  EXPECT_EQ(this->MustReadRef(kMain), publication.tip);
}

TYPED_TEST(StoreContract, PublishWithoutItsTipMovesNothing) {
  Publication publication = this->CommitOn(std::nullopt, "first");
  publication.objects.clear();
  EXPECT_CODE(this->store().Publish(publication), Code::kNotFound);
  publication.tip = this->MustAdd("a blob");
  EXPECT_CODE(this->store().Publish(publication), Code::kCorrupt);
  EXPECT_EQ(this->MustReadRef(kMain), std::nullopt);
}

TYPED_TEST(StoreContract, PublishBringsBlobsThatWereOnlyPrepared) {
  for (const std::size_t size : {0U, 1U, 5000U, 3'000'000U}) {
    const std::string bytes(size, 'p');
    File file(bytes);
    auto blob = this->store().PrepareBlob(file.fd(), size);
    ASSERT_OK(blob);
    EXPECT_EQ(blob->id, this->store().Hash(ObjectKind::kBlob, bytes));
    if (blob->bytes) {
      EXPECT_EQ(std::string(*blob->bytes), bytes);
      EXPECT_CODE(this->store().Read(blob->id, ObjectKind::kBlob), Code::kNotFound);
      Publication publication =
          this->CommitOn(std::nullopt, std::to_string(size), ("refs/heads/" + std::to_string(size)).c_str());
      // Twice, as two agents do who write the same.
      for (int i = 0; i < 2; ++i) publication.objects.push_back({blob->id, ObjectKind::kBlob, *blob->bytes});
      ASSERT_OK(this->store().Publish(publication));
    }
    auto read = this->store().Read(blob->id, ObjectKind::kBlob);
    ASSERT_OK(read);
    EXPECT_EQ(*read, bytes);
  }
}

TYPED_TEST(StoreContract, PublishOfManyObjectsAtOnceIsReadBackAsALittleOneIs) {
  Publication batch = this->CommitOn(std::nullopt, "0");
  for (int i = 1; i < 100; ++i) {
    const std::string text = "content " + std::to_string(i) + std::string(1000, 'x');
    const ObjectId blob = this->store().Hash(ObjectKind::kBlob, text);
    batch.objects.push_back({blob, ObjectKind::kBlob, text});
    const Publication next = this->CommitOn(batch.tip, std::to_string(i));
    batch.objects.insert(batch.objects.end(), next.objects.begin(), next.objects.end());
    batch.tip = next.tip;
  }
  ASSERT_OK(this->store().Publish(batch));
  EXPECT_EQ(this->MustReadRef(kMain), batch.tip);
  for (const NewObject& object : batch.objects) {
    auto read = this->store().Read(object.id, object.kind);
    ASSERT_OK(read);
    EXPECT_EQ(*read, std::string(object.bytes));
  }
}

TYPED_TEST(StoreContract, NamesThatGitForbidsAreInvalid) {
  for (const std::string& name :
       {std::string("refs/heads/a b"), std::string("refs/heads/a..b"), std::string("refs/heads/.a"),
        std::string("refs/heads/a.lock"), std::string("refs/heads/"), std::string("refs/heads/a\nb"), std::string(),
        std::string("refs/heads/a\0b", 14), std::string("refs/concordfs/rejected/a~b/1")}) {
    Publication publication = this->CommitOn(std::nullopt, "x");
    publication.ref = name;
    EXPECT_CODE(this->store().Publish(publication), Code::kInvalidName);
    EXPECT_CODE(this->store().ReadRef(name), Code::kInvalidName);
    EXPECT_CODE(this->store().DeleteRef(name, ObjectId()), Code::kInvalidName);
  }
}

TYPED_TEST(StoreContract, ARefsNameCantBeAFolderOfAnothers) {
  const ObjectId tip = this->MustPublish(std::nullopt, "first", "refs/heads/a/b");
  EXPECT_CODE(this->store().Publish(this->CommitOn(std::nullopt, "x", "refs/heads/a")), Code::kInvalidName);
  EXPECT_CODE(this->store().Publish(this->CommitOn(std::nullopt, "x", "refs/heads/a/b/c")), Code::kInvalidName);
  EXPECT_EQ(this->MustReadRef("refs/heads/a"), std::nullopt);
  EXPECT_EQ(this->MustReadRef("refs/heads/a/b"), tip);
  ASSERT_OK(this->store().DeleteRef("refs/heads/a/b", tip));
  this->MustPublish(std::nullopt, "now there is room", "refs/heads/a");
}

TYPED_TEST(StoreContract, ListsRefsByPrefixInOrder) {
  const ObjectId two = this->MustPublish(std::nullopt, "2", "refs/concordfs/rejected/benson/2");
  const ObjectId one = this->MustPublish(std::nullopt, "1", "refs/concordfs/rejected/andrew/1");
  this->MustPublish(std::nullopt, "3", "refs/concordfs/recovered/andrew/3");
  auto listed = this->store().ListRefs("refs/concordfs/rejected/");
  ASSERT_OK(listed);
  std::vector<std::string> found;
  for (const Ref& ref : *listed) found.push_back(ref.name + " " + ref.target.Hex());
  EXPECT_THAT(found, ElementsAre("refs/concordfs/rejected/andrew/1 " + one.Hex(),
                                 "refs/concordfs/rejected/benson/2 " + two.Hex()));
  listed = this->store().ListRefs("refs/concordfs/rejected/ben");
  ASSERT_OK(listed);
  EXPECT_EQ(listed->size(), 1U);
  listed = this->store().ListRefs("refs/nothing/");
  ASSERT_OK(listed);
  EXPECT_THAT(*listed, IsEmpty());
}

TYPED_TEST(StoreContract, DeletesARefOnlyWhereItIsExpectedToBe) {
  const ObjectId first = this->MustPublish(std::nullopt, "first");
  const ObjectId second = this->MustPublish(first, "second");
  EXPECT_CODE(this->store().DeleteRef(kMain, first), Code::kRefMoved);
  EXPECT_EQ(this->MustReadRef(kMain), second);
  const auto deleted = this->store().DeleteRef(kMain, second);
  ASSERT_OK(deleted);
  EXPECT_EQ(this->MustReadRef(kMain), std::nullopt);
  EXPECT_CODE(this->store().DeleteRef(kMain, second), Code::kNotFound);
  this->MustPublish(std::nullopt, "again");
}

TYPED_TEST(StoreContract, OfManyPublishersOnOneTipExactlyOneWins) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 25;
  std::optional<ObjectId> tip;
  std::atomic<int> wins = 0;
  std::atomic<int> surprises = 0;
  std::optional<ObjectId> winner;
  std::mutex mutex;
  const auto end_of_round = [&]() noexcept {
    if (wins != 1 || this->MustReadRef(kMain) != winner) ++surprises;
    wins = 0;
    tip = winner;
  };
  std::barrier round(kThreads, end_of_round);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kRounds; ++i) {
        const Publication publication = this->CommitOn(tip, std::to_string(thread) + " in " + std::to_string(i));
        const auto published = this->store().Publish(publication);
        if (published.ok()) {
          ++wins;
          const std::lock_guard lock(mutex);
          winner = publication.tip;
        } else if (published.code() != Code::kRefMoved) {
          ADD_FAILURE() << published.error().message;
        }
        round.arrive_and_wait();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(surprises, 0);
}

TYPED_TEST(StoreContract, ManyThreadsAddAndReadTheSameObjects) {
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const std::string bytes = "object " + std::to_string(i);
        auto id = this->store().AddBlob(bytes);
        ASSERT_OK(id);
        auto read = this->store().Read(*id, ObjectKind::kBlob);
        ASSERT_OK(read);
        ASSERT_EQ(*read, bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TYPED_TEST(StoreContract, KnowsWhatAHistoryContains) {
  const ObjectId first = this->MustPublish(std::nullopt, "first");
  const ObjectId second = this->MustPublish(first, "second");
  const ObjectId third = this->MustPublish(second, "third");
  Publication sideways = this->CommitOn(first, "other", "refs/heads/other");
  sideways.expected.reset();
  ASSERT_OK(this->store().Publish(sideways));
  const ObjectId other = sideways.tip;
  const auto contains = [&](const ObjectId& tip, const ObjectId& commit) {
    const auto found = this->store().Contains(tip, commit);
    EXPECT_TRUE(found.ok()) << found.error().message;
    return found.ok() && *found;
  };
  EXPECT_TRUE(contains(third, third));
  EXPECT_TRUE(contains(third, first));
  EXPECT_FALSE(contains(first, third));
  EXPECT_FALSE(contains(third, other));
  EXPECT_FALSE(contains(third, this->store().Hash(ObjectKind::kCommit, "never stored")));
  EXPECT_CODE(this->store().Contains(this->store().Hash(ObjectKind::kCommit, "nor this"), first), Code::kNotFound);
}

TYPED_TEST(StoreContract, AsksBeforeItMovesTheRefWhenTheObjectsAreThere) {
  const ObjectId first = this->MustPublish(std::nullopt, "first");
  Publication publication = this->CommitOn(first, "second");
  int asked = 0;
  publication.before_move = [&]() -> Result<void> {
    ++asked;
    EXPECT_TRUE(this->store().Read(publication.tip, ObjectKind::kCommit).ok());
    EXPECT_EQ(this->MustReadRef(kMain), first);
    if (asked == 1) return Error{Code::kUnreachable, "not now"};
    return {};
  };
  EXPECT_CODE(this->store().Publish(publication), Code::kUnreachable);
  EXPECT_EQ(this->MustReadRef(kMain), first);
  ASSERT_OK(this->store().Publish(publication));
  EXPECT_EQ(this->MustReadRef(kMain), publication.tip);
  EXPECT_EQ(asked, 2);
}

// What only the tests' stores can do.

TEST(MemoryStore, RunsTheHookRightBeforeTheSwap) {
  MemoryStore store;
  const NewObject tree{store.Hash(ObjectKind::kTree, ""), ObjectKind::kTree, ""};
  const auto commit = [&](const std::string& text) {
    return NewObject{store.Hash(ObjectKind::kCommit, text), ObjectKind::kCommit, text};
  };
  const NewObject outside = commit("outside");
  const NewObject ours = commit("ours");
  int calls = 0;
  store.SetBeforeSwap([&](const Publication& publication) {
    ++calls;
    EXPECT_TRUE(store.Read(publication.tip, ObjectKind::kCommit).ok()) << "objects come first";
    store.ForceRef(kMain, outside.id);
  });
  const auto published = store.Publish(Publication{{tree, ours}, kMain, std::nullopt, ours.id, ""});
  ASSERT_FALSE(published.ok());
  EXPECT_EQ(published.code(), Code::kRefMoved);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(*store.ReadRef(kMain), outside.id);
}

TEST(FailingStore, FailsExactlyTheNthOperation) {
  MemoryStore memory;
  FailingStore store(memory);
  ASSERT_TRUE(store.AddBlob("one").ok());
  store.FailNth(2, Code::kNoSpace);
  EXPECT_TRUE(store.AddBlob("two").ok());
  const auto third = store.AddBlob("three");
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.code(), Code::kNoSpace);
  EXPECT_TRUE(store.ReadRef(kMain).ok());
  EXPECT_EQ(store.operations(), 4U);
  EXPECT_EQ(store.failures(), 1U);
  EXPECT_EQ(memory.object_count(), 2U);
}

TEST(FailingStore, FailsFromAnOperationOnUntilHealed) {
  MemoryStore memory;
  FailingStore store(memory);
  store.FailFrom(2, Code::kIo);
  EXPECT_TRUE(store.ListRefs("refs/").ok());
  EXPECT_EQ(store.ListRefs("refs/").code(), Code::kIo);
  EXPECT_EQ(store.ReadRef(kMain).code(), Code::kIo);
  store.Heal();
  EXPECT_TRUE(store.ReadRef(kMain).ok());
}

}  // namespace
}  // namespace concordfs::vcs
