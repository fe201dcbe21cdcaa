#include "vcs/ignore_rules.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "tests/model/branch.h"
#include "tests/support/expect_result.h"
#include "tests/support/memory_store.h"

namespace concordfs::vcs {
namespace {

using testing::Changes;

class IgnoreRulesTest : public ::testing::Test {
 protected:
  using Files = std::map<std::string, std::string>;

  ObjectId Tree(const Files& files) {
    Changes changes;
    for (const auto& [path, content] : files) changes[path] = branch_.Blob(content);
    return branch_.Commit(changes).root;
  }
  // A path that ends in a slash is a directory's. Fails the test where the answer is an error.
  bool Ignored(const ObjectId& root, std::string path) { return Ignored(rules_, root, std::move(path)); }
  static bool Ignored(IgnoreRules& rules, const ObjectId& root, std::string path) {
    const bool is_directory = path.ends_with('/');
    if (is_directory) path.pop_back();
    const auto parsed = RepoPath::Parse(path);
    if (!parsed) throw std::invalid_argument(path);
    const auto ignored = rules.IsIgnored(root, *parsed, is_directory);
    if (!ignored) throw std::runtime_error(ignored.error().message);
    return *ignored;
  }
  void ExpectIgnored(const ObjectId& root, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) EXPECT_TRUE(Ignored(root, path)) << path;
  }
  void ExpectNotIgnored(const ObjectId& root, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) EXPECT_FALSE(Ignored(root, path)) << path;
  }

  MemoryStore memory_;
  FailingStore store_{memory_};  // counts
  testing::Branch branch_{memory_};
  TreeReader trees_{store_};
  IgnoreRules rules_{trees_, "", ""};
};

TEST_F(IgnoreRulesTest, IgnoresNothingWithoutRules) {
  const ObjectId root = Tree({{"a/b", ""}});
  ExpectNotIgnored(root, {"a/", "a/b", "a/new", "new", "new/new/new", "a/b/below/a/file"});
}

TEST_F(IgnoreRulesTest, AsksTheFileOfEachDirectoryForThePathBelowIt) {
  const ObjectId root =
      Tree({{".gitignore", "*.o\n/top\n"}, {"a/.gitignore", "/only-here\nb/deep\n*.tmp\n"}, {"a/b/c", ""}});
  ExpectIgnored(root, {"x.o", "a/x.o", "a/b/x.o", "top", "a/only-here", "a/b/deep", "a/b/new/x.tmp"});
  ExpectNotIgnored(root, {"a/top", "only-here", "a/b/only-here", "x.tmp", "b/deep", "a/b/c", ".gitignore"});
}

TEST_F(IgnoreRulesTest, LetsTheDeepestFileThatHasAMatchDecide) {
  const ObjectId root = Tree({{".gitignore", "*.o\n!keep.x\n"},
                              {"a/.gitignore", "!*.o\n*.x\n"},
                              {"a/b/.gitignore", "# nothing about them\n"},
                              {"a/c/.gitignore", "x.o\n"}});
  ExpectIgnored(root, {"x.o", "b/x.o", "a/keep.x", "a/c/x.o"});
  ExpectNotIgnored(root, {"a/x.o", "a/b/x.o", "a/c/y.o", "keep.x"});
}

TEST_F(IgnoreRulesTest, IgnoresEverythingBelowAnIgnoredDirectory) {
  const ObjectId root =
      Tree({{".gitignore", "build/\n!build/keep\n"}, {"build/.gitignore", "!*\n"}, {"build/keep", ""}});
  ExpectIgnored(root, {"build/", "build/keep", "build/a/b/c", "x/build/", "x/build/new", "build/.gitignore"});
  ExpectNotIgnored(root, {"build", "x/build"});
}

TEST_F(IgnoreRulesTest, LooksIntoADirectoryWhoseNegationWasTheLastToMatch) {
  const ObjectId root = Tree({{".gitignore", "*\n!*/\n!*.c\n"}, {"a/.gitignore", "gone.c\n"}});
  ExpectIgnored(root, {"x", "a/x", "a/b/x", "a/gone.c", "a/b/gone.c"});
  ExpectNotIgnored(root, {"x.c", "a/", "a/b/", "a/x.c", "a/b/x.c"});
}

TEST_F(IgnoreRulesTest, AsksTheCommandLineFirstAndInfoExcludeLast) {
  IgnoreRules rules(trees_, "!c-wins\nboth\n*.scratch\n",
                    "c-wins\n!both\nexcluded\nagain\n!*.scratch\n/a/b/anchored\n");
  const ObjectId root = Tree({{".gitignore", "c-wins\n!both\n!again\n"}, {"a/.gitignore", "!x.scratch\n"}});
  for (const char* path : {"both", "a/both", "excluded", "a/b/excluded", "a/x.scratch", "a/b/anchored"})
    EXPECT_TRUE(Ignored(rules, root, path)) << path;
  for (const char* path : {"c-wins", "again", "a/again", "b/anchored", "anchored"})
    EXPECT_FALSE(Ignored(rules, root, path)) << path;
}

TEST_F(IgnoreRulesTest, TakesNewPatternsOfInfoExcludeAtOnce) {
  const ObjectId root = Tree({{"a/b", ""}});
  ExpectNotIgnored(root, {"a/x", "a/y"});
  rules_.SetExclude("x\n");
  ExpectIgnored(root, {"a/x"});
  rules_.SetExclude("/a/\n");
  ExpectIgnored(root, {"a/x", "a/y", "a/b"});
  rules_.SetExclude("");
  ExpectNotIgnored(root, {"a/x", "a/y"});
}

TEST_F(IgnoreRulesTest, AnswersForEachTreeByItself) {
  const ObjectId before = Tree({{"a/.gitignore", "x\n"}, {"b/c", ""}});
  const ObjectId after = Tree({{"a/.gitignore", "y\n"}, {".gitignore", "b/\n"}});
  for (int round = 0; round < 2; ++round) {
    ExpectIgnored(before, {"a/x"});
    ExpectNotIgnored(before, {"a/y", "b/c"});
    ExpectIgnored(after, {"a/y", "b/c"});
    ExpectNotIgnored(after, {"a/x"});
  }
}

TEST_F(IgnoreRulesTest, TakesAnExecutableButNoSymlinkDirectoryOrSubmoduleForAFileOfPatterns) {
  const Version patterns = branch_.Blob("x\n");
  Changes changes = {{"executable/.gitignore", Version{patterns.blob, FileMode::kExecutable}},
                     {"symlink/.gitignore", Version{patterns.blob, FileMode::kSymlink}},
                     {"submodule/.gitignore", Version{patterns.blob, FileMode::kSubmodule}},
                     {"directory/.gitignore/.gitignore", patterns}};
  const ObjectId root = branch_.Commit(changes).root;
  ExpectIgnored(root, {"executable/x", "directory/.gitignore/x"});
  ExpectNotIgnored(root, {"symlink/x", "submodule/x", "directory/x"});
}

TEST_F(IgnoreRulesTest, DecidesByTheRulesAboveBelowWhatIsNoDirectory) {
  Changes changes = {{".gitignore", branch_.Blob("x\nfile/y\nignored/\n")},
                     {"file", branch_.Blob("text")},
                     {"ignored", branch_.Blob("text")},
                     {"link", branch_.Blob("a", FileMode::kSymlink)},
                     {"a/.gitignore", branch_.Blob("z\n")},
                     {"sub", branch_.Blob("a commit", FileMode::kSubmodule)}};
  const ObjectId root = branch_.Commit(changes).root;
  ExpectIgnored(root, {"file/x", "file/y", "ignored/below", "link/x", "sub/x", "sub/d/x"});
  ExpectNotIgnored(root, {"file/z", "ignored", "link/z", "sub/z", "sub/", "sub/d/"});
}

TEST_F(IgnoreRulesTest, NeverIgnoresTheRoot) {
  const ObjectId root = Tree({{".gitignore", "*\n**\n"}});
  const auto ignored = rules_.IsIgnored(root, RepoPath(), true);
  ASSERT_OK(ignored);
  EXPECT_FALSE(*ignored);
}

TEST_F(IgnoreRulesTest, AnswersForADirectoryThatItKnowsWithoutTheStore) {
  const ObjectId root = Tree({{".gitignore", "node_modules/\n*.o\n"}, {"a/b/c/.gitignore", "x\n"}});
  ExpectNotIgnored(root, {"a/b/c/first"});
  const std::uint64_t before = store_.operations();
  for (int i = 0; i < 1000; ++i) {
    const std::string number = std::to_string(i);
    ExpectNotIgnored(root, {"a/b/c/" + number, "a/b/" + number});
    ExpectIgnored(root, {"a/b/node_modules/" + number + "/deep/file", "a/b/c/" + number + ".o"});
  }
  EXPECT_EQ(store_.operations(), before);
}

TEST_F(IgnoreRulesTest, ReadsAFileOfPatternsOnceForAllTreesThatHaveIt) {
  const ObjectId first = Tree({{".gitignore", "x\n"}, {"a/.gitignore", "x\n"}});
  ExpectIgnored(first, {"a/b/x", "x"});
  const ObjectId second = Tree({{"new", ""}});
  const std::uint64_t before = store_.operations();
  ExpectIgnored(second, {"x", "a/x"});
  EXPECT_EQ(store_.operations(), before + 1) << "the new root tree";
}

TEST_F(IgnoreRulesTest, AnswersTheSameWithNoRoomToKeepAnything) {
  IgnoreRules forgetful(trees_, "*.tmp\n", "x\n", 0);
  std::vector<ObjectId> roots;
  for (int i = 0; i < 10; ++i) roots.push_back(Tree({{"a/.gitignore", "/f" + std::to_string(i) + "\n"}}));
  for (int question = 0; question < 300; ++question) {
    const int tree = question % 10;
    const int file = question / 10 % 10;
    EXPECT_EQ(Ignored(forgetful, roots[tree], "a/f" + std::to_string(file)), file == tree) << tree << " " << file;
    const std::string by_another_list = question % 2 == 0 ? "a/b/c.tmp" : "a/b/x";
    EXPECT_TRUE(Ignored(forgetful, roots[tree], by_another_list)) << by_another_list;
  }
}

TEST_F(IgnoreRulesTest, SaysWhichFileOfPatternsIsDamaged) {
  const ObjectId root = Tree({{"a/.gitignore", "x\n"}, {"b/c", ""}});
  memory_.Damage((*trees_.Find(root, *RepoPath::Parse("a/.gitignore")))->id);
  const auto ignored = rules_.IsIgnored(root, *RepoPath::Parse("a/b/c"), false);
  EXPECT_CODE(ignored, Code::kCorrupt);
  EXPECT_NE(ignored.error().message.find("a: .gitignore: "), std::string::npos) << ignored.error().message;
  ExpectNotIgnored(root, {"b/x"});
}

TEST_F(IgnoreRulesTest, CallsAMissingTreeDamageAndNoMissingPath) {
  const ObjectId nowhere = memory_.Hash(ObjectKind::kTree, "never stored");
  EXPECT_CODE(rules_.IsIgnored(nowhere, *RepoPath::Parse("a"), false), Code::kCorrupt);
}

TEST_F(IgnoreRulesTest, CallsAMissingFileOfPatternsDamage) {
  const ObjectId nowhere = memory_.Hash(ObjectKind::kBlob, "never stored");
  const ObjectId root = branch_.Commit({{"a/.gitignore", Version{nowhere, FileMode::kRegular}}}).root;
  EXPECT_CODE(rules_.IsIgnored(root, *RepoPath::Parse("a/b"), false), Code::kCorrupt);
}

TEST_F(IgnoreRulesTest, ReportsEachFailureOfTheStoreAndRemembersNone) {
  const ObjectId root = Tree({{".gitignore", "x\n"}, {"a/.gitignore", "y\n"}, {"a/b/.gitignore", "z\n"}});
  const RepoPath path = *RepoPath::Parse("a/b/z");
  std::uint64_t failures = 0;
  while (true) {
    TreeReader trees(store_);
    IgnoreRules rules(trees, "", "");
    store_.FailNth(failures + 1, Code::kIo);
    const auto ignored = rules.IsIgnored(root, path, false);
    store_.Heal();
    if (ignored.ok()) break;
    ++failures;
    EXPECT_EQ(ignored.code(), Code::kIo) << ignored.error().message;
    EXPECT_TRUE(Ignored(rules, root, "a/b/z")) << "after failure " << failures;
  }
  EXPECT_EQ(failures, 9U) << "three trees, and size and content of three files";
}

// The bound of git's own: see kMaxFileSize.
TEST_F(IgnoreRulesTest, TakesAHugeFileForOneWithoutPatterns) {
  std::string text = "x\n";
  text.resize(IgnoreRules::kMaxFileSize, '#');
  const ObjectId largest = Tree({{".gitignore", text}});
  ExpectIgnored(largest, {"x"});
  const ObjectId too_large = Tree({{".gitignore", text + "#"}});
  ExpectNotIgnored(too_large, {"x"});
}

TEST_F(IgnoreRulesTest, ServesManyThreadsWhileInfoExcludeChanges) {
  const ObjectId root = Tree({{".gitignore", "*.o\n"}, {"a/.gitignore", "!keep.o\n"}});
  std::atomic<bool> stop = false;
  std::thread changes([&] {
    for (int i = 0; !stop; ++i) rules_.SetExclude(i % 2 == 0 ? "other\n" : "x\n");
  });
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const std::string folder = "a/" + std::to_string(t) + "/" + std::to_string(i % 50);
        if (!Ignored(root, folder + "/y.o") || Ignored(root, folder + "/keep.o")) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  stop = true;
  changes.join();
  EXPECT_EQ(wrong, 0);
  rules_.SetExclude("x\n");
  ExpectIgnored(root, {"a/0/0/x"});
  ExpectNotIgnored(root, {"a/0/0/other"});
}

}  // namespace
}  // namespace concordfs::vcs
