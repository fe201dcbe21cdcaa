// Reading directories: the head's entries, and the names that are not published.

#include <set>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {

Result<HandleId> FilesystemImpl::OpenDirectory(NodeId id) {
  const MutexLock lock(mutex_);
  const Node* node = names_.Find(id);
  if (node == nullptr) return Error{Code::kNotFound, "opendir: unknown node"};
  if (!node->directory) return Error{Code::kNotDirectory, "opendir: not a directory"};
  auto handle = std::make_shared<DirectoryHandle>();
  handle->directory = node->directory;
  ++node->directory->handles;
  const HandleId handle_id = next_handle_++;
  directories_.emplace(handle_id, std::move(handle));
  return handle_id;
}

Result<std::vector<DirEntry>> FilesystemImpl::ReadDirectory(HandleId id, std::uint64_t cookie, std::size_t limit) {
  while (true) {
    std::shared_ptr<DirectoryHandle> handle;
    std::optional<vcs::RepoPath> path;
    vcs::Head head;
    {
      const MutexLock lock(mutex_);
      const auto found = directories_.find(id);
      if (found == directories_.end()) return Error{Code::kBadHandle, "readdir: no such handle"};
      handle = found->second;
      if (cookie > 0 || !Namespace::PathOf(*handle->directory)) {  // as they were: cookies are places in that list
        if (cookie == 0) handle->entries.clear();
        const std::size_t first = std::min<std::size_t>(cookie, handle->entries.size());
        const std::size_t count = std::min(limit, handle->entries.size() - first);
        const auto at = handle->entries.begin() + static_cast<std::ptrdiff_t>(first);
        return std::vector<DirEntry>(at, at + static_cast<std::ptrdiff_t>(count));
      }
      path = Namespace::PathOf(*handle->directory);
      head = head_;
    }
    const auto entry = trees_.Find(head.root, *path);
    if (!entry) return entry.error();
    std::shared_ptr<const vcs::Tree> tree;
    if (*entry && (*entry)->IsDirectory()) {
      const auto loaded = trees_.Load((*entry)->id);
      if (!loaded) return loaded.error();
      tree = *loaded;
    }
    const MutexLock lock(mutex_);
    const Directory& directory = *handle->directory;
    if (head.commit != head_.commit || Namespace::PathOf(directory) != path) continue;
    std::vector<DirEntry>& entries = handle->entries;
    entries.clear();
    entries.push_back({".", directory.node, S_IFDIR});
    entries.push_back({"..", directory.parent ? directory.parent->node : directory.node, S_IFDIR});
    std::set<std::string_view> in_head;
    if (tree) {
      for (const vcs::TreeEntry& one : tree->entries()) {
        in_head.insert(one.name);
        const bool is_directory = one.IsDirectory() || one.IsSubmodule();
        entries.push_back({one.name, 0, is_directory ? S_IFDIR : ModeOf(one.AsVersion().mode) & S_IFMT});
      }
    }
    for (const auto& [name, child] : directory.children) {
      if (in_head.contains(name)) continue;
      const auto* file = std::get_if<std::shared_ptr<File>>(&child);
      entries.push_back({name, 0, file == nullptr ? S_IFDIR : (*file)->reserved_mode & S_IFMT});
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
      DirEntry& one = entries[i];
      one.next_cookie = i + 1;
      if (one.ino != 0) continue;
      if (const auto child = Namespace::FindChild(directory, one.name)) {
        if (const auto* file = std::get_if<std::shared_ptr<File>>(&*child)) one.ino = (*file)->head_ino;
        if (const auto* below = std::get_if<std::shared_ptr<Directory>>(&*child)) one.ino = (*below)->node;
      }
    }
    return std::vector<DirEntry>(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(std::min(limit, entries.size())));
  }
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
