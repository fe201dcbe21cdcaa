// The scratch area (R12): plain files beside the repository, in REPO/concordfs/scratch/<branch>/, at the paths that they
// have in the mount.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fs/descriptor.h"
#include "fs/types.h"
#include "vcs/result.h"

namespace concordfs::fs {

// Which file it is, whatever its names. The handle tells files apart that had the same number one after the other; it is
// empty where handles can't be used: then whoever knows the file holds a descriptor, and its number isn't given away.
struct PlainFileKey {
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t ino = 0;
  std::string handle;
  auto operator<=>(const PlainFileKey&) const = default;
};

// Opens files again that are known by their handles, so that no descriptor has to be held for each. Threads: any.
// Source: open_by_handle_at(2), which needs CAP_DAC_READ_SEARCH and a file system that has handles.
class FileHandles {
 public:
  // `folder`: any folder of the file system, open for reading.
  explicit FileHandles(DescriptorPtr folder);
  // Empty where handles can't be used.
  std::string Of(int fd) const;
  // By O_PATH. Errors: kNotFound (it is gone), kIo.
  Result<DescriptorPtr> Open(const std::string& handle) const;

 private:
  const DescriptorPtr folder_;
  int mount_ = -1;  // the handles are of this mount
  bool work_ = false;
};

// What a scratch folder has under a name: a descriptor (O_PATH: symlinks are not followed), and what it is.
struct ScratchEntry {
  DescriptorPtr file;
  struct statx status {};
  PlainFileKey key;
  int fd() const { return file->fd(); }
  bool IsDirectory() const { return S_ISDIR(status.stx_mode); }
};

// One plain file or folder, whatever becomes of its names. Immutable. Threads: any.
class PlainFile {
 public:
  PlainFile(const ScratchEntry& entry, std::shared_ptr<const FileHandles> handles);
  const PlainFileKey& key() const { return key_; }
  // Errors: kNotFound (it is gone: removed, and open nowhere), kIo.
  Result<DescriptorPtr> Open() const;

 private:
  const PlainFileKey key_;
  const std::shared_ptr<const FileHandles> handles_;
  const DescriptorPtr held_;  // where handles can't be used
};

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
// Somebody else than root changes the content: the set-user-id and set-group-id bits go, as write(2) says.
Result<void> TakePrivilegesAway(int fd, const Caller& caller);
// What was just made gets the owner and the mode that it was asked for with.
Result<void> SetOwnerAndMode(int fd, const Caller& caller, mode_t mode);

// Extended attributes of what a descriptor names, as getxattr(2) and the like. Errors: kNoAttribute, kNotSupported,
// kExists, kRange, kNoSpace, kPermission.
Result<std::string> GetXattr(int fd, const std::string& name);
Result<void> SetXattr(int fd, const std::string& name, std::string_view value, int flags);
Result<void> RemoveXattr(int fd, const std::string& name);
Result<std::vector<std::string>> ListXattr(int fd);

// A folder in the scratch area: it stays itself when it or what it is in is renamed. Names are single components.
// Immutable. Threads: any; every method may block on disk. Errors: kNotFound also for a folder that is gone; the disk's.
class ScratchFolder {
 public:
  ScratchFolder(const ScratchEntry& entry, std::shared_ptr<const FileHandles> handles);

  const PlainFileKey& key() const { return file_.key(); }
  const std::shared_ptr<const FileHandles>& handles() const { return handles_; }
  // By O_PATH, for its attributes.
  Result<DescriptorPtr> Open() const { return file_.Open(); }
  // It was removed: by us, by another mount of the branch, or by an admin.
  bool IsGone() const;

  // Nothing if there is no such name.
  Result<std::optional<ScratchEntry>> Find(const std::string& name) const;
  // The folder of that name; null if there is none.
  Result<std::shared_ptr<const ScratchFolder>> FindFolder(const std::string& name) const;
  // What an open file is, with a descriptor of its own.
  Result<ScratchEntry> EntryFor(const Descriptor& file) const;
  // All names but "." and "..", with their types and st_ino.
  Result<std::vector<DirEntry>> List() const;

  // Makes a folder, as mkdir -m 755.
  Result<std::shared_ptr<const ScratchFolder>> MakeFolder(const std::string& name) const;
  // Makes a directory, symlink, pipe, socket, device or empty file that belongs to the caller.
  Result<void> Make(const Caller& caller, const std::string& name, const MakeMode& mode, const std::string& target) const;
  // A hard link to what `fd` names.
  Result<void> Link(int fd, const std::string& name) const;
  // openat(2); symlinks are not followed.
  Result<DescriptorPtr> OpenFile(const std::string& name, int flags, mode_t mode) const;
  Result<void> Remove(const std::string& name, bool is_directory) const;
  // renameat2(2).
  Result<void> Rename(const std::string& name, const ScratchFolder& to, const std::string& new_name, unsigned flags) const;
  // The file at `path`, outside of the area but on its file system, gets this name.
  Result<void> Receive(const std::string& path, const std::string& name) const;
  // fsync(2).
  Result<void> Sync() const;

 private:
  const PlainFile file_;
  const std::shared_ptr<const FileHandles> handles_;
};

enum class Missing { kLeave, kMake };

// The branch's folder in the repository. With kLeave: null if it isn't there. Errors: kReadOnly, kAccess, kNoSpace, kIo.
Result<std::shared_ptr<const ScratchFolder>> OpenScratchRoot(const std::filesystem::path& git_dir,
                                                             const std::string& ref, Missing missing);

}  // namespace concordfs::fs
