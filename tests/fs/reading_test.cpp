// Reading versions: what the daemon gives to the kernel, and what it needs from the store for it.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "fs/content.h"
#include "fs/filesystem.h"
#include "fs/namespace.h"
#include "tests/model/mount.h"

namespace concordfs::fs {
namespace {

using testing::kAndrew;
using testing::kBenson;
using testing::Mount;

class ReadingTest : public ::testing::Test {
 protected:
  Filesystem& fs() { return *mount_.filesystem; }
  NodeId Find(const std::string& name) {
    const auto entry = fs().Lookup(kAndrew, kRootNode, name);
    if (!entry) throw std::runtime_error(name + ": " + entry.error().message);
    return entry->attr.node;
  }
  Opened Open(NodeId node, const Caller& caller = kAndrew) {
    const auto opened = fs().Open(caller, node, O_RDONLY);
    if (!opened) throw std::runtime_error("open: " + opened.error().message);
    return *opened;
  }
  std::string Read(const Opened& opened, std::uint64_t offset) {
    std::array<char, 64> buffer{};
    const auto count = fs().Read(opened.handle, offset, buffer);
    return count ? std::string(buffer.data(), *count) : CodeName(count.code());
  }

  const std::string large_ = std::string(ContentCache::kSmall + 1, 'x') + "end";
  Mount mount_{{{"small", "text"}, {"empty", ""}, {"large", large_}}};
};

TEST_F(ReadingTest, HandsAllBytesOverAtTheFirstOpenOfAVersionOnly) {
  const NodeId node = Find("small");
  const Opened first = Open(node);
  EXPECT_EQ(first.whole, "text");
  const Opened second = Open(node, kBenson);
  EXPECT_EQ(second.whole, "") << "a reader may wait for a page of the node, which we would wait for";
  EXPECT_EQ(Read(first, 1), "ext");
  EXPECT_EQ(Read(second, 0), "text") << "where the kernel has dropped its pages";
  fs().Release(first.handle);
  fs().Release(second.handle);
  EXPECT_EQ(Open(Find("empty")).whole, "");
}

TEST_F(ReadingTest, NeedsNothingFromTheStoreForAVersionThatWasOpenedBefore) {
  const NodeId node = Find("large");
  const Opened first = Open(node);
  EXPECT_EQ(first.whole, "") << "the kernel asks for the parts that it needs";
  fs().Release(first.handle);
  const std::uint64_t before = mount_.store.operations();
  const Opened second = Open(node);
  EXPECT_EQ(mount_.store.operations(), before);
  EXPECT_EQ(Read(second, large_.size() - 3), "end");
  fs().Release(second.handle);
}

TEST_F(ReadingTest, KeepsTheVersionOfAHandleThatWasNotReadYet) {  // R1
  const NodeId node = Find("small");
  fs().Release(Open(node).handle);
  const Opened opened = Open(node);
  ASSERT_TRUE(mount_.kernel->Echo(kBenson, "small", "new"));
  EXPECT_EQ(Read(opened, 0), "text");
  fs().Release(opened.handle);
}

TEST_F(ReadingTest, SaysAtEachOpenThatAnObjectIsDamaged) {
  const NodeId node = Find("small");
  mount_.memory.Damage(mount_.branch.At("small")->blob);
  for (int round = 0; round < 2; ++round) {
    const auto opened = fs().Open(kAndrew, node, O_RDONLY);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.code(), Code::kCorrupt);
  }
}

TEST(KnownNames, AreNotMoreThanTheMemoryIsForWhereTheyAreOnlyListed) {
  std::map<std::string, std::string> files;
  for (int i = 0; i < 9; ++i) files["f" + std::to_string(i)] = "text";
  Mount mount(files, 6 << 10);
  int listed = 0;
  for (const auto& [name, content] : files) listed += mount.filesystem->LookupListed(kAndrew, kRootNode, name) ? 1 : 0;
  EXPECT_EQ(listed, 5) << "and the root";
  EXPECT_TRUE(mount.filesystem->Lookup(kAndrew, kRootNode, "f8")) << "what is used is known all the same";
  EXPECT_FALSE(mount.filesystem->LookupListed(kAndrew, kRootNode, "f8"));
}

TEST(KnownNames, ThatWereKnownFirstAndNotUsedAreForgottenFirst) {
  Namespace names;
  std::vector<NodeId> nodes;
  for (int i = 0; i < 5; ++i) {
    const auto file = Namespace::AddFile(names.root(), "f" + std::to_string(i));
    nodes.push_back(names.AddVersionNode(file, {}, 0).id);
  }
  names.Find(nodes[1])->used = true;
  EXPECT_EQ(names.TakeUnused(2), (std::vector<NodeId>{nodes[0], nodes[2]}));
  EXPECT_EQ(names.TakeUnused(2), (std::vector<NodeId>{nodes[0], nodes[1]})) << "it was not used since";
}

class ContentCacheTest : public ::testing::Test {
 protected:
  vcs::ObjectId Add(const std::string& bytes) { return *memory_.AddBlob(bytes); }
  // Whether the store was asked.
  bool Opens(ContentCache& cache, const vcs::ObjectId& blob) {
    const std::uint64_t before = store_.operations();
    EXPECT_TRUE(cache.Open(blob));
    return store_.operations() > before;
  }
  bool AsksForSize(ContentCache& cache, const vcs::ObjectId& blob) {
    const std::uint64_t before = store_.operations();
    EXPECT_TRUE(cache.Size(blob));
    return store_.operations() > before;
  }

  TempDir folder_;
  vcs::MemoryStore memory_;
  vcs::FailingStore store_{memory_};
};

TEST_F(ContentCacheTest, KeepsContentsUpToItsLimit) {
  ContentCache cache(store_, folder_.path(), {.contents = 3 * 12'000, .sizes = 1 << 20});
  std::vector<vcs::ObjectId> blobs;
  for (int i = 0; i < 4; ++i) blobs.push_back(Add(std::string(10'000, static_cast<char>('a' + i))));
  for (const auto& blob : blobs) EXPECT_TRUE(Opens(cache, blob));
  EXPECT_FALSE(Opens(cache, blobs[3]));
  EXPECT_FALSE(Opens(cache, blobs[1]));
  EXPECT_TRUE(Opens(cache, blobs[0])) << "the fourth took its place";
  const auto used = cache.Open(blobs[2]);
  for (const auto& blob : blobs) static_cast<void>(cache.Open(blob));
  EXPECT_FALSE(Opens(cache, blobs[2])) << "what is in use is shared";
}

TEST_F(ContentCacheTest, KeepsNothingWithoutMemory) {
  ContentCache cache(store_, folder_.path(), {.contents = 0, .sizes = 0});
  const vcs::ObjectId blob = Add("text");
  EXPECT_TRUE(Opens(cache, blob));
  EXPECT_TRUE(Opens(cache, blob));
}

TEST_F(ContentCacheTest, ForgetsSizesWhenTheyAreTooMany) {
  ContentCache cache(store_, folder_.path(), {.contents = 0, .sizes = 1000});
  const vcs::ObjectId first = Add("first");
  EXPECT_TRUE(AsksForSize(cache, first));
  EXPECT_FALSE(AsksForSize(cache, first));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(AsksForSize(cache, Add(std::to_string(i))));
  EXPECT_TRUE(AsksForSize(cache, first));
}

}  // namespace
}  // namespace concordfs::fs
