// What uncommitted contents are, as the mount after a crash finds it (R13).
#include "fs/description_log.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/support/expect_result.h"
#include "tests/support/temp_dir.h"
#include "vcs/repo_path.h"

namespace concordfs::fs {
namespace {

Description Of(const std::string& path) {
  Description description;
  description.agent = "andrew";
  description.process = "12 a\tb\n";
  description.path = path;
  description.base = vcs::Base{vcs::Version{*vcs::ObjectId::FromHex(std::string(40, 'b')), vcs::FileMode::kExecutable},
                               *vcs::ObjectId::FromHex(std::string(40, 'c'))};
  description.mode = vcs::FileMode::kExecutable;
  return description;
}

class DescriptionLogTest : public ::testing::Test {
 protected:
  std::string Path() const { return (folder_.path() / "descriptions").string(); }
  std::unique_ptr<DescriptionLog> Open() const {
    auto log = DescriptionLog::Open(Path());
    EXPECT_TRUE(log) << log.error().message;
    return *std::move(log);
  }
  // Number and path of what is described, as the next daemon reads it.
  std::string Found() const {
    std::string text;
    for (const auto& [number, description] : Open()->Described()) {
      text += std::to_string(number) + ":" + vcs::Quoted(description.path) + " ";
    }
    return text;
  }
  std::string Text() const {
    std::ifstream file(Path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void SetText(std::string_view text) const { std::ofstream(Path(), std::ios::binary) << text; }

 private:
  TempDir folder_;
};

TEST_F(DescriptionLogTest, FindsAllThatWasSaidOfWhatIsDescribed) {
  const Description said = Of("d/\xff\n\"x\"\t");
  ASSERT_OK(Open()->Describe(7, said));
  const auto described = Open()->Described();
  ASSERT_EQ(described.size(), 1U);
  const Description& found = described.at(7);
  EXPECT_EQ(found.agent, said.agent);
  EXPECT_EQ(found.process, said.process);
  EXPECT_EQ(found.path, said.path);
  EXPECT_EQ(found.base.version, said.base.version);
  EXPECT_EQ(found.base.commit, said.base.commit);
  EXPECT_EQ(found.mode, said.mode);
}

TEST_F(DescriptionLogTest, ForgetsWhatWasDroppedAndTakesTheLastWord) {
  const auto log = Open();
  ASSERT_OK(log->Describe(1, Of("a")));
  ASSERT_OK(log->Describe(2, Of("b")));
  EXPECT_TRUE(log->Drop(1));
  ASSERT_OK(log->Describe(2, Of("c")));
  EXPECT_EQ(Found(), "2:c ");
  ASSERT_OK(log->Describe(1, Of("d")));
  EXPECT_EQ(Found(), "1:d 2:c ");
  EXPECT_TRUE(log->Drop(1) && log->Drop(2));
  EXPECT_TRUE(log->empty());
  EXPECT_EQ(Found(), "");
}

TEST_F(DescriptionLogTest, CountsNoLineThatWasCutAnywhere) {
  ASSERT_OK(Open()->Describe(1, Of("a")));
  const std::size_t first = Text().size();
  ASSERT_OK(Open()->Describe(1, Of("b")));
  ASSERT_TRUE(Open()->Drop(1));
  const std::string whole = Text();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    SetText(whole.substr(0, size));
    const bool has_first = size >= first;
    const bool has_second = size >= whole.size() - 2;
    EXPECT_EQ(Found(), size == whole.size() ? "" : has_second ? "1:b " : has_first ? "1:a " : "") << size;
    ASSERT_OK(Open()->Describe(9, Of("z")));  // behind what was cut
    EXPECT_NE(Found().find("9:z"), std::string::npos) << size;
  }
}

TEST_F(DescriptionLogTest, PassesOverWhatNobodyCanRead) {
  ASSERT_OK(Open()->Describe(1, Of("a")));
  SetText("nonsense\n\n5\tx\n" + Text() + std::string("\0\0\n", 3));
  EXPECT_EQ(Found(), "1:a ");
  EXPECT_FALSE(Open()->empty());
}

TEST_F(DescriptionLogTest, StaysShort) {
  constexpr std::uintmax_t kShort = 5 << 20;  // bytes
  const auto log = Open();
  ASSERT_OK(log->Describe(1, Of("stays")));
  ASSERT_OK(log->Sync());
  for (int i = 0; i < 60'000; ++i) {
    ASSERT_OK(log->Describe(2, Of("f")));
    ASSERT_TRUE(log->Drop(2));
    if (i % 1000 != 0) continue;
    ASSERT_LE(std::filesystem::file_size(Path()), kShort);
  }
  EXPECT_EQ(Found(), "1:stays ");
  ASSERT_TRUE(log->Drop(1));
  EXPECT_EQ(std::filesystem::file_size(Path()), 0U) << "nothing is described: nothing has to be kept";
}

}  // namespace
}  // namespace concordfs::fs
