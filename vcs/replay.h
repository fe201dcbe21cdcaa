// Commits that a remote's branch has overtaken, made again on top of it: which of them can be, and what they become.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "vcs/object_id.h"
#include "vcs/repo_path.h"
#include "vcs/result.h"
#include "vcs/store.h"
#include "vcs/tree_diff.h"
#include "vcs/tree_reader.h"

namespace concordfs::vcs {

// The part of a branch that another one lacks: commits with one parent each, the oldest first.
struct Stretch {
  ObjectId fork;  // the newest commit that both have
  std::vector<ObjectId> commits;
};

// What `ours` has and `theirs` lacks. `common`: a commit that both are known to have, where one is. Errors: kNotSupported (no commit
// is in both, or a merge is among them: neither can be made again commit by commit); kNotFound, kCorrupt.
Result<Stretch> FindStretch(Store& store, const ObjectId& ours, const ObjectId& theirs,
                            const std::optional<ObjectId>& common);

// A commit that can't be made again, because its paths have other versions by now.
struct LostCommit {
  ObjectId commit;
  std::string agent;  // "outside" for a commit that is no agent's
  RepoPath path;      // what it is about: of a rename, the target
  std::vector<PathChange> changes;  // never empty
  // The commit of the stretch (or its fork) in which the versions that it changed were seen.
  ObjectId stands_on;
};

struct ReplayPlan {
  Head tip;                        // with all that could be made again
  std::vector<NewObject> objects;  // not stored yet
  std::vector<LostCommit> lost;    // in order
  std::unordered_map<ObjectId, ObjectId> made;  // each of the stretch that isn't lost -> what it is now
};

// Decides each commit on `onto` and those decided before, as its close would have been decided there (R5): it is made again, with
// its author, message and dates, if each path it changed has the version that it replaced; what is there already, created or removed alike, is
// left as it is. Otherwise it is lost, and so is every later one that touches the path. `is_lost` knows of commits that are lost whatever
// the paths are now; may be empty. Nothing is stored. Errors: kNotFound, kCorrupt, kIo, those of `is_lost`.
Result<ReplayPlan> PlanReplay(TreeReader& trees, const Stretch& stretch, const Head& onto,
                              const std::function<Result<bool>(const LostCommit&)>& is_lost = {});

}  // namespace concordfs::vcs
