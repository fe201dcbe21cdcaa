// The scratch area (R12): plain files beside the repository, in REPO/concordfs/scratch/<branch>/, at the paths that they
// have in the mount.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fs/types.h"
#include "vcs/result.h"

namespace concordfs::fs {

// One thing in a scratch folder: a descriptor that names it (O_PATH: symlinks are not followed), and what it is.
class ScratchEntry {
 public:
  // Takes the descriptor.
  ScratchEntry(int fd, const struct statx& status) : fd_(fd), status_(status) {}
  ~ScratchEntry();
  ScratchEntry(ScratchEntry&& other) noexcept;
  ScratchEntry& operator=(ScratchEntry&&) = delete;

  int fd() const { return fd_; }
  int Take();  // the caller closes it
  const struct statx& status() const { return status_; }
  bool IsDirectory() const { return S_ISDIR(status_.stx_mode); }

 private:
  int fd_;
  struct statx status_;
};

// Which file it is, whatever its names.
struct PlainFileKey {
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t ino = 0;
  auto operator<=>(const PlainFileKey&) const = default;
};
PlainFileKey KeyOf(const struct statx& status);

// st_ino that such a file or folder has in the mount: the disk's, moved out of the way of our own numbers and small enough
// for programs that keep it as a double.
NodeId InodeOf(const PlainFileKey& key);

// What a descriptor names, as it is now. Errors: kIo.
Result<struct statx> StatusOf(int fd);
// The attributes that a plain file or folder shows.
Attr AttrOf(const struct statx& status, NodeId node);
// A path to open or change what the descriptor names.
std::string PathOf(int fd);
// Mode, owner and times as `change` says, times on the disk's clock; not the size. Errors: kPermission, kReadOnly, kIo.
Result<void> ChangeAttributes(int fd, const AttrChange& change);
// What was just made gets the owner and the mode that it was asked for with.
Result<void> SetOwnerAndMode(int fd, const Caller& caller, mode_t mode);

// Extended attributes of what a descriptor names, as getxattr(2) and the like. Errors: kNoAttribute, kNotSupported,
// kExists, kRange, kNoSpace, kPermission.
Result<std::string> GetXattr(int fd, const std::string& name);
Result<void> SetXattr(int fd, const std::string& name, std::string_view value, int flags);
Result<void> RemoveXattr(int fd, const std::string& name);
Result<std::vector<std::string>> ListXattr(int fd);

// A folder in the scratch area, held by a descriptor: it stays itself when it or what it is in is renamed. Immutable.
// Threads: any; every method may block on disk.
class ScratchFolder {
 public:
  explicit ScratchFolder(ScratchEntry entry) : entry_(std::move(entry)) {}

  int fd() const { return entry_.fd(); }
  PlainFileKey key() const { return KeyOf(entry_.status()); }
  // It was removed: by us, by another mount of the branch, or by an admin.
  bool IsGone() const;
  // Nothing if there is no such name. Errors: kIo.
  Result<std::optional<ScratchEntry>> Find(const std::string& name) const;
  // The folder of that name; null if there is none.
  Result<std::shared_ptr<const ScratchFolder>> FindFolder(const std::string& name) const;
  // Makes a folder. Errors: kExists, kNoSpace, kQuota, kIo.
  Result<std::shared_ptr<const ScratchFolder>> MakeFolder(const std::string& name) const;
  // All names but "." and "..", with their types and st_ino.
  Result<std::vector<DirEntry>> List() const;

 private:
  ScratchEntry entry_;
};

enum class Missing { kLeave, kMake };

// The branch's folder in the repository. With kLeave: null if it isn't there. Errors: kReadOnly, kAccess, kNoSpace, kIo.
Result<std::shared_ptr<const ScratchFolder>> OpenScratchRoot(const std::filesystem::path& git_dir,
                                                             const std::string& ref, Missing missing);

}  // namespace concordfs::fs
