#include "fs/temporaries.h"

#include <gtest/gtest.h>

namespace concordfs::fs {
namespace {

using MadeBy = Temporaries::MadeBy;

struct NameCase {
  const char* name;
  bool always = false;      // a temporary, however it is made
  bool by_mkstemp = false;  // a temporary if it is made as mkstemp(3) does
};

std::ostream& operator<<(std::ostream& stream, const NameCase& each) {
  return stream << each.name;
}

class DefaultNames : public ::testing::TestWithParam<NameCase> {};

TEST_P(DefaultNames, AreTakenForWhatTheyAre) {
  const Temporaries temporaries(DefaultTemporaries());
  EXPECT_EQ(temporaries.Match(GetParam().name, MadeBy::kAnything), GetParam().always);
  EXPECT_EQ(temporaries.Match(GetParam().name, MadeBy::kMkstemp), GetParam().always || GetParam().by_mkstemp);
}

constexpr NameCase kEditors[] = {
    {"f~", true},
    {"~", true},
    {"4913", true},
    {".f.swp", true},
    {".f.swo", true},
    {".f.swpx", true},
    {".#f", true},
    {"#f#", true},
    {"f.tmp.123", true},
    {".nfs0001", true},
    {".fuse_hidden01", true},
    {".~lock.a.odt#", true},
    {".goutputstream-AB12CD", true},
    {"f___jb_tmp___", true},
    {"f___jb_old___", true},
    {".f.kate-swp", true},
};
INSTANTIATE_TEST_SUITE_P(OfEditors, DefaultNames, ::testing::ValuesIn(kEditors));

// The last six characters are drawn by mkstemp, or they are part of a name that somebody thought of.
constexpr NameCase kDrawn[] = {
    {"sedAb3xYz", true},        {"sedq8Wd1e", true},
    {"sedation", false, false}, {"sedconfig", false, true},
    {".f.X4bQ2z", true},        {".eslintrc.config", false, true},
    {"XXb7Kq0a", true},         {"CuX4bQ2z", true},
    {"Custom", false, false},   {"f.oX4bQ2z", true},
    {"Customer", false, true},  {"tmpab3x_yz9", false, true},
    {"tmpabx4q9z1", true},      {"template.txt", false, false},
};
INSTANTIATE_TEST_SUITE_P(ThatAreDrawn, DefaultNames, ::testing::ValuesIn(kDrawn));

constexpr NameCase kOrdinary[] = {
    {"f"},    {"4914"}, {"a4913"},    {"f.swp"},    {"#f"},      {"f#"},     {"f.tmp"}, {"tmp.f"}, {".gitignore"},
    {".tmp"}, {"sed"},  {"main.cpp"}, {"Makefile"}, {".config"}, {"f.orig"}, {"f.rej"}, {"f.bak"}, {""},
};
INSTANTIATE_TEST_SUITE_P(ThatAreOrdinary, DefaultNames, ::testing::ValuesIn(kOrdinary));

TEST(Temporaries, AreOnlyThoseOfTheirList) {
  const Temporaries none({});
  EXPECT_FALSE(none.Match("f~", MadeBy::kMkstemp));
  const Temporaries own({"*.bak", "+new??????"});
  EXPECT_TRUE(own.Match("f.bak", MadeBy::kAnything));
  EXPECT_FALSE(own.Match("f~", MadeBy::kAnything));
  EXPECT_TRUE(own.Match("newfolder", MadeBy::kMkstemp));
  EXPECT_FALSE(own.Match("newfolder", MadeBy::kAnything)) << "a word that somebody thought of";
}

TEST(Temporaries, ThatAreDrawnAreToldFromWordsAndNumbersByTheirEnd) {
  const Temporaries drawn({"+t??????"});
  for (const char* word : {"tfolder", "tFolder", "tREADME", "tsha256", "t123456", "tABC123"}) {
    EXPECT_FALSE(drawn.Match(word, MadeBy::kAnything)) << word;
    EXPECT_TRUE(drawn.Match(word, MadeBy::kMkstemp)) << word;
  }
  for (const char* name : {"tx4bQ2z", "taBcDeF", "t1a2b3c", "tABCdef", "t12345a"}) {
    EXPECT_TRUE(drawn.Match(name, MadeBy::kAnything)) << name;
  }
}

TEST(Temporaries, OfPatchTellWhatTheyReplace) {
  EXPECT_EQ(Temporaries::TargetOf("f.oREADME"), "f");
  EXPECT_EQ(Temporaries::TargetOf("main.c.o123456"), "main.c");
  for (const char* name : {"f.objects", ".oREADME", "f.x123456", "f.o12345", "f.o1234-6", "", "f"}) {
    EXPECT_FALSE(Temporaries::TargetOf(name)) << name;
  }
}

}  // namespace
}  // namespace concordfs::fs
