// The operations as agents meet them, without a mount: rule by rule of the semantics.
#include "fs/filesystem.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "tests/model/mount.h"

namespace concordfs::fs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kAndrew;
using testing::kBenson;
using testing::Kernel;
using testing::Mount;
using testing::NumberedAgents;
using testing::PastCommit;
using testing::Said;
using ::testing::UnorderedElementsAre;

const Caller kAndrewsShell = NumberedAgents::CallerOf(1, 2);

class FilesystemTest : public ::testing::Test {
 protected:
  Kernel& kernel() { return *mount_.kernel; }
  std::string Cat(const Caller& caller, const std::string& path) {
    const auto content = kernel().Cat(caller, path);
    return content ? *content : std::string("<") + CodeName(content.code()) + ">";
  }
  std::string Echo(const Caller& caller, const std::string& path, const std::string& content) {
    return Said(kernel().Echo(caller, path, content));
  }
  std::string Append(const Caller& caller, const std::string& path, const std::string& content) {
    return Said(kernel().Append(caller, path, content));
  }
  Kernel::File Open(const Caller& caller, const std::string& path, int flags) {
    const auto file = kernel().Open(caller, path, flags);
    if (!file) throw std::runtime_error("open " + path + ": " + file.error().message);
    return *file;
  }
  // The subjects of the commits since the first one, with their authors.
  std::vector<std::string> History() {
    std::vector<std::string> lines;
    for (const PastCommit& past : mount_.NewHistory()) {
      lines.push_back(past.commit.author.name + ": " + past.commit.message.substr(0, past.commit.message.find('\n')));
    }
    return lines;
  }
  std::vector<std::string> Parked(const Caller& caller, const std::string& path) {
    return mount_.ParkedOf(agents_.Identify(caller).agent, path);
  }

  NumberedAgents agents_;
  Mount mount_{{{"f", "A"}, {"g", "A"}, {"d/x", "A"}, {"d/y", "A"}}};
};

TEST_F(FilesystemTest, ShowsEachAgentWhatTheOthersPublished) {  // R1, R4
  EXPECT_EQ(Cat(kAndrew, "f"), "A");
  EXPECT_EQ(Echo(kAndrew, "f", "B"), "ok");
  EXPECT_EQ(mount_.Head("f"), "B");
  EXPECT_EQ(Cat(kBenson, "f"), "B");
  EXPECT_THAT(History(), ElementsAre("agent1: Update f"));
}

TEST_F(FilesystemTest, KeepsTheVersionOfAnOpenHandle) {  // R1
  Kernel::File file = Open(kBenson, "f", O_RDONLY);
  for (const char* content : {"B", "CC", "DDD"}) ASSERT_EQ(Echo(kAndrew, "f", content), "ok");
  EXPECT_EQ(*kernel().ReadAll(file), "A");
  EXPECT_EQ(mount_.filesystem->GetAttr(kAndrew, file.node)->size, 1U);
  EXPECT_EQ(Cat(kBenson, "f"), "DDD");
  EXPECT_EQ(Said(kernel().Close(kBenson, file)), "ok");
}

// tar(1) makes an empty file for a symlink that it will make in the end, if the name still has that file then.
TEST_F(FilesystemTest, KeepsTheNumberOfANewFileThatTheKernelForgot) {
  Filesystem& fs = *mount_.filesystem;
  const auto created = fs.Create(kAndrew, kRootNode, "new", 0600, O_WRONLY | O_CREAT | O_EXCL);
  ASSERT_TRUE(created);
  fs.Release(created->opened.handle);
  EXPECT_EQ(mount_.Head("new"), "");
  fs.Forget(created->entry.attr.node, 1);
  for (int round = 0; round < 2; ++round) {
    const auto again = fs.Lookup(kAndrew, kRootNode, "new");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->attr.ino, created->entry.attr.ino);
    fs.Forget(again->attr.node, 1);
  }
  EXPECT_EQ(Echo(kAndrew, "new", "text"), "ok");
  const auto changed = fs.Lookup(kBenson, kRootNode, "new");
  ASSERT_TRUE(changed);
  EXPECT_NE(changed->attr.ino, created->entry.attr.ino) << "another version is another file, as tail -F wants it";
  fs.Forget(changed->attr.node, 1);
}

// The kernel takes a node that is opened with O_TRUNC for empty, and a version's node is everybody's.
TEST_F(FilesystemTest, OpensNoVersionsNodeForTruncation) {  // R1, F2
  constexpr int kAnew = O_WRONLY | O_TRUNC;
  Filesystem& fs = *mount_.filesystem;
  Kernel::File file = Open(kAndrew, "f", kAnew);
  ASSERT_EQ(Said(kernel().Write(file, "BB")), "ok");
  ASSERT_EQ(Said(kernel().Flush(kAndrew, file)), "ok");
  const auto copy = fs.Lookup(kAndrew, kRootNode, "f");
  ASSERT_TRUE(copy);
  kernel().Release(file);              // between the lookup and the open
  ASSERT_EQ(Cat(kAndrew, "f"), "BB");  // and it is a version's by now
  EXPECT_EQ(Said(fs.Open(kAndrew, copy->attr.node, kAnew)), "stale") << "to be looked up again";
  const auto again = fs.Lookup(kAndrew, kRootNode, "f");
  const auto version = fs.Lookup(kBenson, kRootNode, "f");
  ASSERT_TRUE(again && version);
  EXPECT_NE(again->attr.node, version->attr.node);
  const auto opened = fs.Open(kAndrew, again->attr.node, kAnew);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_FALSE(opened->direct_io);
  EXPECT_EQ(fs.GetAttr(kAndrew, again->attr.node)->size, 0U);
  EXPECT_EQ(fs.GetAttr(kAndrew, version->attr.node)->size, 2U);
  fs.Release(opened->handle);
  for (const auto& entry : {copy, again, version}) fs.Forget(entry->attr.node, 1);
}

TEST_F(FilesystemTest, RefusesTheStaleAppendAndAcceptsItAfterAFreshRead) {  // the contract's example
  EXPECT_EQ(Cat(kAndrew, "f"), "A");
  EXPECT_EQ(Cat(kBenson, "f"), "A");
  EXPECT_EQ(Append(kAndrew, "f", "+andrew"), "ok");
  EXPECT_EQ(Append(kBenson, "f", "+benson"), "stale");
  EXPECT_EQ(mount_.Head("f"), "A+andrew");
  EXPECT_EQ(Append(kBenson, "f", "+benson"), "stale") << "a blind retry (R8)";
  EXPECT_EQ(Cat(kBenson, "f"), "A+andrew");
  EXPECT_EQ(Append(kBenson, "f", "+benson"), "ok");
  EXPECT_EQ(mount_.Head("f"), "A+andrew+benson");
  EXPECT_THAT(History(), ElementsAre("agent1: Update f", "agent2: Update f"));
}

TEST_F(FilesystemTest, ParksWhatWasWrittenBeforeItIsRefused) {  // R7
  Kernel::File file = Open(kBenson, "f", O_RDWR);
  ASSERT_EQ(*kernel().ReadAll(file), "A");
  ASSERT_EQ(Said(kernel().Write(file, "benson's")), "ok");
  ASSERT_EQ(Echo(kAndrew, "f", "B"), "ok");
  EXPECT_EQ(Said(kernel().Flush(kBenson, file)), "stale");
  EXPECT_THAT(Parked(kBenson, "f"), ElementsAre("benson's"));
  EXPECT_EQ(Said(kernel().Close(kBenson, file)), "stale") << "every close of it (R6)";
  EXPECT_THAT(Parked(kBenson, "f"), ElementsAre("benson's")) << "parked once";
  EXPECT_EQ(mount_.Head("f"), "B");
}

TEST_F(FilesystemTest, RefusesAWriteAsSoonAsTheBaseIsStale) {  // R6
  Kernel::File file = Open(kBenson, "f", O_RDWR);
  ASSERT_EQ(*kernel().ReadAll(file), "A");
  ASSERT_EQ(Echo(kAndrew, "f", "B"), "ok");
  EXPECT_EQ(Said(kernel().Write(file, "late")), "stale");
  EXPECT_THAT(Parked(kBenson, "f"), ElementsAre("late"));
  EXPECT_EQ(Said(mount_.filesystem->Sync(file.opened.handle)), "stale");
  EXPECT_EQ(Said(kernel().Close(kBenson, file)), "stale");
}

TEST_F(FilesystemTest, RefusesToOpenForWritingWithoutReadingWhatIsStale) {  // R6
  ASSERT_EQ(Cat(kBenson, "f"), "A");
  ASSERT_EQ(Echo(kAndrew, "f", "B"), "ok");
  for (const int flags : {O_WRONLY, O_WRONLY | O_APPEND, O_WRONLY | O_TRUNC, O_RDWR | O_TRUNC, O_WRONLY | O_CREAT}) {
    EXPECT_EQ(Said(kernel().Open(kBenson, "f", flags)), "stale") << flags;
  }
  Kernel::File file = Open(kBenson, "f", O_RDWR);
  EXPECT_EQ(Said(kernel().Close(kBenson, file)), "ok") << "which may still read";
  EXPECT_EQ(Said(kernel().Truncate(kBenson, "f", 0)), "stale");
  EXPECT_EQ(Said(kernel().Unlink(kBenson, "f")), "stale");
  EXPECT_EQ(Said(kernel().Rename(kBenson, "g", "f")), "stale");
  EXPECT_EQ(mount_.Head("f"), "B");
  EXPECT_THAT(Parked(kBenson, "f"), ElementsAre("A")) << "what rename would have put there, once";
}

TEST_F(FilesystemTest, LetsManyAppendWithoutReading) {  // R2
  for (const Caller& caller : {kAndrew, kBenson, kAndrewsShell, kBenson}) EXPECT_EQ(Append(caller, "f", "+"), "ok");
  EXPECT_EQ(mount_.Head("f"), "A++++");
}

TEST_F(FilesystemTest, PublishesNothingForADuplicateThatIsClosedBeforeTheWrite) {  // R4
  Kernel::File file = Open(kAndrew, "f", O_WRONLY | O_TRUNC);
  EXPECT_EQ(Said(kernel().Flush(kAndrew, file)), "ok");
  EXPECT_THAT(History(), IsEmpty());
  ASSERT_EQ(Said(kernel().Write(file, "B")), "ok");
  EXPECT_EQ(Said(kernel().Flush(kAndrewsShell, file)), "ok") << "a child that inherited it ends";
  EXPECT_THAT(History(), IsEmpty());
  EXPECT_EQ(Said(kernel().Close(kAndrew, file)), "ok");
  EXPECT_THAT(History(), ElementsAre("agent1: Update f"));
}

TEST_F(FilesystemTest, PublishesAtTheLastCloseWhatWasOnlyTruncated) {  // R4
  Kernel::File file = Open(kAndrew, "f", O_WRONLY | O_TRUNC);
  EXPECT_EQ(Said(kernel().Close(kAndrew, file)), "ok");
  EXPECT_EQ(mount_.Head("f"), "");
}

TEST_F(FilesystemTest, PublishesAtTheLastCloseWhatAChildWrote) {  // R4
  Kernel::File file = Open(kAndrew, "f", O_WRONLY | O_TRUNC);
  ASSERT_EQ(Said(kernel().Write(file, "child's")), "ok");
  EXPECT_EQ(Said(kernel().Close(kAndrewsShell, file)), "ok");
  EXPECT_EQ(mount_.Head("f"), "child's");
}

// The kernel waits for no last close: the program has gone on by then, and may have truncated what it closed.
TEST_F(FilesystemTest, LeavesAWorkingCopyToItsNextWriterThatIsThereBeforeTheLastCloseIsDone) {  // R4
  const Kernel::File first = Open(kAndrew, "new", O_WRONLY | O_CREAT);
  std::optional<Kernel::File> next;
  mount_.store.InNext([&] {
    const auto opened = mount_.filesystem->Open(kAndrew, first.node, O_WRONLY);
    if (opened) next = Kernel::File{first.node, *opened, O_WRONLY, 0};
  });
  mount_.filesystem->Release(first.opened.handle);
  ASSERT_TRUE(next);
  EXPECT_THAT(History(), IsEmpty());
  EXPECT_EQ(Said(kernel().Write(*next, "all of it")), "ok");
  EXPECT_EQ(Said(mount_.filesystem->Flush(next->opened.handle, kAndrew.tid)), "ok");
  mount_.filesystem->Release(next->opened.handle);
  EXPECT_EQ(mount_.Head("new"), "all of it");
  EXPECT_THAT(History(), ElementsAre("agent1: Create new"));
}

TEST_F(FilesystemTest, MakesNoCommitForTheSameBytes) {  // R5
  EXPECT_EQ(Echo(kAndrew, "f", "A"), "ok");
  EXPECT_THAT(History(), IsEmpty());
  Kernel::File file = Open(kBenson, "f", O_WRONLY | O_TRUNC);
  ASSERT_EQ(Said(kernel().Write(file, "B")), "ok");
  ASSERT_EQ(Echo(kAndrew, "f", "B"), "ok");
  EXPECT_EQ(Said(kernel().Close(kBenson, file)), "ok") << "what is there is what he wrote, and he never saw A";
  EXPECT_THAT(History(), ElementsAre("agent1: Update f"));
}

TEST_F(FilesystemTest, RefusesTheSameBytesThatWereMadeFromAnOlderVersion) {  // two increments of one counter
  for (const Caller& caller : {kAndrew, kBenson}) ASSERT_EQ(Cat(caller, "f"), "A");
  Kernel::File file = Open(kBenson, "f", O_WRONLY | O_TRUNC);
  ASSERT_EQ(Said(kernel().Write(file, "B")), "ok");
  ASSERT_EQ(Echo(kAndrew, "f", "B"), "ok");
  EXPECT_EQ(Said(kernel().Close(kBenson, file)), "stale");
  EXPECT_THAT(Parked(kBenson, "f"), ElementsAre("B"));
}

TEST_F(FilesystemTest, SharesOneWorkingCopyAmongAnAgentsHandles) {  // R3
  Kernel::File one = Open(kAndrew, "f", O_RDWR);
  Kernel::File two = Open(kAndrewsShell, "f", O_RDWR | O_APPEND);
  ASSERT_EQ(Said(kernel().Write(one, "12")), "ok");
  EXPECT_EQ(*kernel().ReadAll(two), "12");
  ASSERT_EQ(Said(kernel().Write(two, "34")), "ok");
  EXPECT_EQ(*kernel().ReadAll(one), "1234");
  EXPECT_EQ(Cat(kAndrewsShell, "f"), "1234") << "a new open of the agent";
  EXPECT_EQ(Cat(kBenson, "f"), "A") << "another agent sees nothing of it";
  EXPECT_EQ(Said(kernel().Close(kAndrew, one)), "ok");
  EXPECT_EQ(Said(kernel().Close(kAndrewsShell, two)), "ok");
  EXPECT_EQ(mount_.Head("f"), "1234");
  EXPECT_EQ(Cat(kBenson, "f"), "1234");
}

TEST_F(FilesystemTest, DoesNotMakeAnAgentStaleByItsOwnCommits) {  // R3
  ASSERT_EQ(Cat(kAndrew, "f"), "A");
  ASSERT_EQ(Cat(kAndrewsShell, "f"), "A");
  EXPECT_EQ(Echo(kAndrew, "f", "B"), "ok");
  EXPECT_EQ(Append(kAndrewsShell, "f", "+"), "ok");
  EXPECT_EQ(Append(kAndrew, "f", "+"), "ok");
  EXPECT_EQ(mount_.Head("f"), "B++");
}

TEST_F(FilesystemTest, KeepsAProcessStaleThatReadBeforeAnother) {  // R2
  ASSERT_EQ(Cat(kAndrew, "f"), "A");
  ASSERT_EQ(Echo(kBenson, "f", "B"), "ok");
  ASSERT_EQ(Cat(kAndrewsShell, "f"), "B");
  EXPECT_EQ(Append(kAndrew, "f", "editor's"), "stale") << "the editor still shows A";
  EXPECT_EQ(Append(kAndrewsShell, "f", "+"), "ok");
}

TEST_F(FilesystemTest, ChecksARenameOverAPathAsAWriteToIt) {  // R9
  ASSERT_EQ(Cat(kAndrew, "f"), "A");
  ASSERT_EQ(Echo(kAndrew, "tmp", "saved"), "ok");
  EXPECT_EQ(Said(kernel().Rename(kAndrew, "tmp", "f")), "ok");
  EXPECT_EQ(mount_.Head("f"), "saved");
  ASSERT_EQ(Echo(kBenson, "f", "B"), "ok");
  ASSERT_EQ(Echo(kAndrew, "tmp", "again"), "ok");
  EXPECT_EQ(Said(kernel().Rename(kAndrew, "tmp", "f")), "stale");
  EXPECT_EQ(mount_.Head("f"), "B");
  EXPECT_THAT(Parked(kAndrew, "f"), ElementsAre("again"));
  EXPECT_EQ(Cat(kAndrew, "f"), "B");
  EXPECT_EQ(Said(kernel().Rename(kAndrew, "tmp", "f")), "ok");
  EXPECT_EQ(mount_.Head("f"), "again");
}

TEST_F(FilesystemTest, SavesThroughAnUnpublishedFileInOneCommit) {  // R9: an editor's temporary file
  Kernel::File file = Open(kAndrew, "tmp", O_WRONLY | O_CREAT | O_EXCL);
  ASSERT_EQ(Said(kernel().Write(file, "saved")), "ok");
  EXPECT_EQ(Said(kernel().Rename(kAndrew, "tmp", "f")), "ok");
  EXPECT_EQ(Said(kernel().Close(kAndrew, file)), "ok");
  EXPECT_EQ(mount_.Head("f"), "saved");
  EXPECT_THAT(History(), ElementsAre("agent1: Update f"));
}

// The kernel asks for no such thing, as long as it finds one node under the name.
TEST_F(FilesystemTest, LeavesWhatIsRenamedToItsOwnName) {
  const Kernel::File fresh = Open(kAndrew, "new", O_WRONLY | O_CREAT);
  Filesystem& fs = *mount_.filesystem;
  for (const char* name : {"new", "f", "d"}) {
    EXPECT_EQ(Said(fs.Rename(kAndrew, kRootNode, name, kRootNode, name, 0)), "ok") << name;
    EXPECT_NE(kernel().Stat(kAndrew, name)->links, 0U) << name;
  }
  EXPECT_EQ(Said(fs.Rename(kAndrew, kRootNode, "none", kRootNode, "none", 0)), "not found");
  EXPECT_EQ(Said(kernel().Close(kAndrew, fresh)), "ok");
  EXPECT_EQ(Cat(kAndrew, "f"), "A");
  EXPECT_EQ(Cat(kAndrew, "d/x"), "A");
  EXPECT_EQ(Cat(kBenson, "new"), "");
  EXPECT_THAT(History(), ElementsAre("agent1: Create new"));
}

TEST_F(FilesystemTest, RenamesADirectoryInOneCommitAndWorkingCopiesFollow) {  // R9
  Kernel::File file = Open(kBenson, "d/x", O_RDWR);
  ASSERT_EQ(Said(kernel().Write(file, "B")), "ok");
  EXPECT_EQ(Said(kernel().Rename(kAndrew, "d", "e")), "ok");
  EXPECT_EQ(Said(kernel().Close(kBenson, file)), "ok");
  EXPECT_EQ(mount_.Head("e/x"), "B");
  EXPECT_FALSE(mount_.branch.At("d/x"));
  EXPECT_THAT(History(), ElementsAre("agent1: Rename d to e", "agent2: Update e/x"));
  EXPECT_EQ(Cat(kBenson, "d/x"), "<not found>");
  EXPECT_EQ(Cat(kBenson, "e/y"), "A");
}

TEST_F(FilesystemTest, DiscardsWhatItsOwnAgentUnlinked) {  // R9
  Kernel::File file = Open(kAndrew, "f", O_RDWR);
  ASSERT_EQ(Said(kernel().Write(file, "gone")), "ok");
  EXPECT_EQ(Said(kernel().Unlink(kAndrewsShell, "f")), "ok");
  EXPECT_EQ(*kernel().ReadAll(file), "gone");
  EXPECT_EQ(Said(kernel().Write(file, "more")), "ok");
  EXPECT_EQ(Said(kernel().Close(kAndrew, file)), "ok");
  EXPECT_FALSE(mount_.branch.At("f"));
  EXPECT_THAT(Parked(kAndrew, "f"), IsEmpty());
}

TEST_F(FilesystemTest, RefusesWhatAnotherAgentUnlinked) {  // R9
  Kernel::File file = Open(kAndrew, "f", O_RDWR);
  ASSERT_EQ(Said(kernel().Write(file, "mine")), "ok");
  EXPECT_EQ(Said(kernel().Unlink(kBenson, "f")), "ok");
  EXPECT_EQ(Said(kernel().Close(kAndrew, file)), "stale");
  EXPECT_FALSE(mount_.branch.At("f"));
  EXPECT_THAT(Parked(kAndrew, "f"), ElementsAre("mine"));
}

TEST_F(FilesystemTest, RefusesANewFileThatAnotherAgentUnlinkedBeforeItWasPublished) {  // R9, R10
  Kernel::File file = Open(kAndrew, "new", O_WRONLY | O_CREAT | O_EXCL);
  ASSERT_EQ(Said(kernel().Write(file, "mine")), "ok");
  EXPECT_EQ(Said(kernel().Unlink(kBenson, "new")), "ok");
  EXPECT_EQ(Cat(kAndrew, "new"), "<not found>");
  EXPECT_EQ(Said(kernel().Close(kAndrew, file)), "stale");
  EXPECT_FALSE(mount_.branch.At("new"));
  EXPECT_THAT(Parked(kAndrew, "new"), ElementsAre("mine"));
}

TEST_F(FilesystemTest, SharesNamesBeforeTheyArePublished) {  // R10
  Kernel::File file = Open(kAndrew, "new", O_WRONLY | O_CREAT | O_EXCL);
  EXPECT_EQ(Said(kernel().Open(kBenson, "new", O_WRONLY | O_CREAT | O_EXCL)), "exists");
  ASSERT_EQ(Said(kernel().Write(file, "mine")), "ok");
  EXPECT_EQ(Cat(kBenson, "new"), "");
  EXPECT_THAT(*kernel().List(kBenson, ""), UnorderedElementsAre("d", "f", "g", "new"));
  EXPECT_EQ(Said(kernel().Close(kAndrew, file)), "ok");
  EXPECT_EQ(Cat(kBenson, "new"), "mine");
  EXPECT_EQ(Echo(kBenson, "new", "his"), "ok");
}

TEST_F(FilesystemTest, LetsOneOfManyCreateAName) {  // R10
  constexpr int kThreads = 6;
  for (int round = 0; round < 20; ++round) {
    const std::string path = "lock" + std::to_string(round);
    std::atomic<int> made = 0;
    std::latch start{kThreads};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        const Caller caller = NumberedAgents::CallerOf(i + 1, 1);
        start.arrive_and_wait();
        const auto file = kernel().Open(caller, path, O_WRONLY | O_CREAT | O_EXCL);
        if (!file) {
          EXPECT_EQ(file.code(), Code::kExists);
          return;
        }
        ++made;
        EXPECT_EQ(Said(kernel().Close(caller, *file)), "ok");
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(made, 1) << path;
  }
  EXPECT_EQ(History().size(), 20U);
}

TEST_F(FilesystemTest, RefusesToRecreateBlindlyWhatAnotherDeleted) {
  ASSERT_EQ(Cat(kAndrew, "f"), "A");
  ASSERT_EQ(Said(kernel().Unlink(kBenson, "f")), "ok");
  EXPECT_EQ(Echo(kAndrew, "f", "B"), "stale");
  EXPECT_FALSE(mount_.branch.At("f"));
  EXPECT_EQ(Said(kernel().SetXattr(kAndrew, "", "user.concordfs.refresh", "f")), "ok");
  EXPECT_EQ(Echo(kAndrew, "f", "B"), "ok");
}

TEST_F(FilesystemTest, SeesTheOutsideWorldAndNeverOverwritesIt) {  // R11
  ASSERT_EQ(Cat(kAndrew, "f"), "A");
  Kernel::File file = Open(kAndrew, "f", O_RDWR);
  ASSERT_EQ(Said(kernel().Write(file, "mine")), "ok");
  mount_.branch.Commit(
      {{"f", mount_.branch.Blob("pushed")}, {"d/x", std::nullopt}, {"p/q", mount_.branch.Blob("new")}});
  EXPECT_EQ(Said(kernel().Close(kAndrew, file)), "stale");
  EXPECT_THAT(Parked(kAndrew, "f"), ElementsAre("mine"));
  EXPECT_EQ(Cat(kBenson, "f"), "pushed");
  EXPECT_EQ(Cat(kBenson, "d/x"), "<not found>");
  EXPECT_EQ(Cat(kBenson, "p/q"), "new");
  EXPECT_EQ(Echo(kAndrew, "f", "mine"), "stale");
  EXPECT_EQ(Cat(kAndrew, "f"), "pushed");
  EXPECT_EQ(Echo(kAndrew, "f", "mine"), "ok");
}

TEST_F(FilesystemTest, TakesAVersionForAnIfMatch) {
  ASSERT_EQ(Cat(kAndrew, "f"), "A");
  EXPECT_EQ(*kernel().GetXattr(kAndrew, "f", "user.concordfs.stale"), "no");
  ASSERT_EQ(Echo(kBenson, "f", "B"), "ok");
  const std::string version = *kernel().GetXattr(kAndrew, "f", "user.concordfs.version");
  EXPECT_EQ(version, vcs::ToString(mount_.branch.At("f")));
  EXPECT_NE(*kernel().GetXattr(kAndrew, "f", "user.concordfs.base"), version);
  EXPECT_EQ(*kernel().GetXattr(kAndrew, "f", "user.concordfs.stale"), "yes");
  EXPECT_EQ(Said(kernel().SetXattr(kAndrew, "f", "user.concordfs.base", "nonsense")), "invalid argument");
  EXPECT_EQ(Said(kernel().SetXattr(kAndrew, "f", "user.concordfs.base", version)), "ok");
  EXPECT_EQ(Echo(kAndrew, "f", "C"), "ok");
}

TEST_F(FilesystemTest, CommitsNoNameThatGitCannotHold) {  // R12
  const std::size_t commits = mount_.branch.History().size();
  for (const std::string name : {".git", "GIT~1", ".Git ", ".git\xff"}) {
    EXPECT_EQ(Echo(kAndrew, name, "x"), "ok") << name;
    EXPECT_EQ(Cat(kBenson, name), "x") << name;
    EXPECT_EQ(Said(kernel().Unlink(kBenson, name)), "ok") << name;
    EXPECT_EQ(Said(kernel().MakeDirectory(kAndrew, name)), "ok") << name;
  }
  EXPECT_EQ(mount_.branch.History().size(), commits);
  EXPECT_EQ(Echo(kAndrew, std::string(256, 'n'), "x"), "name too long");
  EXPECT_EQ(Echo(kAndrew, "line\nbreak \xff", "x"), "ok") << "git stores bytes";
  EXPECT_EQ(Cat(kBenson, "line\nbreak \xff"), "x");
}

TEST_F(FilesystemTest, AffectsOnlyTheFileWhoseObjectIsDamaged) {
  mount_.memory.Damage(mount_.branch.At("f")->blob);  // g's, too
  EXPECT_EQ(Cat(kAndrew, "f"), "<corrupt>");
  EXPECT_EQ(Echo(kAndrew, "h", "fine"), "ok");
  EXPECT_EQ(Cat(kBenson, "h"), "fine");
}

TEST_F(FilesystemTest, DrainsWhatIsOpen) {
  Kernel::File fresh = Open(kAndrew, "f", O_WRONLY | O_TRUNC);
  ASSERT_EQ(Said(kernel().Write(fresh, "B")), "ok");
  Kernel::File stale = Open(kBenson, "g", O_WRONLY | O_TRUNC);
  ASSERT_EQ(Said(kernel().Write(stale, "C")), "ok");
  ASSERT_EQ(Echo(kAndrew, "g", "D"), "ok");
  const DrainReport report = mount_.filesystem->Drain();
  EXPECT_EQ(report.published, 1);
  EXPECT_EQ(report.parked, 1);
  EXPECT_EQ(report.kept, 0);
  EXPECT_EQ(mount_.Head("f"), "B");
  EXPECT_THAT(Parked(kBenson, "g"), ElementsAre("C"));
  EXPECT_EQ(Said(kernel().Close(kAndrew, fresh)), "ok");
  EXPECT_EQ(Said(kernel().Close(kBenson, stale)), "stale");
}

}  // namespace
}  // namespace concordfs::fs
