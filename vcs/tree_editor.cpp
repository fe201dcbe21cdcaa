#include "vcs/tree_editor.h"

namespace concordfs::vcs {

Result<std::optional<TreeEntry>> TreeEditor::Find(const RepoPath& path) {
  return FindFrom([this](const ObjectId& tree) { return Load(tree); }, root_, path);
}

Result<void> TreeEditor::Put(const RepoPath& path, FileMode mode, const ObjectId& id) {
  return SetRoot(path, TreeEntry{std::string(path.Name()), mode, id});
}

Result<void> TreeEditor::Remove(const RepoPath& path) {
  return SetRoot(path, std::nullopt);
}

Result<void> TreeEditor::SetRoot(const RepoPath& path, const std::optional<TreeEntry>& leaf) {
  assert(!path.IsRoot());
  const auto root = Replace(root_, path.Components(), 0, leaf);
  if (!root) return root.error();
  root_ = *root ? **root : AddTree(Tree());
  return {};
}

Result<std::shared_ptr<const Tree>> TreeEditor::Load(const ObjectId& id) {
  const auto found = made_.find(id);
  if (found != made_.end()) return found->second;
  return reader_.Load(id);
}

ObjectId TreeEditor::AddTree(Tree tree) {
  std::string bytes = tree.Encode();
  const ObjectId id = reader_.store().Hash(ObjectKind::kTree, bytes);
  if (made_.emplace(id, std::make_shared<const Tree>(std::move(tree))).second) bytes_.emplace(id, std::move(bytes));
  return id;
}

Result<std::optional<ObjectId>> TreeEditor::Replace(const std::optional<ObjectId>& old_tree,
                                                    const std::vector<std::string_view>& components, std::size_t depth,
                                                    const std::optional<TreeEntry>& leaf) {
  Tree edited;
  const TreeEntry* old_entry = nullptr;
  if (old_tree) {
    const auto loaded = Load(*old_tree);
    if (!loaded) return loaded.error();
    edited = **loaded;
    old_entry = edited.Find(components[depth]);
  }
  if (depth + 1 == components.size()) {
    if (leaf && old_entry != nullptr && old_entry->IsDirectory() && !leaf->IsDirectory()) {
      return Error{Code::kIsDirectory, std::string(components[depth]) + ": is a directory"};
    }
    edited = leaf ? edited.With(*leaf) : edited.Without(components[depth]);
  } else {
    if (old_entry != nullptr && !old_entry->IsDirectory()) {
      return Error{Code::kNotDirectory, std::string(components[depth]) + ": not a directory"};
    }
    const auto child =
        Replace(old_entry != nullptr ? std::optional(old_entry->id) : std::nullopt, components, depth + 1, leaf);
    if (!child) return child.error();
    edited = *child ? edited.With(TreeEntry{std::string(components[depth]), FileMode::kDirectory, **child})
                    : edited.Without(components[depth]);
  }
  if (edited.entries().empty()) return std::optional<ObjectId>();
  return std::optional(AddTree(std::move(edited)));
}

void TreeEditor::TakeNewTrees(std::vector<NewObject>* objects) {
  TakeFrom(root_, objects);
}

void TreeEditor::TakeFrom(const ObjectId& id, std::vector<NewObject>* objects) {
  const auto bytes = bytes_.find(id);
  if (bytes == bytes_.end()) return;  // stored before, or taken: then all below it is, too
  for (const TreeEntry& entry : made_.at(id)->entries()) {
    if (entry.IsDirectory()) TakeFrom(entry.id, objects);
  }
  objects->push_back(NewObject{id, ObjectKind::kTree, std::move(bytes->second)});
  bytes_.erase(bytes);
}

void TreeEditor::KeepTakenTrees() {
  for (const auto& [id, tree] : made_) {
    if (!bytes_.contains(id)) reader_.Keep(id, tree);
  }
}

}  // namespace concordfs::vcs
