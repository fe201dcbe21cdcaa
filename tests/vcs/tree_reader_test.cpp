#include "vcs/tree_reader.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/model/branch.h"
#include "tests/support/memory_store.h"
#include "tests/support/paths.h"

namespace concordfs::vcs {
namespace {

using testing::Changes;
using testing::Path;

class TreeReaderTest : public ::testing::Test {
 protected:
  MemoryStore memory_;
  FailingStore store_{memory_};  // counts
  testing::Branch branch_{memory_};
  TreeReader trees_{store_};
};

TEST_F(TreeReaderTest, FindsWhatIsAtAPath) {
  const Version file = branch_.Blob("text");
  const Version link = branch_.Blob("target", FileMode::kSymlink);
  const Head head = branch_.Commit({{"a/b/file", file}, {"link", link}});
  const auto found = trees_.Find(head.root, Path("a/b/file"));
  ASSERT_TRUE(found);
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->AsVersion(), file);
  EXPECT_EQ((*trees_.Find(head.root, Path("link")))->AsVersion(), link);
  EXPECT_TRUE((*trees_.Find(head.root, Path("a/b")))->IsDirectory());
  const auto root = trees_.Find(head.root, RepoPath());
  ASSERT_TRUE(root);
  ASSERT_TRUE(*root);
  EXPECT_TRUE((*root)->IsDirectory());
  EXPECT_EQ((*root)->id, head.root);
}

TEST_F(TreeReaderTest, FindsNothingWhereNothingIs) {
  const Head head = branch_.Commit({{"a/b", branch_.Blob("text")}});
  for (const char* path : {"b", "a/c", "a/b/c", "a/b/c/d", "x/y"}) {
    const auto found = trees_.Find(head.root, Path(path));
    ASSERT_TRUE(found) << path;
    EXPECT_FALSE(*found) << path;
  }
}

TEST_F(TreeReaderTest, ReadsOnlyTheTreesOnTheWayAndEachOnce) {
  const Version file = branch_.Blob("text");
  const Head head = branch_.Commit({{"a/b/c", file}, {"x/y/z", file}, {"m/n", file}});
  ASSERT_TRUE(trees_.Find(head.root, Path("a/b/c")));
  EXPECT_EQ(store_.operations(), 3U) << "the root, a and a/b";
  ASSERT_TRUE(trees_.Find(head.root, Path("a/b/d")));
  ASSERT_TRUE(trees_.Find(head.root, Path("a")));
  EXPECT_EQ(store_.operations(), 3U);
  ASSERT_TRUE(trees_.Find(head.root, Path("m/n")));
  EXPECT_EQ(store_.operations(), 4U);
}

TEST_F(TreeReaderTest, KeepsTreesUpToABoundTheLastUsedOnesFirst) {
  Changes changes;
  const Version file = branch_.Blob("text");
  for (int folder = 0; folder < 20; ++folder) {
    for (int i = 0; i < 50; ++i)
      changes["d" + std::to_string(folder) + "/file" + std::to_string(i * 100 + folder)] = file;
  }
  const Head head = branch_.Commit(changes);
  const auto one = trees_.Load(head.root);
  ASSERT_TRUE(one);
  TreeReader small(store_, 4 * (50 * (sizeof(TreeEntry) + 16)));  // the root and some three of the twenty
  ASSERT_TRUE(small.Find(head.root, Path("d0/x")));
  for (int folder = 1; folder < 20; ++folder) {
    ASSERT_TRUE(small.Find(head.root, Path("d" + std::to_string(folder) + "/x")));
    ASSERT_TRUE(small.Find(head.root, Path("d0/x")));  // in use all the time
  }
  std::uint64_t before = store_.operations();
  ASSERT_TRUE(small.Find(head.root, Path("d0/x")));
  EXPECT_EQ(store_.operations(), before) << "d0 was used last";
  before = store_.operations();
  ASSERT_TRUE(small.Find(head.root, Path("d1/x")));
  EXPECT_EQ(store_.operations(), before + 1) << "d1 was not, and is read again";
}

TEST_F(TreeReaderTest, KnowsATreeThatItWasGivenWithoutReadingIt) {
  const auto tree = std::make_shared<const Tree>(Tree().With(TreeEntry{"a", FileMode::kRegular, {}}));
  const ObjectId id = store_.Hash(ObjectKind::kTree, tree->Encode());
  trees_.Keep(id, tree);
  trees_.Keep(id, tree);
  const auto loaded = trees_.Load(id);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(*loaded, tree);
  EXPECT_EQ(store_.operations(), 0U);
}

TEST_F(TreeReaderTest, KnowsTheEmptyTreeAlthoughNobodyStoredIt) {
  const auto loaded = trees_.Load(store_.Hash(ObjectKind::kTree, ""));
  ASSERT_TRUE(loaded);
  EXPECT_TRUE((*loaded)->entries().empty());
}

TEST_F(TreeReaderTest, SaysWhichTreeIsMissingOrCorrupt) {
  const auto missing = trees_.Load(store_.Hash(ObjectKind::kTree, "never stored"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.code(), Code::kNotFound);

  const Head head = branch_.Commit({{"a/b", branch_.Blob("text")}});
  const ObjectId a = (*trees_.Find(head.root, Path("a")))->id;
  memory_.Damage(a);
  const auto corrupt = trees_.Find(head.root, Path("a/b"));
  ASSERT_FALSE(corrupt);
  EXPECT_EQ(corrupt.code(), Code::kCorrupt);
  EXPECT_NE(corrupt.error().message.find(a.Hex()), std::string::npos) << corrupt.error().message;
}

TEST_F(TreeReaderTest, DoesNotRememberAFailure) {
  const Head head = branch_.Commit({{"a", branch_.Blob("text")}});
  store_.FailNth(1, Code::kIo);
  const auto failed = trees_.Find(head.root, Path("a"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.code(), Code::kIo);
  EXPECT_TRUE(trees_.Find(head.root, Path("a")));
}

TEST_F(TreeReaderTest, ReadsWhatACommitIs) {
  const Head head = branch_.Commit({{"a", branch_.Blob("text")}});
  const auto read = trees_.ReadHead(head.commit);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->commit, head.commit);
  EXPECT_EQ(read->root, head.root);
  EXPECT_EQ(read->time_s, head.time_s);
  const auto missing = trees_.ReadHead(ObjectId());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.code(), Code::kNotFound);
}

TEST_F(TreeReaderTest, ServesManyThreadsAtOnce) {
  Changes changes;
  for (int i = 0; i < 64; ++i)
    changes["d" + std::to_string(i % 8) + "/f" + std::to_string(i)] = branch_.Blob(std::to_string(i));
  const Head head = branch_.Commit(changes);
  TreeReader small(store_, 1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        for (const auto& [path, version] : changes) {
          const auto found = small.Find(head.root, Path(path));
          ASSERT_TRUE(found && *found) << path;
          EXPECT_EQ((*found)->AsVersion(), *version);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace concordfs::vcs
