#include "tools/text_table.h"

#include <gtest/gtest.h>

namespace concordfs::tools {
namespace {

TEST(TextTable, MakesEachColumnAsWideAsItsWidestCell) {
  TextTable table({"A", "LONG", "C"});
  table.AddRow({"1", "2", "3"});
  table.AddRow({"wide", "2", ""});
  EXPECT_EQ(table.Text(), "A     LONG  C\n1     2     3\nwide  2\n");
}

TEST(TextTable, CountsCharactersAndIndents) {
  TextTable table({"A", "B"});
  table.AddRow({"\xC3\xA4\xC3\xB6", "x"});
  EXPECT_EQ(table.Text(2), "  A   B\n  \xC3\xA4\xC3\xB6  x\n");
}

}  // namespace
}  // namespace concordfs::tools
