// What stat(2) says apart from content: found in the records and in the branch's past, changed, and kept (R12).
//
// Permissions beyond git's executable bit and owners belong to the file: they are neither versioned nor checked, and
// who has a working copy shares them. Times belong to a version, or to a working copy.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

// Directories that somebody chose to keep are made again at a mount, whatever else git says.
constexpr std::size_t kWarnAboveKept = 100'000;

// Of a larger directory that is renamed the untouched files are as old as that: each would be a record.
constexpr std::size_t kMaxTimesMoved = 50'000;

bool operator==(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

timespec Resolved(const timespec& time) {
  return time.tv_nsec == UTIME_NOW ? Now() : time;
}

template <class T>
std::optional<T> IfOther(const T& now, const T& known) {
  return now == known ? std::nullopt : std::optional(now);
}

// What the record has to say so that it says `meta`, if it says `known` now.
Attributes ChangeOf(const Metadata& meta, const Metadata& known) {
  Attributes change;
  change.mode = IfOther(meta.permissions, known.permissions);
  change.uid = IfOther(meta.uid, known.uid);
  change.gid = IfOther(meta.gid, known.gid);
  change.atime = IfOther(meta.times.atime, known.times.atime);
  change.mtime = meta.times.mtime;
  change.ctime = meta.times.ctime;
  if (meta.birth && !(known.birth && *known.birth == *meta.birth)) change.birth = meta.birth;
  return change;
}

// As chown(2) and a write(2) by others do: a program that runs as its owner is not to become another one.
mode_t WithoutPrivileges(mode_t permissions) {
  permissions &= ~static_cast<mode_t>(S_ISUID);
  return (permissions & S_IXGRP) != 0 ? permissions & ~static_cast<mode_t>(S_ISGID) : permissions;
}

void ChangeOwner(const AttrChange& change, Metadata* meta) {
  if (change.uid) meta->uid = *change.uid;
  if (change.gid) meta->gid = *change.gid;
}

void ChangeTimes(const AttrChange& change, const timespec& now, Times* times) {
  if (change.atime) times->atime = Resolved(*change.atime);
  if (change.mtime) times->mtime = Resolved(*change.mtime);
  times->ctime = now;
}

}  // namespace

Metadata FilesystemImpl::MetadataFrom(const std::optional<Attributes>& record, mode_t permissions,
                                      const timespec& mtime) const {
  const Attributes known = record.value_or(Attributes());
  Metadata meta;
  meta.permissions = known.mode.value_or(permissions);
  meta.uid = known.uid.value_or(options_.uid);
  meta.gid = known.gid.value_or(options_.gid);
  meta.times.mtime = known.mtime.value_or(mtime);
  meta.times.atime = known.atime.value_or(meta.times.mtime);
  meta.times.ctime = known.ctime.value_or(meta.times.mtime);
  meta.birth = known.birth;
  return meta;
}

Metadata FilesystemImpl::MetadataOfFile(const vcs::RepoPath& path, const vcs::Version& version,
                                        const timespec& mtime) const {
  return MetadataFrom(attributes_->FindFile(path, version), PermissionsOf(version.mode, kFilePermissions), mtime);
}

Metadata FilesystemImpl::MetadataOfDirectory(const vcs::RepoPath& path, const timespec& mtime) const {
  auto record = attributes_->FindDirectory(path);
  if (record) record->mtime = mtime;  // of FileTimes, which knows what others did since
  return MetadataFrom(record, kDirectoryPermissions, mtime);
}

timespec FilesystemImpl::MtimeOf(const vcs::Head& head, const vcs::RepoPath& path, const vcs::MaybeVersion& version) {
  const auto time = version ? file_times_->MtimeOfFile(path, *version) : file_times_->MtimeOfDirectory(path);
  if (!time) spdlog::error("times of {}: {}", vcs::Quoted(path.text()), time.error().message);
  if (time && *time) return **time;
  return timespec{static_cast<time_t>(head.time_s), 0};
}

Metadata FilesystemImpl::NewMetadata(const Directory& parent, uid_t uid, gid_t gid, mode_t mode) {
  Metadata meta;
  const bool inherits = (parent.meta.permissions & S_ISGID) != 0;
  meta.permissions = mode & 07777;
  if (inherits && S_ISDIR(mode)) meta.permissions |= S_ISGID;
  meta.uid = uid;
  meta.gid = inherits ? parent.meta.gid : gid;
  meta.times = Times::AllOf(Now());
  meta.birth = meta.times.mtime;
  return meta;
}

void FilesystemImpl::RecordFile(const File& file) {
  if (!file.head) return;  // its publication will
  const auto path = Namespace::PathOf(file);
  if (!path) return;
  Attributes change = ChangeOf(file.meta, MetadataOfFile(*path, *file.head, file.meta.times.mtime));
  change.version = file.head;
  attributes_->UpdateFile(*path, change);
}

void FilesystemImpl::RecordDirectory(const Directory& directory) {
  if (directory.plain) return;
  const auto path = Namespace::PathOf(directory);
  if (!path) return;
  attributes_->UpdateDirectory(*path, ChangeOf(directory.meta, MetadataOfDirectory(*path, directory.meta.times.mtime)));
}

void FilesystemImpl::Record(const Child& child) {
  if (const auto* file = std::get_if<std::shared_ptr<File>>(&child)) RecordFile(**file);
  if (const auto* directory = std::get_if<std::shared_ptr<Directory>>(&child)) RecordDirectory(**directory);
}

void FilesystemImpl::Touch(Directory& directory) {
  directory.meta.times.mtime = directory.meta.times.ctime = Now();
  RecordDirectory(directory);
}

void FilesystemImpl::SetKept(Directory& directory, bool kept) {
  if (directory.kept == kept || directory.parent == nullptr) return;
  directory.kept = kept;
  const auto path = Namespace::PathOf(directory);
  if (!path) return;
  Attributes change;
  change.kept = kept;
  attributes_->UpdateDirectory(*path, change);
}

void FilesystemImpl::Keep(const std::shared_ptr<Directory>& directory) {
  for (Directory* at = directory.get(); at != nullptr; at = at->parent.get()) SetKept(*at, true);
}

void FilesystemImpl::RecordTimesBelow(NodeId parent, std::string_view name) {
  constexpr int kAttempts = 5;  // others may commit faster than the trees are read: then some times are the rename's
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    vcs::Head head;
    vcs::RepoPath path;
    {
      const MutexLock lock(mutex_);
      const Node* node = names_.Find(parent);
      const auto at = node != nullptr && node->directory ? Namespace::PathOf(*node->directory) : std::nullopt;
      const auto below = at ? at->Child(name) : Result<vcs::RepoPath>(Error{Code::kNotFound, ""});
      if (!below) return;  // the rename says why
      path = *below;
      head = head_;
    }
    const auto times = TimesBelow(head, path);
    if (!times) {
      spdlog::warn("times below {}: {}", vcs::Quoted(path.text()), times.error().message);
      return;
    }
    const MutexLock lock(mutex_);
    if (following_ || head.commit != head_.commit) continue;
    for (const auto& [at, change] : *times) {
      if (change.version) {
        attributes_->UpdateFile(at, change);
      } else {
        attributes_->UpdateDirectory(at, change);
      }
    }
    return;
  }
}

Result<std::vector<std::pair<vcs::RepoPath, Attributes>>> FilesystemImpl::TimesBelow(const vcs::Head& head,
                                                                                     const vcs::RepoPath& directory) {
  std::vector<std::pair<vcs::RepoPath, Attributes>> times;
  std::vector<vcs::RepoPath> unread{directory};
  while (!unread.empty()) {
    const vcs::RepoPath at = std::move(unread.back());
    unread.pop_back();
    const auto tree = LoadTree(head, at);
    if (!tree) return tree.error();
    for (const vcs::TreeEntryView entry : (*tree)->entries()) {
      const auto path = at.Child(entry.name);
      if (!path || entry.IsSubmodule()) continue;
      if (entry.IsDirectory()) unread.push_back(*path);
      Attributes change;
      if (!entry.IsDirectory()) {
        const auto record = attributes_->FindFile(*path, entry.AsVersion());
        if (record && record->mtime) continue;
        change.version = entry.AsVersion();
      }
      if (times.size() >= kMaxTimesMoved)
        return Error{Code::kTooBig, "too many untouched files to keep the times of all"};
      change.mtime = MtimeOf(head, *path, change.version);
      if (change.version) change.ctime = change.mtime;
      times.emplace_back(*path, std::move(change));
    }
  }
  return times;
}

void FilesystemImpl::ForgetRecords(const Child& child) {
  const auto path = std::visit([](const auto& what) { return Namespace::PathOf(*what); }, child);
  if (!path) return;
  attributes_->Forget(*path);
  if (std::holds_alternative<std::shared_ptr<Directory>>(child)) attributes_->ForgetBelow(*path);
}

void FilesystemImpl::SaveIfPrivate(const File& file) {
  {
    const MutexLock lock(mutex_);
    const mode_t usual = PermissionsOf(file.head ? file.head->mode : file.reserved_mode, kFilePermissions);
    const Metadata& meta = file.meta;
    if (meta.permissions == usual && meta.uid == options_.uid && meta.gid == options_.gid) return;
  }
  (void)SaveRecords();
}

Result<void> FilesystemImpl::SaveRecords() {
  auto saved = options_.durability == "power" ? attributes_->Sync() : attributes_->Flush();
  if (!saved) spdlog::error("attributes: {}", saved.error().message);
  return saved;
}

// The directories that exist although git may hold nothing in them. Nothing is served yet.
void FilesystemImpl::MakeKeptDirectories() {
  const auto kept = attributes_->KeptDirectories();
  if (kept.size() > kWarnAboveKept) spdlog::warn("{} empty directories are kept", kept.size());
  for (const vcs::RepoPath& path : kept) {
    std::shared_ptr<Directory> directory;
    vcs::Head head;
    {
      const MutexLock lock(mutex_);
      directory = names_.root();
      head = head_;
    }
    vcs::RepoPath at;
    for (const std::string_view component : path.Components()) {
      const auto below = at.Child(component);
      const auto entry = below ? trees_.Find(head.root, *below) : Result<std::optional<vcs::TreeEntry>>(below.error());
      if (!entry || (*entry && !(*entry)->IsDirectory())) break;  // head has something else there
      at = *below;
      const timespec mtime = MtimeOf(head, at, {});
      const MutexLock lock(mutex_);
      const auto child = Namespace::FindChild(*directory, component);
      directory = child ? std::get<std::shared_ptr<Directory>>(*child)
                        : names_.AddDirectory(directory, component, MetadataOfDirectory(at, mtime));
      if (!*entry || at == path) directory->kept = true;
    }
  }
}

// Another daemon that serves the branch has changed what is known here, too.
void FilesystemImpl::AdoptRecords(const std::vector<vcs::RepoPath>& paths) {
  const MutexLock lock(mutex_);
  for (const vcs::RepoPath& path : paths) {
    const auto child = FindKnown(path);
    if (!child) continue;
    if (const auto* known = std::get_if<std::shared_ptr<File>>(&*child)) {
      File& file = **known;
      if (!file.head || file.reserved) continue;
      file.meta = MetadataOfFile(path, *file.head, file.meta.times.mtime);
      if (file.current != 0) cache_->ExpireAttributes(file.current);
      for (const auto& [agent, copy] : file.copies) cache_->ExpireAttributes(copy->node);
    } else {
      Directory& directory = *std::get<std::shared_ptr<Directory>>(*child);
      const auto record = attributes_->FindDirectory(path);
      if (directory.plain || !record) continue;
      directory.meta = MetadataFrom(record, kDirectoryPermissions, directory.meta.times.mtime);
      cache_->ExpireAttributes(directory.node);
    }
  }
}

Attr FilesystemImpl::AttrOf(const Directory& directory) {
  Attr attr;
  attr.node = attr.ino = directory.node;
  attr.links = directory.linked ? 1 : 0;  // as file systems say that don't count subdirectories
  attr.mode = S_IFDIR;
  attr.Take(directory.meta);
  return attr;
}

Metadata FilesystemImpl::MetadataShown(const File& file, const WorkingCopy* copy, vcs::FileMode mode) {
  Metadata meta = copy != nullptr && copy->made_again ? *copy->made_again : file.meta;
  meta.permissions = PermissionsOf(mode, meta.permissions);
  if (copy != nullptr) meta.times = copy->times;
  return meta;
}

Attr FilesystemImpl::AttrOf(const Node& node) {
  if (node.directory) return AttrOf(*node.directory);
  const File& file = *node.file;
  const vcs::FileMode mode = node.copy ? node.copy->mode : node.mode;
  Attr attr;
  attr.node = node.id;
  attr.ino = node.copy ? node.copy->ino : node.ino;
  attr.links = file.linked ? 1 : 0;
  attr.size = node.copy ? node.copy->content->Size() : node.size;
  attr.mode = ModeOf(mode) & S_IFMT;
  const bool retired = !node.copy && file.current != node.id;
  attr.Take(retired ? node.meta : MetadataShown(file, node.copy.get(), mode));
  return attr;
}

void FilesystemImpl::ChangeMetadata(Node& node, const AttrChange& change, bool newest) {
  const timespec now = Now();
  if (node.directory) {
    Metadata& meta = node.directory->meta;
    if (change.mode) meta.permissions = *change.mode & 07777;
    ChangeOwner(change, &meta);
    ChangeTimes(change, now, &meta.times);
    RecordDirectory(*node.directory);
    return;
  }
  File& file = *node.file;
  const auto apply = [&](vcs::FileMode mode, Metadata* meta) {
    if (change.mode) meta->permissions = *change.mode & 07777;
    const bool new_owner = (change.uid || change.gid) && !change.mode && mode != vcs::FileMode::kSymlink;
    if (new_owner) meta->permissions = WithoutPrivileges(meta->permissions);
    ChangeOwner(change, meta);
  };
  const bool retired = !node.copy && file.current != node.id;
  if (retired) {
    apply(node.mode, &node.meta);
    ChangeTimes(change, now, &node.meta.times);
  }
  if (!newest) return;
  Metadata& meta = node.copy && node.copy->made_again ? *node.copy->made_again : file.meta;
  apply(node.copy ? node.copy->mode : node.mode, &meta);
  // What a changed copy's times are told to be is published with it.
  if (node.copy) ChangeTimes(change, now, &node.copy->times);
  if (!node.copy || !node.copy->IsChanged()) ChangeTimes(change, now, &file.meta.times);
  if (file.linked) RecordFile(file);
  ExpireOthers(file, node.id);
}

void FilesystemImpl::TakePrivilegesAway(File& file) {
  const mode_t left = WithoutPrivileges(file.meta.permissions);
  if (left == file.meta.permissions) return;
  file.meta.permissions = left;
  if (file.linked) RecordFile(file);
  ExpireOthers(file, 0);
}

void FilesystemImpl::ExpireOthers(const File& file, NodeId changed) {
  if (file.current != 0 && file.current != changed) cache_->ExpireAttributes(file.current);
  for (const auto& [agent, copy] : file.copies) {
    if (copy->node != 0 && copy->node != changed) cache_->ExpireAttributes(copy->node);
  }
}

Result<Attr> FilesystemImpl::SetAttr(const Caller& caller, NodeId id, const AttrChange& change,
                                     std::optional<HandleId> handle) {
  if (auto writable = CheckWritable(); !writable) return writable.error();
  if (IsScratch(id)) return scratch_files_.SetAttr(caller, id, change, handle);
  if (const DescriptorPtr folder = PlainFolder(id)) {
    if (auto changed = ChangeAttributes(folder->fd(), change); !changed) return changed.error();
    return GetAttr(id);
  }
  bool changes_path = false;
  bool newest = false;
  bool is_directory = false;
  {
    const MutexLock lock(mutex_);
    const Node* node = names_.Find(id);
    if (node == nullptr) return Error{Code::kNotFound, "setattr: unknown node"};
    is_directory = node->directory != nullptr;
    if (node->file) {
      newest = node->copy || node->file->current == id;
      const vcs::FileMode now = node->copy ? node->copy->mode : node->mode;
      const bool is_symlink = now == vcs::FileMode::kSymlink;
      const bool other_bit = change.mode && ((*change.mode & 0100) != 0) != (now == vcs::FileMode::kExecutable);
      changes_path = !is_symlink && (other_bit || (change.size && !handle));
    }
  }
  if (change.size && handle) {
    auto truncated = ChangeThrough(*handle, [&](WorkingFile& file, const Description& description) {
      return file.Truncate(description, *change.size);
    });
    if (!truncated) return truncated.error();
  }
  if (changes_path) {
    AttrChange path_change = change;
    if (handle) path_change.size.reset();
    if (auto changed = ChangePath(agents_->Identify(caller), id, path_change); !changed) return changed.error();
  }
  Attr attr;
  {
    const MutexLock lock(mutex_);
    Node* node = names_.Find(id);
    if (node == nullptr) return Error{Code::kNotFound, "setattr: unknown node"};
    if (change.mode || change.uid || change.gid || change.atime || change.mtime) ChangeMetadata(*node, change, newest);
    attr = AttrOf(*node);
  }
  // A file's record names its version. A directory's holds against the newest epoch.
  if (auto saved = is_directory ? SyncRecords() : SaveRecords(); !saved) return saved.error();
  return attr;
}

}  // namespace concordfs::fs
