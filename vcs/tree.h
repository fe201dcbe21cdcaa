// One directory as git stores it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/version.h"

namespace concordfs::vcs {

// `Text` is std::string, or std::string_view into a tree that outlives it.
template <class Text>
struct BasicTreeEntry {
  Text name;                           // bytes, without a slash
  FileMode mode = FileMode::kRegular;  // may hold a historical value such as 0100664, kept as it is
  ObjectId id;

  bool IsDirectory() const { return mode == FileMode::kDirectory; }
  bool IsSubmodule() const { return mode == FileMode::kSubmodule; }
  // The version that a file's or symlink's entry stands for: historical modes count as kRegular or kExecutable.
  Version AsVersion() const;

  bool operator==(const BasicTreeEntry&) const = default;
};
using TreeEntry = BasicTreeEntry<std::string>;
using TreeEntryView = BasicTreeEntry<std::string_view>;

// Kept as git's own bytes, and where each entry begins in them: a wide directory is edited by copying bytes. Immutable.
// Threads: any.
class Tree {
 public:
  Tree() = default;  // the empty tree

  // The tree in a tree object's bytes. Errors: kCorrupt (truncated, or not in git's order, or a name twice).
  // Source: gitformat-tree: "<octal mode> <name>\0<20 bytes>", sorted as if a directory's name ended in '/'.
  static Result<Tree> Parse(std::string_view bytes);
  const std::string& Encode() const { return bytes_; }

  // The entries in git's order, each made as it is asked for; they view this tree.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = TreeEntryView;
    using difference_type = std::ptrdiff_t;
    using pointer = const TreeEntryView*;
    using reference = TreeEntryView;

    Iterator(const Tree& tree, std::size_t index) : tree_(&tree), index_(index) {}
    TreeEntryView operator*() const { return tree_->At(index_); }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const Tree* tree_;
    std::size_t index_;
  };
  class Entries {
   public:
    explicit Entries(const Tree& tree) : tree_(tree) {}
    Iterator begin() const { return {tree_, 0}; }
    Iterator end() const { return {tree_, size()}; }
    std::size_t size() const { return tree_.starts_.size(); }
    bool empty() const { return size() == 0; }

   private:
    const Tree& tree_;
  };
  Entries entries() const { return Entries(*this); }

  // The entry of that name, which views this tree. O(log n).
  std::optional<TreeEntryView> Find(std::string_view name) const;

  // This tree with the entry added, or put in place of the one of its name.
  Tree With(const TreeEntry& entry) const;
  // This tree without the entry of that name, if it has one.
  Tree Without(std::string_view name) const;

  // Bytes of memory, about.
  std::size_t MemorySize() const;

 private:
  TreeEntryView At(std::size_t index) const;
  std::optional<std::size_t> IndexOf(std::string_view name) const;
  // Where an entry of that name and kind is, or would be.
  std::size_t PlaceOf(std::string_view name, bool is_directory) const;
  void Append(const Tree& from, std::size_t first, std::size_t last);
  void Append(const TreeEntry& entry);
  void Reserve(std::size_t bytes, std::size_t entries);

  std::string bytes_;
  std::vector<std::uint32_t> starts_;  // offsets in bytes_
};

// Do they hold the same names, whatever is behind them?
bool SameNames(const Tree& a, const Tree& b);

}  // namespace concordfs::vcs
