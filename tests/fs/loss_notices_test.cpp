#include "fs/loss_notices.h"

#include <gtest/gtest.h>

#include "tests/support/paths.h"

namespace concordfs::fs {
namespace {

using testing::Path;

TEST(LossNotices, AnswerAnOperationByPathAndTheKernelsRepetitionOfIt) {
  LossNotices notices;
  notices.Add("andrew", Path("d/f"));
  EXPECT_EQ(notices.untold(), 1U);
  EXPECT_FALSE(notices.Take("benson", Path("d/f"), 7));
  EXPECT_FALSE(notices.Take("andrew", Path("d"), 7));
  EXPECT_TRUE(notices.Take("andrew", Path("d/f"), 7));
  EXPECT_EQ(notices.untold(), 0U);
  EXPECT_TRUE(notices.Take("andrew", Path("d/f"), 7));
  EXPECT_FALSE(notices.Take("andrew", Path("d/f"), 7));
  EXPECT_TRUE(notices.empty());
}

TEST(LossNotices, TellOneProcessOfAnAgentOnly) {
  LossNotices notices;
  notices.Add("andrew", Path("f"));
  EXPECT_TRUE(notices.Take("andrew", Path("f"), 7));
  EXPECT_FALSE(notices.Take("andrew", Path("f"), 8));
  EXPECT_FALSE(notices.Take("andrew", Path("f"), 7)) << "it is told by now";
}

TEST(LossNotices, TellAHandleOnce) {
  LossNotices notices;
  notices.Add("andrew", Path("f"));
  EXPECT_TRUE(notices.TakeOnce("andrew", Path("f")));
  EXPECT_FALSE(notices.TakeOnce("andrew", Path("f")));
  notices.Add("andrew", Path("f"));
  EXPECT_TRUE(notices.Take("andrew", Path("f"), 7));
  EXPECT_FALSE(notices.TakeOnce("andrew", Path("f"))) << "told by its path";
}

TEST(LossNotices, TellWhoLooksForADirectoryThatIsGoneWithWhatWasLostInIt) {
  LossNotices notices;
  notices.Add("andrew", Path("d/e/f"));
  EXPECT_FALSE(notices.TakeGone("andrew", Path("d/e2"), 7));
  EXPECT_FALSE(notices.TakeGone("benson", Path("d"), 7));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(notices.TakeGone("andrew", Path("d"), 7)) << i;
  EXPECT_FALSE(notices.TakeGone("andrew", Path("d"), 7));
}

}  // namespace
}  // namespace concordfs::fs
