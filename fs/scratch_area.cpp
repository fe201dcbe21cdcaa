#include "fs/scratch_area.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "fs/branch_folder.h"

namespace concordfs::fs {
namespace {

// Above every number that we count up ourselves, and below 2^53 with any i-number that a disk has.
constexpr std::uint64_t kInodeOffset = 1ULL << 48;

timespec ToTimespec(const statx_timestamp& time) { return timespec{time.tv_sec, static_cast<long>(time.tv_nsec)}; }

mode_t TypeOf(unsigned char type) { return DTTOIF(type); }

// Calls `read(buffer, size)`, which answers as getxattr(2) does, with a buffer that is large enough.
template <class Read>
Result<std::string> ReadAttribute(Read read) {
  std::string value;
  while (true) {
    const ssize_t size = read(nullptr, 0);
    if (size < 0) return SystemError("getxattr", errno);
    value.resize(static_cast<std::size_t>(size));
    const ssize_t got = size == 0 ? 0 : read(value.data(), value.size());
    if (got < 0 && errno == ERANGE) continue;  // it grew
    if (got < 0) return SystemError("getxattr", errno);
    value.resize(static_cast<std::size_t>(got));
    return value;
  }
}

Result<ScratchEntry> EntryOf(DescriptorPtr file, const FileHandles& handles) {
  const auto status = StatusOf(file->fd());
  if (!status) return status.error();
  PlainFileKey key{status->stx_dev_major, status->stx_dev_minor, status->stx_ino, handles.Of(file->fd())};
  return ScratchEntry{std::move(file), *status, std::move(key)};
}

Result<void> ResultOf(const std::string& what, int returned) {
  return returned == 0 ? Result<void>() : SystemError(what, errno);
}

// A file handle with the room that it may need.
class HandleBuffer {
 public:
  HandleBuffer() { handle()->handle_bytes = MAX_HANDLE_SZ; }
  explicit HandleBuffer(const std::string& text) { std::memcpy(bytes_, text.data(), std::min(text.size(), sizeof(bytes_))); }

  file_handle* handle() { return reinterpret_cast<file_handle*>(bytes_); }
  bool Read(int fd, int* mount) { return name_to_handle_at(fd, "", handle(), mount, AT_EMPTY_PATH) == 0; }
  std::string Text() { return std::string(bytes_, sizeof(file_handle) + handle()->handle_bytes); }

 private:
  alignas(file_handle) char bytes_[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
};

}  // namespace

NodeId InodeOf(const PlainFileKey& key) { return kInodeOffset + key.ino; }

Result<struct statx> StatusOf(int fd) {
  struct statx status {};
  if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &status) != 0) {
    return SystemError("scratch file", errno);
  }
  return status;
}

Attr AttrOf(const struct statx& status, NodeId node) {
  Attr attr;
  attr.node = node;
  attr.ino = kInodeOffset + status.stx_ino;
  attr.mode = status.stx_mode;
  attr.links = status.stx_nlink;
  attr.uid = status.stx_uid;
  attr.gid = status.stx_gid;
  attr.size = status.stx_size;
  attr.blocks = status.stx_blocks;
  attr.device = makedev(status.stx_rdev_major, status.stx_rdev_minor);
  attr.atime = ToTimespec(status.stx_atime);
  attr.mtime = ToTimespec(status.stx_mtime);
  attr.ctime = ToTimespec(status.stx_ctime);
  if ((status.stx_mask & STATX_BTIME) != 0) attr.birth = ToTimespec(status.stx_btime);
  return attr;
}

std::string PathOf(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

Result<void> ChangeAttributes(int fd, const AttrChange& change) {
  const std::string path = PathOf(fd);
  if (change.uid || change.gid) {  // first: it takes the set-user-id bits off
    constexpr auto kSame = static_cast<uid_t>(-1);
    if (fchownat(fd, "", change.uid.value_or(kSame), change.gid.value_or(kSame), AT_EMPTY_PATH) != 0) {
      return SystemError("chown", errno);
    }
  }
  if (change.mode && chmod(path.c_str(), *change.mode & 07777) != 0) return SystemError("chmod", errno);
  if (change.atime || change.mtime) {
    const timespec same{0, UTIME_OMIT};
    const timespec times[2] = {change.atime.value_or(same), change.mtime.value_or(same)};
    if (utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) return SystemError("utimensat", errno);
  }
  return {};
}

Result<void> TakePrivilegesAway(int fd, const Caller& caller) {
  if (caller.uid == 0) return {};
  const auto now = StatusOf(fd);
  if (!now) return now.error();
  mode_t privileges = now->stx_mode & S_ISUID;
  if ((now->stx_mode & S_IXGRP) != 0) privileges |= now->stx_mode & S_ISGID;
  if (privileges == 0) return {};
  AttrChange change;
  change.mode = now->stx_mode & ~privileges & 07777;
  return ChangeAttributes(fd, change);
}

Result<void> SetOwnerAndMode(int fd, const Caller& caller, mode_t mode) {
  const auto now = StatusOf(fd);
  if (!now) return now.error();
  AttrChange change;
  if (now->stx_uid != caller.uid) change.uid = caller.uid;
  // In a folder with the set-group-id bit the disk has chosen the group.
  const bool group_is_inherited = now->stx_gid != getegid();
  if (now->stx_gid != caller.gid && !group_is_inherited) change.gid = caller.gid;
  if (geteuid() != 0) change.uid = change.gid = std::nullopt;
  // A folder's own set-group-id bit is the disk's, too.
  const mode_t wanted = (mode & 07777) | (S_ISDIR(now->stx_mode) ? now->stx_mode & S_ISGID : 0U);
  const bool is_symlink = S_ISLNK(now->stx_mode);
  if (!is_symlink && ((now->stx_mode & 07777U) != wanted || change.uid || change.gid)) change.mode = wanted;
  return ChangeAttributes(fd, change);
}

Result<std::string> GetXattr(int fd, const std::string& name) {
  const std::string path = PathOf(fd);
  return ReadAttribute([&](char* out, std::size_t size) { return getxattr(path.c_str(), name.c_str(), out, size); });
}

Result<void> SetXattr(int fd, const std::string& name, std::string_view value, int flags) {
  if (setxattr(PathOf(fd).c_str(), name.c_str(), value.data(), value.size(), flags) == 0) return {};
  return SystemError("setxattr", errno);
}

Result<void> RemoveXattr(int fd, const std::string& name) {
  if (removexattr(PathOf(fd).c_str(), name.c_str()) == 0) return {};
  return SystemError("removexattr", errno);
}

Result<std::vector<std::string>> ListXattr(int fd) {
  const std::string path = PathOf(fd);
  const auto list = ReadAttribute([&](char* out, std::size_t size) { return listxattr(path.c_str(), out, size); });
  if (!list) return list.error();
  std::vector<std::string> names;
  for (std::size_t at = 0; at < list->size(); at += names.back().size() + 1) names.emplace_back(list->c_str() + at);
  return names;
}

FileHandles::FileHandles(DescriptorPtr folder) : folder_(std::move(folder)) {
  HandleBuffer buffer;
  if (!buffer.Read(folder_->fd(), &mount_)) return;
  const int fd = open_by_handle_at(folder_->fd(), buffer.handle(), O_PATH | O_CLOEXEC);
  work_ = fd >= 0;
  if (work_) close(fd);
}

std::string FileHandles::Of(int fd) const {
  HandleBuffer buffer;
  int mount = -1;
  if (!work_ || !buffer.Read(fd, &mount) || mount != mount_) return "";
  return buffer.Text();
}

Result<DescriptorPtr> FileHandles::Open(const std::string& handle) const {
  HandleBuffer buffer(handle);
  const int fd = open_by_handle_at(folder_->fd(), buffer.handle(), O_PATH | O_CLOEXEC);
  if (fd < 0 && errno == ESTALE) return Error{Code::kNotFound, "scratch file: it is gone"};
  if (fd < 0) return SystemError("scratch file", errno);
  return std::make_shared<const Descriptor>(fd);
}

PlainFile::PlainFile(const ScratchEntry& entry, std::shared_ptr<const FileHandles> handles)
    : key_(entry.key), handles_(std::move(handles)), held_(key_.handle.empty() ? entry.file : nullptr) {}

Result<DescriptorPtr> PlainFile::Open() const { return held_ ? Result<DescriptorPtr>(held_) : handles_->Open(key_.handle); }

ScratchFolder::ScratchFolder(const ScratchEntry& entry, std::shared_ptr<const FileHandles> handles)
    : file_(entry, handles), handles_(std::move(handles)) {}

bool ScratchFolder::IsGone() const {
  const auto folder = Open();
  const auto status = folder ? StatusOf((*folder)->fd()) : Result<struct statx>(folder.error());
  return !status || status->stx_nlink == 0;
}

Result<std::optional<ScratchEntry>> ScratchFolder::Find(const std::string& name) const {
  const auto folder = Open();
  if (!folder) return folder.error();
  const int fd = openat((*folder)->fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::optional<ScratchEntry>();
  if (fd < 0) return SystemError(name, errno);
  auto entry = EntryOf(std::make_shared<const Descriptor>(fd), *handles_);
  if (!entry) return entry.error();
  return std::optional(*std::move(entry));
}

Result<std::shared_ptr<const ScratchFolder>> ScratchFolder::FindFolder(const std::string& name) const {
  const auto found = Find(name);
  if (!found) return found.error();
  if (!*found || !(*found)->IsDirectory()) return std::shared_ptr<const ScratchFolder>();
  return std::make_shared<const ScratchFolder>(**found, handles_);
}

Result<ScratchEntry> ScratchFolder::EntryFor(const Descriptor& file) const {
  const int fd = open(PathOf(file.fd()).c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return SystemError("scratch file", errno);
  return EntryOf(std::make_shared<const Descriptor>(fd), *handles_);
}

Result<std::vector<DirEntry>> ScratchFolder::List() const {
  const auto folder = Open();
  if (!folder) return folder.error();
  const int fd = openat((*folder)->fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError("scratch folder", errno);
  DIR* const stream = fdopendir(fd);
  if (stream == nullptr) {
    const int number = errno;
    close(fd);
    return SystemError("scratch folder", number);
  }
  std::vector<DirEntry> entries;
  errno = 0;
  while (const dirent* entry = readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") entries.push_back({std::string(name), kInodeOffset + entry->d_ino, TypeOf(entry->d_type)});
    errno = 0;
  }
  const int number = errno;
  closedir(stream);
  if (number != 0) return SystemError("scratch folder", number);
  return entries;
}

Result<std::shared_ptr<const ScratchFolder>> ScratchFolder::MakeFolder(const std::string& name) const {
  const auto folder = Open();
  if (!folder) return folder.error();
  if (mkdirat((*folder)->fd(), name.c_str(), 0755) != 0) return SystemError(name, errno);
  auto made = FindFolder(name);
  if (made && !*made) return Error{Code::kNotFound, name + ": was removed at once"};
  return made;
}

Result<void> ScratchFolder::Make(const Caller& caller, const std::string& name, const MakeMode& mode,
                                 const std::string& target) const {
  const auto folder = Open();
  if (!folder) return folder.error();
  const int fd = (*folder)->fd();
  int failed = 0;
  switch (mode.mode & S_IFMT) {
    case S_IFDIR: failed = mkdirat(fd, name.c_str(), mode.mode & 07777); break;
    case S_IFLNK: failed = symlinkat(target.c_str(), fd, name.c_str()); break;
    default: failed = mknodat(fd, name.c_str(), mode.mode, mode.device); break;
  }
  if (failed != 0) return SystemError(name, errno);
  const auto made = Find(name);
  if (!made) return made.error();
  return *made ? SetOwnerAndMode((*made)->fd(), caller, mode.mode) : Error{Code::kNotFound, name + ": was removed at once"};
}

Result<void> ScratchFolder::Link(int fd, const std::string& name) const {
  const auto folder = Open();
  if (!folder) return folder.error();
  const std::string path = PathOf(fd);
  return ResultOf(name, linkat(AT_FDCWD, path.c_str(), (*folder)->fd(), name.c_str(), AT_SYMLINK_FOLLOW));
}

Result<DescriptorPtr> ScratchFolder::OpenFile(const std::string& name, int flags, mode_t mode) const {
  const auto folder = Open();
  if (!folder) return folder.error();
  const int fd = openat((*folder)->fd(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return SystemError(name, errno);
  return std::make_shared<const Descriptor>(fd);
}

Result<void> ScratchFolder::Remove(const std::string& name, bool is_directory) const {
  const auto folder = Open();
  if (!folder) return folder.error();
  return ResultOf(name, unlinkat((*folder)->fd(), name.c_str(), is_directory ? AT_REMOVEDIR : 0));
}

Result<void> ScratchFolder::Rename(const std::string& name, const ScratchFolder& to, const std::string& new_name,
                                   unsigned flags) const {
  const auto from_folder = Open();
  const auto to_folder = to.Open();
  if (!from_folder) return from_folder.error();
  if (!to_folder) return to_folder.error();
  return ResultOf(name, renameat2((*from_folder)->fd(), name.c_str(), (*to_folder)->fd(), new_name.c_str(), flags));
}

Result<void> ScratchFolder::Receive(const std::string& path, const std::string& name) const {
  const auto folder = Open();
  if (!folder) return folder.error();
  return ResultOf(name, renameat(AT_FDCWD, path.c_str(), (*folder)->fd(), name.c_str()));
}

Result<void> ScratchFolder::Sync() const {
  const auto folder = OpenFile(".", O_RDONLY | O_DIRECTORY, 0);
  return folder ? ResultOf("scratch folder", fsync((*folder)->fd())) : folder.error();
}

Result<std::shared_ptr<const ScratchFolder>> OpenScratchRoot(const std::filesystem::path& git_dir,
                                                             const std::string& ref, Missing missing) {
  const std::filesystem::path ours = git_dir / "concordfs";
  const std::filesystem::path all = ours / "scratch";
  const std::filesystem::path root = all / BranchFolderName(ref);
  if (missing == Missing::kMake) {
    for (const auto& [folder, mode] : {std::pair(ours, 0700U), std::pair(all, 0700U), std::pair(root, 0755U)}) {
      if (mkdir(folder.c_str(), mode) != 0 && errno != EEXIST) return SystemError(folder.string(), errno);
    }
  }
  const int fd = open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && missing == Missing::kLeave) return std::shared_ptr<const ScratchFolder>();
  if (fd < 0) return SystemError(root.string(), errno);
  const auto folder = std::make_shared<const Descriptor>(fd);
  auto handles = std::make_shared<const FileHandles>(folder);
  const auto entry = EntryOf(folder, *handles);
  if (!entry) return entry.error();
  return std::make_shared<const ScratchFolder>(*entry, std::move(handles));
}

}  // namespace concordfs::fs
