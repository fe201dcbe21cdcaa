#include "vcs/tree_reader.h"

#include "vcs/commit.h"

namespace concordfs::vcs {

Result<std::optional<TreeEntry>> FindFrom(const TreeLoader& load, const ObjectId& root, const RepoPath& path) {
  TreeEntry entry{"", FileMode::kDirectory, root};
  for (const std::string_view component : path.Components()) {
    if (!entry.IsDirectory()) return std::optional<TreeEntry>();
    const auto tree = load(entry.id);
    if (!tree) return tree.error();
    const auto found = (*tree)->Find(component);
    if (!found) return std::optional<TreeEntry>();
    entry = TreeEntry{std::string(found->name), found->mode, found->id};
  }
  return std::optional<TreeEntry>(std::move(entry));
}

TreeReader::TreeReader(Store& store, std::size_t cache_size)
    : store_(store), cache_size_(cache_size), empty_tree_(store.Hash(ObjectKind::kTree, "")) {}

Result<std::shared_ptr<const Tree>> TreeReader::Load(const ObjectId& tree) {
  if (tree == empty_tree_) return std::make_shared<const Tree>();  // git has it without storing it
  if (auto kept = FindKept(tree)) return kept;
  const auto bytes = store_.Read(tree, ObjectKind::kTree);
  if (!bytes) return bytes.error();
  auto parsed = Tree::Parse(*bytes);
  if (!parsed) return Error{parsed.code(), tree.Hex() + ": " + parsed.error().message};
  auto loaded = std::make_shared<const Tree>(*std::move(parsed));
  Keep(tree, loaded);
  return loaded;
}

Result<std::optional<TreeEntry>> TreeReader::Find(const ObjectId& root, const RepoPath& path) {
  return FindFrom([this](const ObjectId& tree) { return Load(tree); }, root, path);
}

Result<Head> TreeReader::ReadHead(const ObjectId& commit) {
  const auto read = ReadCommit(store_, commit);
  if (!read) return read.error();
  return Head{commit, read->tree, read->committer.time_s};
}

std::shared_ptr<const Tree> TreeReader::FindKept(const ObjectId& id) {
  const MutexLock lock(mutex_);
  const auto found = kept_.find(id);
  if (found == kept_.end()) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, found->second.place);
  return found->second.tree;
}

void TreeReader::Keep(const ObjectId& id, std::shared_ptr<const Tree> tree) {
  const MutexLock lock(mutex_);
  if (kept_.contains(id)) return;
  kept_size_ += tree->MemorySize();
  by_use_.push_front(id);
  kept_.emplace(id, Kept{std::move(tree), by_use_.begin()});
  while (kept_size_ > cache_size_ && by_use_.size() > 1) {
    const auto oldest = kept_.find(by_use_.back());
    kept_size_ -= oldest->second.tree->MemorySize();
    kept_.erase(oldest);
    by_use_.pop_back();
  }
}

}  // namespace concordfs::vcs
