// A large file takes long to be hashed and stored: nobody but its own agent waits for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <latch>

#include "tests/model/mount.h"

namespace concordfs::fs {
namespace {

using testing::kAndrew;
using testing::kBenson;
using testing::NumberedAgents;

constexpr std::uint64_t kLarge = 2 << 20;  // bytes

// Is not through with a large blob until it is told so.
class SlowStore : public vcs::FailingStore {
 public:
  using FailingStore::FailingStore;
  using FailingStore::PrepareBlob;
  Result<vcs::NewBlob> PrepareBlob(int fd, std::uint64_t size) override {
    if (size >= kLarge) {
      begun.count_down();
      go_on.wait();
    }
    return FailingStore::PrepareBlob(fd, size);
  }

  std::latch begun{1};
  std::latch go_on{1};
};

TEST(LargeFile, DelaysNoOtherAgent) {
  TempDir folder;
  vcs::MemoryStore memory;
  SlowStore store(memory);
  testing::Branch branch(memory);
  branch.Commit({{"d/f", branch.Blob("A")}, {"d/large", branch.Blob("A")}});
  NumberedAgents agents;
  FilesystemOptions options;
  options.store = &store;
  options.git_dir = folder.path();
  options.ref = "refs/heads/main";
  options.agents = &agents;
  auto filesystem = Filesystem::Open(options);
  ASSERT_TRUE(filesystem) << filesystem.error().message;
  testing::Kernel kernel(**filesystem);
  (*filesystem)->Start(&kernel);

  const std::string content(kLarge, 'x');
  auto large = std::async(std::launch::async, [&] { return kernel.Echo(kAndrew, "d/large", content).ok(); });
  store.begun.wait();
  auto small = std::async(std::launch::async, [&] {
    const bool saved = kernel.Echo(kBenson, "d/f", "B").ok() && kernel.Append(kBenson, "d/f", "C").ok();
    const auto size = kernel.Stat(kBenson, "d/large");
    const auto read = kernel.Cat(kBenson, "d/large");
    return saved && size && size->size == 1 && read && *read == "A" && kernel.List(kBenson, "d").ok();
  });
  const bool was_served = small.wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  EXPECT_EQ(branch.Content(branch.At("d/large")), "A");
  store.go_on.count_down();
  EXPECT_TRUE(was_served) << "it waited for the large file";
  EXPECT_TRUE(small.get());
  EXPECT_TRUE(large.get());
  EXPECT_EQ(branch.Content(branch.At("d/f")), "BC");
  EXPECT_EQ(branch.Content(branch.At("d/large")), content);
  (*filesystem)->Stop();
}

}  // namespace
}  // namespace concordfs::fs
