// Makes the trees of new commits in memory, on top of the trees of an old one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vcs/repo_path.h"
#include "vcs/store.h"
#include "vcs/tree.h"
#include "vcs/tree_reader.h"

namespace concordfs::vcs {

// A root tree that is edited step by step; every step has an id at once, nothing is stored. Threads: one.
class TreeEditor {
 public:
  TreeEditor(TreeReader& reader, const ObjectId& root) : reader_(reader), root_(root) {}

  const ObjectId& root() const { return root_; }
  // Goes back to a root that it had before.
  void ResetTo(const ObjectId& root) { root_ = root; }
  // As TreeReader::Find, on the root as edited so far.
  Result<std::optional<TreeEntry>> Find(const RepoPath& path);
  // Puts an entry (a file or a whole directory) at `path`, in place of a file or nothing; missing directories are made.
  // Errors: kNotDirectory (a component is a file), kIsDirectory (a file over a directory), and those of Load.
  Result<void> Put(const RepoPath& path, FileMode mode, const ObjectId& id);
  // Removes what is at `path`, if anything, and every directory that becomes empty: git holds none.
  Result<void> Remove(const RepoPath& path);

  // Appends the trees that the root needs, and that were not taken before, to `objects`.
  void TakeNewTrees(std::vector<NewObject>* objects);
  // Gives the trees that were taken to the reader: they are stored now.
  void KeepTakenTrees();

 private:
  Result<std::shared_ptr<const Tree>> Load(const ObjectId& id);
  // The directories in a tree that may not be stored yet, by name.
  using MadeBelow = std::map<std::string, ObjectId, std::less<>>;
  struct Made {
    std::shared_ptr<const Tree> tree;
    MadeBelow below;
    std::optional<ObjectId> old_id;  // of the tree that was edited, if there was one
    std::shared_ptr<const Tree> old_tree;
    bool taken = false;
  };
  ObjectId AddTree(Made&& made);
  // The id of the tree `old_id` (nothing: an empty one) with components[depth...] set to `leaf`, or removed.
  // Nothing if it became empty.
  Result<std::optional<ObjectId>> Replace(const std::optional<ObjectId>& old_id,
                                          const std::vector<std::string_view>& components, std::size_t depth,
                                          const std::optional<TreeEntry>& leaf);
  Result<void> SetRoot(const RepoPath& path, const std::optional<TreeEntry>& leaf);
  void TakeFrom(const ObjectId& id, std::vector<NewObject>* objects);
  // The step that begins at a tree which was handed out, or is stored, and leads to `made`.
  const Made& FirstStepTo(const Made& made) const;

  TreeReader& reader_;
  ObjectId root_;
  std::unordered_map<ObjectId, Made> made_;
};

}  // namespace concordfs::vcs
