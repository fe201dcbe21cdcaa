// Packs that stock git made are read here, by PackReader and by the store that stands on it.
#include "vcs/git/pack_reader.h"

#include <map>

#include "tests/vcs/git_repo.h"
#include "vcs/git/object_hasher.h"

namespace concordfs::vcs::git {
namespace {

class PackReading : public GitStore {
 protected:
  struct Known {
    std::string kind;
    std::uint64_t size = 0;
    std::string base;  // hex; zeros: no delta
  };

  // Versions of a few files that resemble each other, so that packs have long chains of deltas.
  void CommitMuch() {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i) + " of a text\n";
    for (int i = 0; i < 60; ++i) {
      text.insert(static_cast<std::size_t>(i) * 97, "changed " + std::to_string(i) + "\n");
      ASSERT_TRUE(repo_.Commit(text, "change"));
    }
    ASSERT_TRUE(repo_.Commit(RandomBytes(100'000), "what deflates badly"));
    ASSERT_TRUE(repo_.Commit("", "nothing"));
    ASSERT_TRUE(repo_.Commit(std::string(300'000, 'x'), "what deflates well"));
  }
  void Pack(const std::string& arguments = "-adfq --depth=50") {
    ASSERT_EQ(repo_.Git("repack " + arguments).status, 0);
    ASSERT_EQ(repo_.Git("prune-packed -q").status, 0);
  }
  // Everything that git finds in the repository.
  std::string objects_dir() { return repo_.path() / "objects"; }
  std::map<std::string, Known> AllObjects() {
    std::istringstream lines(
        repo_.Git("cat-file --batch-all-objects --batch-check='%(objectname) %(objecttype) %(objectsize) %(deltabase)'")
            .output);
    std::map<std::string, Known> all;
    std::string id;
    Known known;
    while (lines >> id >> known.kind >> known.size >> known.base) all[id] = known;
    return all;
  }
  std::shared_ptr<PackReader> OpenPack() {
    for (const auto& entry : stdfs::directory_iterator(objects_dir() + "/pack")) {
      if (entry.path().extension() != ".idx") continue;
      auto pack = PackReader::Open(entry.path().parent_path() / entry.path().stem());
      if (!pack) throw std::runtime_error(pack.error().message);
      return *pack;
    }
    throw std::runtime_error("no pack");
  }
  stdfs::path PackPath() { return OpenPack()->path() + ".pack"; }
  static ObjectKind KindOf(const std::string& name) {
    return name == "blob" ? ObjectKind::kBlob : name == "tree" ? ObjectKind::kTree : ObjectKind::kCommit;
  }
};

TEST_F(PackReading, FindsEveryObjectOfAPackWithItsKindItsSizeAndItsBytes) {
  CommitMuch();
  for (const char* arguments : {"-adfq --depth=50", "-adfq --depth=0", "-adfq --depth=50 --no-write-bitmap-index"}) {
    Pack(arguments);
    const auto pack = OpenPack();
    std::size_t deltas = 0;
    for (const auto& [hex, known] : AllObjects()) {
      const ObjectId id = *ObjectId::FromHex(hex);
      const auto offset = pack->Find(id);
      ASSERT_TRUE(offset) << hex;
      const auto header = pack->ReadHeader(*offset);
      ASSERT_TRUE(header) << header.error().message;
      EXPECT_EQ(header->kind, KindOf(known.kind)) << hex;
      EXPECT_EQ(header->size, known.size) << hex;
      const auto object = pack->Read(*offset);
      ASSERT_TRUE(object) << object.error().message;
      EXPECT_EQ(HashFast(object->kind, object->bytes), id);
      deltas += known.base == std::string(ObjectId::kHexSize, '0') ? 0 : 1;
    }
    const bool wants_deltas = std::string_view(arguments).find("=50") != std::string_view::npos;
    EXPECT_EQ(deltas > 20, wants_deltas) << arguments;
    EXPECT_FALSE(pack->Find(ObjectId()));
  }
}

TEST_F(PackReading, ReadsDeltasThatNameTheirBase) {
  CommitMuch();
  // Without --delta-base-offset each delta names its base by id.
  ASSERT_EQ(
      repo_
          .Git("rev-list --objects --all | git -C " + repo_.path().string() +
               " -c repack.usedeltabaseoffset=false pack-objects -q --no-reuse-delta " + objects_dir() + "/pack/pack")
          .status,
      0);
  const auto pack = OpenPack();
  for (const auto& [hex, known] : AllObjects()) {
    const auto offset = pack->Find(*ObjectId::FromHex(hex));
    if (!offset) continue;
    const auto object = pack->Read(*offset);
    ASSERT_TRUE(object) << object.error().message;
    EXPECT_EQ(HashFast(object->kind, object->bytes).Hex(), hex);
  }
}

TEST_F(PackReading, GivesTheStoreSizesAndContentsWhateverHasTheObjects) {
  CommitMuch();
  const auto check = [&](const char* how) {
    SCOPED_TRACE(how);
    for (const auto& [hex, known] : AllObjects()) {
      const ObjectId id = *ObjectId::FromHex(hex);
      const auto bytes = store().Read(id, KindOf(known.kind));
      ASSERT_TRUE(bytes) << bytes.error().message;
      EXPECT_EQ(bytes->size(), known.size);
      const auto size = store().BlobSize(id);
      EXPECT_EQ(size ? *size : 0, known.kind == "blob" ? known.size : 0) << hex;
      if (known.kind != "blob") {
        EXPECT_EQ(size.code(), Code::kCorrupt) << "of another kind";
      }
    }
  };
  check("loose");
  Pack();
  check("packed beside the open store");
  ASSERT_TRUE(repo_.Commit("another", "change"));
  Pack("-dq");
  check("in two packs");
  Pack();
  check("in one again: those that were open are gone");
}

TEST_F(PackReading, DamageInAPackIsFoundAndDoesNoHarmWhereThereIsAnotherCopy) {
  const ObjectId blob = *store().AddBlob(RandomBytes(5000));
  ASSERT_TRUE(store().Publish(repo_.CommitOf(blob, repo_.Head(), "random")));
  const std::string loose_path = objects_dir() + "/" + blob.Hex().substr(0, 2) + "/" + blob.Hex().substr(2);
  const std::string loose = ReadFile(loose_path);
  Pack();
  ASSERT_FALSE(stdfs::exists(loose_path));
  std::string bytes = ReadFile(PackPath());
  const auto offset = OpenPack()->Find(blob);
  ASSERT_TRUE(offset);
  bytes[static_cast<std::size_t>(*offset) + 2000] ^= 1;
  WriteFile(PackPath(), bytes);
  repo_.Reopen();
  EXPECT_EQ(store().Read(blob, ObjectKind::kBlob).code(), Code::kCorrupt);
  EXPECT_EQ(*store().BlobSize(blob), 5000U) << "its header is sound";
  WriteFile(loose_path, loose);
  EXPECT_EQ(store().Read(blob, ObjectKind::kBlob)->size(), 5000U);
}

TEST_F(PackReading, RefusesIndexesAndPacksThatAreCutOff) {
  CommitMuch();
  Pack();
  const auto all = AllObjects();
  const stdfs::path pack_path = PackPath();
  const stdfs::path index_path = stdfs::path(pack_path).replace_extension(".idx");
  const std::string path = stdfs::path(pack_path).replace_extension("");
  const std::string index = ReadFile(index_path);
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{1000}, index.size() - 100}) {
    WriteFile(index_path, std::string_view(index).substr(0, size));
    EXPECT_FALSE(PackReader::Open(path)) << "index of " << size << " bytes";
  }
  WriteFile(index_path, index);
  const std::string bytes = ReadFile(pack_path);
  WriteFile(pack_path, std::string_view(bytes).substr(0, bytes.size() / 2));
  const auto cut = PackReader::Open(path);
  ASSERT_TRUE(cut) << "it is opened without a look at all of it";
  std::size_t failed = 0;
  for (const auto& [hex, known] : all) {
    const auto object = (*cut)->Read(*(*cut)->Find(*ObjectId::FromHex(hex)));
    failed += object ? 0 : 1;
    if (object) {
      EXPECT_EQ(HashFast(object->kind, object->bytes).Hex(), hex);
    }
  }
  EXPECT_GT(failed, 0U);
}

TEST_F(PackReading, SurvivesAnyDamageOfAPack) {
  CommitMuch();
  Pack();
  const auto all = AllObjects();
  const std::string path = stdfs::path(PackPath()).replace_extension("");
  const std::string good = ReadFile(path + ".pack");
  std::mt19937_64 random(7);
  for (int round = 0; round < 40; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 30; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    WriteFile(path + ".pack", bytes);
    const auto pack = PackReader::Open(path);
    ASSERT_TRUE(pack);
    std::size_t sound = 0;
    for (const auto& [hex, known] : all) {
      const auto offset = (*pack)->Find(*ObjectId::FromHex(hex));
      static_cast<void>((*pack)->ReadHeader(*offset));
      const auto object = (*pack)->Read(*offset);
      sound += object && HashFast(object->kind, object->bytes).Hex() == hex ? 1 : 0;
    }
    EXPECT_LE(sound, all.size());
  }
}

}  // namespace
}  // namespace concordfs::vcs::git
