#include "vcs/repo_path.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/model/git_fsck.h"
#include "tests/model/seed.h"
#include "vcs/version.h"

namespace concordfs::vcs {
namespace {

using testing::EmptyBlob;
using testing::JudgedByGit;
using testing::Seed;

// A code point that HFS+ ignores (U+200C), and the byte order mark.
const std::string kIgnorable = "\xe2\x80\x8c";
const std::string kBom = "\xef\xbb\xbf";

std::vector<std::string> OddNames() {
  std::vector<std::string> names = {".git",
                                    ".GIT",
                                    ".Git",
                                    ".git ",
                                    ".git.",
                                    ".git . .",
                                    ".git:",
                                    ".git:stream",
                                    ".git::$DATA",
                                    "git~1",
                                    "GIT~1",
                                    "git~1.",
                                    "git~1 :x",
                                    "git~2",
                                    "git~11",
                                    "xgit~1",
                                    ".gitx",
                                    ".git x",
                                    "x.git",
                                    " .git",
                                    "a\\.git",
                                    "a\\git~1",
                                    "a\\.git\\b",
                                    ".git\\a",
                                    "\\.git",
                                    "a\\b",
                                    "a\\.gi",
                                    "a:.git",
                                    ".gitignore",
                                    ".gitmodules",
                                    ".GITMODULES",
                                    ".gitmodules ",
                                    ".gitmodules:x",
                                    "gitmod~1",
                                    "gitmod~4",
                                    "gitmod~5",
                                    "GITMOD~2. ",
                                    "gi7eba~1",
                                    "GI7EBA~9",
                                    "gi7eb~10",
                                    "gi7eba~0",
                                    "gi7eba~1x",
                                    "~1000000",
                                    "~9999999",
                                    "a\\.gitmodules",
                                    ".gitattributes",
                                    "gitatt~1",
                                    ".mailmap",
                                    "...",
                                    ".. ",
                                    "..",
                                    ".",
                                    " ",
                                    ". ",
                                    "\x01",
                                    "\n",
                                    "\xff",
                                    "\xc3\xa9",
                                    ".git\xff",
                                    ".git\x80x",
                                    ".gi\xfft",
                                    ".git\xc3",
                                    ".gitmodules\xff"};
  for (const std::string& invisible : {kIgnorable, kBom, std::string("\xe2\x80\xaa"), std::string("\xe2\x81\xaf"),
                                       std::string("\xe2\x80\x8b"), std::string("\xe2\x81\xa9")}) {
    for (const std::string& name : {std::string(".git"), std::string(".gitmodules"), std::string("git~1")}) {
      for (std::size_t at = 0; at <= name.size(); ++at)
        names.push_back(name.substr(0, at) + invisible + name.substr(at));
    }
  }
  return names;
}

// Names made of the pieces that matter to git, and of a few that do not.
std::string RandomName(std::mt19937_64& random) {
  static const std::string kPieces[] = {
      ".",          "git",      "GiT",  "~1",   " ",      ":",  "\\",           kIgnorable,
      kBom,         "modules",  "mod",  "~",    "gi7eba", "1",  ".git",         "x",
      "\xff",       "\xc3\xa9", "\xe2", "\x80", "\n",     "\"", "\xed\xa0\x80", "\xef\xbf\xbe",
      ".gitmodules"};
  std::string name;
  for (std::size_t pieces = 1 + random() % 5; pieces > 0; --pieces) name += kPieces[random() % std::size(kPieces)];
  return name;
}

std::string TreeOf(const std::string& name, FileMode mode) {
  return (mode == FileMode::kSymlink ? "120000 " : "100644 ") + name + '\0' + EmptyBlob();
}

// Every name that we take must pass `git fsck --strict` (R14), and none is refused that git takes.
TEST(RepoPath, TakesExactlyTheNamesThatGitTakes) {
  std::mt19937_64 random(Seed());
  std::vector<std::string> names = OddNames();
  for (int i = 0; i < 3000; ++i) names.push_back(RandomName(random));
  std::vector<std::string> trees;
  for (const std::string& name : names) {
    trees.push_back(TreeOf(name, FileMode::kRegular));
    trees.push_back(TreeOf(name, FileMode::kSymlink));
  }
  const std::vector<bool> accepted = JudgedByGit(trees);
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(CheckName(names[i]).ok(), accepted[2 * i]) << "a file named " << Quoted(names[i]);
    EXPECT_EQ(CheckName(names[i]).ok() && IsAllowedForSymlink(names[i]), accepted[2 * i + 1])
        << "a symlink named " << Quoted(names[i]);
  }
}

TEST(RepoPath, RefusesWhatIsNoNameOfAnEntry) {
  using std::string_literals::operator""s;
  for (const std::string& name : {""s, "."s, ".."s, "a/b"s, "/"s, "a\0b"s, "\0"s}) {
    const auto checked = CheckName(name);
    ASSERT_FALSE(checked) << Quoted(name);
    EXPECT_EQ(checked.code(), Code::kInvalidName) << Quoted(name);
    EXPECT_FALSE(RepoPath().Child(name)) << Quoted(name);
  }
}

TEST(RepoPath, HoldsNamesOf255Bytes) {
  EXPECT_TRUE(CheckName(std::string(255, 'n')));
  const auto checked = CheckName(std::string(256, 'n'));
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.code(), Code::kNameTooLong);
}

TEST(RepoPath, HoldsPathsOf4095Bytes) {
  std::string text;
  for (int i = 0; i < 15; ++i) text += std::string(255, 'd') + "/";
  text += std::string(255, 'f');
  ASSERT_EQ(text.size(), RepoPath::kMaxSize);
  const auto longest = RepoPath::Parse(text);
  ASSERT_TRUE(longest);
  const auto child = longest->Child("x");
  ASSERT_FALSE(child);
  EXPECT_EQ(child.code(), Code::kNameTooLong);
  EXPECT_FALSE(longest->Parent().Child(std::string(256, 'f')));
  const auto parsed = RepoPath::Parse(text + "/x");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.code(), Code::kNameTooLong);
}

TEST(RepoPath, ParsesComponentsAndNothingElse) {
  const auto path = RepoPath::Parse("a/b.c/d");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->text(), "a/b.c/d");
  EXPECT_EQ(path->Name(), "d");
  EXPECT_EQ(path->Parent().text(), "a/b.c");
  EXPECT_EQ(path->Components(), (std::vector<std::string_view>{"a", "b.c", "d"}));
  for (const char* bad : {"/", "/a", "a/", "a//b", "./a", "a/./b", "a/..", "a/.git/b", ".GIT"}) {
    const auto parsed = RepoPath::Parse(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.code(), Code::kInvalidName) << bad;
  }
}

TEST(RepoPath, IsTheRootIfItIsEmpty) {
  const auto root = RepoPath::Parse("");
  ASSERT_TRUE(root);
  EXPECT_TRUE(root->IsRoot());
  EXPECT_TRUE(root->Parent().IsRoot());
  EXPECT_EQ(root->Name(), "");
  EXPECT_TRUE(root->Components().empty());
  EXPECT_EQ(root->Child("a")->text(), "a");
  EXPECT_TRUE(root->Child("a")->Parent().IsRoot());
}

TEST(RepoPath, KnowsWhatIsBelowADirectory) {
  const RepoPath directory = *RepoPath::Parse("a/b");
  EXPECT_TRUE(directory.IsAtOrBelow(directory));
  EXPECT_TRUE(RepoPath::Parse("a/b/c")->IsAtOrBelow(directory));
  EXPECT_TRUE(directory.IsAtOrBelow(RepoPath()));
  for (const char* other : {"a", "a/bc", "a/b.c", "b", "a/c/b"}) {
    EXPECT_FALSE(RepoPath::Parse(other)->IsAtOrBelow(directory)) << other;
  }
  EXPECT_FALSE(RepoPath().IsAtOrBelow(directory));
}

TEST(RepoPath, FollowsARenameOfItselfAndOfADirectoryAboveIt) {
  const RepoPath from = *RepoPath::Parse("a/b");
  const RepoPath to = *RepoPath::Parse("x");
  EXPECT_EQ(from.AfterRename(from, to).text(), "x");
  EXPECT_EQ(RepoPath::Parse("a/b/c/d")->AfterRename(from, to).text(), "x/c/d");
  for (const char* other : {"a", "a/bc", "a/b-", "x"}) {
    EXPECT_EQ(RepoPath::Parse(other)->AfterRename(from, to).text(), other);
  }
}

TEST(RepoPath, IsQuotedOnlyIfItIsNotPlainText) {
  EXPECT_EQ(Quoted("a b/c'd"), "a b/c'd");
  EXPECT_EQ(Quoted("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(Quoted(""), "");
  EXPECT_EQ(Quoted("a\nb"), "\"a\\nb\"");
  EXPECT_EQ(Quoted("a\tb"), "\"a\\tb\"");
  EXPECT_EQ(Quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(Quoted("\x01\x7f"), "\"\\001\\177\"");
  EXPECT_EQ(Quoted("\xff"), "\"\\377\"");
  EXPECT_EQ(Quoted("\xc3"), "\"\\303\"") << "a sequence that is cut off";
  EXPECT_EQ(Quoted("\xc0\xaf"), "\"\\300\\257\"") << "an overlong slash";
  EXPECT_EQ(Quoted("\xe0\x80\xaf"), "\"\\340\\200\\257\"") << "an overlong slash of three bytes";
  EXPECT_EQ(Quoted("\xf0\x80\x80\xaf"), "\"\\360\\200\\200\\257\"") << "an overlong slash of four bytes";
  EXPECT_EQ(Quoted("\xed\xa0\x80"), "\"\\355\\240\\200\"") << "a surrogate";
  EXPECT_EQ(Quoted("\xf4\x90\x80\x80"), "\"\\364\\220\\200\\200\"") << "beyond U+10FFFF";
}

TEST(RepoPath, ComesBackFromItsQuotedForm) {
  std::mt19937_64 random(Seed());
  static const std::string kPieces[] = {"\"", "\\", "\n", "\t",       "0",    "1", "377",
                                        "n",  "t",  "/",  "\xc3\xa9", "\x80", " "};
  for (int round = 0; round < 50000; ++round) {
    std::string path;
    for (std::size_t pieces = random() % 8; pieces > 0; --pieces) {
      if (random() % 2 == 0) {
        path += kPieces[random() % std::size(kPieces)];
      } else {
        path.push_back(static_cast<char>(random()));
      }
    }
    const std::string text = Quoted(path);
    ASSERT_EQ(Unquoted(text), path) << text;
    for (const char c : text) {
      ASSERT_GE(static_cast<unsigned char>(c), 0x20) << text;
    }
  }
}

TEST(RepoPath, UnquotesAnyTextWithoutFailing) {
  std::mt19937_64 random(Seed());
  for (int round = 0; round < 50000; ++round) {
    std::string text = "\"";
    for (std::size_t size = random() % 6; size > 0; --size) text.push_back("\\\"037nx"[random() % 7]);
    text += "\"";
    EXPECT_LE(Unquoted(text).size(), text.size());
  }
  EXPECT_EQ(Unquoted("\""), "\"");
  EXPECT_EQ(Unquoted("\"\""), "");
  EXPECT_EQ(Unquoted("plain"), "plain");
}

}  // namespace
}  // namespace concordfs::vcs
