#include "vcs/tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace concordfs::vcs {
namespace {

ObjectId FilledId(std::uint8_t number) {
  ObjectId::Bytes bytes{};
  bytes.fill(number);
  return ObjectId(bytes);
}

TreeEntry File(const std::string& name, FileMode mode = FileMode::kRegular) {
  return TreeEntry{name, mode, FilledId(7)};
}

TreeEntry Directory(const std::string& name) {
  return TreeEntry{name, FileMode::kDirectory, FilledId(9)};
}

std::vector<std::string> Names(const Tree& tree) {
  std::vector<std::string> names;
  for (const TreeEntryView entry : tree.entries())
    names.push_back(std::string(entry.name) + (entry.IsDirectory() ? "/" : ""));
  return names;
}

// An entry as git's bytes.
std::string Raw(const std::string& mode, const std::string& name, const std::string& id = std::string(20, '\x07')) {
  return mode + " " + name + '\0' + id;
}

TEST(Tree, SortsADirectoryAsIfItsNameEndedInASlash) {
  Tree tree;
  for (const TreeEntry& entry : {File("a0"), Directory("a"), File("a.b"), File("a-"), File("A"), File("b")})
    tree = tree.With(entry);
  EXPECT_EQ(Names(tree), (std::vector<std::string>{"A", "a-", "a.b", "a/", "a0", "b"}));
}

TEST(Tree, SortsAFileBeforeItsLongerNames) {
  Tree tree;
  for (const TreeEntry& entry : {File("a0"), File("a"), File("a.b"), File("a-")}) tree = tree.With(entry);
  EXPECT_EQ(Names(tree), (std::vector<std::string>{"a", "a-", "a.b", "a0"}));
}

TEST(Tree, SortsBytesAsUnsigned) {
  Tree tree;
  for (const TreeEntry& entry : {File("\xff"), File("z"), File("\xc3\xa9"), File("\x01")}) tree = tree.With(entry);
  EXPECT_EQ(Names(tree), (std::vector<std::string>{"\x01", "z", "\xc3\xa9", "\xff"}));
}

TEST(Tree, FindsAnEntryWhetherFileOrDirectory) {
  const Tree tree = Tree().With(File("a.b")).With(Directory("a")).With(File("a0")).With(File("ab"));
  ASSERT_TRUE(tree.Find("a"));
  EXPECT_TRUE(tree.Find("a")->IsDirectory());
  ASSERT_TRUE(tree.Find("a.b"));
  EXPECT_FALSE(tree.Find("a.b")->IsDirectory());
  EXPECT_FALSE(tree.Find(""));
  EXPECT_FALSE(tree.Find("a/"));
  EXPECT_FALSE(tree.Find("aa"));
  EXPECT_FALSE(Tree().Find("a"));
}

TEST(Tree, ReplacesAFileByADirectoryOfItsNameAtItsOwnPlace) {
  const Tree with_file = Tree().With(File("a")).With(File("a.b"));
  const Tree with_directory = with_file.With(Directory("a"));
  EXPECT_EQ(Names(with_directory), (std::vector<std::string>{"a.b", "a/"}));
  EXPECT_EQ(Names(with_directory.With(File("a"))), (std::vector<std::string>{"a", "a.b"}));
  EXPECT_EQ(Names(with_file), (std::vector<std::string>{"a", "a.b"})) << "a tree is immutable";
}

TEST(Tree, LosesOnlyTheEntryThatIsTakenOut) {
  const Tree tree = Tree().With(Directory("a")).With(File("a.b"));
  EXPECT_EQ(Names(tree.Without("a")), (std::vector<std::string>{"a.b"}));
  EXPECT_EQ(Names(tree.Without("a.b")), (std::vector<std::string>{"a/"}));
  EXPECT_EQ(Names(tree.Without("b")), Names(tree));
  EXPECT_TRUE(tree.Without("a").Without("a.b").entries().empty());
}

TEST(Tree, IsEncodedAsGitFormatTreeSays) {
  const Tree tree =
      Tree().With(Directory("d")).With(File("f", FileMode::kExecutable)).With(File("l", FileMode::kSymlink));
  EXPECT_EQ(tree.Encode(), Raw("40000", "d", std::string(20, '\x09')) + Raw("100755", "f") + Raw("120000", "l"));
  EXPECT_EQ(Tree().Encode(), "");
}

TEST(Tree, IsReadBackAsItWasEncoded) {
  std::mt19937 random(20240607);  // a fixed seed: the trees are arbitrary, not the point
  for (int round = 0; round < 200; ++round) {
    Tree tree;
    for (int i = 0; i < 40; ++i) {
      std::string name;
      const std::size_t size = 1 + random() % 3;
      while (name.size() < size) name.push_back(static_cast<char>("ab.-0~\x01\xff/"[random() % 8]));
      constexpr FileMode kModes[] = {FileMode::kDirectory, FileMode::kRegular, FileMode::kExecutable,
                                     FileMode::kSymlink, FileMode::kSubmodule};
      tree = tree.With(TreeEntry{name, kModes[random() % 5], FilledId(static_cast<std::uint8_t>(random()))});
    }
    const std::string bytes = tree.Encode();
    const auto read = Tree::Parse(bytes);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->Encode(), bytes);
    EXPECT_EQ(Names(*read), Names(tree));
    for (const TreeEntryView entry : tree.entries()) {
      const auto found = read->Find(entry.name);
      ASSERT_TRUE(found) << entry.name;
      EXPECT_EQ(found->id, entry.id);
      EXPECT_EQ(found->mode, entry.mode);
    }
  }
}

TEST(Tree, KeepsHistoricalModesAndTakesThemForTheirModernOnes) {
  const std::string bytes = Raw("100600", "a") + Raw("100664", "b") + Raw("100775", "c");
  const auto tree = Tree::Parse(bytes);
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->Encode(), bytes);
  EXPECT_EQ(tree->Find("a")->AsVersion().mode, FileMode::kRegular);
  EXPECT_EQ(tree->Find("b")->AsVersion().mode, FileMode::kRegular);
  EXPECT_EQ(tree->Find("c")->AsVersion().mode, FileMode::kExecutable);
}

TEST(Tree, HasTheSameNamesWhateverIsBehindThem) {
  const Tree tree = Tree().With(File("a")).With(File("b"));
  EXPECT_TRUE(SameNames(tree, tree));
  EXPECT_TRUE(SameNames(Tree(), Tree()));
  EXPECT_TRUE(SameNames(
      tree, tree.With(File("a", FileMode::kExecutable)).With(TreeEntry{"b", FileMode::kRegular, FilledId(1)})));
  EXPECT_TRUE(SameNames(tree, tree.With(Directory("b"))));
  EXPECT_FALSE(SameNames(tree, tree.Without("b")));
  EXPECT_FALSE(SameNames(tree.Without("b"), tree));
  EXPECT_FALSE(SameNames(tree, tree.Without("b").With(File("c"))));
  EXPECT_FALSE(SameNames(tree, Tree()));
}

TEST(Tree, HasTheSameNamesAlsoWhereAKindChangesTheOrder) {
  const Tree files = Tree().With(File("a")).With(File("a.b"));
  const Tree directory = files.With(Directory("a"));
  ASSERT_EQ(Names(directory).front(), "a.b") << "git sorts a/ behind it";
  EXPECT_TRUE(SameNames(files, directory));
}

TEST(Tree, GivesTheVersionOfEveryKindOfEntry) {
  for (const FileMode mode : {FileMode::kRegular, FileMode::kExecutable, FileMode::kSymlink, FileMode::kSubmodule}) {
    EXPECT_EQ(File("a", mode).AsVersion(), (Version{FilledId(7), mode}));
  }
}

TEST(Tree, IsCorruptWhereverItIsCutOff) {
  const std::string whole = Raw("100644", "a") + Raw("40000", "b");
  const std::size_t boundary = Raw("100644", "a").size();
  for (std::size_t size = 1; size < whole.size(); ++size) {
    if (size == boundary) continue;
    const auto tree = Tree::Parse(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(tree) << "at " << size;
    EXPECT_EQ(tree.code(), Code::kCorrupt);
  }
}

TEST(Tree, IsCorruptIfItIsNotWhatGitWrites) {
  const std::pair<const char*, std::string> cases[] = {
      {"no mode", Raw("", "a")},
      {"a mode that is not octal", Raw("100648", "a")},
      {"a mode that never ends", Raw("10000000000000000644", "a")},
      {"no name", Raw("100644", "")},
      {"files out of order", Raw("100644", "b") + Raw("100644", "a")},
      {"a directory sorted as a file", Raw("40000", "a") + Raw("100644", "a.b")},
      {"a file sorted as a directory", Raw("100644", "a.b") + Raw("100644", "a")},
      {"a file twice", Raw("100644", "a") + Raw("100644", "a")},
      {"a directory twice", Raw("40000", "a") + Raw("40000", "a")},
      {"a file and a directory of one name", Raw("100644", "a") + Raw("40000", "a")},
      {"a file and a directory of one name, apart", Raw("100644", "a") + Raw("100644", "a.b") + Raw("40000", "a")},
  };
  for (const auto& [what, bytes] : cases) {
    const auto tree = Tree::Parse(bytes);
    ASSERT_FALSE(tree) << what;
    EXPECT_EQ(tree.code(), Code::kCorrupt) << what;
  }
}

TEST(Tree, SurvivesRandomDamage) {
  std::mt19937 random(20240608);
  const std::string whole = Raw("100644", "a") + Raw("100644", "a.b") + Raw("40000", "b") + Raw("120000", "c");
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = whole;
    for (int flips = 0; flips < 3; ++flips) bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
    const auto tree = Tree::Parse(bytes);
    if (!tree) {
      EXPECT_EQ(tree.code(), Code::kCorrupt);
      continue;
    }
    for (const TreeEntryView entry : tree->entries()) ASSERT_EQ(tree->Find(entry.name), entry);
  }
}

}  // namespace
}  // namespace concordfs::vcs
