#include "fs/namespace.h"

#include <algorithm>
#include <utility>

#include "fs/attributes.h"

namespace concordfs::fs {
namespace {

std::string TextOf(const Directory& directory) {
  std::string text = directory.name;
  for (const Directory* at = directory.parent.get(); at != nullptr && at->parent != nullptr; at = at->parent.get()) {
    text = at->name + "/" + text;
  }
  return text;
}

void Renamed(Directory& directory) { directory.forbidden = !vcs::CheckName(directory.name); }
void Renamed(File& /*file*/) {}

vcs::RepoPath ParsedPath(const std::string& text) {
  // Names were checked when they came in; only a tree that git itself would call broken brings others.
  const auto path = vcs::RepoPath::Parse(text);
  return path ? *path : vcs::RepoPath();
}

}  // namespace

Namespace::Namespace() {
  Node& node = AddNode();
  root_ = std::make_shared<Directory>();
  root_->node = node.id;
  root_->kept = true;
  node.directory = root_;
}

Namespace::~Namespace() {
  for (const auto& [id, node] : nodes_) {
    if (!node.file) continue;
    node.file->copies.clear();
    node.file->resting.clear();
  }
  for (const auto& directory : Directories()) directory->children.clear();
}

Node* Namespace::Find(NodeId id) {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

Node& Namespace::AddNode() {
  const NodeId id = next_node_++;
  Node& node = nodes_[id];
  node.id = id;
  return node;
}

std::optional<Child> Namespace::FindChild(const Directory& directory, std::string_view name) {
  const auto found = directory.children.find(name);
  if (found == directory.children.end()) return std::nullopt;
  return found->second;
}

std::shared_ptr<Directory> Namespace::AddDirectory(const std::shared_ptr<Directory>& parent, std::string_view name,
                                                   const Metadata& meta) {
  auto directory = std::make_shared<Directory>();
  Node& node = AddNode();
  node.directory = directory;
  directory->node = node.id;
  directory->parent = parent;
  directory->name = name;
  directory->meta = meta;
  directory->forbidden = !vcs::CheckName(name);
  parent->children.insert_or_assign(std::string(name), directory);
  return directory;
}

std::shared_ptr<File> Namespace::AddFile(const std::shared_ptr<Directory>& parent, std::string_view name) {
  auto file = std::make_shared<File>();
  file->parent = parent;
  file->name = name;
  parent->children.insert_or_assign(std::string(name), file);
  return file;
}

Node& Namespace::AddVersionNode(const std::shared_ptr<File>& file, const vcs::Base& version, std::uint64_t size) {
  Node& node = AddNode();
  node.file = file;
  node.version = version;
  node.size = size;
  node.mode = version.version ? version.version->mode : file->reserved_mode;
  if (file->head_ino == 0) file->head_ino = node.id;
  node.ino = file->head_ino;
  ++file->nodes;
  file->current = node.id;
  return node;
}

void Namespace::RetireVersion(File& file) {
  if (Node* node = Find(file.current); node != nullptr) {
    node->meta = file.meta;
    node->meta.permissions = PermissionsOf(node->mode, file.meta.permissions);
  }
  file.current = 0;
}

Node& Namespace::AddCopyNode(const std::shared_ptr<WorkingCopy>& copy) {
  Node& node = AddNode();
  node.file = copy->file;
  node.copy = copy;
  copy->node = node.id;
  copy->ino = copy->file->head_ino != 0 ? copy->file->head_ino : node.id;
  ++copy->file->nodes;
  return node;
}

void Namespace::BecomeVersion(WorkingCopy& copy) {
  Node* node = Find(copy.node);
  if (node == nullptr) return;
  copy.node = 0;
  node->copy = nullptr;
  node->version = copy.origin;
  node->size = copy.content->Size();
  node->mode = copy.mode;
  node->ino = node->file->head_ino;
  node->file->current = node->id;
  Prune(node->id);
}

void Namespace::Unlink(const std::shared_ptr<File>& file) {
  if (!file->linked) return;
  file->linked = false;
  file->parent->children.erase(file->name);
}

void Namespace::Unlink(const std::shared_ptr<Directory>& directory) {
  if (!directory->linked) return;
  directory->linked = false;
  directory->parent->children.erase(directory->name);
}

bool Namespace::IsForbidden(const Directory& directory) {
  for (const Directory* at = &directory; at != nullptr; at = at->parent.get()) {
    if (at->forbidden) return true;
  }
  return false;
}

void Namespace::MakeVersioned(Directory& directory) {
  for (Directory* at = &directory; at != nullptr; at = at->parent.get()) at->plain = false;
}

void Namespace::Move(Child child, const std::shared_ptr<Directory>& parent, std::string_view name) {
  std::visit(
      [&](const auto& what) {
        what->parent->children.erase(what->name);
        what->parent = parent;
        what->name = name;
        parent->children.insert_or_assign(what->name, what);
        Renamed(*what);
      },
      child);
}

void Namespace::Exchange(const Child& a, const Child& b) {
  std::visit(
      [](const auto& first, const auto& second) {
        std::swap(first->parent, second->parent);
        std::swap(first->name, second->name);
        first->parent->children.insert_or_assign(first->name, first);
        second->parent->children.insert_or_assign(second->name, second);
        Renamed(*first);
        Renamed(*second);
      },
      a, b);
}

std::optional<vcs::RepoPath> Namespace::PathOf(const Directory& directory) {
  for (const Directory* at = &directory; at != nullptr; at = at->parent.get()) {
    if (!at->linked || at->forbidden) return std::nullopt;
  }
  return directory.parent == nullptr ? vcs::RepoPath() : ParsedPath(TextOf(directory));
}

std::optional<vcs::RepoPath> Namespace::PathOf(const File& file) {
  if (!file.linked || !PathOf(*file.parent)) return std::nullopt;
  return LastPathOf(file);
}

vcs::RepoPath Namespace::LastPathOf(const File& file) {
  if (file.parent->parent == nullptr) return ParsedPath(file.name);
  return ParsedPath(TextOf(*file.parent) + "/" + file.name);
}

void Namespace::Forget(NodeId id, std::uint64_t lookups) {
  Node* node = Find(id);
  if (node == nullptr) return;
  node->lookups -= std::min(lookups, node->lookups);
  Prune(id);
}

void Namespace::Prune(NodeId id) {
  Node* node = Find(id);
  if (node == nullptr || node->lookups > 0) return;
  if (node->directory) {
    Prune(std::shared_ptr<Directory>(node->directory));
    return;
  }
  const std::shared_ptr<File> file = node->file;
  if (const auto& copy = node->copy) {
    const bool is_own = file->CopyOf(copy->agent) == copy || file->RestingOf(copy->agent) == copy;
    if (copy->handles > 0 || copy->pins > 0 || is_own) return;
  }
  if (file->current == id) file->current = 0;
  nodes_.erase(id);
  --file->nodes;
  Prune(file);
}

void Namespace::Prune(const std::shared_ptr<File>& file) {
  if (file->nodes == 0 && file->copies.empty() && file->resting.empty() && !file->reserved && !file->aside && file->publishing == 0) Unlink(file);
}

void Namespace::Prune(const std::shared_ptr<Directory>& directory) {
  const Node* node = Find(directory->node);
  if (directory == root_ || node == nullptr || node->lookups > 0 || directory->handles > 0) return;
  if (directory->linked && (directory->kept || !directory->children.empty())) return;
  if (directory->linked) Unlink(directory);
  nodes_.erase(directory->node);
}

std::vector<NodeId> Namespace::TakeUnused(std::size_t count) {
  std::vector<NodeId> unused;
  for (auto& [id, node] : nodes_) {
    if (!std::exchange(node.used, false) && !node.copy && id != kRootNode) unused.push_back(id);
  }
  std::ranges::sort(unused);
  if (unused.size() > count) unused.resize(count);
  return unused;
}

std::vector<std::shared_ptr<Directory>> Namespace::Directories() const {
  std::vector<std::shared_ptr<Directory>> directories = {root_};
  for (std::size_t i = 0; i < directories.size(); ++i) {
    const std::shared_ptr<Directory> parent = directories[i];
    for (const auto& [name, child] : parent->children) {
      if (const auto* directory = std::get_if<std::shared_ptr<Directory>>(&child)) directories.push_back(*directory);
    }
  }
  return directories;
}

std::vector<std::shared_ptr<WorkingCopy>> Namespace::Copies() const {
  std::vector<std::shared_ptr<WorkingCopy>> copies;
  for (const auto& directory : Directories()) {
    for (const auto& [name, child] : directory->children) {
      const auto* file = std::get_if<std::shared_ptr<File>>(&child);
      if (file == nullptr) continue;
      for (const auto& [agent, copy] : (*file)->copies) copies.push_back(copy);
    }
  }
  return copies;
}

}  // namespace concordfs::fs
