#include "tools/mount_table.h"

#include <gtest/gtest.h>

namespace concordfs::tools {
namespace {

constexpr std::string_view kTable =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
    "90 22 0:50 / /mnt/with\\040space\\134 rw,nosuid,nodev master:3 propagate_from:2 - fuse.concordfs "
    "/srv/a\\040b.git rw,user_id=0\n"
    "not a mount\n"
    "91 22 0:51 / /mnt/no-optional-fields rw - tmpfs none rw\n";

TEST(ParseMountTable, ReadsPlaceTypeAndSource) {
  const auto entries = ParseMountTable(kTable);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].mountpoint, "/");
  EXPECT_EQ(entries[0].type, "ext4");
  EXPECT_EQ(entries[0].source, "/dev/root");
  EXPECT_EQ(entries[0].id, 22);
  EXPECT_EQ(entries[0].device, "8:1");
  EXPECT_EQ(entries[2].mountpoint, "/mnt/no-optional-fields");
  EXPECT_EQ(entries[2].type, "tmpfs");
}

TEST(ParseMountTable, UndoesTheKernelsEscapes) {
  const auto entries = ParseMountTable(kTable);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].mountpoint, "/mnt/with space\\");
  EXPECT_EQ(entries[1].source, "/srv/a b.git");
  EXPECT_EQ(entries[1].type, kMountType);
}

TEST(ParseMountTable, LeavesWhatIsNoEscape) {
  const auto entries = ParseMountTable("1 0 0:1 / /a\\9\\04 rw - tmpfs \\ rw\n");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].mountpoint, "/a\\9\\04");
  EXPECT_EQ(entries[0].source, "\\");
}

TEST(FindMount, FindsTheRootAndNoOrdinaryDirectory) {
  const auto root = FindMount("/");
  ASSERT_TRUE(root);
  EXPECT_TRUE(root->has_value());
  const auto none = FindMount("/proc/self/fd");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_value());
}

}  // namespace
}  // namespace concordfs::tools
