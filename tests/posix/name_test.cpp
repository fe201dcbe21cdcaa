// POSIX: links, directories and special files.
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <atomic>
#include <climits>
#include <cstdlib>
#include <thread>

#include "tests/posix/posix.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AnyOf;
using ::testing::UnorderedElementsAre;

TEST_P(Posix, LinksAreOtherNamesOfOneFile) {
  Put("a", "text");
  if (!place().HasHardLinks()) {
    EXPECT_EQ(ErrnoOf(link(P("a").c_str(), P("b").c_str())), EPERM);
    EXPECT_EQ(Stat("a").st_nlink, 1U);
    return;
  }
  const Moved parent = MovedBy(".", [&] {
    EXPECT_EQ(MovedBy("a", [&] { ASSERT_EQ(link(P("a").c_str(), P("b").c_str()), 0) << std::strerror(errno); }),
              kStatus);
  });
  EXPECT_EQ(parent, kBoth);
  EXPECT_EQ(Stat("a").st_nlink, 2U);
  EXPECT_EQ(Stat("a").st_ino, Stat("b").st_ino);
  Put("b", "changed");
  EXPECT_EQ(Get("a"), "changed");
  ASSERT_EQ(chmod(P("b").c_str(), 0600), 0);
  EXPECT_EQ(Mode("a"), 0600U);
  const Descriptor fd(P("a"), O_RDONLY);
  EXPECT_EQ(MovedBy("b", [&] { ASSERT_EQ(unlink(P("a").c_str()), 0); }), kStatus);
  EXPECT_EQ(Stat("b").st_nlink, 1U);
  EXPECT_EQ(ReadAt(fd, 0, 99), "changed");
}

TEST_P(Posix, LinkReportsItsErrors) {
  Put("a", "x");
  Put("b", "y");
  MakeDirectory("d");
  EXPECT_EQ(ErrnoOf(link(P("a").c_str(), P("b").c_str())), EEXIST);
  EXPECT_EQ(ErrnoOf(link(P("d").c_str(), P("e").c_str())), EPERM) << "of a directory";
  EXPECT_EQ(ErrnoOf(link(P("missing").c_str(), P("c").c_str())), ENOENT);
  EXPECT_EQ(Get("b"), "y");
  if (!place().HasHardLinks()) return;
  ASSERT_EQ(symlink("a", P("l").c_str()), 0);
  EXPECT_EQ(link(P("l").c_str(), P("l2").c_str()), 0) << "of the symlink itself";
  EXPECT_TRUE(S_ISLNK(Stat("l2").st_mode));
  EXPECT_EQ(linkat(AT_FDCWD, P("l").c_str(), AT_FDCWD, P("a2").c_str(), AT_SYMLINK_FOLLOW), 0);
  EXPECT_TRUE(S_ISREG(Stat("a2").st_mode));
}

TEST_P(Posix, SpecialFilesAreKept) {
  const auto make = [this](const char* name, mode_t kind, dev_t device) {
    return ErrnoOf(mknod(P(name).c_str(), kind | 0644, device));
  };
  if (!place().HasSpecialFiles()) {
    EXPECT_EQ(make("fifo", S_IFIFO, 0), EPERM);
    EXPECT_EQ(make("char", S_IFCHR, makedev(1, 3)), EPERM);
    EXPECT_EQ(make("block", S_IFBLK, makedev(7, 0)), EPERM);
    EXPECT_EQ(make("socket", S_IFSOCK, 0), EPERM);
    EXPECT_TRUE(Names().empty());
    return;
  }
  EXPECT_EQ(make("fifo", S_IFIFO, 0), 0);
  EXPECT_EQ(make("char", S_IFCHR, makedev(1, 3)), 0);
  EXPECT_EQ(make("block", S_IFBLK, makedev(7, 0)), 0);
  EXPECT_EQ(make("socket", S_IFSOCK, 0), 0);
  EXPECT_TRUE(S_ISFIFO(Stat("fifo").st_mode));
  EXPECT_TRUE(S_ISCHR(Stat("char").st_mode));
  EXPECT_EQ(Stat("char").st_rdev, makedev(1, 3));
  EXPECT_TRUE(S_ISBLK(Stat("block").st_mode));
  EXPECT_TRUE(S_ISSOCK(Stat("socket").st_mode));
  EXPECT_EQ(make("fifo", S_IFIFO, 0), EEXIST);
  EXPECT_EQ(Open("socket", O_RDWR), ENXIO);
  EXPECT_EQ(Open("fifo", O_WRONLY | O_NONBLOCK), ENXIO) << "nobody reads";
  EXPECT_EQ(AsStranger([&] { return ErrnoOf(mknod(P("x").c_str(), S_IFCHR | 0644, makedev(1, 3))); }), EACCES);
  for (const char* name : {"fifo", "char", "block", "socket"}) EXPECT_EQ(unlink(P(name).c_str()), 0);
}

TEST_P(Posix, FifosCarryBytes) {
  if (!place().HasSpecialFiles()) {
    EXPECT_EQ(ErrnoOf(mkfifo(P("fifo").c_str(), 0600)), EPERM);
    return;
  }
  ASSERT_EQ(mkfifo(P("fifo").c_str(), 0600), 0);
  const Descriptor reader(P("fifo"), O_RDONLY | O_NONBLOCK);
  const Descriptor writer(P("fifo"), O_WRONLY);
  ASSERT_GE(writer, 0) << std::strerror(errno);
  EXPECT_EQ(Write(writer, "text"), 4);
  std::string bytes(9, '\0');
  EXPECT_EQ(read(reader, bytes.data(), bytes.size()), 4);
  EXPECT_EQ(ErrnoOf(lseek(reader, 0, SEEK_SET)), ESPIPE);
  EXPECT_EQ(ErrnoOf(pread(reader, bytes.data(), 1, 0)), ESPIPE);
  EXPECT_EQ(ErrnoOf(ftruncate(writer, 0)), EINVAL);
}

TEST_P(Posix, SocketsCanBeBoundAndReached) {
  const Descriptor folder(P("."), O_PATH | O_DIRECTORY);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // By the descriptor: the path of the test may be longer than an address.
  const std::string path = "/proc/self/fd/" + std::to_string(folder) + "/socket";
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int bound = ErrnoOf(bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
  if (!place().HasSpecialFiles()) {
    EXPECT_EQ(bound, EPERM);
    close(server);
    return;
  }
  ASSERT_EQ(bound, 0) << std::strerror(bound);
  EXPECT_TRUE(S_ISSOCK(Stat("socket").st_mode));
  ASSERT_EQ(listen(server, 1), 0);
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0) << std::strerror(errno);
  EXPECT_EQ(unlink(P("socket").c_str()), 0);
  EXPECT_EQ(ErrnoOf(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address))), ENOENT);
  close(client);
  close(server);
}

TEST_P(Posix, SymlinksKeepAnyTarget) {
  const std::string longest(PATH_MAX - 1, 't');
  for (const std::string& target : {std::string("/absolute/path"), std::string("../.."), std::string("."),
                                    std::string("a b\nc\\\xff"), std::string(255, 'x'), longest}) {
    ASSERT_EQ(symlink(target.c_str(), P("l").c_str()), 0) << target.size() << ": " << std::strerror(errno);
    std::string read(PATH_MAX, '\0');
    ASSERT_EQ(readlink(P("l").c_str(), read.data(), read.size()), static_cast<ssize_t>(target.size()));
    read.resize(target.size());
    EXPECT_EQ(read, target);
    EXPECT_EQ(SizeOf("l"), static_cast<off_t>(target.size()));
    ASSERT_EQ(unlink(P("l").c_str()), 0);
  }
  EXPECT_EQ(ErrnoOf(symlink((longest + "t").c_str(), P("l").c_str())), ENAMETOOLONG);
  EXPECT_EQ(ErrnoOf(symlink("", P("l").c_str())), ENOENT);
}

TEST_P(Posix, ReadlinkCutsAndReportsItsErrors) {
  ASSERT_EQ(symlink("target", P("l").c_str()), 0);
  Put("f", "x");
  MakeDirectory("d");
  char text[8] = "-------";
  EXPECT_EQ(readlink(P("l").c_str(), text, 3), 3);
  EXPECT_STREQ(text, "tar----");
  EXPECT_EQ(ErrnoOf(readlink(P("f").c_str(), text, 3)), EINVAL);
  EXPECT_EQ(ErrnoOf(readlink(P("d").c_str(), text, 3)), EINVAL);
  EXPECT_EQ(ErrnoOf(readlink(P("l").c_str(), text, 0)), EINVAL);
}

TEST_P(Posix, SymlinksCanNotBeOpenedForTheirOwnBytes) {
  ASSERT_EQ(symlink("target", P("l").c_str()), 0);
  EXPECT_EQ(ErrnoOf(unlinkat(AT_FDCWD, P("l").c_str(), AT_REMOVEDIR)), ENOTDIR);
  EXPECT_EQ(ErrnoOf(truncate(P("l").c_str(), 0)), ENOENT) << "its target is missing";
  EXPECT_EQ(ErrnoOf(rmdir(P("l").c_str())), ENOTDIR);
  EXPECT_EQ(unlink(P("l").c_str()), 0);
}

TEST_P(Posix, DirectoriesCountTheirSubdirectories) {
  MakeDirectory("d");
  const nlink_t alone = Stat("d").st_nlink;
  if (alone == 1) return;  // a file system that doesn't count says 1 (as btrfs does)
  EXPECT_EQ(alone, 2U);
  MakeDirectory("d/a");
  MakeDirectory("d/b");
  Put("d/f", "x");
  EXPECT_EQ(Stat("d").st_nlink, 4U);
  ASSERT_EQ(rmdir(P("d/a").c_str()), 0);
  EXPECT_EQ(Stat("d").st_nlink, 3U);
  ASSERT_EQ(rename(P("d/b").c_str(), P("b").c_str()), 0);
  EXPECT_EQ(Stat("d").st_nlink, 2U);
}

TEST_P(Posix, RmdirReportsItsErrors) {
  MakeDirectory("d");
  MakeDirectory("d/e");
  Put("f", "x");
  ASSERT_EQ(symlink("d", P("l").c_str()), 0);
  EXPECT_THAT(ErrnoOf(rmdir(P("d").c_str())), AnyOf(ENOTEMPTY, EEXIST));
  EXPECT_THAT(ErrnoOf(rmdir(P("d/e/..").c_str())), AnyOf(ENOTEMPTY, EEXIST, EBUSY));
  EXPECT_EQ(ErrnoOf(rmdir(P("d/e/.").c_str())), EINVAL);
  EXPECT_EQ(ErrnoOf(rmdir(P("f").c_str())), ENOTDIR);
  EXPECT_EQ(ErrnoOf(rmdir(P("l").c_str())), ENOTDIR);
  EXPECT_EQ(ErrnoOf(unlinkat(AT_FDCWD, P("f").c_str(), AT_REMOVEDIR)), ENOTDIR);
  EXPECT_EQ(ErrnoOf(unlinkat(AT_FDCWD, P("d").c_str(), 0)), EISDIR);
  EXPECT_EQ(rmdir(P("d/e").c_str()), 0);
  EXPECT_EQ(rmdir(P("d").c_str()), 0);
}

TEST_P(Posix, RmdirOfAMountPointIsEBUSY) {
  const std::string root = world().Root(place()).string();
  if (!place().IsInMount()) {
    EXPECT_THAT(ErrnoOf(rmdir("/dev/shm")), AnyOf(EBUSY, ENOTEMPTY));
    return;
  }
  EXPECT_EQ(ErrnoOf(rmdir(std::filesystem::path(root).parent_path().c_str())), EBUSY);
}

TEST_P(Posix, RemovedDirectoriesHoldNothing) {
  MakeDirectory("d");
  const Descriptor folder(P("d"), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(rmdir(P("d").c_str()), 0);
  EXPECT_EQ(ErrnoOf(openat(folder, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0644)), ENOENT);
  EXPECT_EQ(ErrnoOf(mkdirat(folder, "sub", 0755)), ENOENT);
  EXPECT_EQ(ErrnoOf(symlinkat("x", folder, "l")), ENOENT);
  struct stat status {};
  EXPECT_EQ(fstat(folder, &status), 0);
  EXPECT_EQ(status.st_nlink, 0U);
  DIR* const stream = fdopendir(dup(folder));
  ASSERT_NE(stream, nullptr);
  while (const dirent* entry = readdir(stream)) EXPECT_EQ(entry->d_name[0], '.');
  closedir(stream);
}

TEST_P(Posix, RemovedWorkingDirectories) {
  MakeDirectory("d");
  EXPECT_EQ(As(0, 0,
               [this] {
                 if (chdir(P("d").c_str()) != 0 || rmdir(P("d").c_str()) != 0) return 1;
                 char path[4096];
                 if (getcwd(path, sizeof(path)) != nullptr || errno != ENOENT) return 2;
                 struct stat status {};
                 return stat(".", &status) == 0 ? 0 : 3;
               }),
            0);
}

TEST_P(Posix, CallsRelativeToADescriptor) {
  MakeDirectory("d");
  const Descriptor folder(P("d"), O_RDONLY | O_DIRECTORY);
  const Descriptor file(P("f"), O_RDWR | O_CREAT);
  EXPECT_EQ(mkdirat(folder, "sub", 0755), 0);
  EXPECT_EQ(symlinkat("sub", folder, "l"), 0);
  EXPECT_EQ(renameat(folder, "sub", folder, "renamed"), 0);
  EXPECT_EQ(mknodat(folder, "node", S_IFREG | 0644, 0), 0);
  EXPECT_EQ(fchmodat(folder, "node", 0755, 0), 0);
  EXPECT_EQ(faccessat(folder, "node", X_OK, 0), 0);
  EXPECT_EQ(unlinkat(folder, "l", 0), 0);
  EXPECT_EQ(unlinkat(folder, "renamed", AT_REMOVEDIR), 0);
  EXPECT_THAT(Names("d"), UnorderedElementsAre("node"));
  EXPECT_EQ(ErrnoOf(mkdirat(file, "x", 0755)), ENOTDIR);
  EXPECT_EQ(ErrnoOf(mkdirat(-1, "x", 0755)), EBADF);
  EXPECT_EQ(ErrnoOf(unlinkat(folder, "node", 0x8000)), EINVAL);
}

TEST_P(Posix, NamesAreBytes) {
  std::vector<std::string> names{"a b",         "new\nline", "\xff\xfe", "-",   "ä",
                                 "back\\slash", "*",         ".hidden",  "...", "\x7f"};
  for (const std::string& name : names) Put(name, name);
  for (const std::string& name : names) EXPECT_EQ(Get(name), name);
  EXPECT_THAT(Names(), ::testing::UnorderedElementsAreArray(names));
  Put("CASE", "upper");
  Put("case", "lower");
  EXPECT_EQ(Get("CASE"), "upper");
}

TEST_P(Posix, DeepPathsWork) {
  std::string path = "d";
  for (int i = 0; i < 100; ++i) {
    MakeDirectory(path);
    path += "/d";
  }
  Put(path, "deep");
  EXPECT_EQ(Get(path), "deep");
  EXPECT_EQ(rename(P("d/d").c_str(), P("e").c_str()), 0);
  EXPECT_EQ(Get("e" + path.substr(3)), "deep");
}

TEST_P(Posix, OneOfManyExclusiveCreationsWins) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> won{0};
    std::atomic<int> lost{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        const int error = Open("f" + std::to_string(round), O_RDWR | O_CREAT | O_EXCL);
        if (error == 0) ++won;
        if (error == EEXIST) ++lost;
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(won, 1);
    ASSERT_EQ(lost, 3);
  }
}

}  // namespace
}  // namespace concordfs::mounttest
