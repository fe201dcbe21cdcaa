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
    std::shared_ptr<Directory> directory;
    std::optional<vcs::RepoPath> path;
    vcs::Head head;
    {
      const MutexLock lock(mutex_);
      const auto found = directories_.find(id);
      if (found == directories_.end()) return Error{Code::kBadHandle, "readdir: no such handle"};
      DirectoryHandle& handle = *found->second;
      directory = handle.directory;
      path = Namespace::PathOf(*directory);
      if (cookie == 0 && !path) handle.entries.clear();  // it was removed: empty
      if (cookie > 0 || !path) return Slice(handle.entries, cookie, limit);  // as they were: cookies are places in it
      head = head_;
    }
    const auto entry = trees_.Find(head.root, *path);
    if (!entry) return AsDamage(entry.error());
    std::shared_ptr<const vcs::Tree> tree = std::make_shared<const vcs::Tree>();
    if (*entry && (*entry)->IsDirectory()) {
      auto loaded = trees_.Load((*entry)->id);
      if (!loaded) return AsDamage(loaded.error());
      tree = *std::move(loaded);
    }
    const MutexLock lock(mutex_);
    if (head.commit != head_.commit || Namespace::PathOf(*directory) != path) continue;
    const auto found = directories_.find(id);
    if (found == directories_.end()) return Error{Code::kBadHandle, "readdir: no such handle"};
    found->second->entries = ListDirectory(*directory, *tree);
    return Slice(found->second->entries, 0, limit);
  }
}

std::vector<DirEntry> FilesystemImpl::ListDirectory(const Directory& directory, const vcs::Tree& tree) {
  std::vector<DirEntry> entries;
  entries.push_back({".", directory.node, S_IFDIR});
  entries.push_back({"..", directory.parent ? directory.parent->node : directory.node, S_IFDIR});
  std::set<std::string_view> in_head;
  for (const vcs::TreeEntry& one : tree.entries()) {
    in_head.insert(one.name);
    const bool is_directory = one.IsDirectory() || one.IsSubmodule();
    entries.push_back({one.name, 0, is_directory ? S_IFDIR : ModeOf(one.AsVersion().mode) & S_IFMT});
  }
  for (const auto& [name, child] : directory.children) {
    if (in_head.contains(name)) continue;
    const auto* file = std::get_if<std::shared_ptr<File>>(&child);
    entries.push_back({name, 0, file == nullptr ? S_IFDIR : (*file)->reserved_mode & S_IFMT});
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].next_cookie = i + 1;
    const auto child = i < 2 ? std::nullopt : Namespace::FindChild(directory, entries[i].name);
    if (!child) continue;
    if (const auto* file = std::get_if<std::shared_ptr<File>>(&*child)) entries[i].ino = (*file)->head_ino;
    if (const auto* below = std::get_if<std::shared_ptr<Directory>>(&*child)) entries[i].ino = (*below)->node;
  }
  return entries;
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
