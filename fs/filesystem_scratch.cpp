// Names of plain files beside the repository (R12): which they are, finding, making and removing them.
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

Error NoSuchPath(std::string_view name) {
  return Error{Code::kNotFound, vcs::Quoted(name) + ": no such path"};
}

// Names that a directory can hold though git can't. The kernel sends no others that are wrong.
bool IsForbidden(std::string_view name) {
  const auto checked = vcs::CheckName(name);
  return !checked && checked.code() == Code::kInvalidName;
}

bool IsPlainDirectory(const Child& child) {
  const auto* directory = std::get_if<std::shared_ptr<Directory>>(&child);
  return directory != nullptr && (*directory)->plain;
}

}  // namespace

Result<std::shared_ptr<Directory>> FilesystemImpl::FindDirectory(NodeId id) {
  const MutexLock lock(mutex_);
  const Node* node = names_.Find(id);
  if (node == nullptr) return Error{Code::kNotFound, "node " + std::to_string(id) + ": unknown"};
  if (!node->directory) return Error{Code::kNotDirectory, "not a directory"};
  return node->directory;
}

// What head or an agent has under a name comes first; a scratch file of the same name is hidden behind it.
Result<FilesystemImpl::Place> FilesystemImpl::FindPlace(NodeId parent, std::string_view name) {
  const auto directory = FindDirectory(parent);
  if (!directory) return directory.error();
  bool versionable = !IsForbidden(name);
  if (versionable) {
    const MutexLock lock(mutex_);
    versionable = !Namespace::IsForbidden(**directory);
    const auto child = versionable ? Namespace::FindChild(**directory, name) : std::nullopt;
    if (child && !IsPlainDirectory(*child)) {
      return Place{Where::kVersioned, std::holds_alternative<std::shared_ptr<Directory>>(*child)};
    }
  }
  if (versionable) {
    const auto learned = Learn(parent, name);
    if (!learned) return learned.error();
    if (learned->entry) return Place{Where::kVersioned, learned->entry->IsDirectory() || learned->entry->IsSubmodule()};
  }
  const auto folder = FolderOf(*directory, Missing::kLeave);
  if (!folder) return folder.error();
  const auto entry = *folder ? (*folder)->Find(std::string(name)) : std::optional<ScratchEntry>();
  if (!entry) return entry.error();
  if (!*entry) return Place{};
  return Place{Where::kScratch, (*entry)->IsDirectory()};
}

Result<bool> FilesystemImpl::IsScratchName(NodeId parent, std::string_view name, NewName kind) {
  if (!scratch_root_) return false;
  const auto directory = FindDirectory(parent);
  if (!directory) return directory.error();
  const bool is_directory = kind == NewName::kDirectory;
  auto made_by = kind == NewName::kMkstempFile ? Temporaries::MadeBy::kMkstemp : Temporaries::MadeBy::kAnything;
  if (const auto target = Temporaries::TargetOf(name); target && kind == NewName::kExclusiveFile) {
    const auto place = FindPlace(parent, *target);
    if (place && place->where != Where::kNowhere && !place->is_directory) made_by = Temporaries::MadeBy::kMkstemp;
  }
  if (IsForbidden(name) || (!is_directory && temporaries_.Match(name, made_by))) return true;
  vcs::RepoPath path;
  vcs::ObjectId root;
  {
    const MutexLock lock(mutex_);
    if (Namespace::IsForbidden(**directory)) return true;
    const auto directory_path = Namespace::PathOf(**directory);
    if (!directory_path) return Error{Code::kNotFound, "the directory was removed"};
    auto child = directory_path->Child(name);
    if (!child) return child.error();
    path = *std::move(child);
    root = head_.root;
  }
  return ignore_rules_.IsIgnored(root, path, is_directory);
}

Result<bool> FilesystemImpl::BelongsToScratch(NodeId parent, std::string_view name, NewName kind) {
  if (!scratch_root_) return false;
  const auto place = FindPlace(parent, name);
  if (!place) return place.error();
  switch (place->where) {
    case Where::kVersioned: return false;
    case Where::kScratch: return true;
    case Where::kNowhere: break;
  }
  return IsScratchName(parent, name, kind);
}

Result<FilesystemImpl::FolderPtr> FilesystemImpl::FolderOf(const std::shared_ptr<Directory>& directory,
                                                           Missing missing) {
  FolderPtr known;
  {
    const MutexLock lock(mutex_);
    known = directory->scratch;
  }
  if (known && !known->IsGone()) return known;
  const MutexLock names(scratch_names_);
  return FolderOfLocked(directory, missing);
}

Result<FilesystemImpl::FolderPtr> FilesystemImpl::FolderOfLocked(const std::shared_ptr<Directory>& directory,
                                                                 Missing missing) {
  std::vector<std::pair<std::shared_ptr<Directory>, FolderPtr>> chain;  // from the directory up to below the root
  {
    const MutexLock lock(mutex_);
    for (auto at = directory; at->parent; at = at->parent) {
      if (!at->linked) return FolderPtr();
      chain.emplace_back(at, at->scratch);
    }
  }
  FolderPtr folder = scratch_root_;
  for (auto at = chain.rbegin(); folder && at != chain.rend(); ++at) {
    const auto& [below, known] = *at;
    if (known && !known->IsGone()) {
      folder = known;
      continue;
    }
    auto next = folder->FindFolder(below->name);
    // A plain directory that somebody removed is gone; the folder behind another one is made when it is needed.
    if (next && !*next && missing == Missing::kMake && !below->plain) next = folder->MakeFolder(below->name);
    if (!next) return next.error();
    folder = *std::move(next);
    const MutexLock lock(mutex_);
    below->scratch = folder;
  }
  return folder;
}

Result<FilesystemImpl::FolderPtr> FilesystemImpl::FolderFor(NodeId parent) {
  const auto directory = FindDirectory(parent);
  if (!directory) return directory.error();
  auto folder = FolderOf(*directory, Missing::kMake);
  if (folder && !*folder) return Error{Code::kNotFound, "the directory was removed"};
  return folder;
}

void FilesystemImpl::DropEmptyFolders(std::shared_ptr<Directory> directory) {
  const MutexLock names(scratch_names_);
  while (true) {
    FolderPtr parent;
    std::string name;
    {
      const MutexLock lock(mutex_);
      if (directory->plain || !directory->parent || !directory->scratch || !directory->linked) return;
      parent = directory->parent->scratch;
      name = directory->name;
    }
    if (!parent || !parent->Remove(name, true)) return;  // not empty
    const MutexLock lock(mutex_);
    directory->scratch = nullptr;
    directory = directory->parent;
  }
}

Result<Entry> FilesystemImpl::LookupScratch(NodeId parent, std::string_view name) {
  const auto directory = FindDirectory(parent);
  if (!directory) return directory.error();
  const auto folder = FolderOf(*directory, Missing::kLeave);
  if (!folder) return folder.error();
  if (!*folder) return NoSuchPath(name);
  auto entry = (*folder)->Find(std::string(name));
  if (!entry) return entry.error();
  if (!*entry) return NoSuchPath(name);
  if ((*entry)->IsDirectory()) return EnterPlainDirectory(*directory, name, **entry);
  return scratch_files_.Enter(**entry, (*folder)->handles());
}

Result<Entry> FilesystemImpl::EnterPlainDirectory(const std::shared_ptr<Directory>& parent, std::string_view name,
                                                  const ScratchEntry& entry) {
  const auto folder = std::make_shared<const ScratchFolder>(entry, scratch_root_->handles());
  const MutexLock lock(mutex_);
  const auto child = Namespace::FindChild(*parent, name);
  if (child && !IsPlainDirectory(*child)) return NoSuchPath(name);  // a version came in between
  auto directory = child ? std::get<std::shared_ptr<Directory>>(*child) : nullptr;
  if (directory && (!directory->scratch || directory->scratch->key() != folder->key())) {
    Namespace::Unlink(directory);  // somebody else has put another one there
    directory = nullptr;
  }
  if (!directory) {
    directory = names_.AddDirectory(parent, name, {});
    directory->plain = true;
    directory->scratch = folder;
  }
  ++names_.Find(directory->node)->lookups;
  return Entry{fs::AttrOf(entry.status, directory->node), kScratchTimeout_s, kScratchTimeout_s};
}

Result<Entry> FilesystemImpl::MakeScratch(const Caller& caller, NodeId parent, std::string_view name,
                                          const MakeMode& mode, std::string_view target) {
  const auto folder = FolderFor(parent);
  if (!folder) return folder.error();
  if (auto made = (*folder)->Make(caller, std::string(name), mode, std::string(target)); !made) return made.error();
  return LookupScratch(parent, name);
}

Result<Created> FilesystemImpl::CreateScratch(const Caller& caller, NodeId parent, std::string_view name, mode_t mode,
                                              int flags) {
  const auto folder = FolderFor(parent);
  if (!folder) return folder.error();
  return scratch_files_.Create(caller, **folder, std::string(name), mode, flags);
}

Result<Entry> FilesystemImpl::MakeLink(NodeId id, NodeId new_parent, std::string_view new_name) {
  if (auto writable = CheckWritable(); !writable) return writable.error();
  const auto scratch = BelongsToScratch(new_parent, new_name, NewName::kFile);
  if (!scratch) return scratch.error();
  if (!IsScratch(id) || !*scratch) return Error{Code::kPermission, "link: git holds no hard links"};
  const auto folder = FolderFor(new_parent);
  if (!folder) return folder.error();
  return scratch_files_.MakeLink(id, **folder, std::string(new_name));
}

Result<void> FilesystemImpl::RemoveScratch(NodeId parent, std::string_view name, bool is_directory) {
  const auto directory = FindDirectory(parent);
  if (!directory) return directory.error();
  const auto folder = FolderOf(*directory, Missing::kLeave);
  if (!folder) return folder.error();
  if (!*folder) return NoSuchPath(name);
  if (auto removed = (*folder)->Remove(std::string(name), is_directory); !removed) return removed;
  if (is_directory) {
    const MutexLock lock(mutex_);
    const auto child = Namespace::FindChild(**directory, name);
    if (child && IsPlainDirectory(*child)) Namespace::Unlink(std::get<std::shared_ptr<Directory>>(*child));
  }
  DropEmptyFolders(*directory);
  return {};
}

// Before a directory that git may hold is removed: nothing may be left in the folder behind it. kNotEmpty.
Result<void> FilesystemImpl::RemoveFolderOf(NodeId parent, std::string_view name) {
  const auto directory = FindDirectory(parent);
  if (!directory) return directory.error();
  const auto folder = FolderOf(*directory, Missing::kLeave);
  if (!folder) return folder.error();
  if (!*folder) return {};
  auto removed = (*folder)->Remove(std::string(name), true);
  return !removed && removed.code() == Code::kNotFound ? Result<void>() : removed;
}

DescriptorPtr FilesystemImpl::PlainFolder(NodeId id) {
  FolderPtr folder;
  {
    const MutexLock lock(mutex_);
    const Node* node = names_.Find(id);
    if (node != nullptr && node->directory && node->directory->plain) folder = node->directory->scratch;
  }
  const auto open = folder ? folder->Open() : Result<DescriptorPtr>(DescriptorPtr());
  return open ? *open : nullptr;
}

int FilesystemImpl::OpenProbe() {
  const auto root = scratch_root_ ? scratch_root_->Open() : Error{Code::kNotFound, "no scratch area"};
  return root ? open(fs::PathOf((*root)->fd()).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
}

void FilesystemImpl::ReadExclude() {
  const std::filesystem::path path = options_.git_dir / "info" / "exclude";
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) status = {};
  if (status.st_mtim.tv_sec == exclude_time_.tv_sec && status.st_mtim.tv_nsec == exclude_time_.tv_nsec) return;
  exclude_time_ = status.st_mtim;
  std::ifstream file(path, std::ios::binary);
  ignore_rules_.SetExclude(std::string(std::istreambuf_iterator<char>(file), {}));
}

// Who renamed a file over a versioned path and still writes it, writes the file of that path.
Result<void> FilesystemImpl::PublishLate(HandleId id) {
  const auto unpublished = scratch_files_.FindUnpublished(id);
  if (!unpublished) return {};
  const Descriptor file(open(fs::PathOf(unpublished->fd).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return SystemError("published scratch file", errno);
  const auto status = StatusOf(file.fd());
  const auto blob = status ? store_.AddBlob(file.fd(), status->stx_size) : Result<vcs::ObjectId>(status.error());
  if (!blob) return blob.error();
  const PublishedAs& as = unpublished->as;
  auto context = std::make_shared<ScratchContext>();
  context->is_rename = false;
  context->node = unpublished->node;
  context->as = as;
  context->as.status = *status;
  context->size = status->stx_size;
  const vcs::Version content{*blob, as.base.version->mode};
  const vcs::PublishChange change{as.path, as.base, content, true, vcs::Derivation::kFromBase};
  const vcs::Outcome outcome =
      committer_.Serve(committer_.Enqueue({change, as.who.agent, as.who.description, as.who.message, context}));
  if (outcome.kind == vcs::Outcome::Kind::kFailed) return outcome.error;
  if (outcome.kind != vcs::Outcome::Kind::kRefused) return {};
  vcs::ParkRequest park;
  park.agent = as.who.agent;
  park.process = as.who.description;
  park.path = as.path;
  park.base = as.base;
  park.content = content;
  park.head = outcome.now;
  park.head_commit = outcome.commit;
  park.reason = "written after it was renamed to a path that was changed since";
  park.time_s = Now().tv_sec;
  if (auto parked = ParkContent(park); !parked) return parked.error();
  scratch_files_.MarkPublishedAgain(unpublished->node, context->as);  // parked once
  return Refuse(as.who.agent, "write to " + vcs::Quoted(as.path.text()));
}

}  // namespace concordfs::fs
