// The n-th operation of the store fails, for every n: what a program is told is true, nothing is lost, and writing
// again publishes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/model/mount.h"

namespace concordfs::fs {
namespace {

using testing::kAndrew;
using testing::kBenson;
using testing::Kernel;
using testing::Mount;
using testing::NumberedAgents;

enum class Failing { kOnce, kUntilHealed };

class FailingStoreTest : public ::testing::TestWithParam<Failing> {
 protected:
  void Fail(Mount& mount, std::uint64_t n) {
    if (GetParam() == Failing::kOnce) {
      mount.store.FailNth(n, Code::kNoSpace);
    } else {
      mount.store.FailFrom(n, Code::kNoSpace);
    }
  }
};

const std::map<std::string, std::string> kFiles = {{"f", "A"}, {"t", "T"}};

TEST_P(FailingStoreTest, ACloseSaysNoSpaceAndWritingAgainPublishes) {
  bool failed = true;
  for (std::uint64_t n = 1; failed; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n) + " fails");
    ASSERT_LT(n, 200U);
    Mount mount(kFiles);
    auto file = mount.kernel->Open(kAndrew, "f", O_RDWR);
    ASSERT_TRUE(file);
    ASSERT_TRUE(mount.kernel->ReadAll(*file));
    const auto tip = mount.branch.Tip().commit;
    Fail(mount, n);
    const auto written = mount.kernel->Write(*file, "B");
    const auto flushed = mount.kernel->Flush(kAndrew, *file);
    failed = mount.store.failures() > 0;
    mount.store.Heal();
    ASSERT_TRUE(failed || n > 1) << "it needs the store";
    for (const auto* done : {&written, &flushed}) {
      if (!*done) {
        EXPECT_EQ(done->code(), Code::kNoSpace) << "never a stale write for a full disk (R6)";
      }
    }
    if (flushed) {
      EXPECT_EQ(mount.Head("f"), "B");
    } else {
      EXPECT_EQ(mount.branch.Tip().commit, tip) << "what was not acknowledged is not in history";
      EXPECT_EQ(*mount.kernel->ReadAll(*file), "B") << "the working copy stays";
    }
    EXPECT_TRUE(mount.kernel->Write(*file, "C"));
    EXPECT_TRUE(mount.kernel->Close(kAndrew, *file));
    EXPECT_EQ(mount.Head("f"), flushed ? "BC" : std::string(written ? "BC" : "C"));
    EXPECT_EQ(*mount.kernel->Cat(kBenson, "f"), mount.Head("f"));
  }
}

TEST_P(FailingStoreTest, ARefusedWriteIsParkedOrStays) {
  bool failed = true;
  for (std::uint64_t n = 1; failed; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n) + " fails");
    ASSERT_LT(n, 200U);
    Mount mount(kFiles);
    auto file = mount.kernel->Open(kBenson, "f", O_RDWR);
    ASSERT_TRUE(file);
    ASSERT_TRUE(mount.kernel->ReadAll(*file));
    ASSERT_TRUE(mount.kernel->Write(*file, "benson's"));
    ASSERT_TRUE(mount.kernel->Echo(kAndrew, "f", "B"));
    Fail(mount, n);
    const auto flushed = mount.kernel->Flush(kBenson, *file);
    failed = mount.store.failures() > 0;
    mount.store.Heal();
    ASSERT_TRUE(failed || n > 1) << "it needs the store";
    ASSERT_FALSE(flushed);
    const auto parked = [&mount] { return mount.ParkedOf(NumberedAgents::NameOf(2), "f"); };
    if (flushed.code() == Code::kStale) {
      EXPECT_THAT(parked(), ::testing::ElementsAre("benson's")) << "parked before the error is returned (R7)";
    } else {
      EXPECT_EQ(flushed.code(), Code::kNoSpace);
    }
    const auto closed = mount.kernel->Close(kBenson, *file);
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.code(), Code::kStale);
    EXPECT_THAT(parked(), ::testing::ElementsAre("benson's"));
    EXPECT_EQ(mount.Head("f"), "B");
  }
}

// Everything else that changes something, each done again where it failed.
TEST_P(FailingStoreTest, NamesAreAsTheAnswersSay) {
  using Operation = std::function<Result<void>(Mount&)>;
  const std::pair<const char*, Operation> operations[] = {
      {"create", [](Mount& mount) { return mount.kernel->Echo(kAndrew, "new", "N"); }},
      {"unlink", [](Mount& mount) { return mount.kernel->Unlink(kAndrew, "f"); }},
      {"rename", [](Mount& mount) { return mount.kernel->Rename(kAndrew, "t", "new"); }},
      {"rename over", [](Mount& mount) { return mount.kernel->Rename(kAndrew, "t", "f"); }},
      {"truncate", [](Mount& mount) { return mount.kernel->Truncate(kAndrew, "f", 0); }},
      {"chmod", [](Mount& mount) { return mount.kernel->Chmod(kAndrew, "f", 0755); }}};
  for (const auto& [name, operation] : operations) {
    bool failed = true;
    for (std::uint64_t n = 1; failed; ++n) {
      SCOPED_TRACE(std::string(name) + ", operation " + std::to_string(n) + " fails");
      ASSERT_LT(n, 200U);
      Mount mount(kFiles);
      const auto tip = mount.branch.Tip().commit;
      Fail(mount, n);
      const auto done = operation(mount);
      failed = mount.store.failures() > 0;
      mount.store.Heal();
      ASSERT_TRUE(failed || n > 1) << "it needs the store";
      EXPECT_EQ(mount.branch.Tip().commit != tip, done.ok());
      if (!done) {
        EXPECT_EQ(done.code(), Code::kNoSpace);
        const auto again = operation(mount);
        EXPECT_TRUE(again) << again.error().message;
      }
      EXPECT_EQ(mount.NewHistory().size(), 1U);
      std::map<std::string, std::string> seen;
      const auto names = mount.kernel->List(kBenson, "");
      ASSERT_TRUE(names);
      for (const std::string& one : *names) seen[one] = *mount.kernel->Cat(kBenson, one);
      std::map<std::string, std::string> heads;
      for (const auto& [path, version] : mount.branch.FilesOf(mount.branch.Tip().commit))
        heads[path] = mount.branch.Content(version);
      EXPECT_EQ(seen, heads);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, FailingStoreTest, ::testing::Values(Failing::kOnce, Failing::kUntilHealed),
                         [](const auto& one) { return one.param == Failing::kOnce ? "Once" : "UntilHealed"; });

}  // namespace
}  // namespace concordfs::fs
