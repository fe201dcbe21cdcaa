// Saves of one file, one after the other: the copy of the one rests until the next.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fs/filesystem.h"
#include "tests/model/mount.h"

namespace concordfs::fs {
namespace {

using testing::kAndrew;
using testing::kBenson;
using testing::Kernel;
using testing::Mount;
using testing::NumberedAgents;
using testing::Said;

constexpr int kAnew = O_WRONLY | O_TRUNC;

std::string TextOf(const Result<std::string>& text) {
  return text ? *text : CodeName(text.code());
}

class RestingCopyTest : public ::testing::Test {
 protected:
  Filesystem& fs() { return *mount_.filesystem; }
  Kernel& kernel() { return *mount_.kernel; }
  Entry Lookup(const Caller& caller) {
    const auto entry = fs().Lookup(caller, kRootNode, "f");
    if (!entry) throw std::runtime_error(entry.error().message);
    fs().Forget(entry->attr.node, 1);  // the model's kernel keeps it
    return *entry;
  }
  std::string Echo(const Caller& caller, const std::string& content) {
    return Said(kernel().Echo(caller, "f", content));
  }
  std::string Cat(const Caller& caller) { return TextOf(kernel().Cat(caller, "f")); }

  NumberedAgents agents_;
  Mount mount_{{{"f", "A"}, {"g", "A"}}};
};

TEST_F(RestingCopyTest, IsOpenedAtOnceByTheNextSave) {
  ASSERT_EQ(Echo(kAndrew, "B"), "ok");
  const Entry first = Lookup(kAndrew);
  EXPECT_EQ(first.entry_timeout_s, 0) << "the answer depends on who asks";
  const auto opened = fs().Open(kAndrew, first.attr.node, kAnew);
  ASSERT_TRUE(opened) << "sent away: " << opened.error().message;
  EXPECT_FALSE(opened->direct_io);
  ASSERT_EQ(Said(fs().Write(opened->handle, 0, "C", WriteTo::kOffset)), "ok");
  EXPECT_EQ(Cat(kBenson), "B") << "nobody else sees it before it is accepted";
  ASSERT_EQ(Said(fs().Flush(opened->handle, kAndrew.tid)), "ok");
  fs().Release(opened->handle);
  EXPECT_EQ(mount_.Head("f"), "C");
  EXPECT_EQ(Lookup(kAndrew).attr.node, first.attr.node);
}

TEST_F(RestingCopyTest, IsSeenByItsAgentOnlyAndAsTheVersionThatItIs) {
  ASSERT_EQ(Echo(kAndrew, "BB"), "ok");
  const Attr own = Lookup(kAndrew).attr;
  const Attr others = Lookup(kBenson).attr;
  EXPECT_NE(own.node, others.node);
  EXPECT_EQ(own.ino, others.ino);
  EXPECT_EQ(own.size, others.size);
  EXPECT_EQ(own.mtime.tv_nsec, others.mtime.tv_nsec);
  const auto status = nlohmann::json::parse(fs().Status());
  for (const auto& agent : status.at("agents")) EXPECT_TRUE(agent.at("working_copies").empty()) << agent;
}

TEST_F(RestingCopyTest, ShowsWhatOthersChangeOfTheFile) {
  ASSERT_EQ(Echo(kAndrew, "B"), "ok");
  AttrChange change;
  change.mode = S_IFREG | 0600;
  change.mtime = timespec{17, 18};
  const auto others = fs().Lookup(kBenson, kRootNode, "f");
  ASSERT_TRUE(others);
  ASSERT_EQ(Said(fs().SetAttr(kBenson, others->attr.node, change, std::nullopt)), "ok");
  fs().Forget(others->attr.node, 1);
  EXPECT_EQ(Lookup(kAndrew).attr.mode & 07777, 0600U);
  EXPECT_EQ(Lookup(kAndrew).attr.mtime.tv_sec, 17);
}

TEST_F(RestingCopyTest, EndsWhenAnotherAgentIsAccepted) {
  ASSERT_EQ(Echo(kAndrew, "B"), "ok");
  const NodeId resting = Lookup(kAndrew).attr.node;
  ASSERT_EQ(Cat(kBenson), "B");
  ASSERT_EQ(Echo(kBenson, "C"), "ok");
  EXPECT_NE(Lookup(kAndrew).attr.node, resting);
  EXPECT_EQ(Echo(kAndrew, "D"), "stale");
  EXPECT_EQ(Cat(kAndrew), "C");
  EXPECT_EQ(Echo(kAndrew, "D"), "ok");
  EXPECT_EQ(mount_.Head("f"), "D");
}

TEST_F(RestingCopyTest, EndsWhenTheOutsideWorldMovesTheBranch) {  // R11
  ASSERT_EQ(Echo(kAndrew, "B"), "ok");
  mount_.branch.Commit({{"f", mount_.branch.Blob("pushed")}});
  mount_.Synchronize();
  EXPECT_EQ(Echo(kAndrew, "C"), "stale");
  EXPECT_EQ(Cat(kAndrew), "pushed");
}

// R1: who reads it has a version open, whatever its agent saves meanwhile.
TEST_F(RestingCopyTest, BecomesTheVersionThatItsAgentReads) {
  ASSERT_EQ(Echo(kAndrew, "B"), "ok");
  const NodeId node = Lookup(kAndrew).attr.node;
  auto file = kernel().Open(kAndrew, "f", O_RDONLY);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->node, node) << "sent away";
  EXPECT_TRUE(file->opened.keep_cache);
  EXPECT_EQ(Lookup(kBenson).attr.node, node) << "it is everybody's";
  ASSERT_EQ(Echo(kAndrew, "C"), "ok");
  EXPECT_EQ(TextOf(kernel().ReadAll(*file)), "B");
  EXPECT_EQ(fs().GetAttr(kAndrew, node)->size, 1U);
  ASSERT_EQ(Echo(kBenson, "D"), "ok");
  EXPECT_EQ(TextOf(kernel().ReadAll(*file)), "B");
  EXPECT_EQ(Said(kernel().Close(kAndrew, *file)), "ok");
}

TEST_F(RestingCopyTest, IsNoWorkingCopyOfAFileThatIsRemovedAndMadeAgain) {
  ASSERT_EQ(Echo(kAndrew, "B"), "ok");
  ASSERT_EQ(Said(kernel().Unlink(kAndrew, "f")), "ok");
  EXPECT_EQ(Cat(kAndrew), CodeName(Code::kNotFound));
  ASSERT_EQ(Echo(kAndrew, "again"), "ok");
  EXPECT_EQ(Cat(kBenson), "again");
  EXPECT_EQ(Cat(kAndrew), "again");
}

TEST_F(RestingCopyTest, FollowsItsFileWhenThatIsRenamed) {  // R9
  ASSERT_EQ(Echo(kAndrew, "B"), "ok");
  ASSERT_EQ(Said(kernel().Rename(kAndrew, "f", "h")), "ok");
  ASSERT_EQ(Said(kernel().Echo(kAndrew, "h", "C")), "ok");
  EXPECT_EQ(mount_.Head("h"), "C");
  EXPECT_EQ(TextOf(kernel().Cat(kBenson, "h")), "C");
}

TEST_F(RestingCopyTest, StartsEachSaveFromTheNewestContent) {
  for (const char* more : {"1", "2", "3"}) ASSERT_EQ(Said(kernel().Append(kAndrew, "f", more)), "ok");
  EXPECT_EQ(mount_.Head("f"), "A123");
  ASSERT_EQ(Said(kernel().Append(kBenson, "f", "4")), "ok");
  EXPECT_EQ(mount_.Head("f"), "A1234");
}

// Who saves one file after the other is answered a copy of the next at its lookup already.
TEST_F(RestingCopyTest, IsMadeForWhoSavedAnotherFile) {
  ASSERT_EQ(Said(kernel().Echo(kAndrew, "g", "B")), "ok");
  const NodeId node = Lookup(kAndrew).attr.node;
  EXPECT_NE(Lookup(kBenson).attr.node, node);
  const auto opened = fs().Open(kAndrew, node, kAnew);
  ASSERT_TRUE(opened) << "sent away: " << opened.error().message;
  fs().Release(opened->handle);
  EXPECT_EQ(mount_.Head("f"), "");
}

TEST_F(RestingCopyTest, IsNotMadeForWhoLooksAtManyFiles) {
  ASSERT_EQ(Said(kernel().Echo(kAndrew, "g", "B")), "ok");
  for (int i = 0; i < 4; ++i) Lookup(kAndrew);
  mount_.kernel->DropCaches();
  ASSERT_EQ(Cat(kAndrew), "A");  // ends what was made
  const Entry entry = Lookup(kAndrew);
  EXPECT_GT(entry.entry_timeout_s, 0) << "needn't be asked for again";
}

TEST_F(RestingCopyTest, OfAStaleAgentIsRefused) {  // R6
  ASSERT_EQ(Cat(kAndrew), "A");
  ASSERT_EQ(Echo(kBenson, "B"), "ok");
  ASSERT_EQ(Said(kernel().Echo(kAndrew, "g", "C")), "ok");
  EXPECT_EQ(Echo(kAndrew, "D"), "stale");
  EXPECT_EQ(Echo(kAndrew, "D"), "stale") << "a blind retry (R8)";
  EXPECT_EQ(Cat(kAndrew), "B");
  EXPECT_EQ(Echo(kAndrew, "D"), "ok");
}

}  // namespace
}  // namespace concordfs::fs
