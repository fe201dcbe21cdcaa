// What git can't hold, kept across remounts (R12): records of files and directories, and the empty directories among them.
//
// Records are changed in memory, under the file system's lock, in the order of what happens; writing them comes after.
#include <spdlog/spdlog.h>

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

}  // namespace

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

void FilesystemImpl::KeepInode(File& file, NodeId ino) {
  file.head_ino = ino;
  if (const auto path = Namespace::PathOf(file)) attributes_->NoteInode(*path, ino);
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
      times.emplace_back(*path, change);
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
      for (const auto& [agent, copy] : file.resting) cache_->ExpireAttributes(copy->node);
    } else {
      Directory& directory = *std::get<std::shared_ptr<Directory>>(*child);
      const auto record = attributes_->FindDirectory(path);
      if (directory.plain || !record) continue;
      directory.meta = MetadataFrom(record, kDirectoryPermissions, directory.meta.times.mtime);
      cache_->ExpireAttributes(directory.node);
    }
  }
}

Result<void> FilesystemImpl::SyncRecords() {
  {
    const MutexLock lock(mutex_);
    if (!following_) file_times_->FollowOwn(head_);
  }
  return SaveRecords();
}

void FilesystemImpl::AdoptOthersRecords() {
  const auto paths = attributes_->Refresh();
  if (!paths) {
    spdlog::error("attributes: {}", paths.error().message);
  } else if (!paths->empty()) {
    AdoptRecords(*paths);
  }
}

}  // namespace concordfs::fs
