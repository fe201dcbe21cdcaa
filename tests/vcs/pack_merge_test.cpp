// Packs of git and of ours are taken apart, and put together again.
#include "vcs/git/pack_merge.h"

#include <deque>
#include <set>

#include "tests/vcs/git_repo.h"
#include "vcs/git/pack_file.h"

namespace concordfs::vcs::git {
namespace {

bool Always() {
  return true;
}

// A file of many lines, in which one differs.
std::string Lines(int changed) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "line " + std::to_string(i == changed ? 10'000 + i : i) + "\n";
  return text;
}

class PackMerge : public GitStore {
 protected:
  std::string objects_dir() const { return (repo_.path() / "objects").string(); }

  // Commits some versions of a file and packs what is loose, with stock git. Returns the pack's path.
  std::string GitPack(int first, int count, const std::string& options) {
    for (int i = first; i < first + count; ++i) EXPECT_TRUE(repo_.Commit(Lines(i), "line " + std::to_string(i)).ok());
    std::set<std::string> before = Packs();
    const Outcome packed = repo_.Git("-c pack.writeReverseIndex=true -c repack.useDeltaBaseOffset=" + options +
                                     " repack -d --no-write-bitmap-index -l --window=10");
    EXPECT_EQ(packed.status, 0) << packed.output;
    for (const std::string& path : Packs()) {
      if (!before.contains(path)) return path;
    }
    return "";
  }
  std::set<std::string> Packs() const {
    std::set<std::string> packs;
    for (const auto& file : stdfs::directory_iterator(repo_.path() / "objects/pack")) {
      if (file.path().extension() == ".idx") packs.insert(stdfs::path(file.path()).replace_extension("").string());
    }
    return packs;
  }
  void Remove(const std::string& path) {
    for (const auto& file : stdfs::directory_iterator(repo_.path() / "objects/pack")) {
      if (file.path().string().starts_with(path + ".")) stdfs::remove(file.path());
    }
  }
  // Blobs as a pack of ours, each the next one's `like`.
  std::string OurPack(const std::vector<std::string>& blobs, PackCompression compression = PackCompression::kStored) {
    std::vector<PackedObject> objects;
    for (const std::string& blob : blobs) {
      PackedObject object{store().Hash(ObjectKind::kBlob, blob), ObjectKind::kBlob, blob, std::nullopt};
      if (!objects.empty()) object.like = objects.back().id;
      objects.push_back(object);
    }
    auto path = WritePack(objects_dir(), objects, compression, Durability::kProcess);
    EXPECT_TRUE(path.ok());
    return path ? *path : "";
  }
  void ExpectGood(const std::string& path) {
    const Outcome verified = Shell("git verify-pack -v " + path + ".idx");
    EXPECT_EQ(verified.status, 0) << verified.output;
    verified_ = verified.output;
  }

  std::string verified_;
};

TEST_F(PackMerge, AGitPackIsTakenApart) {
  const std::string path = GitPack(0, 20, "true");
  auto pack = PackFile::Open(path);
  ASSERT_OK(pack);
  EXPECT_EQ(pack->size(), stdfs::file_size(path + ".pack"));
  ExpectGood(path);
  int deltas = 0;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < pack->count(); ++i) {
    const IndexEntry& entry = pack->entries()[i];
    EXPECT_GT(entry.offset, last);
    last = entry.offset;
    EXPECT_THAT(verified_, ::testing::HasSubstr(entry.id.Hex()));
    const auto raw = pack->Read(i);
    ASSERT_OK(raw);
    if (raw->type == EntryType::kOfsDelta) {
      ++deltas;
      EXPECT_NE(std::ranges::find(pack->entries(), raw->base_offset, &IndexEntry::offset), pack->entries().end());
    }
  }
  EXPECT_GT(deltas, 10);
}

TEST_F(PackMerge, DamageIsCorruptAndNeverACrash) {
  const std::string path = OurPack({Lines(1), Lines(2), "three"});
  const std::string pack = ReadFile(path + ".pack");
  const std::string index = ReadFile(path + ".idx");
  const auto damages = [&](const std::string& file, const std::string& good) {
    for (std::size_t at = 0; at < good.size(); at += at < 200 ? 1 : 13) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0x55);
      WriteFile(file, bad);
      auto opened = PackFile::Open(path);
      bool failed = !opened.ok();
      for (std::size_t i = 0; opened && i < opened->count(); ++i) failed = !opened->Read(i).ok() || failed;
      EXPECT_TRUE(failed) << file << ", byte " << at;
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{10}, good.size() / 2, good.size() - 1}) {
      WriteFile(file, good.substr(0, size));
      EXPECT_CODE(PackFile::Open(path), Code::kCorrupt);
    }
    WriteFile(file, good);
  };
  damages(path + ".pack", pack);
  damages(path + ".idx", index);
  EXPECT_TRUE(PackFile::Open(path).ok());
  stdfs::remove(path + ".idx");
  EXPECT_CODE(PackFile::Open(path), Code::kNotFound);
}

TEST_F(PackMerge, PacksOfGitBecomeOneWithAllObjects) {
  for (const char* const offsets : {"true", "false"}) {
    std::vector<std::string> sources;
    for (int i = 0; i < 4; ++i) sources.push_back(GitPack(10 * i + (offsets[0] == 't' ? 0 : 100), 10, offsets));
    std::size_t objects = 0;
    for (const std::string& source : sources) {
      auto pack = PackFile::Open(source);
      ASSERT_OK(pack);
      objects += pack->count();
    }
    const auto merged = MergePacks(objects_dir(), sources, PackCompression::kFast, Durability::kProcess, Always);
    ASSERT_OK(merged);
    EXPECT_EQ(merged->objects, objects);
    for (const std::string& source : sources) {
      EXPECT_TRUE(stdfs::exists(source + ".pack")) << "sources are left";
      Remove(source);
    }
    ExpectGood(merged->path);
    EXPECT_THAT(verified_, ::testing::HasSubstr("chain length"));
    repo_.ExpectFsckClean();
  }
}

TEST_F(PackMerge, AnObjectOfSeveralPacksIsTakenOnceAndDeltasFollowIt) {
  const std::vector<std::string> blobs = {Lines(1), Lines(2), Lines(3), Lines(4)};
  const std::string first = OurPack({blobs[1], blobs[0]});             // 0 on 1
  const std::string second = OurPack({blobs[0], blobs[1], blobs[2]});  // 1 on 0, 2 on 1
  const std::string third = OurPack({blobs[2], blobs[3]});             // 3 on 2
  const auto merged = MergePacks(objects_dir(), std::vector{first, second, third}, PackCompression::kStored,
                                 Durability::kProcess, Always);
  ASSERT_OK(merged);
  EXPECT_EQ(merged->objects, 4U);
  for (const std::string& source : {first, second, third}) Remove(source);
  ExpectGood(merged->path);
  repo_.Reopen();
  for (const std::string& blob : blobs) {
    const auto read = store().Read(store().Hash(ObjectKind::kBlob, blob), ObjectKind::kBlob);
    ASSERT_OK(read);
    EXPECT_EQ(*read, blob);
  }
}

TEST_F(PackMerge, WhatWasStoredIsDeflatedOnTheWay) {
  const std::string random = RandomBytes(5000);
  const std::string stored = OurPack({std::string(50'000, 'a'), random});
  const std::string deflated = OurPack({std::string(50'000, 'b')}, PackCompression::kFast);
  const std::vector sources{stored, deflated};
  const auto copied = MergePacks(objects_dir(), sources, PackCompression::kStored, Durability::kProcess, Always);
  ASSERT_OK(copied);
  EXPECT_GT(stdfs::file_size(copied->path + ".pack"), 50'000U);
  const auto merged = MergePacks(objects_dir(), sources, PackCompression::kFast, Durability::kPower, Always);
  ASSERT_OK(merged);
  EXPECT_LT(stdfs::file_size(merged->path + ".pack"), 6'000U);
  ExpectGood(merged->path);
  // Once more: nothing is left to be done, so it is the same pack again.
  const auto again =
      MergePacks(objects_dir(), std::vector{merged->path}, PackCompression::kFast, Durability::kProcess, Always);
  ASSERT_OK(again);
  EXPECT_EQ(again->path, merged->path);
}

TEST_F(PackMerge, AMergeThatFailsOrIsStoppedLeavesNothing) {
  const std::string one = OurPack({Lines(1), Lines(2)});
  const std::string two = OurPack({Lines(3), Lines(4)});
  const std::vector sources{one, two};
  const auto files = [&] { return std::distance(stdfs::directory_iterator(objects_dir() + "/pack"), {}); };
  ASSERT_EQ(files(), 4);
  for (int stop_at = 0; stop_at < 4; ++stop_at) {
    int asked = 0;
    EXPECT_CODE(MergePacks(objects_dir(), sources, PackCompression::kFast, Durability::kProcess,
                           [&] { return asked++ < stop_at; }),
                Code::kInterrupted);
    EXPECT_EQ(files(), 4);
  }
  std::string damaged = ReadFile(two + ".pack");
  damaged[100] = static_cast<char>(damaged[100] ^ 1);
  WriteFile(two + ".pack", damaged);
  EXPECT_CODE(MergePacks(objects_dir(), sources, PackCompression::kFast, Durability::kProcess, Always), Code::kCorrupt);
  EXPECT_EQ(files(), 4);
  Remove(two);
  EXPECT_CODE(MergePacks(objects_dir(), sources, PackCompression::kFast, Durability::kProcess, Always),
              Code::kNotFound);
}

}  // namespace
}  // namespace concordfs::vcs::git
