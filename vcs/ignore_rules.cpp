#include "vcs/ignore_rules.h"

#include <utility>

namespace concordfs::vcs {
namespace {

constexpr std::size_t kNodeSize = 64;  // bytes that an entry of a map costs besides its key and value, about

// To who asks whether a path is ignored, "no such object" must not look like "no such path".
Error Damaged(const Error& error) {
  return error.code == Code::kNotFound ? Error{Code::kCorrupt, error.message} : error;
}

bool IsRegularFile(FileMode mode) {
  return mode != FileMode::kDirectory && mode != FileMode::kSymlink && mode != FileMode::kSubmodule;
}

std::string_view ParentOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace

IgnoreRules::IgnoreRules(TreeReader& trees, std::string command_line, std::string exclude, std::size_t cache_size)
    : trees_(trees),
      command_line_(std::move(command_line)),
      cache_size_(cache_size),
      exclude_(std::make_shared<const IgnoreList>(std::move(exclude))) {}

Result<bool> IgnoreRules::IsIgnored(const ObjectId& root_tree, const RepoPath& path, bool is_directory) {
  if (path.IsRoot()) return false;
  const std::string_view parent = ParentOf(path.text());
  const Start start = FindKept(root_tree, parent);
  const auto directory = Find(root_tree, parent, start);
  if (!directory) return directory.error();
  return (*directory)->ignored || Decide(**directory, path.text(), is_directory, *start.exclude);
}

void IgnoreRules::SetExclude(std::string text) {
  auto exclude = std::make_shared<const IgnoreList>(std::move(text));
  const MutexLock lock(mutex_);
  exclude_ = std::move(exclude);
  DropAllLocked();
}

// The directory at `path`, or the highest ignored one above it.
Result<IgnoreRules::DirectoryPtr> IgnoreRules::Find(const ObjectId& root_tree, std::string_view path,
                                                    const Start& start) {
  DirectoryPtr directory = start.directory;
  std::size_t size = start.path_size;
  if (directory == nullptr) {
    Directory root;
    root.tree = root_tree;
    auto made = WithList(std::move(root));
    if (!made) return Error{made.code(), "/: " + made.error().message};
    directory = *std::move(made);
    Keep(root_tree, "", directory, start.exclude);
  }
  while (!directory->ignored && size < path.size()) {
    const std::size_t slash = path.find('/', size + 1);
    size = slash == std::string_view::npos ? path.size() : slash;
    auto made = Below(directory, path.substr(0, size), *start.exclude);
    if (!made) return Error{made.code(), Quoted(path.substr(0, size)) + ": " + made.error().message};
    directory = *std::move(made);
    Keep(root_tree, path.substr(0, size), directory, start.exclude);
  }
  return directory;
}

// The directory at `path`, whose parent this is.
Result<IgnoreRules::DirectoryPtr> IgnoreRules::Below(const DirectoryPtr& parent, std::string_view path,
                                                     const IgnoreList& exclude) {
  Directory directory;
  if (Decide(*parent, path, true, exclude)) {
    directory.ignored = true;
    return DirectoryPtr(std::make_shared<const Directory>(std::move(directory)));
  }
  directory.path_start = path.size() + 1;
  directory.parent = parent;
  if (parent->tree) {
    const auto tree = trees_.Load(*parent->tree);
    if (!tree) return Damaged(tree.error());
    const auto entry = (*tree)->Find(path.substr(parent->path_start));
    if (entry && entry->IsDirectory()) directory.tree = entry->id;
  }
  return WithList(std::move(directory));
}

Result<IgnoreRules::DirectoryPtr> IgnoreRules::WithList(Directory directory) {
  if (directory.tree) {
    const auto tree = trees_.Load(*directory.tree);
    if (!tree) return Damaged(tree.error());
    const auto file = (*tree)->Find(".gitignore");
    if (file && IsRegularFile(file->mode)) {
      auto list = Read(file->id);
      if (!list) return Error{list.code(), ".gitignore: " + list.error().message};
      if (!(*list)->empty()) directory.list = *std::move(list);
    }
  }
  return DirectoryPtr(std::make_shared<const Directory>(std::move(directory)));
}

Result<std::shared_ptr<const IgnoreList>> IgnoreRules::Read(const ObjectId& blob) {
  {
    const MutexLock lock(mutex_);
    if (const auto found = lists_.find(blob); found != lists_.end()) return found->second;
  }
  const auto size = trees_.store().BlobSize(blob);
  if (!size) return Damaged(size.error());
  std::string text;
  if (*size <= kMaxFileSize) {
    auto read = trees_.store().Read(blob, ObjectKind::kBlob);
    if (!read) return Damaged(read.error());
    text = *std::move(read);
  }
  auto list = std::make_shared<const IgnoreList>(std::move(text));
  const MutexLock lock(mutex_);
  if (lists_.emplace(blob, list).second) kept_size_ += list->MemorySize() + sizeof(ObjectId) + kNodeSize;
  return list;
}

// Whether the path, in this directory, is ignored by itself.
bool IgnoreRules::Decide(const Directory& directory, std::string_view path, bool is_directory,
                         const IgnoreList& exclude) const {
  IgnoreMatch match = command_line_.Check(path, is_directory);
  for (const Directory* level = &directory; match == IgnoreMatch::kNone && level != nullptr;
       level = level->parent.get()) {
    if (level->list != nullptr) match = level->list->Check(path.substr(level->path_start), is_directory);
  }
  if (match == IgnoreMatch::kNone) match = exclude.Check(path, is_directory);
  return match == IgnoreMatch::kIgnored;
}

IgnoreRules::Start IgnoreRules::FindKept(const ObjectId& root_tree, std::string_view path) {
  const MutexLock lock(mutex_);
  Start start;
  start.exclude = exclude_;
  const Root& root = RootOfLocked(root_tree);
  while (true) {
    const auto found = root.directories.find(path);
    if (found != root.directories.end()) {
      start.directory = found->second;
      start.path_size = path.size();
      return start;
    }
    if (path.empty()) return start;
    path = ParentOf(path);
  }
}

void IgnoreRules::Keep(const ObjectId& root_tree, std::string_view path, const DirectoryPtr& directory,
                       const std::shared_ptr<const IgnoreList>& exclude) {
  const MutexLock lock(mutex_);
  if (exclude != exclude_) return;
  if (kept_size_ > cache_size_) DropAllLocked();
  Root& root = RootOfLocked(root_tree);
  if (!root.directories.emplace(path, directory).second) return;
  const std::size_t size = kNodeSize + sizeof(std::string) + path.size() + sizeof(Directory);
  root.size += size;
  kept_size_ += size;
}

IgnoreRules::Root& IgnoreRules::RootOfLocked(const ObjectId& tree) {
  for (auto root = roots_.begin(); root != roots_.end(); ++root) {
    if (root->tree != tree) continue;
    roots_.splice(roots_.begin(), roots_, root);
    return roots_.front();
  }
  if (roots_.size() == kKeptRoots) {
    kept_size_ -= roots_.back().size;
    roots_.pop_back();
  }
  roots_.push_front(Root{tree, {}, 0});
  return roots_.front();
}

void IgnoreRules::DropAllLocked() {
  roots_.clear();
  lists_.clear();
  kept_size_ = 0;
}

}  // namespace concordfs::vcs
