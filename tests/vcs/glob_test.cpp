#include "vcs/glob.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>

namespace concordfs::vcs {
namespace {

struct GlobCase {
  const char* pattern;
  const char* text;
  bool matches;
};

void ExpectMatches(std::initializer_list<GlobCase> cases) {
  for (const GlobCase& c : cases) {
    ASSERT_TRUE(IsWellFormedGlob(c.pattern)) << c.pattern;
    EXPECT_EQ(MatchesGlob(c.pattern, c.text), c.matches) << c.pattern << " against " << c.text;
  }
}

TEST(Glob, ComparesWhatIsNoWildcardByteByByte) {
  ExpectMatches({{"foo", "foo", true},
                 {"foo", "fooo", false},
                 {"foo", "fo", false},
                 {"foo", "Foo", false},
                 {"", "", true},
                 {"", "a", false},
                 {"a{b,c}", "ab", false},
                 {"a{b,c}", "a{b,c}", true},
                 {"\xC3\xA9", "\xC3\xA9", true}});
}

TEST(Glob, MatchesOneByteButASlashByAQuestionMark) {
  ExpectMatches({{"?", "a", true},
                 {"?", "", false},
                 {"?", "/", false},
                 {"a?b", "a/b", false},
                 {"?", "\xC3\xA9", false},
                 {"??", "\xC3\xA9", true},
                 {"???", "ab", false}});
}

TEST(Glob, MatchesAnythingUpToASlashByAStar) {
  ExpectMatches({{"*", "", true},
                 {"*", "foo", true},
                 {"*", "foo/bar", false},
                 {"*/*", "foo/bar", true},
                 {"*/*", "foo/bar/baz", false},
                 {"*/bar", "a/b/bar", false},
                 {"*\\/bar", "a/bar", true},
                 {"f*", "foo", true},
                 {"f*o", "fo", true},
                 {"*f", "foo", false},
                 {"*foo*", "a-foo-b", true},
                 {"*ab*ab*", "abab", true},
                 {"*ab*ab*", "aba", false},
                 {"a*b/c*d", "axb/cxd", true},
                 {"a*b/c*d", "ax/b/cxd", false}});
}

TEST(Glob, CrossesSlashesByTwoStarsThatAreAComponent) {
  ExpectMatches({{"**", "", true},
                 {"**", "a/b/c", true},
                 {"***", "a/b/c", true},
                 {"**/b", "b", true},
                 {"**/b", "a/b", true},
                 {"**/b", "a/a/b", true},
                 {"**/b", "ab", false},
                 {"**/b", "a/ab", false},
                 {"a/**", "a/", true},
                 {"a/**", "a/b/c", true},
                 {"a/**", "a", false},
                 {"a/**/b", "a/b", true},
                 {"a/**/b", "a/x/b", true},
                 {"a/**/b", "a/x/y/b", true},
                 {"a/**/b", "axb", false},
                 {"a/**/b", "a/xb", false},
                 {"a/****/b", "a/x/y/b", true},
                 {"**/**/b", "b", true},
                 {"**/**/**/b", "a/b", true},
                 {"**/a/**/b", "x/a/a/y/b", true},
                 {"**/a*/**/b", "a/c/ab/y/b", true},
                 {"**/*a/b", "x/ca/cca/b", true},
                 {"**/x*/b", "xa/c/xc/b", true},
                 {"**/", "", true}});
}

TEST(Glob, TakesTwoStarsElsewhereForOne) {
  ExpectMatches({{"a**", "ab", true},
                 {"a**", "ab/c", false},
                 {"a**/b", "axx/b", true},
                 {"a**/b", "ax/x/b", false},
                 {"a**/b", "ab", false},
                 {"**a", "b/a", false},
                 {"**a", "ba", true},
                 {"x/**a/y", "x/ba/y", true},
                 {"x/**a/y", "x/b/a/y", false}});
}

TEST(Glob, MatchesAtLeastOneSlashBeforeAnEscapedOne) {
  ExpectMatches({{"**\\/b", "b", false}, {"**\\/b", "/b", true}, {"**\\/b", "a/c/b", true}, {"a\\/**", "a/b/c", true}});
}

TEST(Glob, MatchesWhatABackslashPrecedesAsItIs) {
  ExpectMatches({{"\\*", "*", true},
                 {"\\*", "a", false},
                 {"\\a", "a", true},
                 {"\\\\", "\\", true},
                 {"\\[a]", "[a]", true},
                 {"a\\?", "a?", true},
                 {"a\\?", "ab", false}});
}

TEST(Glob, MatchesTheMembersOfABracket) {
  ExpectMatches({{"[ab]", "a", true},    {"[ab]", "c", false},   {"[ab]", "", false},     {"[!ab]", "c", true},
                 {"[!ab]", "a", false},  {"[^ab]", "c", true},   {"[^ab]", "b", false},   {"[!!]", "!", false},
                 {"[!^]", "^", false},   {"[^!]", "a", true},    {"[a!]", "!", true},     {"[]]", "]", true},
                 {"[]-]", "-", true},    {"[!]]", "]", false},   {"[!]a]", "b", true},    {"[[]", "[", true},
                 {"[\\]]", "]", true},   {"[\\]]x", "]x", true}, {"[a\\-c]", "b", false}, {"[a\\-c]", "-", true},
                 {"[\\\\]", "\\", true}, {"[*]", "*", true},     {"[*]", "a", false},     {"*[ab]", "xxb", true}});
}

TEST(Glob, NeverMatchesASlashByABracket) {
  ExpectMatches(
      {{"a[/]b", "a/b", false}, {"a[!x]b", "a/b", false}, {"a[.-0]b", "a/b", false}, {"a[.-0]b", "a.b", true}});
}

TEST(Glob, MatchesTheRangesOfABracketByTheirBytes) {
  ExpectMatches({{"[a-c]", "b", true},
                 {"[a-c]", "d", false},
                 {"[c-a]", "b", false},
                 {"[-a]", "-", true},
                 {"[a-]", "-", true},
                 {"[a-]", "b", false},
                 {"[a-c-e]", "d", false},
                 {"[a-c-e]", "-", true},
                 {"[a-c-e]", "e", true},
                 {"[a-\\]]", "^", false},
                 {"[\\[-\\]]", "\\", true},
                 {"[--0]", ".", true},
                 {"[a-z0-9]", "5", true},
                 {"[\x80-\xFF]", "\xC3", true},
                 {"[a-\xFF]", "\xC3", true},
                 {"[[:digit:]-z]", "a", false},
                 {"[[:digit:]-z]", "-", true}});
}

TEST(Glob, TakesABracketInABracketForAMemberWhereItNamesNoClass) {
  ExpectMatches({{"[[:]", ":", true},
                 {"[[:]", "[", true},
                 {"[[:a]", "a", true},
                 {"[[:digit]", "d", true},
                 {"[[:digit]", "1", false},
                 {"[[:]x]", ":x]", true},
                 {"[a[b]", "[", true},
                 {"[[-a]", "]", true}});
}

// What git 2.39 answers for each byte.
TEST(Glob, KnowsGitsCharacterClasses) {
  const std::string digits = "0123456789";
  const std::string lower = "abcdefghijklmnopqrstuvwxyz";
  const std::string upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string punct = "!\"#$%&'()*+,-.:;<=>?@[\\]^_`{|}~";  // and the slash, which no bracket matches
  std::string control = "\x7F";
  for (char c = 1; c < ' '; ++c) control.push_back(c);
  const std::map<std::string, std::string> classes = {{"alnum", digits + lower + upper},
                                                      {"alpha", lower + upper},
                                                      {"blank", " \t"},
                                                      {"cntrl", control},
                                                      {"digit", digits},
                                                      {"graph", digits + lower + upper + punct},
                                                      {"lower", lower},
                                                      {"print", digits + lower + upper + punct + " "},
                                                      {"punct", punct},
                                                      {"space", " \t\n\r"},
                                                      {"upper", upper},
                                                      {"xdigit", digits + "abcdefABCDEF"}};
  for (const auto& [name, members] : classes) {
    for (int byte = 1; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      const bool expected = members.find(c) != std::string::npos;
      EXPECT_EQ(MatchesGlob("[[:" + name + ":]]", std::string(1, c)), expected) << name << " " << byte;
      EXPECT_EQ(MatchesGlob("[^_[:" + name + ":]]", std::string(1, c)), !expected && c != '_' && c != '/')
          << name << " " << byte;
    }
  }
}

TEST(Glob, SaysWhatIsNotWellFormed) {
  for (const char* pattern : {"[", "[a", "[!", "[^", "[]", "[!]", "a[b", "\\", "a\\", "[a\\", "[a-\\", "[\\]",
                              "[[:alpha:]", "[[:alpha:", "[[:alph:]]", "[[::]]", "[[:Alpha:]]", "[ab]["}) {
    EXPECT_FALSE(IsWellFormedGlob(pattern)) << pattern;
  }
  for (const char* pattern : {"", "]", "a]", "\\[", "[[]", "[[:]", "[[:alpha]:]]", "\\\\", "**", "[a-]"}) {
    EXPECT_TRUE(IsWellFormedGlob(pattern)) << pattern;
  }
}

// A matcher that tries all ways takes longer than the universe exists.
TEST(Glob, TakesNoExponentialTime) {
  const auto start = std::chrono::steady_clock::now();
  std::string stars;
  std::string folders;
  std::string trees;
  for (int i = 0; i < 60; ++i) {
    stars += "*a";
    folders += "*a*/";
    trees += "**/*a*/";
  }
  EXPECT_FALSE(MatchesGlob(stars + "*b", std::string(255, 'a')));
  EXPECT_TRUE(MatchesGlob(stars + "*b", std::string(254, 'a') + "b"));
  std::string path;
  while (path.size() < 4090) path += "aaaa/";
  EXPECT_FALSE(MatchesGlob(folders + "b", path + "c"));
  EXPECT_FALSE(MatchesGlob(trees + "b", path + "c"));
  EXPECT_TRUE(MatchesGlob(trees + "b", path + "b"));
  EXPECT_FALSE(MatchesGlob("**/" + stars + "*b/**/c", path + "d"));
  EXPECT_FALSE(MatchesGlob("**\\/" + stars + "*b/**\\/c", path + "d"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << "some ms are usual";
}

}  // namespace
}  // namespace concordfs::vcs
