// Opens that the kernel repeats once: whoever was sent away has to be served when it comes back, whatever happened to
// the name in between.
#include "fs/redirects.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/model/mount.h"

namespace concordfs::fs {
namespace {

using testing::kAndrew;
using testing::kBenson;
using testing::Mount;
using testing::Said;

constexpr int kAppend = O_WRONLY | O_APPEND;

class RedirectsTest : public ::testing::Test {
 protected:
  Filesystem& fs() { return *mount_.filesystem; }
  NodeId LookUp(const Caller& caller, std::string_view name) {
    const auto entry = fs().Lookup(caller, kRootNode, name);
    if (!entry) throw std::runtime_error(entry.error().message);
    return entry->attr.node;
  }
  void Echo(const std::string& path, const std::string& content) {
    ASSERT_EQ(Said(mount_.kernel->Echo(kBenson, path, content)), "ok");
  }
  // The answer; closes what was opened.
  std::string Open(const Caller& caller, NodeId node, int flags) {
    const auto opened = fs().Open(caller, node, flags);
    if (!opened) return Said(opened);
    std::string content(8, '\0');
    if ((flags & O_ACCMODE) == O_RDONLY) {
      const auto size = fs().Read(opened->handle, 0, content);
      content.resize(size ? *size : 0);
    } else {
      content = Said(fs().Flush(opened->handle, caller.tid));
    }
    fs().Release(opened->handle);
    return content;
  }
  // The node of a plain file whose name has become a version's.
  NodeId PlainNodeOfVersion(const std::string& path) {
    const auto made = fs().Create(kBenson, kRootNode, path + ".tmp.1", 0644, O_WRONLY | O_CREAT | O_EXCL);
    if (!made) throw std::runtime_error(made.error().message);
    fs().Release(made->opened.handle);
    const auto renamed = fs().Rename(kBenson, kRootNode, path + ".tmp.1", kRootNode, path, 0);
    if (!renamed) throw std::runtime_error(renamed.error().message);
    return made->entry.attr.node;
  }

  Mount mount_{{{"f", "A"}, {"g", "G"}}};
};

TEST_F(RedirectsTest, ServeAReaderWhoseFileAnotherFileHasReplaced) {
  const NodeId old = LookUp(kAndrew, "f");
  Echo("f", "B");
  ASSERT_EQ(Open(kAndrew, old, O_RDONLY), "stale") << "to look again";
  ASSERT_EQ(Said(mount_.kernel->Rename(kBenson, "g", "f")), "ok");
  const NodeId node = LookUp(kAndrew, "f");
  Echo("f", "C");
  EXPECT_EQ(Open(kAndrew, node, O_RDONLY), "G") << "the version that it was answered";
  EXPECT_EQ(Open(kAndrew, node, O_RDONLY), "stale") << "another open, and there is a newer version";
}

TEST_F(RedirectsTest, ServeAWriterWhoseFileAnotherFileHasReplaced) {
  const NodeId old = LookUp(kAndrew, "f");
  ASSERT_EQ(Open(kAndrew, old, kAppend), "stale") << "to look again";
  ASSERT_EQ(Said(mount_.kernel->Rename(kBenson, "g", "f")), "ok");
  EXPECT_EQ(Open(kAndrew, LookUp(kAndrew, "f"), kAppend), "ok");
}

TEST_F(RedirectsTest, ServeAReaderWhomTheKernelFirstLedToThePlainFile) {
  const NodeId plain = PlainNodeOfVersion("f");
  ASSERT_EQ(Open(kAndrew, plain, O_RDONLY), "stale") << "to look again";
  const NodeId node = LookUp(kAndrew, "f");
  ASSERT_EQ(LookUp(kAndrew, "f"), node) << "the kernel asks twice: for what it has, and for what there is";
  Echo("f", "C");
  EXPECT_EQ(Open(kAndrew, node, O_RDONLY), "") << "the version that it was answered";
}

// Before it opens a node whose attributes have expired the kernel asks for them, to check permissions.
TEST_F(RedirectsTest, ServeAWriterWhoHasAskedForThePlainFilesAttributes) {
  const NodeId plain = PlainNodeOfVersion("f");
  for (const int flags : {kAppend, O_RDWR, O_WRONLY | O_TRUNC, O_RDONLY}) {
    ASSERT_EQ(Said(fs().GetAttr(kAndrew, plain)), "stale") << "to look again";
    EXPECT_NE(Open(kAndrew, LookUp(kAndrew, "f"), flags), "stale") << flags;
  }
}

TEST_F(RedirectsTest, LeadNobodyToWhatOthersHaveOvertaken) {  // R1
  const NodeId plain = PlainNodeOfVersion("f");
  ASSERT_EQ(Said(fs().GetAttr(kAndrew, plain)), "stale") << "to look again";
  LookUp(kAndrew, "f");
  Echo("f", "C");
  EXPECT_EQ(Open(kAndrew, LookUp(kAndrew, "f"), O_RDONLY), "C") << "it only wanted the attributes, and reads later";
}

TEST_F(RedirectsTest, FollowASymlinkOnTheWay) {
  ASSERT_TRUE(fs().MakeSymlink(kBenson, kRootNode, "link", "f"));
  const NodeId plain = PlainNodeOfVersion("f");
  ASSERT_EQ(Open(kAndrew, plain, kAppend), "stale") << "to look again";
  LookUp(kAndrew, "link");
  EXPECT_EQ(Open(kAndrew, LookUp(kAndrew, "f"), kAppend), "ok");
}

TEST_F(RedirectsTest, SendNobodyElseNorTheNextOpenAnywhere) {
  const NodeId f = LookUp(kAndrew, "f");
  const NodeId g = LookUp(kAndrew, "g");
  ASSERT_EQ(Open(kAndrew, f, kAppend), "stale");
  EXPECT_EQ(LookUp(kBenson, "f"), f);
  EXPECT_EQ(Open(kAndrew, LookUp(kAndrew, "f"), kAppend), "ok");
  EXPECT_EQ(Open(kAndrew, g, O_RDONLY), "G");
  EXPECT_EQ(Open(kAndrew, g, kAppend), "stale") << "once for each open";
}

}  // namespace
}  // namespace concordfs::fs
