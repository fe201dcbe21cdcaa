#include "vcs/replay.h"

#include <algorithm>
#include <set>
#include <utility>

#include "vcs/agent_name.h"
#include "vcs/commit.h"
#include "vcs/tree_editor.h"

namespace concordfs::vcs {
namespace {

constexpr char kNobody[] = "outside";

// Commits that came past the mount may say anything.
std::string AgentOf(const Commit& commit) {
  std::string agent = FindTrailer(commit.message, "Concord-Agent");
  return IsAgentName(agent) ? agent : kNobody;
}

// A file that is written counts more than one that is removed: of a rename, the target.
RepoPath MainPath(const std::vector<PathChange>& changes) {
  for (const PathChange& change : changes) {
    if (change.after) return change.path;
  }
  return changes.front().path;
}

// Paths that somebody else has.
class PathSet {
 public:
  void Add(const RepoPath& path) { paths_.insert(path.text()); }
  // Is the path in it, or one above or below it?
  bool Touches(const RepoPath& path) const {
    for (RepoPath at = path; !at.IsRoot(); at = at.Parent()) {
      if (paths_.contains(at.text())) return true;
    }
    const std::string folder = path.text() + '/';
    const auto below = paths_.lower_bound(folder);
    return below != paths_.end() && below->starts_with(folder);
  }

 private:
  std::set<std::string> paths_;
};

class Replayer {
 public:
  Replayer(TreeReader& trees, const Stretch& stretch, const Head& onto, const std::function<Result<bool>(const LostCommit&)>& is_lost)
      : trees_(trees), stretch_(stretch), is_lost_(is_lost), editor_(trees, onto.root) {
    plan_.tip = onto;
  }

  Result<ReplayPlan> Run() {
    const auto fork = trees_.ReadHead(stretch_.fork);
    if (!fork) return fork.error();
    before_ = fork->root;
    for (std::size_t i = 0; i < stretch_.commits.size(); ++i) {
      if (auto taken = Take(i); !taken) return taken.error();
    }
    return std::move(plan_);
  }

 private:
  // Of the stretch; 0 is its fork.
  const ObjectId& At(std::size_t number) const { return number == 0 ? stretch_.fork : stretch_.commits[number - 1]; }

  Result<void> Take(std::size_t i) {
    const ObjectId& id = stretch_.commits[i];
    const auto text = trees_.store().Read(id, ObjectKind::kCommit);
    if (!text) return text.error();
    const auto commit = Commit::Parse(*text);
    if (!commit) return commit.error();
    auto changes = DiffTrees(trees_, std::exchange(before_, commit->tree), commit->tree);
    if (!changes) return changes.error();
    if (changes->empty()) {
      AddCommit(*commit, *text);
      plan_.made[id] = plan_.tip.commit;
      return {};
    }
    LostCommit candidate{id, AgentOf(*commit), MainPath(*changes), {}, StandsOn(*changes)};
    candidate.changes = *std::move(changes);
    for (const PathChange& change : candidate.changes) touched_[change.path.text()] = i + 1;
    const auto applied = Apply(candidate);
    if (!applied) return applied.error();
    if (*applied) {
      if (editor_.root() != plan_.tip.root) AddCommit(*commit, *text);  // else all of it is there already
      plan_.made[id] = plan_.tip.commit;
      return {};
    }
    for (const PathChange& change : candidate.changes) lost_paths_.Add(change.path);
    plan_.lost.push_back(std::move(candidate));
    return {};
  }

  ObjectId StandsOn(const std::vector<PathChange>& changes) const {
    std::size_t newest = 0;
    for (const PathChange& change : changes) {
      const auto found = touched_.find(change.path.text());
      if (found != touched_.end()) newest = std::max(newest, found->second);
    }
    return At(newest);
  }

  // Edits the trees; false, and nothing edited: it is lost.
  Result<bool> Apply(const LostCommit& candidate) {
    const ObjectId root = editor_.root();
    auto applied = TryApply(candidate);
    if (!applied || !*applied) editor_.ResetTo(root);
    return applied;
  }

  Result<bool> TryApply(const LostCommit& candidate) {
    const auto known = is_lost_ ? is_lost_(candidate) : Result<bool>(false);
    if (!known || *known) return known ? Result<bool>(false) : known;
    std::vector<const PathChange*> needed;
    for (const PathChange& change : candidate.changes) {
      if (lost_paths_.Touches(change.path)) return false;
      const auto now = editor_.Find(change.path);
      if (!now) return now.error();
      if (*now == change.before) {
        needed.push_back(&change);
      } else if (*now != change.after || (change.before && change.after)) {
        return false;  // the same bytes made from an older version are no agreement
      }
    }
    for (const PathChange* change : needed) {
      if (change->after) continue;
      if (auto removed = editor_.Remove(change->path); !removed) return removed.error();
    }
    for (const PathChange* change : needed) {
      if (!change->after) continue;
      const auto put = editor_.Put(change->path, change->after->mode, change->after->id);
      if (!put && (put.code() == Code::kNotDirectory || put.code() == Code::kIsDirectory)) return false;
      if (!put) return put.error();
    }
    return true;
  }

  void AddCommit(const Commit& commit, const std::string& text) {
    editor_.TakeNewTrees(&plan_.objects);
    const SharedBytes bytes(WithPlace(text, editor_.root(), plan_.tip.commit));
    plan_.tip = Head{trees_.store().Hash(ObjectKind::kCommit, bytes), editor_.root(), commit.committer.time_s};
    plan_.objects.push_back({plan_.tip.commit, ObjectKind::kCommit, bytes});
  }

  TreeReader& trees_;
  const Stretch& stretch_;
  const std::function<Result<bool>(const LostCommit&)>& is_lost_;
  TreeEditor editor_;
  ObjectId before_;  // the root of the commit that was taken last, as it was
  PathSet lost_paths_;
  std::unordered_map<std::string, std::size_t> touched_;  // by path: the number of the newest that changed it
  ReplayPlan plan_;
};

}  // namespace

Result<Stretch> FindStretch(Store& store, const ObjectId& ours, const ObjectId& theirs,
                            const std::optional<ObjectId>& common) {
  std::vector<std::pair<ObjectId, std::size_t>> line;  // by first parents from ours; with how many parents there are
  std::optional<ObjectId> at = ours;
  while (at && at != common) {
    const auto commit = ReadCommit(store, *at);
    if (!commit) return commit.error();
    line.emplace_back(*at, commit->parents.size());
    at = commit->parents.empty() ? std::nullopt : std::optional(commit->parents.front());
  }
  // What they have ends the line: whatever is below a commit that they have they have, too.
  std::size_t first = 0;
  std::size_t end = line.size();
  while (first < end) {
    const std::size_t middle = first + (end - first) / 2;
    const auto has = store.Contains(theirs, line[middle].first);
    if (!has) return has.error();
    if (*has) {
      end = middle;
    } else {
      first = middle + 1;
    }
  }
  if (first == line.size() && !at) return Error{Code::kNotSupported, "the two branches have no commit in common"};
  Stretch stretch;
  stretch.fork = first < line.size() ? line[first].first : *at;
  for (std::size_t i = first; i-- > 0;) {
    if (line[i].second != 1) return Error{Code::kNotSupported, line[i].first.Hex() + " is a merge"};
    stretch.commits.push_back(line[i].first);
  }
  return stretch;
}

Result<ReplayPlan> PlanReplay(TreeReader& trees, const Stretch& stretch, const Head& onto,
                              const std::function<Result<bool>(const LostCommit&)>& is_lost) {
  return Replayer(trees, stretch, onto, is_lost).Run();
}

}  // namespace concordfs::vcs
