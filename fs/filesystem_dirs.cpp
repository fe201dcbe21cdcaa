// Reading directories: the head's entries, and the names that are not published.
#include <algorithm>
#include <set>

#include "fs/damage.h"
#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

std::vector<DirEntry> Slice(const std::vector<DirEntry>& entries, std::uint64_t first, std::size_t limit) {
  const std::size_t begin = std::min<std::uint64_t>(first, entries.size());
  const std::size_t count = std::min(limit, entries.size() - begin);
  const auto at = entries.begin() + static_cast<std::ptrdiff_t>(begin);
  return {at, at + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace

Result<HandleId> FilesystemImpl::OpenDirectory(const Caller& caller, NodeId id) {
  bool for_agent = false;
  {
    const MutexLock lock(mutex_);
    for_agent = !asides_.empty();
  }
  const std::string agent = for_agent ? agents_->Identify(caller).agent : "";
  const MutexLock lock(mutex_);
  const Node* node = names_.Find(id);
  if (node == nullptr) return Error{Code::kNotFound, "opendir: unknown node"};
  if (!node->directory) return Error{Code::kNotDirectory, "opendir: not a directory"};
  auto handle = std::make_shared<DirectoryHandle>();
  handle->directory = node->directory;
  handle->agent = agent;
  ++node->directory->handles;
  const HandleId handle_id = next_handle_++;
  directories_.emplace(handle_id, std::move(handle));
  return handle_id;
}

Result<std::vector<DirEntry>> FilesystemImpl::ReadDirectory(HandleId id, std::uint64_t cookie, std::size_t limit) {
  while (true) {
    std::shared_ptr<Directory> directory;
    std::optional<vcs::RepoPath> path;
    vcs::Head head;
    {
      const MutexLock lock(mutex_);
      const auto found = directories_.find(id);
      if (found == directories_.end()) return Error{Code::kBadHandle, "readdir: no such handle"};
      DirectoryHandle& handle = *found->second;
      directory = handle.directory;
      if (cookie > 0) return Slice(handle.entries, cookie, limit);  // as they were: cookies are places in it
      handle.entries.clear();
      if (!directory->linked) return handle.entries;  // it was removed: empty
      path = Namespace::PathOf(*directory);           // nothing where git can't hold it
      head = head_;
    }
    const auto tree = path ? LoadTree(head, *path) : std::make_shared<const vcs::Tree>();
    if (!tree) return tree.error();
    const auto folder = FolderOf(directory, Missing::kLeave);
    if (!folder) return folder.error();
    const auto plain = *folder ? (*folder)->List() : std::vector<DirEntry>();
    if (!plain) return plain.error();
    const MutexLock lock(mutex_);
    if (head.commit != head_.commit || Namespace::PathOf(*directory) != path) continue;
    const auto found = directories_.find(id);
    if (found == directories_.end()) return Error{Code::kBadHandle, "readdir: no such handle"};
    found->second->entries = ListDirectory(*found->second, **tree, *plain);
    return Slice(found->second->entries, 0, limit);
  }
}

// What head has at the path as a directory; an empty tree if it has none.
Result<std::shared_ptr<const vcs::Tree>> FilesystemImpl::LoadTree(const vcs::Head& head, const vcs::RepoPath& path) {
  const auto entry = trees_.Find(head.root, path);
  if (!entry) return AsDamage(entry.error());
  if (!*entry || !(*entry)->IsDirectory()) return std::make_shared<const vcs::Tree>();
  auto tree = trees_.Load((*entry)->id);
  if (!tree) return AsDamage(tree.error());
  return tree;
}

std::vector<DirEntry> FilesystemImpl::ListDirectory(const DirectoryHandle& handle, const vcs::Tree& tree,
                                                    const std::vector<DirEntry>& plain) {
  const Directory& directory = *handle.directory;
  std::vector<DirEntry> entries;
  const auto number = [](const Directory& of) { return of.plain ? InodeOf(of.scratch->key()) : of.node; };
  entries.push_back({".", number(directory), S_IFDIR});
  entries.push_back({"..", number(directory.parent ? *directory.parent : directory), S_IFDIR});
  std::set<std::string_view> seen;
  std::set<std::string_view> aside;  // what its agent has moved to another name
  for (const auto& file : asides_) {
    if (file->parent == handle.directory && file->aside && file->aside->agent == handle.agent) aside.insert(file->name);
  }
  for (const vcs::TreeEntryView one : tree.entries()) {
    seen.insert(one.name);
    if (aside.contains(one.name)) continue;
    const bool is_directory = one.IsDirectory() || one.IsSubmodule();
    entries.push_back({std::string(one.name), 0, is_directory ? S_IFDIR : ModeOf(one.AsVersion().mode) & S_IFMT});
  }
  for (const auto& [name, child] : directory.children) {
    const auto* file = std::get_if<std::shared_ptr<File>>(&child);
    const auto* below = std::get_if<std::shared_ptr<Directory>>(&child);
    if (below != nullptr && (*below)->plain) continue;  // what is on disk counts
    if (!seen.insert(name).second) continue;
    entries.push_back({name, 0, file == nullptr ? S_IFDIR : ModeOf((*file)->reserved_mode) & S_IFMT});
  }
  for (const DirEntry& one : plain) {
    if (!seen.contains(one.name)) entries.push_back(one);
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].next_cookie = i + 1;
    const auto child = i < 2 ? std::nullopt : Namespace::FindChild(directory, entries[i].name);
    if (!child) continue;
    if (const auto* file = std::get_if<std::shared_ptr<File>>(&*child)) entries[i].ino = (*file)->head_ino;
    const auto* below = std::get_if<std::shared_ptr<Directory>>(&*child);
    if (below != nullptr && !(*below)->plain) entries[i].ino = (*below)->node;
  }
  return entries;
}

Result<void> FilesystemImpl::SyncDirectory(HandleId id) {
  FolderPtr folder;
  {
    const MutexLock lock(mutex_);
    const auto found = directories_.find(id);
    if (found != directories_.end()) folder = found->second->directory->scratch;
  }
  if (!folder) return {};  // names are in history when their operation returned
  return folder->Sync();
}

void FilesystemImpl::ReleaseDirectory(HandleId id) {
  const MutexLock lock(mutex_);
  const auto found = directories_.find(id);
  if (found == directories_.end()) return;
  const std::shared_ptr<Directory> directory = found->second->directory;
  directories_.erase(found);
  --directory->handles;
  names_.Prune(directory);
}

}  // namespace concordfs::fs
