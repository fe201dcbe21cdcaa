#include "vcs/object_id.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace concordfs::vcs {
namespace {

constexpr char kHex[] = "0123456789abcdef0123456789abcdef01234567";

TEST(ObjectId, ReadsFortyDigitsAndPrintsThemInLowerCase) {
  const auto id = ObjectId::FromHex(kHex);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->Hex(), kHex);
  EXPECT_EQ(id->bytes()[0], 0x01);
  EXPECT_EQ(id->bytes()[19], 0x67);
  EXPECT_EQ(ObjectId::FromHex("0123456789ABCDEF0123456789ABCDEF01234567"), id);
}

TEST(ObjectId, RefusesEveryOtherText) {
  const std::string good = kHex;
  EXPECT_FALSE(ObjectId::FromHex(""));
  EXPECT_FALSE(ObjectId::FromHex(good.substr(1)));
  EXPECT_FALSE(ObjectId::FromHex(good + "0"));
  for (const char bad : {'g', 'G', ' ', '/', ':', '@', '`', '\0', '\xff'}) {
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::string text = good;
      text[i] = bad;
      EXPECT_FALSE(ObjectId::FromHex(text)) << "with byte " << static_cast<int>(bad) << " at " << i;
    }
  }
}

TEST(ObjectId, IsZeroOnlyIfNothingWasSet) {
  EXPECT_TRUE(ObjectId().IsZero());
  ObjectId::Bytes bytes{};
  EXPECT_TRUE(ObjectId(bytes).IsZero());
  bytes[19] = 1;
  EXPECT_FALSE(ObjectId(bytes).IsZero());
}

TEST(ObjectId, OrdersAndHashesByItsBytes) {
  ObjectId::Bytes low{};
  ObjectId::Bytes high{};
  low[1] = 0x7F;
  high[1] = 0x80;
  EXPECT_LT(ObjectId(low), ObjectId(high));
  EXPECT_EQ(ObjectId::FromRaw(low.data()), ObjectId(low));
  const std::unordered_set<ObjectId> ids = {ObjectId(low), ObjectId(high), ObjectId(low)};
  EXPECT_EQ(ids.size(), 2U);
}

}  // namespace
}  // namespace concordfs::vcs
