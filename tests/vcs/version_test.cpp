#include "vcs/version.h"

#include <gtest/gtest.h>

namespace concordfs::vcs {
namespace {

const std::string kBlobHex(40, 'a');

TEST(Version, IsWrittenAsGitWritesATreesEntry) {
  const ObjectId blob = *ObjectId::FromHex(kBlobHex);
  EXPECT_EQ(ToString(Version{blob, FileMode::kRegular}), "100644 " + kBlobHex);
  EXPECT_EQ(ToString(Version{blob, FileMode::kExecutable}), "100755 " + kBlobHex);
  EXPECT_EQ(ToString(Version{blob, FileMode::kSymlink}), "120000 " + kBlobHex);
  EXPECT_EQ(ToString(MaybeVersion()), "absent");
}

TEST(Version, IsReadBackAsItWasWritten) {
  const ObjectId blob = *ObjectId::FromHex(kBlobHex);
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
       {std::string(), std::string("absent "), std::string("Absent"), kBlobHex, "100644" + kBlobHex,
        "100644  " + kBlobHex, "100644 " + kBlobHex + " ", "100644 " + kBlobHex.substr(1), "100600 " + kBlobHex,
        "40000 " + kBlobHex, "040000 " + kBlobHex, "100644\t" + kBlobHex, "100644 " + kBlobHex.substr(1) + "g"}) {
    EXPECT_FALSE(ParseVersion(text)) << "'" << text << "'";
  }
}

TEST(Version, DiffersByModeAlone) {
  const ObjectId blob = *ObjectId::FromHex(kBlobHex);
  EXPECT_NE(MaybeVersion(Version{blob, FileMode::kRegular}), MaybeVersion(Version{blob, FileMode::kExecutable}));
  EXPECT_NE(MaybeVersion(Version{blob, FileMode::kRegular}), MaybeVersion());
}

}  // namespace
}  // namespace concordfs::vcs
