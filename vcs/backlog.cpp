#include "vcs/backlog.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "vcs/branch_name.h"
#include "vcs/commit.h"

namespace concordfs::vcs {
namespace {

// Of commits that were replayed. Who stands on one that is forgotten has work parked on a commit of the old line: it is
// there as well.
constexpr std::size_t kMaxRemembered = 100'000;
// Agents that are never heard of again are told nothing; the log and the parked work do.
constexpr std::size_t kMaxLost = 10'000;

constexpr char kAheadPrefix[] = "refs/concordfs/replay/";
constexpr std::size_t kMaxLast = 8;         // commits that are decided while publications are held up
constexpr std::size_t kMostAtOnce = 5'000;  // commits whose new trees are in memory

std::string AheadRef(const std::string& branch) {
  return kAheadPrefix + std::string(ShortBranchName(branch));
}

MaybeVersion VersionOf(const std::optional<TreeEntry>& entry) {
  if (!entry || entry->IsDirectory() || entry->IsSubmodule()) return std::nullopt;
  return entry->AsVersion();
}

const PathChange& ChangeOf(const LostCommit& lost) {
  for (const PathChange& change : lost.changes) {
    if (change.path == lost.path) return change;
  }
  return lost.changes.front();
}

}  // namespace

std::uint64_t CommitsIn(const Publication& publication) {
  const auto is_commit = [](const NewObject& object) { return object.kind == ObjectKind::kCommit; };
  return static_cast<std::uint64_t>(std::count_if(publication.objects.begin(), publication.objects.end(), is_commit));
}

Backlog::Backlog(Store& local, BacklogOptions options)
    : local_(local), options_(std::move(options)), ahead_ref_(AheadRef(options_.ref)) {}

Result<void> Backlog::Publish(const Publication& publication) {
  {
    const MutexLock moving(moving_);
    if (auto published = local_.Publish(publication); !published) return published;
  }
  const std::uint64_t commits = CommitsIn(publication);
  const MutexLock lock(mutex_);
  if (status_.waiting == 0) status_.oldest_s = std::time(nullptr);
  status_.waiting += commits;
  added_ += commits;
  return {};
}

Result<void> Backlog::Count(const ObjectId& seen) {
  std::uint64_t added = 0;
  {
    const MutexLock lock(mutex_);
    added = added_;
  }
  const auto tip = local_.ReadRef(options_.ref);
  if (!tip) return tip.error();
  BacklogStatus counted;
  if (*tip) {
    const auto line = ReadLine(local_, **tip, seen);
    if (!line) return line.error();
    counted.waiting = line->commits.size();
    if (!line->commits.empty()) counted.oldest_s = line->commits.back().time_s;
  }
  const MutexLock lock(mutex_);
  // What was added meanwhile may be in the count already: once too often is better than not at all.
  status_.waiting = counted.waiting + (added_ - added);
  if (counted.waiting > 0) status_.oldest_s = counted.oldest_s;
  if (status_.waiting == 0) status_.oldest_s = 0;
  return {};
}

Result<BacklogPart> Backlog::NextPart(const ObjectId& theirs, const ObjectId& ours) {
  const auto line = ReadLine(local_, ours, theirs);
  if (!line) return line.error();
  if (!line->is_above) return BacklogPart{ours, 0, false};
  const std::size_t commits = std::min(line->commits.size(), kMostInPart);
  const bool has_more = line->commits.size() > commits;
  return BacklogPart{has_more ? line->commits[line->commits.size() - commits].id : ours, commits, has_more};
}

bool Backlog::IsFull() const {
  const MutexLock lock(mutex_);
  return options_.limit > 0 && status_.waiting >= options_.limit;
}

BacklogStatus Backlog::status() const {
  const MutexLock lock(mutex_);
  return status_;
}

std::vector<LostWork> Backlog::TakeLost() {
  const MutexLock lock(mutex_);
  return std::exchange(lost_, {});
}

ObjectId Backlog::Now(const ObjectId& commit) const {
  const MutexLock lock(mutex_);
  ObjectId now = commit;
  for (auto next = made_.find(now); next != made_.end() && next->second != now; next = made_.find(now))
    now = next->second;
  return now;
}

Result<std::optional<ObjectId>> Backlog::Replay(const ObjectId& ours, const ObjectId& theirs,
                                                const std::optional<ObjectId>& common) {
  auto stretch = FindStretch(local_, ours, theirs, common);
  if (!stretch) return stretch.error();
  const auto fork = trees_.ReadHead(stretch->fork);
  if (!fork) return fork.error();
  const auto onto = trees_.ReadHead(theirs);
  if (!onto) return onto.error();
  // What an earlier attempt parked, one that a crash ended or a branch that moved, stays lost: nothing is both there
  // and parked.
  Replayer replayer(trees_, *fork, *onto, [&](const LostCommit& commit) -> Result<bool> {
    const auto parked = Parking::FindCommit(local_, commit.agent, commit.commit);
    if (!parked) return parked.error();
    return parked->has_value();
  });
  Progress progress{.theirs = *onto};
  std::vector<ObjectId> commits = std::move(stretch->commits);
  // Whoever publishes doesn't wait for it, as long as what is published meanwhile becomes less.
  for (std::size_t before = SIZE_MAX; commits.size() > kMaxLast && commits.size() <= before / 2;) {
    before = commits.size();
    for (std::span<const ObjectId> rest = commits; !rest.empty();
         rest = rest.subspan(std::min(rest.size(), kMostAtOnce))) {
      auto taken = TakeAhead(replayer, rest.first(std::min(rest.size(), kMostAtOnce)), &progress);
      if (!taken)
        return taken.code() == Code::kRefMoved ? Result<std::optional<ObjectId>>(std::nullopt) : taken.error();
    }
    auto since = Since(replayer);
    if (!since) return since.error();
    if (!*since) return std::optional<ObjectId>();
    commits = **std::move(since);
  }
  auto tip = Finish(replayer, commits, &progress);
  if (!tip || !*tip) return tip;
  {
    const MutexLock lock(mutex_);
    status_.lost += progress.lost.size();
    if (made_.size() + progress.made.size() > kMaxRemembered) made_.clear();
    made_.insert(progress.made.begin(), progress.made.end());
  }
  for (const LostWork& work : progress.lost) {
    if (options_.on_lost) options_.on_lost(work);
  }
  return tip;
}

Result<void> Backlog::TakeAhead(Replayer& replayer, std::span<const ObjectId> commits, Progress* progress) {
  if (auto taken = replayer.Take(commits); !taken) return taken;
  Replayed decided = replayer.TakeDecided();
  if (!progress->ahead) {
    // Left by the last replay: it isn't deleted, as that can be in the way of `git gc`.
    const auto left = local_.ReadRef(ahead_ref_);
    if (!left) return left.error();
    progress->ahead = *left;
  }
  Publication ahead;
  ahead.objects = std::move(decided.objects);
  ahead.ref = ahead_ref_;
  ahead.expected = progress->ahead;
  ahead.tip = decided.tip.commit;
  ahead.reason = "concordfs: replay ahead";
  ahead.before_move = [&] { return ParkAll(decided, progress); };
  auto stored = local_.Publish(ahead);
  if (stored) progress->ahead = ahead.tip;
  return stored;
}

Result<std::optional<std::vector<ObjectId>>> Backlog::Since(const Replayer& replayer) {
  const auto tip = local_.ReadRef(options_.ref);
  if (!tip) return tip.error();
  if (!*tip) return std::optional<std::vector<ObjectId>>();
  return CommitsOnTop(local_, replayer.last(), **tip);
}

Result<std::optional<ObjectId>> Backlog::Finish(Replayer& replayer, std::span<const ObjectId> commits,
                                                Progress* progress) {
  const MutexLock moving(moving_);
  if (auto taken = replayer.Take(commits); !taken) return taken.error();
  const auto since = Since(replayer);
  if (!since) return since.error();
  if (!*since) return std::optional<ObjectId>();
  if (auto taken = replayer.Take(**since); !taken) return taken.error();
  Replayed decided = replayer.TakeDecided();
  std::size_t noted = 0;
  Publication move;
  move.objects = std::move(decided.objects);
  move.ref = options_.ref;
  move.expected = replayer.last();
  move.tip = decided.tip.commit;
  move.reason = "concordfs: replay";
  // Who lost hears of it as soon as the branch has moved, so it is noted before.
  move.before_move = [&]() -> Result<void> {
    if (auto parked = ParkAll(decided, progress); !parked) return parked;
    const MutexLock lock(mutex_);
    if (lost_.size() >= kMaxLost) return {};
    lost_.insert(lost_.end(), progress->lost.begin(), progress->lost.end());
    noted = progress->lost.size();
    return {};
  };
  const auto moved = local_.Publish(move);
  if (moved) return std::optional(move.tip);
  {
    const MutexLock lock(mutex_);
    if (lost_.size() >= noted) lost_.erase(lost_.end() - static_cast<std::ptrdiff_t>(noted), lost_.end());
  }
  if (moved.code() == Code::kRefMoved) return std::optional<ObjectId>();
  return moved.error();
}

Result<void> Backlog::ParkAll(const Replayed& decided, Progress* progress) {
  progress->made.insert(decided.made.begin(), decided.made.end());
  for (const LostCommit& lost : decided.lost) {
    const auto kept = ParkOne(lost, *progress);
    if (!kept) return kept.error();
    progress->made[lost.commit] = kept->commit;
    progress->lost.push_back({lost.agent, lost.path, kept->ref});
  }
  return {};
}

Result<Parked> Backlog::ParkOne(const LostCommit& lost, const Progress& progress) {
  const auto winner = trees_.Find(progress.theirs.root, lost.path);
  if (!winner) return winner.error();
  const PathChange& change = ChangeOf(lost);
  const auto stands_on = progress.made.find(lost.stands_on);
  ParkRequest request;
  request.agent = lost.agent;
  request.path = lost.path;
  request.base = Base{VersionOf(change.before), stands_on == progress.made.end() ? lost.stands_on : stands_on->second};
  request.content = VersionOf(change.after);
  request.head = VersionOf(*winner);
  request.head_commit = progress.theirs.commit;
  request.reason = "committed here, and another version came to the remote's branch first";
  return parking_.ParkCommit(std::move(request), {lost.commit, lost.changes});
}

}  // namespace concordfs::vcs
