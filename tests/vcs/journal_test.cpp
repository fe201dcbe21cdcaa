// R13, power: what the journal tells is restored after a power cut, which is played by damaging what was not synced.
#include "vcs/git/journal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/expect_result.h"
#include "tests/support/temp_dir.h"
#include "tests/vcs/git_repo.h"
#include "vcs/git/journal_record.h"

namespace concordfs::vcs::git {
namespace {

Publication Two(const std::string& text) {
  Publication publication;
  publication.ref = "refs/heads/main";
  publication.expected = ObjectId::FromHex(std::string(40, 'a'));
  publication.tip = *ObjectId::FromHex(std::string(40, 'b'));
  publication.reason = "why";
  publication.objects.push_back({*ObjectId::FromHex(std::string(40, 'c')), ObjectKind::kBlob, text});
  NewObject tree{*ObjectId::FromHex(std::string(40, 'd')), ObjectKind::kTree, std::string(5000, 'x') + "new"};
  tree.like = ObjectId::FromHex(std::string(40, 'e'));
  tree.like_bytes = std::string(5000, 'x') + "old one";
  publication.objects.push_back(tree);
  return publication;
}

std::string Stamped(const Publication& publication, std::uint64_t epoch, std::uint64_t sequence) {
  std::string record = EncodeRecord(publication);
  StampRecord(epoch, sequence, record);
  return record;
}

TEST(JournalRecord, IsReadAsItWasWritten) {
  const std::string bytes = Stamped(Two("text"), 7, 3);
  EXPECT_LT(bytes.size(), 1000U) << "what resembles something is told as a delta on it";
  const auto decoded = DecodeRecord(bytes + "more", 7);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->size, bytes.size());
  EXPECT_EQ(decoded->record.sequence, 3U);
  EXPECT_EQ(decoded->record.ref, "refs/heads/main");
  EXPECT_EQ(decoded->record.expected, Two("").expected);
  EXPECT_EQ(decoded->record.tip, Two("").tip);
  EXPECT_EQ(decoded->record.reason, "why");
  ASSERT_EQ(decoded->record.objects.size(), 2U);
  EXPECT_EQ(decoded->record.objects[0].data, "text");
  EXPECT_FALSE(decoded->record.objects[0].base);
  EXPECT_EQ(decoded->record.objects[1].base, Two("").objects[1].like);
  EXPECT_EQ(decoded->record.objects[1].kind, ObjectKind::kTree);
}

TEST(JournalRecord, IsNoneWhereItWasCutOffOrDamagedOrIsOfAnEarlierUse) {
  const std::string bytes = Stamped(Two("text"), 7, 3);
  EXPECT_FALSE(DecodeRecord(bytes, 8));
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeRecord(bytes.substr(0, size), 7)) << size;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (at >= 20 && at < 28) continue;  // the sequence is only for the order
    std::string damaged = bytes;
    damaged[at] ^= 0x40;
    EXPECT_FALSE(DecodeRecord(damaged, 7)) << at;
  }
}

class JournalTest : public ::testing::Test {
 protected:
  // Publishes a commit of its own content under `durability`; the store goes on living.
  ObjectId Publish(Store& store, const std::string& text) {
    const auto head = store.ReadRef("refs/heads/main");
    const NewObject blob{store.Hash(ObjectKind::kBlob, text), ObjectKind::kBlob, text};
    Publication publication = repo_.CommitOf(blob.id, *head, text);
    publication.objects.insert(publication.objects.begin(), blob);
    EXPECT_TRUE(store.Publish(publication));
    return publication.tip;
  }
  // The journals as a power cut leaves them: another boot, and nobody who holds them.
  std::vector<stdfs::path> Journals() {
    std::vector<stdfs::path> paths;
    for (const auto& entry : stdfs::directory_iterator(JournalsFolder(repo_.path().string())))
      paths.push_back(entry.path());
    return paths;
  }
  std::map<stdfs::path, std::string> SaveJournals(bool other_boot) {
    std::map<stdfs::path, std::string> saved;
    for (const stdfs::path& path : Journals()) {
      std::string bytes = ReadFile(path);
      auto header = DecodeHeader(bytes);
      if (header && other_boot) {
        header->boot = "an earlier boot";
        bytes.replace(0, JournalHeader::kSize, EncodeHeader(*header));
      }
      saved[path] = bytes;
    }
    return saved;
  }
  void PutBack(const std::map<stdfs::path, std::string>& journals) {
    for (const auto& [path, bytes] : journals) WriteFile(path, bytes);
  }
  Repository Open(Durability durability) {
    auto opened = OpenRepository(repo_.path(), durability);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    return *std::move(opened);
  }
  std::vector<stdfs::path> LooseFiles() {
    std::vector<stdfs::path> files;
    for (const auto& entry : stdfs::recursive_directory_iterator(repo_.path() / "objects")) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }

  TempDir folder_;
  Repo repo_{folder_.path() / "repo"};
};

TEST_F(JournalTest, RestoresWhatAPowerCutTook) {
  const auto synced = LooseFiles();
  std::map<stdfs::path, std::string> journals;
  ObjectId first;
  ObjectId last;
  {
    const Repository repository = Open(Durability::kPower);
    first = Publish(*repository.store, "one");
    last = Publish(*repository.store, "two");
    journals = SaveJournals(/*other_boot=*/true);
  }
  EXPECT_TRUE(Journals().empty()) << "all is in its place: nothing is left to tell";
  int damaged = 0;
  for (const stdfs::path& path : LooseFiles()) {
    if (std::find(synced.begin(), synced.end(), path) != synced.end()) continue;
    WriteFile(path, "");
    ++damaged;
  }
  EXPECT_EQ(damaged, 6) << "two commits";
  WriteFile(repo_.path() / "refs/heads/main", "");
  WriteFile(repo_.path() / "refs/heads/main.lock", "");
  PutBack(journals);
  const Repository repository = Open(Durability::kProcess);
  EXPECT_EQ(*repository.store->ReadRef("refs/heads/main"), last);
  for (const char* text : {"one", "two"}) {
    const auto read = repository.store->Read(repository.store->Hash(ObjectKind::kBlob, text), ObjectKind::kBlob);
    ASSERT_OK(read);
    EXPECT_EQ(*read, text);
  }
  EXPECT_TRUE(repository.store->Read(first, ObjectKind::kCommit));
  EXPECT_TRUE(Journals().empty());
}

TEST_F(JournalTest, MovesABranchForwardOnly) {
  std::map<stdfs::path, std::string> journals;
  const auto before = repo_.Head();
  ObjectId last;
  {
    const Repository repository = Open(Durability::kPower);
    last = Publish(*repository.store, "ours");
    journals = SaveJournals(/*other_boot=*/true);
  }
  PutBack(journals);
  WriteFile(repo_.path() / "refs/heads/main", before.Hex() + "\n");  // the move was not on the disk yet
  EXPECT_EQ(*Open(Durability::kProcess).store->ReadRef("refs/heads/main"), last);

  PutBack(journals);
  ObjectId later;
  {
    const Repository repository = Open(Durability::kProcess);
    later = Publish(*repository.store, "later");
  }
  PutBack(journals);
  EXPECT_EQ(*Open(Durability::kProcess).store->ReadRef("refs/heads/main"), later) << "it has gone on since";
}

TEST_F(JournalTest, GoesFromALineThatWasReplayedToTheOneThatTookItsPlace) {
  std::map<stdfs::path, std::string> journals;
  ObjectId old_line;
  ObjectId new_line;
  {
    const Repository repository = Open(Durability::kPower);
    const ObjectId fork = **repository.store->ReadRef("refs/heads/main");
    old_line = Publish(*repository.store, "ours");
    const NewObject blob{repository.store->Hash(ObjectKind::kBlob, "replayed"), ObjectKind::kBlob, "replayed"};
    Publication replay = repo_.CommitOf(blob.id, fork, "replayed");
    replay.objects.insert(replay.objects.begin(), blob);
    replay.expected = old_line;
    ASSERT_TRUE(repository.store->Publish(replay));
    new_line = Publish(*repository.store, "and on");
    journals = SaveJournals(/*other_boot=*/true);
  }
  WriteFile(repo_.path() / "refs/heads/main", old_line.Hex() + "\n");
  PutBack(journals);
  const Repository repository = Open(Durability::kProcess);
  EXPECT_EQ(*repository.store->ReadRef("refs/heads/main"), new_line);
}

TEST_F(JournalTest, SaysNothingToAKernelThatHasRunOn) {
  std::map<stdfs::path, std::string> journals;
  const auto before = repo_.Head();
  {
    const Repository repository = Open(Durability::kPower);
    Publish(*repository.store, "ours");
    journals = SaveJournals(/*other_boot=*/false);
  }
  PutBack(journals);
  WriteFile(repo_.path() / "refs/heads/main", before.Hex() + "\n");  // an admin set it back
  EXPECT_EQ(*Open(Durability::kProcess).store->ReadRef("refs/heads/main"), before);
  EXPECT_TRUE(Journals().empty());
}

TEST_F(JournalTest, OfALivingDaemonIsLeftAlone) {
  const Repository writer = Open(Durability::kPower);
  Publish(*writer.store, "ours");
  const auto journals = Journals();
  EXPECT_EQ(journals.size(), 2U);
  const Repository other = Open(Durability::kProcess);
  EXPECT_EQ(Journals(), journals);
}

TEST_F(JournalTest, GoesOnWhenItsFilesAreFull) {
  const Repository repository = Open(Durability::kProcess);
  auto journal = Journal::Make(repo_.path().string(), 1U << 20);
  ASSERT_OK(journal);
  const std::string text(100'000, 'x');
  for (int i = 0; i < 100; ++i) {
    auto entry = (*journal)->Append(Two(text + std::to_string(i)));
    ASSERT_OK(entry);
  }
  EXPECT_CODE((*journal)->Append(Two(std::string(2U << 20, 'x'))), Code::kTooBig);
  journal->reset();
  EXPECT_TRUE(Journals().empty());
}

TEST_F(JournalTest, WhatIsTooBigForItIsPublishedAllTheSame) {
  const Repository repository = Open(Durability::kPower);
  Store& store = *repository.store;
  const std::string text(Journal::kDefaultCapacity, 'x');
  const auto head = store.ReadRef("refs/heads/main");
  const NewObject blob{store.Hash(ObjectKind::kBlob, text), ObjectKind::kBlob, text};
  Publication publication = repo_.CommitOf(blob.id, *head, "big");
  publication.objects.insert(publication.objects.begin(), blob);
  ASSERT_OK(store.Publish(publication));
  EXPECT_EQ(*store.ReadRef("refs/heads/main"), publication.tip);
}

}  // namespace
}  // namespace concordfs::vcs::git
