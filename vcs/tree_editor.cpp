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
  root_ = *root ? **root : AddTree(Made{std::make_shared<const Tree>(), {}, {}, {}});
  return {};
}

Result<std::shared_ptr<const Tree>> TreeEditor::Load(const ObjectId& id) {
  const auto found = made_.find(id);
  if (found != made_.end()) return found->second.tree;
  return reader_.Load(id);
}

ObjectId TreeEditor::AddTree(Made&& made) {
  const ObjectId id = reader_.store().Hash(ObjectKind::kTree, made.tree->Encode());
  made_.try_emplace(id, std::move(made));
  return id;
}

Result<std::optional<ObjectId>> TreeEditor::Replace(const std::optional<ObjectId>& old_id,
                                                    const std::vector<std::string_view>& components, std::size_t depth,
                                                    const std::optional<TreeEntry>& leaf) {
  static const auto kEmpty = std::make_shared<const Tree>();
  const auto loaded = old_id ? Load(*old_id) : kEmpty;
  if (!loaded) return loaded.error();
  const std::shared_ptr<const Tree> old_tree = *loaded;  // it is viewed below, and a cache may let go of it
  const std::string name(components[depth]);
  const auto old_entry = old_tree->Find(name);
  MadeBelow below;
  if (const auto made = old_id ? made_.find(*old_id) : made_.end(); made != made_.end() && !made->second.taken) {
    below = made->second.below;
  }
  below.erase(name);
  std::optional<TreeEntry> entry = leaf;
  if (depth + 1 == components.size()) {
    if (leaf && old_entry && old_entry->IsDirectory() && !leaf->IsDirectory()) {
      return Error{Code::kIsDirectory, name + ": is a directory"};
    }
  } else {
    if (old_entry && !old_entry->IsDirectory()) return Error{Code::kNotDirectory, name + ": not a directory"};
    const auto child = Replace(old_entry ? std::optional(old_entry->id) : std::nullopt, components, depth + 1, leaf);
    if (!child) return child.error();
    entry.reset();
    if (*child) entry = TreeEntry{name, FileMode::kDirectory, **child};
  }
  if (entry && entry->IsDirectory()) below[name] = entry->id;
  Tree edited = entry ? old_tree->With(*entry) : old_tree->Without(name);
  if (edited.entries().empty()) return std::optional<ObjectId>();
  return std::optional(
      AddTree(Made{std::make_shared<const Tree>(std::move(edited)), std::move(below), old_id, old_tree}));
}

void TreeEditor::TakeNewTrees(std::vector<NewObject>* objects) {
  TakeFrom(root_, objects);
}

// Steps between what was handed out are nowhere to be found.
const TreeEditor::Made& TreeEditor::FirstStepTo(const Made& made) const {
  constexpr int kMaxSteps = 16;  // what is undone leads round in a circle
  const Made* step = &made;
  for (int i = 0; i < kMaxSteps && step->old_id; ++i) {
    const auto before = made_.find(*step->old_id);
    if (before == made_.end() || before->second.taken) break;
    step = &before->second;
  }
  return *step;
}

void TreeEditor::TakeFrom(const ObjectId& id, std::vector<NewObject>* objects) {
  const auto found = made_.find(id);
  if (found == made_.end() || found->second.taken) return;  // stored before, or taken: then all below it is, too
  Made& made = found->second;
  made.taken = true;
  for (const auto& [name, child] : made.below) TakeFrom(child, objects);
  const auto encoded = [](const std::shared_ptr<const Tree>& tree) {
    return SharedBytes(std::shared_ptr<const std::string>(tree, &tree->Encode()));
  };
  NewObject object{id, ObjectKind::kTree, encoded(made.tree)};
  if (const Made& step = FirstStepTo(made); step.old_id && *step.old_id != id) {
    object.like = step.old_id;
    object.like_bytes = encoded(step.old_tree);
  }
  objects->push_back(std::move(object));
}

void TreeEditor::KeepTakenTrees() {
  for (const auto& [id, made] : made_) {
    if (made.taken) reader_.Keep(id, made.tree);
  }
}

}  // namespace concordfs::vcs
