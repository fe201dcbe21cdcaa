#include "vcs/ignore_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace concordfs::vcs {

void PrintTo(IgnoreMatch match, std::ostream* out) {
  *out << (match == IgnoreMatch::kNone ? "none" : match == IgnoreMatch::kIgnored ? "ignored" : "included");
}

namespace {

constexpr IgnoreMatch kNone = IgnoreMatch::kNone;
constexpr IgnoreMatch kIgnored = IgnoreMatch::kIgnored;
constexpr IgnoreMatch kIncluded = IgnoreMatch::kIncluded;

struct PatternCase {
  std::string text;  // of the file
  std::string path;  // a directory's ends in a slash
  IgnoreMatch expected;
};

void ExpectEach(std::initializer_list<PatternCase> cases) {
  for (const PatternCase& c : cases) {
    const bool is_directory = c.path.ends_with('/');
    const std::string path = is_directory ? c.path.substr(0, c.path.size() - 1) : c.path;
    EXPECT_EQ(IgnoreList(c.text).Check(path, is_directory), c.expected)
        << ::testing::PrintToString(c.text) << " of " << c.path;
  }
}

TEST(IgnoreList, SaysNothingWithoutPatterns) {
  for (const char* text : {"", "\n", "\n\n", "# comment\n", "#", "\r\n", "   \n", "!\n", "/\n", "//\n", "!/\n"}) {
    EXPECT_TRUE(IgnoreList(text).empty()) << ::testing::PrintToString(text);
    EXPECT_EQ(IgnoreList(text).Check("a", true), kNone) << ::testing::PrintToString(text);
  }
}

TEST(IgnoreList, MatchesANameAtAnyDepthWhereThePatternHasNoSlash) {
  ExpectEach({{"foo", "foo", kIgnored},
              {"foo", "foo/", kIgnored},
              {"foo", "a/b/foo", kIgnored},
              {"foo", "foo/a", kNone},  // its parent is: the caller's to know
              {"foo", "afoo", kNone},
              {"*.o", "a/b.o", kIgnored},
              {"*.o", ".o", kIgnored},
              {"*.o", "b.oo", kNone},
              {"*", "a/b", kIgnored},
              {"a*c", "x/abc", kIgnored},
              {"a**c", "x/abc", kIgnored},
              {"**", "x/abc", kIgnored},
              {"**o", "x/foo", kIgnored}});
}

TEST(IgnoreList, AnchorsAPatternWithASlashAtItsStartOrInItsMiddle) {
  ExpectEach({{"/foo", "foo", kIgnored},
              {"/foo", "a/foo", kNone},
              {"/*.c", "a.c", kIgnored},
              {"/*.c", "a/b.c", kNone},
              {"a/foo", "a/foo", kIgnored},
              {"a/foo", "b/a/foo", kNone},
              {"/a/foo", "a/foo", kIgnored},
              {"a/*", "a/b", kIgnored},
              {"a/*", "a/b/c", kNone},
              {"a/*", "a", kNone},
              {"//foo", "foo", kNone},
              {"a//foo", "a/foo", kNone},
              {"a[/]b", "a/b", kNone},
              {"a[/x]b", "axb", kIgnored},
              {"a[/x]b", "c/axb", kNone}});
}

TEST(IgnoreList, MatchesOnlyDirectoriesWhereThePatternEndsInASlash) {
  ExpectEach({{"foo/", "foo/", kIgnored},
              {"foo/", "foo", kNone},
              {"foo/", "a/foo/", kIgnored},
              {"/foo/", "a/foo/", kNone},
              {"/foo/", "foo/", kIgnored},
              {"a/foo/", "a/foo/", kIgnored},
              {"a/foo/", "a/foo", kNone},
              {"*/", "a/", kIgnored},
              {"*/", "a", kNone},
              {"foo//", "foo/", kNone},
              {"foo\\/", "foo/", kNone},
              {"fo[o/", "fo[o/", kNone}});
}

TEST(IgnoreList, CrossesDirectoriesByTwoStars) {
  ExpectEach({{"**/foo", "foo", kIgnored},
              {"**/foo", "a/b/foo", kIgnored},
              {"**/a/foo", "x/a/foo", kIgnored},
              {"abc/**", "abc", kNone},
              {"abc/**", "abc/x/y", kIgnored},
              {"a/**/b", "a/b", kIgnored},
              {"a/**/b", "a/x/y/b", kIgnored},
              {"/**", "a/b", kIgnored},
              {"/**/", "a/b", kNone},
              {"/**/", "a/b/", kIgnored},
              {"**/", "a/b/", kIgnored}});
}

// Undocumented, but so it is: what precedes the first wildcard is compared apart, and then "**" opens what is left.
TEST(IgnoreList, LetsTwoStarsBehindALiteralStartCrossDirectoriesAsGitDoes) {
  ExpectEach({{"foo**/bar", "foobar", kIgnored},
              {"foo**/bar", "foox/y/bar", kIgnored},
              {"foo**/bar", "foo/bar", kIgnored},
              {"a/foo**", "a/foox/y", kIgnored},
              {"a/foo**", "a/foo", kIgnored},
              {"?oo**/bar", "foox/y/bar", kNone},
              {"?oo**/bar", "foox/bar", kIgnored},
              {"foo**//", "foo/", kIgnored}});
}

TEST(IgnoreList, LetsTheLastMatchingPatternDecide) {
  ExpectEach({{"*.o\n!a.o", "a.o", kIncluded},
              {"*.o\n!a.o", "b.o", kIgnored},
              {"!a.o\n*.o", "a.o", kIgnored},
              {"!a", "a", kIncluded},
              {"!!a", "!a", kIncluded},
              {"!a/", "a", kNone},
              {"!/a", "b/a", kNone},
              {"a\n!#b", "#b", kIncluded}});
}

TEST(IgnoreList, TakesEscapedSpecialCharactersAtTheStartAsTheyAre) {
  ExpectEach({{"#a", "#a", kNone},
              {"\\#a", "#a", kIgnored},
              {"\\!a", "!a", kIgnored},
              {"\\!a", "a", kNone},
              {" #a", " #a", kIgnored},
              {"!\\!a", "!a", kIncluded},
              {"a#b", "a#b", kIgnored},
              {"\\a", "a", kIgnored},
              {"a\\*", "a*", kIgnored},
              {"a\\*", "ab", kNone}});
}

TEST(IgnoreList, DropsTrailingSpacesThatAreNotEscaped) {
  ExpectEach({{"a  ", "a", kIgnored},
              {"a  ", "a  ", kNone},
              {"a\\ ", "a ", kIgnored},
              {"a\\   ", "a ", kIgnored},
              {"a\\ \\  ", "a  ", kIgnored},
              {"a \\ ", "a  ", kIgnored},
              {"a b", "a b", kIgnored},
              {" a", " a", kIgnored},
              {" a", "a", kNone},
              {"a/  ", "a/", kIgnored},
              {"a/\\ ", "a/ ", kIgnored},
              {"a\t", "a\t", kIgnored},
              {"a\t", "a", kNone},
              {"a\\\\ ", "a\\", kIgnored},
              {"a \\", "a ", kNone},
              {"\\ ", " ", kIgnored}});
}

TEST(IgnoreList, DropsOneCarriageReturnAtTheEndOfALine) {
  ExpectEach({{"a\r\nb\r\n", "a", kIgnored},
              {"a\r\nb\r\n", "b", kIgnored},
              {"a\r", "a", kIgnored},
              {"a\r\r\n", "a\r", kIgnored},
              {"a\r\r\n", "a", kNone},
              {"a \r\n", "a", kIgnored},
              {"a\r \n", "a\r", kIgnored},
              {"a/\r\n", "a/", kIgnored},
              {"a\rb\n", "a\rb", kIgnored},
              {"a\\\r\n", "a", kNone}});
}

TEST(IgnoreList, SkipsAByteOrderMarkAtTheVeryStartOnly) {
  ExpectEach({{"\xEF\xBB\xBF"
               "a\n",
               "a", kIgnored},
              {"\xEF\xBB\xBF# a\n", "# a", kNone},
              {"\xEF\xBB\xBF!a\n", "a", kIncluded},
              {"b\n\xEF\xBB\xBF"
               "a\n",
               "a", kNone},
              {"b\n\xEF\xBB\xBF"
               "a\n",
               "\xEF\xBB\xBF"
               "a",
               kIgnored},
              {"\xEF\xBB", "\xEF\xBB", kIgnored}});
}

TEST(IgnoreList, EndsALineAtANulAsGitDoes) {
  using std::string_literals::operator""s;
  ExpectEach({{"a\0b\n"s, "a", kIgnored},
              {"a  \0b\n"s, "a", kIgnored},
              {"\0b\n"s, "b", kNone},
              {"a\nb\0\nc"s, "c", kIgnored}});
}

TEST(IgnoreList, NeverMatchesByAPatternThatIsNotWellFormed) {
  for (const std::string text : {"a[", "a[b", "a\\", "*[", "[[:alpha:]", "[[:none:]]", "[!]", "a/[b", "x/a\\"}) {
    EXPECT_TRUE(IgnoreList(text).empty()) << text;
    EXPECT_EQ(IgnoreList(text).Check(text, false), kNone) << text;
    EXPECT_EQ(IgnoreList("x\n!" + text + "\ny").Check("x", false), kIgnored) << text;
  }
}

TEST(IgnoreList, KeepsWhatAPatternWithoutAWildcardIsApartFromOneWith) {
  ExpectEach({{"*foo", "foo", kIgnored},
              {"*foo", "barfoo", kIgnored},
              {"*fo*", "barfoo", kIgnored},
              {"*fo?", "barfoo", kIgnored},
              {"*[f]oo", "barfoo", kIgnored},
              {"*\\foo", "barfoo", kIgnored},
              {"*foo/", "barfoo", kNone},
              {"*foo/", "barfoo/", kIgnored},
              {"**foo", "barfoo", kIgnored},
              {"/*foo", "barfoo", kIgnored},
              {"/*foo", "bar/foo", kNone},
              {"a/*foo", "a/barfoo", kIgnored},
              {"*longer", "er", kNone}});
}

TEST(IgnoreList, ReadsTheLastLineWithoutItsEnd) {
  ExpectEach({{"a\nb", "b", kIgnored}, {"a\nb", "a", kIgnored}, {"a\n\n\nb", "b", kIgnored}});
}

}  // namespace
}  // namespace concordfs::vcs
