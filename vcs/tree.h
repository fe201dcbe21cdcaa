// One git tree: the entries of one directory.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/version.h"

namespace concordfs::vcs {

struct TreeEntry {
  std::string name;                    // bytes, without a slash
  FileMode mode = FileMode::kRegular;  // may hold a historical value such as 0100664, kept as it is
  ObjectId id;

  bool IsDirectory() const { return mode == FileMode::kDirectory; }
  bool IsSubmodule() const { return mode == FileMode::kSubmodule; }
  // The version that a file's or symlink's entry stands for: historical modes count as kRegular or kExecutable.
  Version AsVersion() const;
};

// Immutable. Threads: any.
class Tree {
 public:
  Tree() = default;  // the empty tree

  // The tree in a tree object's bytes. Errors: kCorrupt (truncated, or not in git's order, or a name twice).
  // Source: gitformat-tree: "<octal mode> <name>\0<20 bytes>", sorted as if a directory's name ended in '/'.
  static Result<Tree> Parse(std::string_view bytes);
  std::string Encode() const;

  const std::vector<TreeEntry>& entries() const { return entries_; }  // in git's order
  // The entry of that name, or null. O(log n).
  const TreeEntry* Find(std::string_view name) const;

  // This tree with the entry added, or put in place of the one of its name.
  Tree With(TreeEntry entry) const;
  // This tree without the entry of that name, if it has one.
  Tree Without(std::string_view name) const;

  // Bytes of memory, about.
  std::size_t MemorySize() const;

 private:
  std::vector<TreeEntry> entries_;
};

// Do they hold the same names, whatever is behind them?
bool SameNames(const Tree& a, const Tree& b);

}  // namespace concordfs::vcs
