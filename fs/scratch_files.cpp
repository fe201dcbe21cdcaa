#include "fs/scratch_files.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <cerrno>

#include "fs/file_io.h"

namespace concordfs::fs {
namespace {

Error NoSuchNode() {
  return Error{Code::kNotFound, "scratch: unknown node"};
}
Error NoSuchHandle() {
  return Error{Code::kBadHandle, "scratch: no such handle"};
}

bool IsForWriting(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY;
}

// What a daemon's descriptor is opened with for a client's open(2). Appending is the kernel's business: it says where,
// and what a mapping wrote comes through any of the handles. Buffers are not aligned as O_DIRECT wants it.
int DaemonFlags(int flags) {
  return (flags & (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC)) | O_CLOEXEC | O_NOCTTY;
}

bool SameContent(const struct statx& a, const struct statx& b) {
  return a.stx_size == b.stx_size && a.stx_mtime.tv_sec == b.stx_mtime.tv_sec &&
         a.stx_mtime.tv_nsec == b.stx_mtime.tv_nsec;
}

}  // namespace

ScratchFiles::Node* ScratchFiles::FindLocked(NodeId node) {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : found->second.get();
}

Entry ScratchFiles::Enter(const ScratchEntry& entry, const std::shared_ptr<const FileHandles>& handles) {
  const MutexLock lock(mutex_);
  const auto [at, added] = by_key_.try_emplace(entry.key, 0);
  if (added) {
    at->second = kScratchBit | next_++;
    nodes_.emplace(at->second, std::make_unique<Node>(std::make_shared<const PlainFile>(entry, handles)));
  }
  ++FindLocked(at->second)->lookups;
  return Entry{AttrOf(entry.status, at->second), kScratchTimeout_s, kScratchTimeout_s};
}

void ScratchFiles::Forget(NodeId node, std::uint64_t lookups) {
  const MutexLock lock(mutex_);
  Node* const found = FindLocked(node);
  if (found == nullptr) return;
  found->lookups -= std::min(lookups, found->lookups);
  PruneLocked(node);
}

void ScratchFiles::PruneLocked(NodeId node) {
  const Node* const found = FindLocked(node);
  if (found == nullptr || found->lookups > 0 || found->handles > 0) return;
  by_key_.erase(found->file->key());
  nodes_.erase(node);
}

std::optional<NodeId> ScratchFiles::Find(const PlainFileKey& key) {
  const MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? std::nullopt : std::optional(found->second);
}

Result<DescriptorPtr> ScratchFiles::Hold(NodeId node) {
  std::shared_ptr<const PlainFile> file;
  bool is_version = false;
  {
    const MutexLock lock(mutex_);
    const Node* const found = FindLocked(node);
    if (found == nullptr) return NoSuchNode();
    file = found->file;
    is_version = found->published.has_value();
  }
  auto opened = file->Open();
  // Whoever asks by path has the entry that the rename moved there: the kernel looks again, and finds the version.
  if (!opened && opened.code() == Code::kNotFound && is_version) return Error{Code::kStale, "redirected"};
  return opened;
}

std::shared_ptr<const ScratchFiles::Handle> ScratchFiles::FindHandle(HandleId handle) {
  const MutexLock lock(mutex_);
  const auto found = handles_.find(handle);
  return found == handles_.end() ? nullptr : found->second;
}

Result<Attr> ScratchFiles::GetAttr(NodeId node) {
  const auto entry = Hold(node);
  if (!entry) return entry.error();
  const auto status = StatusOf((*entry)->fd());
  if (!status) return status.error();
  return AttrOf(*status, node);
}

Result<Attr> ScratchFiles::SetAttr(const Caller& caller, NodeId node, const AttrChange& change,
                                   std::optional<HandleId> handle) {
  const auto entry = Hold(node);
  if (!entry) return entry.error();
  const int fd = (*entry)->fd();
  if (change.size) {
    const auto size = static_cast<off_t>(*change.size);
    const auto open = handle ? FindHandle(*handle) : nullptr;
    const bool failed =
        open && open->writable ? ftruncate(open->fd(), size) != 0 : truncate(PathOf(fd).c_str(), size) != 0;
    if (failed) return SystemError("truncate", errno);
    if (auto taken = TakePrivilegesAway(fd, caller); !taken) return taken.error();
  }
  if (auto changed = ChangeAttributes(fd, change); !changed) return changed.error();
  return GetAttr(node);
}

Result<std::string> ScratchFiles::ReadSymlink(NodeId node) {
  const auto entry = Hold(node);
  if (!entry) return entry.error();
  std::string target(PATH_MAX, '\0');
  const ssize_t size = readlinkat((*entry)->fd(), "", target.data(), target.size());
  if (size < 0) return SystemError("readlink", errno);
  target.resize(static_cast<std::size_t>(size));
  return target;
}

Result<Entry> ScratchFiles::MakeLink(NodeId node, const ScratchFolder& folder, const std::string& name) {
  const auto file = Hold(node);
  if (!file) return file.error();
  if (auto linked = folder.Link((*file)->fd(), name); !linked) return linked.error();
  const auto attr = GetAttr(node);
  if (!attr) return attr.error();
  const MutexLock lock(mutex_);
  ++FindLocked(node)->lookups;
  return Entry{*attr, kScratchTimeout_s, kScratchTimeout_s};
}

Result<std::string> ScratchFiles::GetXattr(NodeId node, const std::string& name) {
  const auto entry = Hold(node);
  return entry ? fs::GetXattr((*entry)->fd(), name) : Result<std::string>(entry.error());
}

Result<void> ScratchFiles::SetXattr(NodeId node, const std::string& name, std::string_view value, int flags) {
  const auto entry = Hold(node);
  return entry ? fs::SetXattr((*entry)->fd(), name, value, flags) : entry.error();
}

Result<void> ScratchFiles::RemoveXattr(NodeId node, const std::string& name) {
  const auto entry = Hold(node);
  return entry ? fs::RemoveXattr((*entry)->fd(), name) : entry.error();
}

Result<std::vector<std::string>> ScratchFiles::ListXattr(NodeId node) {
  const auto entry = Hold(node);
  return entry ? fs::ListXattr((*entry)->fd()) : Result<std::vector<std::string>>(entry.error());
}

Opened ScratchFiles::AddHandle(NodeId node, DescriptorPtr file, int flags) {
  const int fd = file->fd();
  auto handle = std::make_shared<const Handle>(Handle{node, std::move(file), IsForWriting(flags)});
  const MutexLock lock(mutex_);
  ++FindLocked(node)->handles;  // the kernel has looked it up, and keeps that until it has our answer
  const HandleId id = kScratchBit | next_++;
  handles_.emplace(id, std::move(handle));
  Opened opened;
  opened.handle = id;
  opened.no_flush = !IsForWriting(flags);
  opened.plain_fd = fd;
  return opened;
}

Result<Opened> ScratchFiles::Open(const Caller& caller, NodeId node, int flags) {
  {
    const MutexLock lock(mutex_);
    Node* const found = FindLocked(node);
    if (found == nullptr) return NoSuchNode();
    if (found->published && found->sent_away.erase(caller.tid) == 0) {
      found->sent_away.insert(caller.tid);
      return Error{Code::kStale, "redirected"};  // whoever comes back (by /proc/self/fd) is served
    }
  }
  const auto file = Hold(node);
  if (!file) return file.error();
  const int fd = open(PathOf((*file)->fd()).c_str(), DaemonFlags(flags));
  if (fd < 0) return SystemError("open", errno);
  auto opened = std::make_shared<const Descriptor>(fd);
  // Now, because what the kernel writes by itself isn't seen here, and it asks nobody before it does.
  if (IsForWriting(flags)) {
    if (auto taken = TakePrivilegesAway(fd, caller); !taken) return taken.error();
  }
  return AddHandle(node, std::move(opened), flags);
}

Result<Created> ScratchFiles::Create(const Caller& caller, const ScratchFolder& folder, const std::string& name,
                                     mode_t mode, int flags) {
  // Whether it is new decides who owns it; without O_EXCL both are right.
  auto file = folder.OpenFile(name, DaemonFlags(flags) | O_CREAT | O_EXCL, mode & 07777);
  if (file) {
    if (auto set = SetOwnerAndMode((*file)->fd(), caller, mode); !set) return set.error();
  } else if (file.code() == Code::kExists && (flags & O_EXCL) == 0) {
    file = folder.OpenFile(name, DaemonFlags(flags), 0);
  }
  if (!file) return file.error();
  const auto entry = folder.EntryFor(**file);
  if (!entry) return entry.error();
  Created created;
  created.entry = Enter(*entry, folder.handles());
  created.opened = AddHandle(created.entry.attr.node, *std::move(file), flags);
  return created;
}

Result<std::size_t> ScratchFiles::Read(HandleId handle, std::uint64_t offset, std::span<char> out) {
  ++reads_;
  const auto open = FindHandle(handle);
  return open ? ReadAt(open->fd(), offset, out) : NoSuchHandle();
}

Result<void> ScratchFiles::Write(HandleId handle, std::uint64_t offset, std::string_view data) {
  ++writes_;
  const auto open = FindHandle(handle);
  return open ? WriteAt(open->fd(), offset, data) : NoSuchHandle();
}

Result<void> ScratchFiles::Allocate(HandleId handle, int mode, std::uint64_t offset, std::uint64_t length) {
  const auto open = FindHandle(handle);
  if (!open) return NoSuchHandle();
  if (fallocate(open->fd(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)) != 0) {
    return SystemError("fallocate", errno);
  }
  return {};
}

Result<std::uint64_t> ScratchFiles::Seek(HandleId handle, std::uint64_t offset, int whence) {
  const auto open = FindHandle(handle);
  if (!open) return NoSuchHandle();
  const off_t place = lseek(open->fd(), static_cast<off_t>(offset), whence);
  if (place < 0) return SystemError("lseek", errno);
  return static_cast<std::uint64_t>(place);
}

Result<void> ScratchFiles::Sync(HandleId handle) {
  const auto open = FindHandle(handle);
  if (!open) return NoSuchHandle();
  if (fsync(open->fd()) != 0) return SystemError("fsync", errno);
  return {};
}

void ScratchFiles::Release(HandleId handle) {
  std::shared_ptr<const Handle> open;  // closed after the lock
  const MutexLock lock(mutex_);
  const auto found = handles_.find(handle);
  if (found == handles_.end()) return;
  open = std::move(found->second);
  handles_.erase(found);
  if (Node* const node = FindLocked(open->node)) {
    --node->handles;
    PruneLocked(open->node);
  }
}

void ScratchFiles::MarkPublished(NodeId node, PublishedAs as) {
  const MutexLock lock(mutex_);
  Node* const found = FindLocked(node);
  if (found == nullptr) return;
  found->published = std::move(as);
  found->published_before = kScratchBit | next_;
}

void ScratchFiles::MarkPublishedAgain(NodeId node, PublishedAs as) {
  const MutexLock lock(mutex_);
  if (Node* const found = FindLocked(node)) found->published = std::move(as);
}

std::optional<ScratchFiles::Unpublished> ScratchFiles::FindUnpublished(HandleId handle) {
  const auto open = FindHandle(handle);
  if (!open || !open->writable) return std::nullopt;
  std::optional<PublishedAs> published;
  {
    const MutexLock lock(mutex_);
    const Node* const node = FindLocked(open->node);
    if (node == nullptr || !node->published || handle >= node->published_before) return std::nullopt;
    published = node->published;
  }
  const auto status = StatusOf(open->fd());
  if (!status || SameContent(*status, published->status)) return std::nullopt;
  return Unpublished{open->node, open->fd(), *std::move(published)};
}

std::optional<NodeId> ScratchFiles::WrittenNode(HandleId handle) {
  const auto open = FindHandle(handle);
  return open && open->writable ? std::optional(open->node) : std::nullopt;
}

ScratchFiles::Counters ScratchFiles::counters() const {
  const MutexLock lock(mutex_);
  return Counters{nodes_.size(), handles_.size(), reads_, writes_};
}

}  // namespace concordfs::fs
