// What stat(2) says apart from content: found in the records and in the branch's past, shown and changed (R12).
//
// Permissions beyond git's executable bit and owners belong to the file: they are neither versioned nor checked, and
// who has a working copy shares them. Times belong to a version, or to a working copy.
#include <spdlog/spdlog.h>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

timespec Resolved(const timespec& time) {
  return time.tv_nsec == UTIME_NOW ? Now() : time;
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
  const bool rests = node.copy && file.RestingOf(node.copy->agent) == node.copy;
  attr.ino = rests ? file.head_ino : node.copy ? node.copy->ino : node.ino;
  attr.links = file.linked ? 1 : 0;
  attr.size = node.copy ? node.copy->content->Size() : node.size;
  attr.mode = ModeOf(mode) & S_IFMT;
  const bool retired = !node.copy && file.current != node.id;
  attr.Take(retired ? node.meta : MetadataShown(file, rests ? nullptr : node.copy.get(), mode));
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
  for (const auto& [agent, copy] : file.resting) {
    if (copy->node != changed) cache_->ExpireAttributes(copy->node);
  }
}

Result<Attr> FilesystemImpl::SetAttr(const Caller& caller, NodeId id, const AttrChange& change,
                                     std::optional<HandleId> handle) {
  if (auto writable = CheckWritable(); !writable) return writable.error();
  if (IsScratch(id)) return scratch_files_.SetAttr(caller, id, change, handle);
  if (const DescriptorPtr folder = PlainFolder(id)) {
    if (auto changed = ChangeAttributes(folder->fd(), change); !changed) return changed.error();
    return GetAttr(caller, id);
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
