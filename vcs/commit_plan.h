// One batch, decided on one head: the commits that it would make, in memory.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "vcs/committer.h"
#include "vcs/tree_editor.h"

namespace concordfs::vcs {

// Threads: one. Nothing is stored: the committer publishes what the plan holds, or throws it away and plans again.
class CommitPlan {
 public:
  CommitPlan(TreeReader& trees, const Head& head, std::int64_t time_s);

  // Decides the request on top of everything that was decided before it.
  Decided Decide(CommitRequest request);

  const Head& tip() const { return tip_; }
  const std::vector<NewObject>& objects() const { return objects_; }
  const std::vector<StoredBlob>& stored() const { return stored_; }
  // The batch was published: its trees can be read without the store.
  void KeepTrees() { editor_.KeepTakenTrees(); }

 private:
  Outcome DecideChange(const CommitRequest& request, const PublishChange& change);
  Outcome DecideRename(const CommitRequest& request, const PublishRename& rename);
  // What a path is now, as versions see it. A directory or submodule is `occupied`.
  struct At {
    std::optional<TreeEntry> entry;
    MaybeVersion version;
    bool occupied = false;
  };
  Result<At> Look(const RepoPath& path);
  // Edits the trees for a rename of `moved`. Errors: kNotDirectory, kIsDirectory (something is in the way), kIo, ....
  Result<void> EditRename(const PublishRename& rename, const At& from, const At& to, const TreeEntry& moved);
  // Makes the commit for the tree as edited; returns its id.
  ObjectId AddCommit(const CommitRequest& request, const std::string& subject, const MaybeVersion& base);
  Outcome Failed(const Error& error, const RepoPath& path) const;

  TreeReader& trees_;
  TreeEditor editor_;
  Head tip_;
  const std::int64_t time_s_;
  std::vector<NewObject> objects_;
  std::vector<StoredBlob> stored_;
  std::vector<std::pair<RepoPath, RepoPath>> renames_;  // decided in this plan: later changes follow them
};

}  // namespace concordfs::vcs
