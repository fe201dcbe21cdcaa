#include "vcs/backlog.h"

#include <ctime>
#include <iterator>
#include <utility>

#include "vcs/commit.h"

namespace concordfs::vcs {
namespace {

// Of commits that were replayed. Who stands on one that is forgotten has work parked on a commit of the old line: it is there as well.
constexpr std::size_t kMaxRemembered = 100'000;
// Agents that are never heard of again are told nothing; the log and the parked work do.
constexpr std::size_t kMaxLost = 10'000;

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

void Backlog::Add(std::uint64_t commits) {
  const MutexLock lock(mutex_);
  if (status_.waiting == 0) status_.oldest_s = std::time(nullptr);
  status_.waiting += commits;
  added_ += commits;
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
  for (std::optional<ObjectId> at = *tip; at && *at != seen;) {
    const auto commit = ReadCommit(local_, *at);
    if (!commit) return commit.error();
    ++counted.waiting;
    counted.oldest_s = commit->committer.time_s;
    at = commit->parents.empty() ? std::nullopt : std::optional(commit->parents.front());
  }
  const MutexLock lock(mutex_);
  // What was added meanwhile may be in the count already: once too often is better than not at all.
  status_.waiting = counted.waiting + (added_ - added);
  if (counted.waiting > 0) status_.oldest_s = counted.oldest_s;
  if (status_.waiting == 0) status_.oldest_s = 0;
  return {};
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
  for (auto next = made_.find(now); next != made_.end() && next->second != now; next = made_.find(now)) now = next->second;
  return now;
}

Result<std::optional<ObjectId>> Backlog::Replay(const ObjectId& ours, const ObjectId& theirs, const std::optional<ObjectId>& common) {
  const auto stretch = FindStretch(local_, ours, theirs, common);
  if (!stretch) return stretch.error();
  const auto onto = trees_.ReadHead(theirs);
  if (!onto) return onto.error();
  // What an earlier attempt parked, one that a crash ended or a branch that moved, stays lost: nothing is both there and parked.
  const auto plan = PlanReplay(trees_, *stretch, *onto, [&](const LostCommit& commit) -> Result<bool> {
    const auto parked = Parking::FindCommit(local_, commit.agent, commit.commit);
    if (!parked) return parked.error();
    return parked->has_value();
  });
  if (!plan) return plan.error();

  auto made = plan->made;
  std::vector<LostWork> lost;
  std::size_t noted = 0;  // of them, in lost_
  Publication move;
  move.objects = plan->objects;
  move.ref = options_.ref;
  move.expected = ours;
  move.tip = plan->tip.commit;
  move.reason = "concordfs: replay";
  move.before_move = [&]() -> Result<void> {
    auto parked = Park(*plan, *onto, &made);
    if (!parked) return parked.error();
    lost = *std::move(parked);
    const MutexLock lock(mutex_);
    if (lost_.size() >= kMaxLost) return {};
    lost_.insert(lost_.end(), lost.begin(), lost.end());
    noted = lost.size();
    return {};
  };
  const auto moved = local_.Publish(move);
  if (!moved) {
    const MutexLock lock(mutex_);
    if (lost_.size() >= noted) lost_.erase(lost_.end() - static_cast<std::ptrdiff_t>(noted), lost_.end());
    if (moved.code() == Code::kRefMoved) return std::optional<ObjectId>();
    return moved.error();
  }
  {
    const MutexLock lock(mutex_);
    status_.lost += lost.size();
    if (made_.size() + made.size() > kMaxRemembered) made_.clear();
    made_.insert(made.begin(), made.end());
  }
  for (const LostWork& work : lost) {
    if (options_.on_lost) options_.on_lost(work);
  }
  return std::optional(plan->tip.commit);
}

Result<std::vector<LostWork>> Backlog::Park(const ReplayPlan& plan, const Head& theirs, std::unordered_map<ObjectId, ObjectId>* made) {
  std::vector<LostWork> parked;
  for (const LostCommit& lost : plan.lost) {
    const auto kept = ParkOne(lost, theirs, *made);
    if (!kept) return kept.error();
    (*made)[lost.commit] = kept->commit;
    parked.push_back({lost.agent, lost.path, kept->ref});
  }
  return parked;
}

Result<Parked> Backlog::ParkOne(const LostCommit& lost, const Head& theirs, const std::unordered_map<ObjectId, ObjectId>& made) {
  const auto winner = trees_.Find(theirs.root, lost.path);
  if (!winner) return winner.error();
  const PathChange& change = ChangeOf(lost);
  const auto stands_on = made.find(lost.stands_on);
  ParkRequest request;
  request.agent = lost.agent;
  request.path = lost.path;
  request.base = Base{VersionOf(change.before), stands_on == made.end() ? lost.stands_on : stands_on->second};
  request.content = VersionOf(change.after);
  request.head = VersionOf(*winner);
  request.head_commit = theirs.commit;
  request.reason = "committed here, and another version came to the remote's branch first";
  return parking_.ParkCommit(std::move(request), {lost.commit, lost.changes});
}

}  // namespace concordfs::vcs
