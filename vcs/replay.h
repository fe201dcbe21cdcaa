// Commits that a remote's branch has overtaken, made again on top of it: which of them can be, and what they become.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "vcs/commit.h"
#include "vcs/object_id.h"
#include "vcs/path_set.h"
#include "vcs/repo_path.h"
#include "vcs/result.h"
#include "vcs/store.h"
#include "vcs/tree_diff.h"
#include "vcs/tree_editor.h"
#include "vcs/tree_reader.h"

namespace concordfs::vcs {

// The part of a branch that another one lacks: commits with one parent each, the oldest first.
struct Stretch {
  ObjectId fork;  // the newest commit that both have
  std::vector<ObjectId> commits;
};

// Commits by first parents from a tip, the newest first.
struct Line {
  struct Entry {
    ObjectId id;
    std::size_t parents = 0;  // how many it has
    std::int64_t time_s = 0;  // committer's, seconds since 1970
  };
  std::vector<Entry> commits;
  bool is_above = false;  // it came to where it was to end
};

// The line from `tip` down to `end`, which isn't in it; to the branch's first commit, or to `most` commits, if it never comes there.
// Errors: kNotFound, kCorrupt.
Result<Line> ReadLine(Store& store, const ObjectId& tip, const std::optional<ObjectId>& end, std::size_t most = SIZE_MAX);

// What `ours` has and `theirs` lacks. `common`: a commit that both are known to have, where one is. Errors: kNotSupported (no commit
// is in both, or a merge is among them: neither can be made again commit by commit); kNotFound, kCorrupt.
Result<Stretch> FindStretch(Store& store, const ObjectId& ours, const ObjectId& theirs,
                            const std::optional<ObjectId>& common);

// The commits on top of `base` that lead to `tip`, with one parent each, the oldest first; nothing if others do, or more than
// kMaxOnTop. Errors: kNotFound, kCorrupt.
constexpr std::size_t kMaxOnTop = 10'000;
Result<std::optional<std::vector<ObjectId>>> CommitsOnTop(Store& store, const ObjectId& base, const ObjectId& tip);

// A commit that can't be made again, because its paths have other versions by now.
struct LostCommit {
  ObjectId commit;
  std::string agent;  // "outside" for a commit that is no agent's
  RepoPath path;      // what it is about: of a rename, the target
  std::vector<PathChange> changes;  // never empty
  // The commit of the stretch (or its fork) in which the versions that it changed were seen.
  ObjectId stands_on;
};

struct Replayed {
  Head tip;                        // with all that could be made again
  std::vector<NewObject> objects;  // not stored yet
  std::vector<LostCommit> lost;    // in order
  std::unordered_map<ObjectId, ObjectId> made;  // each commit that isn't lost -> what it is now
};

// Decides each commit on `onto` and those decided before, as its close would have been decided there (R5): it is made again, with
// its author, message and dates, if each path it changed has the version that it replaced; what is there already, created or removed alike, is
// left as it is. Otherwise it is lost, and so is every later one that touches the path. Nothing is stored. Threads: one at a time.
class Replayer {
 public:
  // Knows of commits that are lost whatever the paths are now.
  using IsLost = std::function<Result<bool>(const LostCommit&)>;

  // `fork`: what the first commit stands on. `is_lost` may be empty.
  Replayer(TreeReader& trees, const Head& fork, const Head& onto, IsLost is_lost = {});

  // Decides the next commits; each stands on the one before. After an error it is of no more use. Errors: kNotFound, kCorrupt, kIo, those
  // of `is_lost`.
  Result<void> Take(std::span<const ObjectId> commits);
  // The last that was taken, or the fork.
  const ObjectId& last() const { return line_.back(); }
  // What was decided since the last call. Its objects have to be stored before more is taken.
  Replayed TakeDecided();

 private:
  Result<void> TakeOne(const ObjectId& id);
  ObjectId StandsOn(const std::vector<PathChange>& changes) const;
  // Edits the trees; false, and nothing edited: it is lost.
  Result<bool> Apply(const LostCommit& candidate);
  Result<bool> TryApply(const LostCommit& candidate);
  void AddCommit(const Commit& commit, const std::string& text);

  TreeReader& trees_;
  const IsLost is_lost_;
  std::optional<TreeEditor> editor_;  // of what isn't stored yet
  std::vector<ObjectId> line_;  // the fork, and what was taken
  ObjectId before_;             // the root of the last of it, as it was
  PathSet lost_paths_;
  std::unordered_map<std::string, std::size_t> touched_;  // by path: the newest of line_ that changed it
  Replayed decided_;
};

}  // namespace concordfs::vcs
