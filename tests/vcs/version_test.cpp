#include "vcs/version.h"

#include <gtest/gtest.h>

namespace concordfs::vcs {
namespace {

const std::string kHex(40, 'a');

TEST(Version, IsWrittenAsGitWritesATreesEntry) {
  const ObjectId blob = *ObjectId::FromHex(kHex);
  EXPECT_EQ(ToString(Version{blob, FileMode::kRegular}), "100644 " + kHex);
  EXPECT_EQ(ToString(Version{blob, FileMode::kExecutable}), "100755 " + kHex);
  EXPECT_EQ(ToString(Version{blob, FileMode::kSymlink}), "120000 " + kHex);
  EXPECT_EQ(ToString(MaybeVersion()), "absent");
}

TEST(Version, IsReadBackAsItWasWritten) {
  const ObjectId blob = *ObjectId::FromHex(kHex);
  for (const FileMode mode : {FileMode::kRegular, FileMode::kExecutable, FileMode::kSymlink, FileMode::kSubmodule}) {
    const MaybeVersion version = Version{blob, mode};
    const auto parsed = ParseVersion(ToString(version));
    ASSERT_TRUE(parsed) << ToString(version);
    EXPECT_EQ(*parsed, version);
  }
  const auto absent = ParseVersion("absent");
  ASSERT_TRUE(absent);
  EXPECT_EQ(*absent, MaybeVersion());
}

TEST(Version, RefusesEveryOtherText) {
  for (const std::string& text :
       {std::string(), std::string("absent "), std::string("Absent"), kHex, "100644" + kHex, "100644  " + kHex,
        "100644 " + kHex + " ", "100644 " + kHex.substr(1), "100600 " + kHex, "40000 " + kHex, "040000 " + kHex,
        "100644\t" + kHex, "100644 " + kHex.substr(1) + "g"}) {
    EXPECT_FALSE(ParseVersion(text)) << "'" << text << "'";
  }
}

TEST(Version, DiffersByModeAlone) {
  const ObjectId blob = *ObjectId::FromHex(kHex);
  EXPECT_NE(MaybeVersion(Version{blob, FileMode::kRegular}), MaybeVersion(Version{blob, FileMode::kExecutable}));
  EXPECT_NE(MaybeVersion(Version{blob, FileMode::kRegular}), MaybeVersion());
}

}  // namespace
}  // namespace concordfs::vcs
