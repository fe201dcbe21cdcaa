#include "vcs/tree.h"

#include <algorithm>

namespace concordfs::vcs {
namespace {

// git compares names as bytes, a directory's as if it ended in a slash.
int Compare(std::string_view a, bool a_is_directory, std::string_view b, bool b_is_directory) {
  const std::size_t shared = std::min(a.size(), b.size());
  if (const int order = a.substr(0, shared).compare(b.substr(0, shared)); order != 0) return order;
  const auto next = [shared](std::string_view name, bool is_directory) {
    return name.size() > shared ? static_cast<unsigned char>(name[shared]) : is_directory ? '/' : 0;
  };
  return next(a, a_is_directory) - next(b, b_is_directory);
}

template <class Entries>
auto LowerBound(Entries& entries, std::string_view name, bool is_directory) {
  return std::lower_bound(entries.begin(), entries.end(), name, [&](const TreeEntry& entry, std::string_view wanted) {
    return Compare(entry.name, entry.IsDirectory(), wanted, is_directory) < 0;
  });
}

}  // namespace

Version TreeEntry::AsVersion() const {
  const auto bits = static_cast<std::uint32_t>(mode);
  if (mode == FileMode::kSymlink || mode == FileMode::kSubmodule) return Version{id, mode};
  return Version{id, (bits & 0100) != 0 ? FileMode::kExecutable : FileMode::kRegular};
}

Result<Tree> Tree::Parse(std::string_view bytes) {
  const auto corrupt = [](const char* why) { return Error{Code::kCorrupt, std::string("tree: ") + why}; };
  Tree tree;
  while (!bytes.empty()) {
    std::uint32_t mode = 0;
    std::size_t i = 0;
    for (; i < bytes.size() && bytes[i] >= '0' && bytes[i] <= '7' && i < 7; ++i)
      mode = mode * 8 + static_cast<std::uint32_t>(bytes[i] - '0');
    if (i == 0 || i >= bytes.size() || bytes[i] != ' ') return corrupt("no mode");
    const std::size_t name_end = bytes.find('\0', i + 1);
    if (name_end == std::string_view::npos || name_end == i + 1) return corrupt("no name");
    if (bytes.size() - name_end - 1 < ObjectId::kSize) return corrupt("truncated");
    TreeEntry entry{std::string(bytes.substr(i + 1, name_end - i - 1)), static_cast<FileMode>(mode),
                    ObjectId::FromRaw(bytes.data() + name_end + 1)};
    if (!tree.entries_.empty()) {
      const TreeEntry& last = tree.entries_.back();
      if (Compare(last.name, last.IsDirectory(), entry.name, entry.IsDirectory()) >= 0) return corrupt("not sorted");
    }
    tree.entries_.push_back(std::move(entry));
    bytes.remove_prefix(name_end + 1 + ObjectId::kSize);
  }
  // A file `a` and a directory `a` may have `a.b` between them.
  for (const TreeEntry& entry : tree.entries_) {
    if (entry.IsDirectory() && tree.Find(entry.name) != &entry) return corrupt("a name twice");
  }
  return tree;
}

std::string Tree::Encode() const {
  std::string bytes;
  std::size_t size = 0;
  for (const TreeEntry& entry : entries_) size += entry.name.size() + 8 + ObjectId::kSize;
  bytes.reserve(size);
  for (const TreeEntry& entry : entries_) {
    char digits[12];
    std::size_t first = sizeof(digits);
    for (auto mode = static_cast<std::uint32_t>(entry.mode); mode != 0; mode /= 8)
      digits[--first] = static_cast<char>('0' + mode % 8);
    bytes.append(digits + first, sizeof(digits) - first);
    bytes.push_back(' ');
    bytes.append(entry.name);
    bytes.push_back('\0');
    bytes.append(reinterpret_cast<const char*>(entry.id.bytes().data()), ObjectId::kSize);
  }
  return bytes;
}

const TreeEntry* Tree::Find(std::string_view name) const {
  for (const bool is_directory : {false, true}) {
    const auto found = LowerBound(entries_, name, is_directory);
    if (found != entries_.end() && found->name == name) return &*found;
  }
  return nullptr;
}

Tree Tree::With(TreeEntry entry) const {
  Tree tree = Without(entry.name);
  tree.entries_.insert(LowerBound(tree.entries_, entry.name, entry.IsDirectory()), std::move(entry));
  return tree;
}

Tree Tree::Without(std::string_view name) const {
  Tree tree;
  tree.entries_.reserve(entries_.size() + 1);
  const TreeEntry* found = Find(name);
  for (const TreeEntry& entry : entries_) {
    if (&entry != found) tree.entries_.push_back(entry);
  }
  return tree;
}

bool SameNames(const Tree& a, const Tree& b) {
  // In git's order a name's place may depend on whether it is a directory's.
  return a.entries().size() == b.entries().size() &&
         std::all_of(a.entries().begin(), a.entries().end(),
                     [&](const TreeEntry& entry) { return b.Find(entry.name) != nullptr; });
}

std::size_t Tree::MemorySize() const {
  std::size_t size = sizeof(Tree) + entries_.capacity() * sizeof(TreeEntry);
  for (const TreeEntry& entry : entries_) size += entry.name.capacity() > 15 ? entry.name.capacity() : 0;
  return size;
}

}  // namespace concordfs::vcs
