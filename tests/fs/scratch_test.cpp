// The scratch area (R12) as agents meet it, without a mount.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/model/mount.h"

namespace concordfs::fs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kAndrew;
using testing::kBenson;
using testing::Kernel;
using testing::Mount;
using testing::PastCommit;
using testing::Said;

class ScratchTest : public ::testing::Test {
 protected:
  Kernel& kernel() { return *mount_.kernel; }
  std::string Cat(const Caller& caller, const std::string& path) {
    const auto content = kernel().Cat(caller, path);
    return content ? *content : std::string("<") + CodeName(content.code()) + ">";
  }
  std::string Echo(const Caller& caller, const std::string& path, const std::string& content) {
    return Said(kernel().Echo(caller, path, content));
  }
  std::string Rename(const Caller& caller, const std::string& from, const std::string& to) {
    return Said(kernel().Rename(caller, from, to));
  }
  std::vector<std::string> History() {
    std::vector<std::string> lines;
    for (const PastCommit& past : mount_.NewHistory()) {
      lines.push_back(past.commit.author.name + ": " + past.commit.message.substr(0, past.commit.message.find('\n')));
    }
    return lines;
  }
  // The plain file behind a path.
  bool IsOnDisk(const std::string& path) {
    return std::filesystem::exists(mount_.folder.path() / "concordfs" / "scratch" / "main" / path);
  }

  Mount mount_{{{".gitignore", "/build/\n*.o\n"}, {"f", "A"}, {"d/x", "A"}, {"d/.gitignore", "!kept.o\n"}}};
};

TEST_F(ScratchTest, CommitsNothingOfWhatIsIgnored) {
  EXPECT_EQ(Said(kernel().MakeDirectory(kAndrew, "build")), "ok");
  EXPECT_EQ(Echo(kAndrew, "build/a", "1"), "ok");
  EXPECT_EQ(Echo(kAndrew, "d/x.o", "2"), "ok");
  EXPECT_EQ(Echo(kAndrew, "f~", "3"), "ok") << "an editor's temporary";
  EXPECT_THAT(History(), IsEmpty());
  EXPECT_TRUE(IsOnDisk("build/a"));
  EXPECT_EQ(Cat(kBenson, "build/a"), "1");
  EXPECT_EQ(Cat(kBenson, "d/x.o"), "2");
  EXPECT_EQ(Echo(kAndrew, "d/kept.o", "4"), "ok");
  EXPECT_THAT(History(), ElementsAre("agent1: Create d/kept.o"));
}

TEST_F(ScratchTest, ChecksNobodysBase) {
  EXPECT_EQ(Echo(kAndrew, "a.o", "1"), "ok");
  EXPECT_EQ(Cat(kBenson, "a.o"), "1");
  EXPECT_EQ(Echo(kAndrew, "a.o", "2"), "ok");
  EXPECT_EQ(Echo(kBenson, "a.o", "3"), "ok");
  EXPECT_EQ(Cat(kAndrew, "a.o"), "3");
}

TEST_F(ScratchTest, TakesWhatPatchMakesBesideItsTargetForATemporary) {
  constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL;
  for (const char* path : {"f.oREADME", "d/x.o123456"}) {
    auto file = kernel().Open(kAndrew, path, kNew);
    ASSERT_TRUE(file) << path;
    EXPECT_EQ(Said(kernel().Close(kAndrew, *file)), "ok");
    EXPECT_TRUE(IsOnDisk(path)) << path;
  }
  EXPECT_THAT(History(), IsEmpty());
  for (const char* path : {"g.oREADME", "f.objects"}) {
    auto file = kernel().Open(kAndrew, path, kNew);
    ASSERT_TRUE(file) << path;
    EXPECT_EQ(Said(kernel().Close(kAndrew, *file)), "ok");
    EXPECT_FALSE(IsOnDisk(path)) << path;
  }
}

TEST_F(ScratchTest, TakesADrawnNameThatIsMadeForItsOwnerAloneForATemporary) {
  constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL;
  for (const auto& [path, mode] : {std::pair(".f.folder", 0600), std::pair(".f.123456", 0700)}) {
    auto file = kernel().Open(kAndrew, path, kNew, static_cast<mode_t>(mode));
    ASSERT_TRUE(file) << path;
    EXPECT_EQ(Said(kernel().Close(kAndrew, *file)), "ok");
    EXPECT_TRUE(IsOnDisk(path)) << "mode " << std::oct << mode << ": rsync keeps the owner's part of what it copies";
  }
  auto file = kernel().Open(kAndrew, ".f.config", kNew, 0644);
  ASSERT_TRUE(file);
  EXPECT_EQ(Said(kernel().Close(kAndrew, *file)), "ok");
  EXPECT_FALSE(IsOnDisk(".f.config")) << "a word, for everybody: somebody's file";
}

TEST_F(ScratchTest, LeavesWhatIsTrackedVersioned) {
  mount_.branch.Commit({{"tracked.o", mount_.branch.Blob("A")}});
  mount_.Synchronize();
  EXPECT_EQ(Echo(kAndrew, "tracked.o", "B"), "ok");
  EXPECT_EQ(mount_.Head("tracked.o"), "B");
  EXPECT_FALSE(IsOnDisk("tracked.o"));
}

TEST_F(ScratchTest, AppliesANewGitignoreToNewNamesOnly) {
  EXPECT_EQ(Echo(kAndrew, "a.o", "1"), "ok");
  EXPECT_EQ(Echo(kAndrew, "a.log", "1"), "ok");
  EXPECT_EQ(Echo(kAndrew, ".gitignore", "*.log\n"), "ok");
  EXPECT_EQ(Echo(kAndrew, "a.o", "2"), "ok");
  EXPECT_EQ(Echo(kAndrew, "a.log", "2"), "ok");
  EXPECT_EQ(Echo(kAndrew, "b.o", "1"), "ok");
  EXPECT_EQ(Echo(kAndrew, "b.log", "1"), "ok");
  EXPECT_TRUE(IsOnDisk("a.o"));
  EXPECT_EQ(mount_.Head("a.log"), "2");
  EXPECT_EQ(mount_.Head("b.o"), "1");
  EXPECT_TRUE(IsOnDisk("b.log"));
}

// The kernel repeats an open that is answered ESTALE once only.
TEST_F(ScratchTest, ServesAWriterWhomTheKernelFirstLedToThePlainFile) {
  Filesystem& fs = *mount_.filesystem;
  const auto made = fs.Create(kAndrew, kRootNode, "f.tmp.1", 0644, O_WRONLY | O_CREAT | O_EXCL);
  ASSERT_TRUE(made);
  fs.Release(made->opened.handle);
  ASSERT_EQ(Said(fs.Rename(kAndrew, kRootNode, "f.tmp.1", kRootNode, "f", 0)), "ok");
  for (const Caller& caller : {kAndrew, kBenson}) {
    for (const int flags : {O_WRONLY | O_APPEND, O_RDWR, O_WRONLY | O_TRUNC}) {
      ASSERT_EQ(Said(fs.Open(caller, made->entry.attr.node, flags)), "stale") << "it is a version by now";
      const auto found = fs.Lookup(caller, kRootNode, "f");
      ASSERT_TRUE(found);
      const auto opened = fs.Open(caller, found->attr.node, flags);
      ASSERT_EQ(Said(opened), "ok") << flags;
      EXPECT_EQ(Said(fs.Flush(opened->handle, caller.tid)), "ok");
      fs.Release(opened->handle);
    }
  }
  EXPECT_THAT(History(), ElementsAre("agent1: Update f")) << "nobody wrote anything";
}

TEST_F(ScratchTest, PublishesARenameToAVersionedPath) {
  EXPECT_EQ(Cat(kAndrew, "f"), "A");
  EXPECT_EQ(Echo(kAndrew, "f.tmp.1", "B"), "ok");
  EXPECT_EQ(Rename(kAndrew, "f.tmp.1", "f"), "ok");
  EXPECT_EQ(mount_.Head("f"), "B");
  EXPECT_EQ(Cat(kBenson, "f"), "B");
  EXPECT_FALSE(IsOnDisk("f.tmp.1"));
  EXPECT_EQ(Cat(kAndrew, "f.tmp.1"), "<not found>");
  EXPECT_EQ(Echo(kAndrew, "f", "C"), "ok") << "who published it knows it";
  EXPECT_THAT(History(), ElementsAre("agent1: Update f", "agent1: Update f"));
}

TEST_F(ScratchTest, RefusesARenameOverWhatChangedSinceItWasRead) {
  EXPECT_EQ(Cat(kBenson, "f"), "A");
  EXPECT_EQ(Echo(kAndrew, "f", "B"), "ok");
  EXPECT_EQ(Echo(kBenson, "f.tmp.1", "C"), "ok");
  EXPECT_EQ(Rename(kBenson, "f.tmp.1", "f"), "stale");
  EXPECT_EQ(mount_.Head("f"), "B");
  EXPECT_EQ(Cat(kBenson, "f.tmp.1"), "C") << "still where it was";
  EXPECT_THAT(mount_.ParkedOf("agent2", "f"), ElementsAre("C"));
  EXPECT_EQ(Cat(kBenson, "f"), "B");
  EXPECT_EQ(Rename(kBenson, "f.tmp.1", "f"), "ok") << "after a fresh read (R8)";
  EXPECT_EQ(mount_.Head("f"), "C");
}

TEST_F(ScratchTest, PublishesWhatIsWrittenAfterTheRename) {
  auto file = kernel().Open(kAndrew, "f.tmp.1", O_WRONLY | O_CREAT);
  ASSERT_TRUE(file);
  ASSERT_EQ(Said(kernel().Write(*file, "B")), "ok");
  ASSERT_EQ(Rename(kAndrew, "f.tmp.1", "f"), "ok");
  EXPECT_EQ(mount_.Head("f"), "B");
  ASSERT_EQ(Said(kernel().Write(*file, "C")), "ok");
  EXPECT_EQ(Said(kernel().Close(kAndrew, *file)), "ok");
  EXPECT_EQ(mount_.Head("f"), "BC");
}

TEST_F(ScratchTest, ParksWhatIsWrittenAfterTheRenameIfAnotherWroteThePath) {
  auto file = kernel().Open(kAndrew, "f.tmp.1", O_WRONLY | O_CREAT);
  ASSERT_TRUE(file);
  ASSERT_EQ(Rename(kAndrew, "f.tmp.1", "f"), "ok");
  ASSERT_EQ(Cat(kBenson, "f"), "");
  ASSERT_EQ(Echo(kBenson, "f", "B"), "ok");
  ASSERT_EQ(Said(kernel().Write(*file, "C")), "ok");
  EXPECT_EQ(Said(kernel().Close(kAndrew, *file)), "stale");
  EXPECT_EQ(mount_.Head("f"), "B");
  EXPECT_THAT(mount_.ParkedOf("agent1", "f"), ElementsAre("C"));
}

TEST_F(ScratchTest, TakesARenameToAScratchNameForADeletion) {
  EXPECT_EQ(Rename(kAndrew, "f", "f.o"), "ok");
  EXPECT_EQ(Cat(kBenson, "f"), "<not found>");
  EXPECT_EQ(Cat(kBenson, "f.o"), "A");
  EXPECT_THAT(History(), ElementsAre("agent1: Delete f"));
}

TEST_F(ScratchTest, RefusesToMoveAwayWhatChangedSinceItWasRead) {
  EXPECT_EQ(Cat(kBenson, "f"), "A");
  EXPECT_EQ(Echo(kAndrew, "f", "B"), "ok");
  EXPECT_EQ(Rename(kBenson, "f", "f.o"), "stale");
  EXPECT_EQ(Rename(kBenson, "f", "f~"), "stale");
  EXPECT_EQ(mount_.Head("f"), "B");
  EXPECT_FALSE(IsOnDisk("f.o"));
}

TEST_F(ScratchTest, MakesOneCommitOfASaveThatMovesTheFileAside) {
  EXPECT_EQ(Cat(kAndrew, "f"), "A");
  EXPECT_EQ(Rename(kAndrew, "f", "f~"), "ok");
  EXPECT_EQ(Cat(kAndrew, "f"), "<not found>");
  EXPECT_EQ(Cat(kBenson, "f"), "A") << "others see what is about to be replaced";
  EXPECT_EQ(Echo(kAndrew, "f", "B"), "ok");
  EXPECT_EQ(Cat(kBenson, "f"), "B");
  EXPECT_EQ(Said(kernel().Unlink(kAndrew, "f~")), "ok");
  mount_.filesystem->Drain();
  EXPECT_THAT(History(), ElementsAre("agent1: Update f"));
}

TEST_F(ScratchTest, DeletesInTheEndWhatWasMovedAside) {
  EXPECT_EQ(Rename(kAndrew, "f", "f~"), "ok");
  mount_.filesystem->Drain();
  EXPECT_EQ(Cat(kBenson, "f"), "<not found>");
  EXPECT_THAT(History(), ElementsAre("agent1: Delete f"));
}

TEST_F(ScratchTest, KeepsWhatAnotherWroteToAFileThatWasMovedAside) {
  EXPECT_EQ(Rename(kAndrew, "f", "f~"), "ok");
  EXPECT_EQ(Echo(kBenson, "f", "B"), "ok");
  mount_.filesystem->Drain();
  EXPECT_EQ(mount_.Head("f"), "B");
  EXPECT_EQ(Cat(kAndrew, "f"), "B");
}

TEST_F(ScratchTest, MovesTheScratchFilesOfADirectoryWithIt) {
  EXPECT_EQ(Echo(kAndrew, "d/a.o", "1"), "ok");
  EXPECT_EQ(Rename(kAndrew, "d", "e"), "ok");
  EXPECT_EQ(Cat(kBenson, "e/a.o"), "1");
  EXPECT_EQ(mount_.Head("e/x"), "A");
  EXPECT_TRUE(IsOnDisk("e/a.o"));
  EXPECT_FALSE(IsOnDisk("d"));
}

TEST_F(ScratchTest, LeavesNoEmptyFolders) {
  EXPECT_EQ(Echo(kAndrew, "d/a.o", "1"), "ok");
  EXPECT_EQ(Said(kernel().Unlink(kBenson, "d/a.o")), "ok");
  EXPECT_FALSE(IsOnDisk("d"));
}

TEST_F(ScratchTest, MovesNoDirectoryAcrossTheBorder) {
  EXPECT_EQ(Said(kernel().MakeDirectory(kAndrew, "build")), "ok");
  EXPECT_EQ(Rename(kAndrew, "build", "out"), "cross-device");
  EXPECT_EQ(Rename(kAndrew, "d", "build"), "cross-device");
}

TEST_F(ScratchTest, KeepsScratchFilesWhenOthersRemoveTheirDirectory) {
  EXPECT_EQ(Echo(kAndrew, "d/a.o", "1"), "ok");
  mount_.branch.Commit({{"d/x", std::nullopt}, {"d/.gitignore", std::nullopt}});
  mount_.Synchronize();
  EXPECT_EQ(Cat(kAndrew, "d/a.o"), "1");
  EXPECT_EQ(Said(kernel().Unlink(kAndrew, "d/a.o")), "ok");
  EXPECT_EQ(Said(kernel().RemoveDirectory(kAndrew, "d")), "ok");
  EXPECT_EQ(Cat(kAndrew, "d/a.o"), "<not found>");
}

TEST_F(ScratchTest, HidesAScratchFileBehindACommitOfItsName) {
  EXPECT_EQ(Echo(kAndrew, "a.o", "1"), "ok");
  mount_.branch.Commit({{"a.o", mount_.branch.Blob("A")}});
  mount_.Synchronize();
  EXPECT_EQ(Cat(kAndrew, "a.o"), "A");
  mount_.branch.Commit({{"a.o", std::nullopt}});
  mount_.Synchronize();
  EXPECT_EQ(Cat(kAndrew, "a.o"), "1");
}

}  // namespace
}  // namespace concordfs::fs
