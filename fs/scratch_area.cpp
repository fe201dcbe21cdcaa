#include "fs/scratch_area.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace concordfs::fs {
namespace {

// Above every number that we count up ourselves, and below 2^53 with any i-number that a disk has.
constexpr std::uint64_t kInodeOffset = 1ULL << 48;

timespec ToTimespec(const statx_timestamp& time) { return timespec{time.tv_sec, static_cast<long>(time.tv_nsec)}; }

mode_t TypeOf(unsigned char type) { return DTTOIF(type); }

// A branch as one name: "feature/x" is feature%2Fx.
std::string FolderNameOf(const std::string& ref) {
  constexpr std::string_view kPrefix = "refs/heads/";
  std::string name;
  for (const char c : ref.starts_with(kPrefix) ? ref.substr(kPrefix.size()) : ref) {
    if (c == '/' || c == '%' || (c == '.' && name.empty())) {
      char code[4];
      std::snprintf(code, sizeof(code), "%%%02X", static_cast<unsigned char>(c));
      name += code;
    } else {
      name.push_back(c);
    }
  }
  return name;
}

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

// Takes the descriptor.
Result<ScratchEntry> EntryFor(int fd) {
  const auto status = StatusOf(fd);
  if (status) return ScratchEntry(fd, *status);
  close(fd);
  return status.error();
}

}  // namespace

ScratchEntry::~ScratchEntry() {
  if (fd_ >= 0) close(fd_);
}

ScratchEntry::ScratchEntry(ScratchEntry&& other) noexcept : fd_(other.Take()), status_(other.status_) {}

int ScratchEntry::Take() { return std::exchange(fd_, -1); }

PlainFileKey KeyOf(const struct statx& status) {
  return PlainFileKey{status.stx_dev_major, status.stx_dev_minor, status.stx_ino};
}

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
  attr.ino = InodeOf(KeyOf(status));
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

bool ScratchFolder::IsGone() const {
  const auto status = StatusOf(fd());
  return !status || status->stx_nlink == 0;
}

Result<std::optional<ScratchEntry>> ScratchFolder::Find(const std::string& name) const {
  const int fd = openat(this->fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::optional<ScratchEntry>();
  if (fd < 0) return SystemError(name, errno);
  auto entry = EntryFor(fd);
  if (!entry) return entry.error();
  return std::optional<ScratchEntry>(*std::move(entry));
}

Result<std::shared_ptr<const ScratchFolder>> ScratchFolder::FindFolder(const std::string& name) const {
  auto found = Find(name);
  if (!found) return found.error();
  if (!*found || !(*found)->IsDirectory()) return std::shared_ptr<const ScratchFolder>();
  return std::make_shared<const ScratchFolder>(*std::move(*found));
}

Result<std::shared_ptr<const ScratchFolder>> ScratchFolder::MakeFolder(const std::string& name) const {
  if (mkdirat(fd(), name.c_str(), 0755) != 0) return SystemError(name, errno);
  auto made = FindFolder(name);
  if (made && !*made) return Error{Code::kNotFound, name + ": was removed at once"};
  return made;
}

Result<std::vector<DirEntry>> ScratchFolder::List() const {
  const int fd = openat(this->fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

Result<std::shared_ptr<const ScratchFolder>> OpenScratchRoot(const std::filesystem::path& git_dir,
                                                             const std::string& ref, Missing missing) {
  const std::filesystem::path ours = git_dir / "concordfs";
  const std::filesystem::path all = ours / "scratch";
  const std::filesystem::path root = all / FolderNameOf(ref);
  if (missing == Missing::kMake) {
    for (const auto& [folder, mode] : {std::pair(ours, 0700U), std::pair(all, 0700U), std::pair(root, 0755U)}) {
      if (mkdir(folder.c_str(), mode) != 0 && errno != EEXIST) return SystemError(folder.string(), errno);
    }
  }
  const int fd = open(root.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && missing == Missing::kLeave) return std::shared_ptr<const ScratchFolder>();
  if (fd < 0) return SystemError(root.string(), errno);
  auto entry = EntryFor(fd);
  if (!entry) return entry.error();
  return std::make_shared<const ScratchFolder>(*std::move(entry));
}

}  // namespace concordfs::fs
