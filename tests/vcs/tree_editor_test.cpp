#include "vcs/tree_editor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <unordered_set>

#include "tests/model/branch.h"
#include "tests/model/seed.h"
#include "tests/support/memory_store.h"
#include "tests/support/paths.h"

namespace concordfs::vcs {
namespace {

using testing::Branch;
using testing::Changes;
using testing::Files;
using testing::Path;

class TreeEditorTest : public ::testing::Test {
 protected:
  // The root that a commit of these files made from outside has.
  ObjectId RootOf(const Files& files) { return branch_.AddCommit(files, {}, "outside").root; }
  Result<void> Put(TreeEditor& editor, const std::string& path, const Version& version) {
    return editor.Put(Path(path), version.mode, version.blob);
  }

  MemoryStore store_;
  Branch branch_{store_};
  TreeReader trees_{store_};
  const Version a_ = branch_.Blob("a");
  const Version b_ = branch_.Blob("b", FileMode::kExecutable);
};

TEST_F(TreeEditorTest, MakesTheTreeThatOneWouldMakeFromScratch) {
  TreeEditor editor(trees_, RootOf({{"x", a_}}));
  ASSERT_TRUE(Put(editor, "d/e/f", a_));
  ASSERT_TRUE(Put(editor, "d.x", b_));
  ASSERT_TRUE(Put(editor, "x", b_));
  EXPECT_EQ(editor.root(), RootOf({{"d/e/f", a_}, {"d.x", b_}, {"x", b_}}));
}

TEST_F(TreeEditorTest, DropsDirectoriesThatBecomeEmpty) {
  TreeEditor editor(trees_, RootOf({{"d/e/f", a_}, {"d/x", a_}}));
  ASSERT_TRUE(editor.Remove(Path("d/e/f")));
  EXPECT_EQ(editor.root(), RootOf({{"d/x", a_}}));
  EXPECT_FALSE(*editor.Find(Path("d/e")));
  ASSERT_TRUE(editor.Remove(Path("d/x")));
  EXPECT_EQ(editor.root(), RootOf({}));
}

TEST_F(TreeEditorTest, RemovesNothingWhereNothingIs) {
  const ObjectId root = RootOf({{"d/f", a_}});
  TreeEditor editor(trees_, root);
  for (const char* path : {"x", "d/x", "x/y"}) {
    ASSERT_TRUE(editor.Remove(Path(path))) << path;
    EXPECT_EQ(editor.root(), root) << path;
  }
}

TEST_F(TreeEditorTest, RemovesAWholeDirectory) {
  TreeEditor editor(trees_, RootOf({{"d/e/f", a_}, {"d/x", a_}, {"y", b_}}));
  ASSERT_TRUE(editor.Remove(Path("d")));
  EXPECT_EQ(editor.root(), RootOf({{"y", b_}}));
}

TEST_F(TreeEditorTest, MovesADirectoryByItsId) {
  TreeEditor editor(trees_, RootOf({{"d/e/f", a_}, {"d/x", b_}, {"y", b_}}));
  const TreeEntry directory = **editor.Find(Path("d"));
  ASSERT_TRUE(editor.Remove(Path("d")));
  ASSERT_TRUE(editor.Put(Path("p/q"), directory.mode, directory.id));
  EXPECT_EQ(editor.root(), RootOf({{"p/q/e/f", a_}, {"p/q/x", b_}, {"y", b_}}));
}

TEST_F(TreeEditorTest, RefusesAPathThroughAFileAndStaysAsItWas) {
  const ObjectId root = RootOf({{"f", a_}, {"d/g", a_}});
  TreeEditor editor(trees_, root);
  for (const char* path : {"f/x", "f/x/y", "d/g/x"}) {
    const auto put = Put(editor, path, a_);
    ASSERT_FALSE(put) << path;
    EXPECT_EQ(put.code(), Code::kNotDirectory) << path;
    EXPECT_EQ(editor.root(), root) << path;
  }
}

TEST_F(TreeEditorTest, RefusesAFileOverADirectoryAndStaysAsItWas) {
  const ObjectId root = RootOf({{"d/e/f", a_}});
  TreeEditor editor(trees_, root);
  for (const char* path : {"d", "d/e"}) {
    const auto put = Put(editor, path, a_);
    ASSERT_FALSE(put) << path;
    EXPECT_EQ(put.code(), Code::kIsDirectory) << path;
    EXPECT_EQ(editor.root(), root) << path;
  }
}

TEST_F(TreeEditorTest, PutsAFileWhereADirectoryBecameEmpty) {
  TreeEditor editor(trees_, RootOf({{"d/f", a_}}));
  ASSERT_TRUE(editor.Remove(Path("d/f")));
  ASSERT_TRUE(Put(editor, "d", b_));
  EXPECT_EQ(editor.root(), RootOf({{"d", b_}}));
}

TEST_F(TreeEditorTest, FindsWhatWasEditedAndNotStored) {
  TreeEditor editor(trees_, RootOf({{"f", a_}}));
  ASSERT_TRUE(Put(editor, "d/e/g", b_));
  EXPECT_EQ((*editor.Find(Path("d/e/g")))->AsVersion(), b_);
  EXPECT_TRUE((*editor.Find(Path("d/e")))->IsDirectory());
  EXPECT_FALSE(*editor.Find(Path("f/x")));
  EXPECT_EQ((*editor.Find(RepoPath()))->id, editor.root());
}

TEST_F(TreeEditorTest, GoesBackToARootThatItHad) {
  const ObjectId before = RootOf({{"f", a_}});
  TreeEditor editor(trees_, before);
  ASSERT_TRUE(Put(editor, "d/g", b_));
  const ObjectId middle = editor.root();
  ASSERT_TRUE(editor.Remove(Path("f")));
  editor.ResetTo(middle);
  EXPECT_EQ((*editor.Find(Path("d/g")))->AsVersion(), b_);
  EXPECT_TRUE(*editor.Find(Path("f")));
  editor.ResetTo(before);
  std::vector<NewObject> objects;
  editor.TakeNewTrees(&objects);
  EXPECT_TRUE(objects.empty()) << "what was thrown away is not handed out";
}

TEST_F(TreeEditorTest, HandsOutEveryNewTreeOnceAndWhatItNamesBeforeIt) {
  const Files old_files = {{"keep/x", a_}, {"d/old", a_}};
  TreeEditor editor(trees_, RootOf(old_files));
  const std::size_t stored = store_.object_count();
  ASSERT_TRUE(Put(editor, "d/e/f", b_));
  ASSERT_TRUE(Put(editor, "unused", b_));
  ASSERT_TRUE(editor.Remove(Path("unused")));
  std::vector<NewObject> objects;
  editor.TakeNewTrees(&objects);
  EXPECT_EQ(objects.size(), 3U) << "d/e, d and the root; not keep, and not the root that was given up";
  EXPECT_EQ(objects.back().id, editor.root());
  std::unordered_set<ObjectId> seen;
  for (const NewObject& object : objects) {
    EXPECT_EQ(object.kind, ObjectKind::kTree);
    EXPECT_EQ(object.id, store_.Hash(ObjectKind::kTree, object.bytes));
    const auto tree = Tree::Parse(object.bytes);
    ASSERT_TRUE(tree);
    for (const TreeEntryView entry : tree->entries()) {
      if (!entry.IsDirectory()) continue;
      EXPECT_TRUE(seen.contains(entry.id) || store_.Read(entry.id, ObjectKind::kTree)) << entry.name;
    }
    EXPECT_TRUE(seen.insert(object.id).second);
  }
  EXPECT_EQ(store_.object_count(), stored) << "the editor stores nothing";
  ASSERT_TRUE(Put(editor, "more", a_));
  objects.clear();
  editor.TakeNewTrees(&objects);
  EXPECT_EQ(objects.size(), 1U);
}

TEST_F(TreeEditorTest, GivesTheTreesThatWereTakenToTheReader) {
  TreeEditor editor(trees_, RootOf({{"f", a_}}));
  ASSERT_TRUE(Put(editor, "d/g", b_));
  const ObjectId taken = editor.root();
  std::vector<NewObject> objects;
  editor.TakeNewTrees(&objects);
  ASSERT_TRUE(Put(editor, "d/h", b_));
  const ObjectId not_taken = editor.root();
  editor.KeepTakenTrees();
  EXPECT_TRUE(trees_.Load(taken)) << "though no store has it";
  EXPECT_FALSE(trees_.Load(not_taken));
}

TEST_F(TreeEditorTest, TellsOfATreeThatCannotBeRead) {
  const ObjectId root = RootOf({{"d/f", a_}, {"g", a_}});
  store_.Damage((*TreeEditor(trees_, root).Find(Path("d")))->id);
  TreeReader fresh(store_);
  TreeEditor editor(fresh, root);
  const auto put = Put(editor, "d/h", b_);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.code(), Code::kCorrupt);
  EXPECT_EQ(editor.root(), root);
  EXPECT_TRUE(Put(editor, "g", b_)) << "another path is not affected";
}

// Random edits against the plainest model there is: a map of paths.
TEST_F(TreeEditorTest, AgreesWithAMapOfPathsOverRandomEdits) {
  std::mt19937_64 random(testing::Seed());
  Files files;
  TreeEditor editor(trees_, RootOf(files));
  const auto random_path = [&random] {
    static constexpr const char* kNames[] = {"a", "a.b", "a0", "b", "a-"};
    std::string path = kNames[random() % 5];
    for (std::size_t depth = random() % 3; depth > 0; --depth) path += std::string("/") + kNames[random() % 5];
    return path;
  };
  for (int step = 0; step < 5000; ++step) {
    const std::string path = random_path();
    const auto below = [&files, &path] {
      const auto at = files.lower_bound(path + "/");
      return at != files.end() && at->first.starts_with(path + "/");
    };
    bool through_file = false;
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
      through_file = through_file || files.contains(path.substr(0, slash));
    if (random() % 3 != 0) {
      const Version version = random() % 2 == 0 ? a_ : b_;
      const auto put = Put(editor, path, version);
      ASSERT_EQ(put.ok(), !through_file && !below()) << path;
      if (put) files.insert_or_assign(path, version);
    } else if (!through_file) {
      ASSERT_TRUE(editor.Remove(Path(path)));
      std::erase_if(files, [&](const auto& file) { return file.first == path || file.first.starts_with(path + "/"); });
    }
    if (step % 50 == 0) {
      ASSERT_EQ(editor.root(), RootOf(files)) << "after step " << step;
    }
  }
  EXPECT_EQ(editor.root(), RootOf(files));
}

}  // namespace
}  // namespace concordfs::vcs
