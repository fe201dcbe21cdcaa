// POSIX: the errors that every call with a path shares.
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <climits>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

int Opened(int fd) {
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

int OpenedFolder(const char* path) {
  DIR* const folder = opendir(path);
  if (folder == nullptr) return errno;
  closedir(folder);
  return 0;
}

// A call on a path, as a function that returns its errno.
struct Call {
  const char* name;
  bool changes;  // EROFS where nothing can be changed
  std::function<int(const char*)> on;
};

// Calls on a name that is there.
std::vector<Call> CallsOnNames() {
  return {
      {"open for reading", false, [](const char* p) { return Opened(open(p, O_RDONLY | O_CLOEXEC)); }},
      {"open for writing", true, [](const char* p) { return Opened(open(p, O_WRONLY | O_CLOEXEC)); }},
      {"open for both", true, [](const char* p) { return Opened(open(p, O_RDWR | O_CLOEXEC)); }},
      {"open with O_PATH", false, [](const char* p) { return Opened(open(p, O_PATH | O_CLOEXEC)); }},
      {"truncate", true, [](const char* p) { return ErrnoOf(truncate(p, 0)); }},
      {"chmod", true, [](const char* p) { return ErrnoOf(chmod(p, 0644)); }},
      {"chown", true, [](const char* p) { return ErrnoOf(chown(p, 0, 0)); }},
      {"lchown", true, [](const char* p) { return ErrnoOf(lchown(p, 0, 0)); }},
      {"utimensat", true, [](const char* p) { return ErrnoOf(utimensat(AT_FDCWD, p, nullptr, 0)); }},
      {"unlink", true, [](const char* p) { return ErrnoOf(unlink(p)); }},
      {"rmdir", true, [](const char* p) { return ErrnoOf(rmdir(p)); }},
      {"stat", false,
       [](const char* p) {
         struct stat status {};
         return ErrnoOf(stat(p, &status));
       }},
      {"lstat", false,
       [](const char* p) {
         struct stat status {};
         return ErrnoOf(lstat(p, &status));
       }},
      {"statx", false,
       [](const char* p) {
         struct statx status {};
         return ErrnoOf(statx(AT_FDCWD, p, 0, STATX_BASIC_STATS, &status));
       }},
      {"statvfs", false,
       [](const char* p) {
         struct statvfs space {};
         return ErrnoOf(statvfs(p, &space));
       }},
      {"access", false, [](const char* p) { return ErrnoOf(access(p, F_OK)); }},
      {"opendir", false, [](const char* p) { return OpenedFolder(p); }},
      {"readlink", false,
       [](const char* p) {
         char target[16];
         return ErrnoOf(readlink(p, target, sizeof(target)));
       }},
      {"getxattr", false,
       [](const char* p) {
         char value[16];
         return ErrnoOf(getxattr(p, "user.suite", value, sizeof(value)));
       }},
  };
}

// Calls that make a name. `existing` is a file beside the places where they are tried.
std::vector<Call> CallsThatMake(const std::string& existing) {
  return {
      {"open with O_CREAT", true, [](const char* p) { return Opened(open(p, O_RDWR | O_CREAT | O_CLOEXEC, 0644)); }},
      {"open with O_EXCL", true,
       [](const char* p) { return Opened(open(p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644)); }},
      {"mkdir", true, [](const char* p) { return ErrnoOf(mkdir(p, 0755)); }},
      {"mknod", true, [](const char* p) { return ErrnoOf(mknod(p, S_IFREG | 0644, 0)); }},
      {"mkfifo", true, [](const char* p) { return ErrnoOf(mkfifo(p, 0644)); }},
      {"mknod of a device", true, [](const char* p) { return ErrnoOf(mknod(p, S_IFCHR | 0644, makedev(1, 3))); }},
      {"symlink", true, [](const char* p) { return ErrnoOf(symlink("target", p)); }},
      {"link", true, [existing](const char* p) { return ErrnoOf(link(existing.c_str(), p)); }},
      {"rename to it", true, [existing](const char* p) { return ErrnoOf(rename(existing.c_str(), p)); }},
  };
}

std::vector<Call> AllCalls(const std::string& existing) {
  std::vector<Call> calls = CallsOnNames();
  for (Call& call : CallsThatMake(existing)) calls.push_back(std::move(call));
  calls.push_back({"rename of it", true, [existing](const char* p) { return ErrnoOf(rename(p, existing.c_str())); }});
  calls.push_back(
      {"link from it", true, [existing](const char* p) { return ErrnoOf(link(p, (existing + "-linked").c_str())); }});
  return calls;
}

TEST_P(Posix, PathsThroughAFileAreENOTDIR) {
  Put("f", "x");
  Put("existing", "x");
  for (const Call& call : AllCalls(P("existing"))) EXPECT_EQ(call.on(P("f/x").c_str()), ENOTDIR) << call.name;
}

TEST_P(Posix, PathsThroughNothingAreENOENT) {
  Put("existing", "x");
  for (const Call& call : AllCalls(P("existing"))) EXPECT_EQ(call.on(P("missing/x").c_str()), ENOENT) << call.name;
  for (const Call& call : AllCalls(P("existing"))) EXPECT_EQ(call.on(""), ENOENT) << call.name;
}

TEST_P(Posix, NamesThatAreMissingAreENOENT) {
  for (const Call& call : CallsOnNames()) EXPECT_EQ(call.on(P("missing").c_str()), ENOENT) << call.name;
  EXPECT_EQ(ErrnoOf(rename(P("missing").c_str(), P("other").c_str())), ENOENT);
  EXPECT_EQ(ErrnoOf(link(P("missing").c_str(), P("other").c_str())), ENOENT);
  EXPECT_TRUE(Names().empty());
}

TEST_P(Posix, PathsThroughALoopAreELOOP) {
  ASSERT_EQ(symlink("b", P("a").c_str()), 0);
  ASSERT_EQ(symlink("a", P("b").c_str()), 0);
  Put("existing", "x");
  for (const Call& call : AllCalls(P("existing"))) EXPECT_EQ(call.on(P("a/x").c_str()), ELOOP) << call.name;
}

TEST_P(Posix, NamesOf256BytesAreENAMETOOLONG) {
  Put("existing", "x");
  for (const Call& call : AllCalls(P("existing"))) {
    EXPECT_EQ(call.on(P(std::string(256, 'n')).c_str()), ENAMETOOLONG) << call.name;
    EXPECT_EQ(call.on(P(std::string(256, 'n') + "/x").c_str()), ENAMETOOLONG) << call.name << ", before the last name";
  }
  EXPECT_EQ(Names(), std::vector<std::string>{"existing"});
}

TEST_P(Posix, NamesOf255BytesCanBeMade) {
  Put("existing", "x");
  int made = 0;
  for (const Call& call : CallsThatMake(P("existing"))) {
    std::string name = std::to_string(made++);
    name.resize(255, 'n');
    const std::string_view what = call.name;
    const bool is_link = what == "link";
    const bool is_special = what == "mkfifo" || what == "mknod of a device";
    const bool can = (place().HasHardLinks() || !is_link) && (place().HasSpecialFiles() || !is_special);
    EXPECT_EQ(call.on(P(name).c_str()), can ? 0 : EPERM) << call.name;
  }
}

TEST_P(Posix, PathsOfPathMaxBytesAreENAMETOOLONG) {
  Put("existing", "x");
  const std::string path = P("") + std::string(PATH_MAX, '/') + "x";
  for (const Call& call : AllCalls(P("existing"))) EXPECT_EQ(call.on(path.c_str()), ENAMETOOLONG) << call.name;
}

TEST_P(Posix, PathsOfOneByteLessThanPathMaxWork) {
  Put("existing", "x");
  std::string path = P("existing");
  path.insert(path.rfind('/'), std::string(PATH_MAX - 1 - path.size(), '/'));
  ASSERT_EQ(path.size(), static_cast<std::size_t>(PATH_MAX - 1));
  struct stat status {};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << std::strerror(errno);
}

TEST_P(Posix, PathsThroughAClosedDirectoryAreEACCES) {
  MakeDirectory("closed", 0700);
  Put("closed/x", "x");
  Put("existing", "x");
  for (const Call& call : AllCalls(P("existing"))) {
    EXPECT_EQ(AsStranger([&] { return call.on(P("closed/x").c_str()); }), EACCES) << call.name;
    EXPECT_EQ(AsStranger([&] { return call.on(P("closed/missing").c_str()); }), EACCES) << call.name;
  }
  EXPECT_EQ(Get("closed/x"), "x");
}

TEST_P(Posix, NamesInADirectoryThatOnlyCanBeSearchedAreEACCES) {
  MakeDirectory("d", 0755);
  Put("d/x", "x");
  MakeDirectory("mine", 0777);
  ASSERT_EQ(chmod(P("mine").c_str(), 0777), 0);
  const std::string mine = P("mine/existing");
  ASSERT_EQ(AsStranger([&] { return Opened(open(mine.c_str(), O_CREAT | O_RDWR, 0666)); }), 0);
  for (const Call& call : CallsThatMake(mine)) {
    EXPECT_EQ(AsStranger([&] { return call.on(P("d/new").c_str()); }), EACCES) << call.name;
  }
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(unlink(P("d/x").c_str())); }), EACCES);
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(rename(P("d/x").c_str(), P("mine/x").c_str())); }), EACCES);
  MakeDirectory("d/sub");
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(rmdir(P("d/sub").c_str())); }), EACCES);
  EXPECT_EQ(AsStranger([&] { return Opened(open(P("d/x").c_str(), O_RDONLY)); }), 0);
}

TEST_P(Posix, ReadOnlyMountsAreEROFS) {
  Put("f", "text");
  Put("existing", "x");
  MakeDirectory("d");
  // A scratch directory that is mounted twice is looked up anew; a versioned one has its last commit.
  ASSERT_EQ(ReadFile(ReadOnlyP("f")), "text");
  for (const Call& call : CallsOnNames()) {
    if (!call.changes || std::string(call.name) == "rmdir") continue;
    EXPECT_EQ(call.on(ReadOnlyP("f").c_str()), EROFS) << call.name;
  }
  for (const Call& call : CallsThatMake(ReadOnlyP("existing"))) {
    EXPECT_EQ(call.on(ReadOnlyP("new").c_str()), EROFS) << call.name;
  }
  EXPECT_EQ(ErrnoOf(rename(ReadOnlyP("f").c_str(), ReadOnlyP("g").c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(rmdir(ReadOnlyP("d").c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(access(ReadOnlyP("f").c_str(), W_OK)), EROFS);
  EXPECT_EQ(Opened(open(ReadOnlyP("f").c_str(), O_RDONLY | O_CREAT, 0644)), 0) << "it is there already";
  EXPECT_EQ(ReadFile(ReadOnlyP("f")), "text");
}

TEST_P(Posix, TrailingSlashesNameDirectories) {
  Put("f", "x");
  MakeDirectory("d");
  ASSERT_EQ(symlink("d", P("to-d").c_str()), 0);
  EXPECT_EQ(Open("f/", O_RDONLY), ENOTDIR);
  EXPECT_EQ(Open("d/", O_RDONLY), 0);
  EXPECT_EQ(Open("new/", O_RDWR | O_CREAT), EISDIR);
  EXPECT_EQ(ErrnoOf(unlink(P("f/").c_str())), ENOTDIR);
  EXPECT_EQ(ErrnoOf(rename(P("f").c_str(), P("new/").c_str())), ENOTDIR);
  EXPECT_EQ(ErrnoOf(symlink("x", P("new/").c_str())), ENOENT);
  EXPECT_EQ(mkdir(P("new/").c_str(), 0755), 0);
  EXPECT_EQ(rename(P("new/").c_str(), P("newer/").c_str()), 0);
  EXPECT_EQ(rmdir(P("newer/").c_str()), 0);
  EXPECT_EQ(Open("to-d/", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), 0) << "the slash follows the link";
}

}  // namespace
}  // namespace concordfs::mounttest
