// Packs are written here, and read by stock git and by the store.
#include "vcs/git/pack_writer.h"

#include <sys/stat.h>

#include <deque>

#include "tests/support/tmpfs_mount.h"
#include "tests/vcs/git_repo.h"
#include "vcs/git/delta.h"
#include "vcs/git/zlib_stream.h"

namespace concordfs::vcs::git {
namespace {

// A tree of `count` entries, of which one has another blob.
std::string WideTree(const ObjectId& blob, std::size_t count, std::size_t changed, const ObjectId& other) {
  std::string tree;
  for (std::size_t i = 0; i < count; ++i) {
    std::array<char, 32> name;
    std::snprintf(name.data(), name.size(), "100644 f%06zu", i);
    tree.append(name.data()).push_back('\0');
    const ObjectId& id = i == changed ? other : blob;
    tree.append(reinterpret_cast<const char*>(id.bytes().data()), ObjectId::kSize);
  }
  return tree;
}

class PackWriter : public GitStore {
 protected:
  // Adds an object to those that Write() writes. `like` is the place of an earlier one.
  ObjectId Add(ObjectKind kind, std::string bytes, std::optional<std::size_t> like = std::nullopt) {
    bytes_.push_back(std::move(bytes));
    PackedObject object{store().Hash(kind, bytes_.back()), kind, bytes_.back(), std::nullopt};
    if (like) object.like = objects_[*like].id;
    objects_.push_back(object);
    return object.id;
  }
  Result<std::string> Write(PackCompression compression = PackCompression::kStored) {
    return WritePack(objects_dir(), objects_, compression, Durability::kProcess);
  }
  std::string objects_dir() const { return (repo_.path() / "objects").string(); }

  // All objects that were added are read by stock git and by us, and git finds the pack without a fault.
  void ExpectReadable(const std::string& path) {
    const Outcome verified = Shell("git verify-pack -v " + path + ".idx");
    EXPECT_EQ(verified.status, 0) << verified.output;
    verified_ = verified.output;
    const Outcome indexed =
        Shell("git index-pack -o " + (folder_.path() / "again.idx").string() + " " + path + ".pack");
    EXPECT_EQ(indexed.status, 0) << indexed.output;
    EXPECT_TRUE(ReadFile(folder_.path() / "again.idx") == ReadFile(path + ".idx"))
        << "git makes the same index of the pack";
    stdfs::remove(folder_.path() / "again.idx");
    repo_.Reopen();
    std::string asked;
    for (const PackedObject& object : objects_) {
      auto read = store().Read(object.id, object.kind);
      ASSERT_OK(read);
      ASSERT_TRUE(*read == object.bytes);
      asked += object.id.Hex() + "\n";
    }
    WriteFile(folder_.path() / "asked", asked);
    const Outcome checked = repo_.Git("cat-file --batch-check < " + (folder_.path() / "asked").string());
    EXPECT_THAT(checked.output, ::testing::Not(::testing::HasSubstr("missing")));
    EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(checked.output, '\n')), objects_.size());
    EXPECT_THAT(repo_.Git("count-objects -v").output, ::testing::HasSubstr("garbage: 0"));
  }

  std::deque<std::string> bytes_;
  std::vector<PackedObject> objects_;
  std::string verified_;  // what `git verify-pack -v` said
};

TEST_F(PackWriter, APackOfOneEmptyBlobIsReadable) {
  Add(ObjectKind::kBlob, "");
  const auto path = Write();
  ASSERT_OK(path);
  ExpectReadable(*path);
  repo_.ExpectFsckClean();
}

TEST_F(PackWriter, ABatchOfCommitsIsReadableAndDeltified) {
  for (const PackCompression compression : {PackCompression::kStored, PackCompression::kFast}) {
    ObjectId parent = repo_.Head();
    const ObjectId old = Add(ObjectKind::kBlob, "what the other files are");
    std::optional<std::size_t> last_tree;
    for (int i = 0; i < 64; ++i) {
      const ObjectId blob = Add(
          ObjectKind::kBlob, RandomBytes(4096, static_cast<unsigned>(i) + 1000 * static_cast<unsigned>(compression)));
      const ObjectId tree = Add(ObjectKind::kTree, WideTree(old, 100, static_cast<std::size_t>(i), blob), last_tree);
      last_tree = objects_.size() - 1;
      parent = Add(ObjectKind::kCommit, "tree " + tree.Hex() + "\nparent " + parent.Hex() +
                                            "\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n" +
                                            std::to_string(i) + "\n");
    }
    const auto path = Write(compression);
    ASSERT_OK(path);
    ExpectReadable(*path);
    EXPECT_THAT(verified_, ::testing::HasSubstr("chain length = 40: 1 object"));
    EXPECT_THAT(verified_, ::testing::Not(::testing::HasSubstr("chain length = 41")));
    EXPECT_LT(stdfs::file_size(*path + ".pack"), 64U * 4096 + 64 * 400);
    objects_.clear();
  }
}

TEST_F(PackWriter, TheFilesAreNamedByTheirContentAndReadOnly) {
  Add(ObjectKind::kBlob, "content");
  const auto path = Write();
  ASSERT_OK(path);
  const std::string pack = ReadFile(*path + ".pack");
  EXPECT_EQ(*path,
            objects_dir() + "/pack/pack-" + ObjectId::FromRaw(pack.data() + pack.size() - ObjectId::kSize).Hex());
  for (const char* suffix : {".pack", ".idx"}) {
    struct stat status;
    ASSERT_EQ(::stat((*path + suffix).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0444U & ~static_cast<unsigned>(::umask(022)));
  }
  EXPECT_EQ(std::distance(stdfs::directory_iterator(objects_dir() + "/pack"), stdfs::directory_iterator()), 2);
}

TEST_F(PackWriter, APackThatIsThereIsReplaced) {
  Add(ObjectKind::kBlob, "content");
  const auto path = Write();
  ASSERT_OK(path);
  WriteFile(*path + ".pack", "damaged");
  const auto again = Write();
  ASSERT_OK(again);
  EXPECT_EQ(*again, *path);
  ExpectReadable(*path);
}

TEST_F(PackWriter, AWideTreeIsAFewBytesMoreThanItsLike) {
  const ObjectId blob = Add(ObjectKind::kBlob, "one");
  const ObjectId other = Add(ObjectKind::kBlob, "other");
  Add(ObjectKind::kTree, WideTree(blob, 10'000, 10'000, other));
  for (const std::size_t changed : {0U, 5'000U, 9'999U}) {
    Add(ObjectKind::kTree, WideTree(blob, 10'000, changed, other), 2);
  }
  Add(ObjectKind::kTree, WideTree(blob, 9'999, 9'999, other), 2);   // one entry fewer
  Add(ObjectKind::kTree, WideTree(blob, 10'001, 9'999, other), 5);  // one more
  const auto path = Write();
  ASSERT_OK(path);
  ExpectReadable(*path);
  EXPECT_LT(stdfs::file_size(*path + ".pack"), objects_[2].bytes.size() + 1000);
}

TEST_F(PackWriter, WhatOverlapsIsNotCopiedTwice) {
  Add(ObjectKind::kBlob, std::string(1000, 'a'));
  Add(ObjectKind::kBlob, std::string(999, 'a'), 0);
  Add(ObjectKind::kBlob, std::string(1001, 'a'), 0);
  Add(ObjectKind::kBlob, std::string(3000, 'a'), 0);
  Add(ObjectKind::kBlob, std::string(500, 'a') + "b" + std::string(500, 'a'), 0);
  Add(ObjectKind::kBlob, std::string(400, 'a'), 4);
  const auto path = Write();
  ASSERT_OK(path);
  ExpectReadable(*path);
}

TEST_F(PackWriter, LongInsertsAndLongCopiesAreReadable) {
  const std::string base = RandomBytes((1U << 24) + 70'000);
  Add(ObjectKind::kBlob, base);
  Add(ObjectKind::kBlob, base + RandomBytes(100'000, 2), 0);
  Add(ObjectKind::kBlob, base.substr(0, 1U << 16) + RandomBytes(1000, 3) + base.substr(1U << 16), 0);
  Add(ObjectKind::kBlob, RandomBytes(1000, 4) + base, 0);
  const auto path = Write();
  ASSERT_OK(path);
  ExpectReadable(*path);
  EXPECT_LT(stdfs::file_size(*path + ".pack"), base.size() + 110'000);
}

TEST_F(PackWriter, ALikeThatIsOfNoUseIsIgnored) {
  Add(ObjectKind::kBlob, RandomBytes(1000));
  const ObjectId later =
      store().Hash(ObjectKind::kBlob, "later than the one that is like it, and long enough for that");
  Add(ObjectKind::kBlob, "later than the one that is like it, and long enough for more");
  objects_.back().like = later;
  Add(ObjectKind::kBlob, "later than the one that is like it, and long enough for that");
  Add(ObjectKind::kBlob, RandomBytes(1000, 2), 0);           // nothing in common
  Add(ObjectKind::kCommit, std::string(objects_[0].bytes));  // of another kind
  objects_.back().like = objects_[0].id;
  objects_.pop_back();
  Add(ObjectKind::kBlob, "itself, which is not earlier than itself");
  objects_.back().like = objects_.back().id;
  const auto path = Write();
  ASSERT_OK(path);
  ExpectReadable(*path);
  EXPECT_THAT(verified_, ::testing::Not(::testing::HasSubstr("chain length")));
}

TEST_F(PackWriter, NoObjectsAreNoPack) {
  EXPECT_CODE(Write(), Code::kInvalidArgument);
}

TEST_F(PackWriter, AMissingFolderIsMade) {
  stdfs::remove_all(objects_dir() + "/pack");
  Add(ObjectKind::kBlob, "content");
  const auto path = Write();
  ASSERT_OK(path);
  ExpectReadable(*path);
}

TEST_F(PackWriter, DurablePacksAreReadable) {
  Add(ObjectKind::kBlob, "content");
  const auto path = WritePack(objects_dir(), objects_, PackCompression::kStored, Durability::kPower);
  ASSERT_OK(path);
  ExpectReadable(*path);
}

TEST_F(PackWriter, AFullDiskIsNoSpaceAndLeavesNothing) {
  TmpfsMount disk("size=1m");
  const std::string dir = disk.path().string();
  Add(ObjectKind::kBlob, RandomBytes(3'000'000));
  EXPECT_CODE(WritePack(dir, objects_, PackCompression::kStored, Durability::kProcess), Code::kNoSpace);
  EXPECT_TRUE(stdfs::is_empty(disk.path() / "pack"));
}

TEST(Delta, RandomEditsComeBack) {
  std::mt19937 random(7);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
  for (int round = 0; round < 2000; ++round) {
    const std::string base = RandomBytes(below(700), static_cast<unsigned>(round));
    std::string target = base;
    const std::size_t at = below(target.size() + 1);
    target.replace(at, below(target.size() - at + 1), RandomBytes(below(300), static_cast<unsigned>(round) + 1));
    const auto delta = MakeDelta(base, target, 10'000);
    ASSERT_TRUE(delta.has_value());
    const auto applied = ApplyDelta(base, *delta);
    ASSERT_OK(applied);
    ASSERT_EQ(*applied, target) << "round " << round;
    // Damage is noticed, or gives other bytes: never a crash.
    std::string damaged = *delta;
    damaged[below(damaged.size())] = static_cast<char>(random());
    static_cast<void>(ApplyDelta(base, damaged).ok());
    EXPECT_CODE(ApplyDelta(base + "x", *delta), Code::kCorrupt);
  }
}

TEST(ZlibStream, WhatWasDeflatedOrStoredComesBack) {
  Deflater deflater;
  Inflater inflater;
  for (const std::size_t size : {0U, 1U, 65'535U, 65'536U, 200'000U}) {
    for (const std::string& bytes : {std::string(size, 'x'), RandomBytes(size)}) {
      std::string stored;
      AppendStored(bytes, stored);
      std::string deflated;
      deflater.Append(bytes, deflated);
      EXPECT_LE(deflated.size(), stored.size());
      EXPECT_TRUE(IsUndeflated(stored));
      EXPECT_FALSE(IsUndeflated(deflated));
      for (const std::string& stream : {stored, deflated}) {
        const auto inflated = inflater.Inflate(stream + "more", size);
        ASSERT_OK(inflated);
        EXPECT_TRUE(inflated->bytes == bytes);
        EXPECT_EQ(inflated->consumed, stream.size());
        EXPECT_CODE(inflater.Inflate(stream, size + 1), Code::kCorrupt);
        EXPECT_CODE(inflater.Inflate(std::string_view(stream).substr(0, stream.size() - 1), size), Code::kCorrupt);
        if (size > 0) EXPECT_CODE(inflater.Inflate(stream, size - 1), Code::kCorrupt);
      }
    }
  }
  EXPECT_CODE(inflater.Inflate("", 0), Code::kCorrupt);
  EXPECT_CODE(inflater.Inflate("x", 1ULL << 60), Code::kCorrupt);
}

}  // namespace
}  // namespace concordfs::vcs::git
