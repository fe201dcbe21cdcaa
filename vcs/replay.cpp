#include "vcs/replay.h"

#include <algorithm>
#include <utility>

#include "vcs/agent_name.h"

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

}  // namespace

Replayer::Replayer(TreeReader& trees, const Head& fork, const Head& onto, IsLost is_lost)
    : trees_(trees), is_lost_(std::move(is_lost)), editor_(std::in_place, trees, onto.root), line_{fork.commit}, before_(fork.root) {
  decided_.tip = onto;
}

Result<void> Replayer::Take(std::span<const ObjectId> commits) {
  for (const ObjectId& commit : commits) {
    if (auto taken = TakeOne(commit); !taken) return taken;
  }
  return {};
}

Replayed Replayer::TakeDecided() {
  Replayed next;
  next.tip = decided_.tip;
  editor_.emplace(trees_, decided_.tip.root);
  return std::exchange(decided_, std::move(next));
}

Result<void> Replayer::TakeOne(const ObjectId& id) {
  const auto text = trees_.store().Read(id, ObjectKind::kCommit);
  if (!text) return text.error();
  const auto commit = Commit::Parse(*text);
  if (!commit) return commit.error();
  auto changes = DiffTrees(trees_, std::exchange(before_, commit->tree), commit->tree);
  if (!changes) return changes.error();
  LostCommit candidate{id, AgentOf(*commit), {}, {}, StandsOn(*changes)};
  line_.push_back(id);
  if (changes->empty()) {
    AddCommit(*commit, *text);
    decided_.made[id] = decided_.tip.commit;
    return {};
  }
  candidate.path = MainPath(*changes);
  candidate.changes = *std::move(changes);
  for (const PathChange& change : candidate.changes) touched_[change.path.text()] = line_.size() - 1;
  const auto applied = Apply(candidate);
  if (!applied) return applied.error();
  if (*applied) {
    if (editor_->root() != decided_.tip.root) AddCommit(*commit, *text);  // else all of it is there already
    decided_.made[id] = decided_.tip.commit;
    return {};
  }
  for (const PathChange& change : candidate.changes) lost_paths_.Add(change.path);
  decided_.lost.push_back(std::move(candidate));
  return {};
}

ObjectId Replayer::StandsOn(const std::vector<PathChange>& changes) const {
  std::size_t newest = 0;
  for (const PathChange& change : changes) {
    const auto found = touched_.find(change.path.text());
    if (found != touched_.end()) newest = std::max(newest, found->second);
  }
  return line_[newest];
}

Result<bool> Replayer::Apply(const LostCommit& candidate) {
  const ObjectId root = editor_->root();
  auto applied = TryApply(candidate);
  if (!applied || !*applied) editor_->ResetTo(root);
  return applied;
}

Result<bool> Replayer::TryApply(const LostCommit& candidate) {
  const auto known = is_lost_ ? is_lost_(candidate) : Result<bool>(false);
  if (!known || *known) return known ? Result<bool>(false) : known;
  std::vector<const PathChange*> needed;
  for (const PathChange& change : candidate.changes) {
    if (lost_paths_.Touches(change.path)) return false;
    const auto now = editor_->Find(change.path);
    if (!now) return now.error();
    if (*now == change.before) {
      needed.push_back(&change);
    } else if (*now != change.after || (change.before && change.after)) {
      return false;  // the same bytes made from an older version are no agreement
    }
  }
  for (const PathChange* change : needed) {
    if (change->after) continue;
    if (auto removed = editor_->Remove(change->path); !removed) return removed.error();
  }
  for (const PathChange* change : needed) {
    if (!change->after) continue;
    const auto put = editor_->Put(change->path, change->after->mode, change->after->id);
    if (!put && (put.code() == Code::kNotDirectory || put.code() == Code::kIsDirectory)) return false;
    if (!put) return put.error();
  }
  return true;
}

void Replayer::AddCommit(const Commit& commit, const std::string& text) {
  editor_->TakeNewTrees(&decided_.objects);
  const SharedBytes bytes(WithPlace(text, editor_->root(), decided_.tip.commit));
  decided_.tip = Head{trees_.store().Hash(ObjectKind::kCommit, bytes), editor_->root(), commit.committer.time_s};
  decided_.objects.push_back({decided_.tip.commit, ObjectKind::kCommit, bytes});
}

Result<Line> ReadLine(Store& store, const ObjectId& tip, const std::optional<ObjectId>& end, std::size_t most) {
  Line line;
  for (ObjectId at = tip; at != end;) {
    if (line.commits.size() == most) return line;
    const auto commit = ReadCommit(store, at);
    if (!commit) return commit.error();
    line.commits.push_back({at, commit->parents.size(), commit->committer.time_s});
    if (commit->parents.empty()) return line;
    at = commit->parents.front();
  }
  line.is_above = true;
  return line;
}

Result<Stretch> FindStretch(Store& store, const ObjectId& ours, const ObjectId& theirs,
                            const std::optional<ObjectId>& common) {
  const auto read = ReadLine(store, ours, common);
  if (!read) return read.error();
  const std::vector<Line::Entry>& line = read->commits;
  // What they have ends the line: whatever is below a commit that they have they have, too. Mostly they have none of it.
  const auto has_any = line.empty() ? false : store.Contains(theirs, line.back().id);
  if (!has_any) return has_any.error();
  std::size_t first = *has_any ? 0 : line.size();
  std::size_t end = line.size();
  while (first < end) {
    const std::size_t middle = first + (end - first) / 2;
    const auto has = store.Contains(theirs, line[middle].id);
    if (!has) return has.error();
    if (*has) {
      end = middle;
    } else {
      first = middle + 1;
    }
  }
  if (first == line.size() && !read->is_above) return Error{Code::kNotSupported, "the two branches have no commit in common"};
  Stretch stretch;
  stretch.fork = first < line.size() ? line[first].id : *common;
  for (std::size_t i = first; i-- > 0;) {
    if (line[i].parents != 1) return Error{Code::kNotSupported, line[i].id.Hex() + " is a merge"};
    stretch.commits.push_back(line[i].id);
  }
  return stretch;
}

Result<std::optional<std::vector<ObjectId>>> CommitsOnTop(Store& store, const ObjectId& base, const ObjectId& tip) {
  const auto line = ReadLine(store, tip, base, kMaxOnTop);
  if (!line) return line.error();
  std::vector<ObjectId> commits;
  for (const Line::Entry& commit : line->commits) {
    if (commit.parents == 1) commits.push_back(commit.id);
  }
  if (!line->is_above || commits.size() < line->commits.size()) return std::optional<std::vector<ObjectId>>();
  std::reverse(commits.begin(), commits.end());
  return std::optional(std::move(commits));
}

}  // namespace concordfs::vcs
