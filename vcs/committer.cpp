#include "vcs/committer.h"

#include <pthread.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <utility>

#include "vcs/commit_plan.h"

namespace concordfs::vcs {
namespace {

// How often a batch is decided again after a lost swap. Every loss means that somebody else made progress, so this is
// reached only where something moves the branch without pause.
constexpr int kMaxSwaps = 200;
constexpr std::size_t kMaxBatch = 256;
constexpr std::size_t kMaxInDoubt = 64;  // batches; a remote that loses more answers on one head loses the oldest

// What takes no longer isn't worth waiting for company. On a local disk a publication takes less.
constexpr std::chrono::milliseconds kLongPublish{10};
// Nobody came for this part of a publication's time: that was all. And at most so long altogether.
constexpr int kQuietPart = 32;
constexpr int kGatherPart = 4;
constexpr std::chrono::seconds kMostCounted{1};  // of a publication's time
// Publications more, to find out which of a batch is declined: the others are not to suffer for it.
constexpr int kMaxSplits = 24;

// R3: an agent's own commit never makes it stale, also when it is heard of late.
void MoveBase(const Decided& landed, CommitRequest& request) {
  if (request.agent != landed.request.agent) return;
  const auto move = [&](const RepoPath& path, Base& base) {
    if (path != landed.outcome.path || base.version != landed.outcome.replaced) return;
    base = Base{landed.outcome.now, landed.outcome.commit};
  };
  if (auto* change = std::get_if<PublishChange>(&request.action)) {
    move(change->path, change->base);
  } else if (auto* rename = std::get_if<PublishRename>(&request.action)) {
    if (rename->to_base) move(rename->to, *rename->to_base);
    if (rename->from_base) move(rename->from, *rename->from_base);
  }
}

}  // namespace

Committer::Committer(Store& store, TreeReader& trees, CommitterOptions options)
    : store_(store), trees_(trees), options_([&] {
        if (!options.now_s) options.now_s = [] { return static_cast<std::int64_t>(std::time(nullptr)); };
        return std::move(options);
      }()) {}

Committer::~Committer() {
  Stop();
}

Result<Head> Committer::ReadBranch() {
  const auto tip = store_.ReadRef(options_.ref);
  if (!tip) return tip.error();
  if (!*tip) return Error{Code::kNotFound, options_.ref + ": no such branch"};
  return trees_.ReadHead(**tip);
}

void Committer::Start(const Head& head, HeadObserver* observer) {
  {
    const MutexLock turn(turn_);
    head_ = head;
  }
  observer_ = observer;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "committer");
    Run();
  });
}

void Committer::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  const MutexLock turn(turn_);  // until whoever serves the last of the queue is done with it
}

std::future<Outcome> Committer::Submit(CommitRequest request) {
  auto decided = Enqueue(std::move(request));
  wake_.NotifyOne();
  return decided;
}

std::future<Outcome> Committer::Enqueue(CommitRequest request) {
  Waiting waiting{std::move(request), {}};
  auto future = waiting.promise.get_future();
  const MutexLock lock(mutex_);
  if (stopping_) {
    Outcome outcome;
    outcome.error = Error{Code::kIo, "commit: the file system is being unmounted"};
    waiting.promise.set_value(std::move(outcome));
    return future;
  }
  queue_.push_back(std::move(waiting));
  return future;
}

Outcome Committer::Serve(std::future<Outcome> decided) {
  // Whoever has the turn looks at the queue once more when he is done: so nobody who fails to get it is forgotten.
  if (turn_.TryLock()) {
    AwaitCompany();
    auto batch = TakeBatch();
    if (!batch.empty()) ProcessBatch(std::move(batch));
    turn_.Unlock();
    WakeIfQueued();
  }
  return decided.get();
}

void Committer::WakeIfQueued() {
  const MutexLock lock(mutex_);
  if (!queue_.empty()) wake_.NotifyOne();
}

void Committer::AwaitCompany() {
  if (last_publish_ < kLongPublish || last_size_ < 2) return;
  const auto end = std::chrono::steady_clock::now() + last_publish_ / kGatherPart;
  const MutexLock lock(mutex_);
  std::size_t came = 0;
  while (queue_.size() > came && queue_.size() < kMaxBatch && !stopping_ && std::chrono::steady_clock::now() < end) {
    came = queue_.size();
    wake_.WaitFor(mutex_, last_publish_ / kQuietPart);
  }
}

std::vector<Committer::Waiting> Committer::TakeBatch() {
  std::vector<Waiting> batch;
  const MutexLock lock(mutex_);
  while (!queue_.empty() && batch.size() < kMaxBatch) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void Committer::FollowRename(const RepoPath& from, const RepoPath& to) {
  const MutexLock lock(mutex_);
  for (Waiting& waiting : queue_) {
    auto* change = std::get_if<PublishChange>(&waiting.request.action);
    if (change != nullptr && change->follows_renames) change->path = change->path.AfterRename(from, to);
  }
}

CommitterCounters Committer::counters() const {
  const MutexLock lock(mutex_);
  CommitterCounters counters = counters_;
  counters.queue_depth = queue_.size();
  return counters;
}

void Committer::Run() {
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (queue_.empty() && !stopping_) wake_.WaitFor(mutex_, options_.watch_period);
      if (queue_.empty() && stopping_) return;
    }
    const MutexLock turn(turn_);
    AwaitCompany();
    auto batch = TakeBatch();
    if (batch.empty()) {
      WatchBranch({});
    } else {
      ProcessBatch(std::move(batch));
    }
  }
}

void Committer::ProcessBatch(std::vector<Waiting> batch) {
  int splits = kMaxSplits;
  ProcessBatch(std::move(batch), splits);
}

void Committer::ProcessBatch(std::vector<Waiting> batch, int& splits) {
  WatchBranch(batch);  // cheaper than a lost swap
  for (int swaps = 0; !batch.empty();) {
    CommitPlan plan(trees_, head_, options_.now_s());
    std::vector<Decided> decided;
    decided.reserve(batch.size());
    for (const Waiting& waiting : batch) decided.push_back(plan.Decide(waiting.request));
    if (plan.objects().empty()) return Answer(head_, std::move(decided), batch);

    const auto begin = std::chrono::steady_clock::now();
    auto published =
        store_.Publish({plan.objects(), options_.ref, head_.commit, plan.tip().commit, "concordfs: publish", plan.stored()});
    if (published) {
      last_publish_ = std::min<std::chrono::steady_clock::duration>(std::chrono::steady_clock::now() - begin, kMostCounted);
      last_size_ = batch.size();
      plan.KeepTrees();
      return Answer(plan.tip(), std::move(decided), batch);
    }
    if (published.code() == Code::kRefMoved) {
      {
        const MutexLock lock(mutex_);
        ++counters_.lost_swaps;
      }
      const auto followed = FollowBranch(batch);
      if (followed && ++swaps < kMaxSwaps) continue;  // decide again, on the new head
      published = followed ? Error{Code::kUnreachable, "publish: others moved " + options_.ref + " first, each time"} : followed.error();
    }
    if (published.code() == Code::kDeclined && batch.size() > 1 && splits > 0) {
      splits -= 2;
      const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
      std::vector<Waiting> second(std::make_move_iterator(middle), std::make_move_iterator(batch.end()));
      batch.erase(middle, batch.end());
      ProcessBatch(std::move(batch), splits);
      return ProcessBatch(std::move(second), splits);
    }
    if (published.code() == Code::kInDoubt) KeepInDoubt(plan.tip(), decided);
    // Nothing of the plan is in history, as far as it is known. Whoever was to be published hears why; the others are decided again, because
    // they may have been decided on top of what failed.
    std::vector<Waiting> failed;
    std::vector<Decided> failures;
    std::vector<Waiting> rest;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (decided[i].outcome.kind != Outcome::Kind::kPublished) {
        rest.push_back(std::move(batch[i]));
        continue;
      }
      Outcome outcome;
      outcome.error = published.error();
      outcome.path = decided[i].outcome.path;
      outcome.commit = head_.commit;
      failures.push_back(Decided{std::move(decided[i].request), std::move(outcome)});
      failed.push_back(std::move(batch[i]));
    }
    Answer(head_, std::move(failures), failed);
    batch = std::move(rest);
  }
}

void Committer::Answer(const Head& after, std::vector<Decided> decided, std::vector<Waiting>& batch) {
  Count(decided);
  const Head before = std::exchange(head_, after);
  if (before.commit != after.commit) in_doubt_.clear();  // can't come any more: it would have been on top of `before`
  observer_->OnHeadMoved(HeadMove{before, after, false, decided});
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].promise.set_value(std::move(decided[i].outcome));
}

void Committer::Count(std::span<const Decided> decided) {
  const MutexLock lock(mutex_);
  bool published = false;
  for (const Decided& one : decided) {
    switch (one.outcome.kind) {
      case Outcome::Kind::kPublished:
        ++counters_.commits;
        published = true;
        break;
      case Outcome::Kind::kUnchanged: ++counters_.unchanged; break;
      case Outcome::Kind::kRefused: ++counters_.refusals; break;
      case Outcome::Kind::kFailed: ++counters_.failures; break;
    }
  }
  if (published) ++counters_.batches;
}

void Committer::KeepInDoubt(const Head& tip, std::span<const Decided> decided) {
  if (in_doubt_.size() == kMaxInDoubt) in_doubt_.erase(in_doubt_.begin());
  InDoubt doubt{tip.commit, {}};
  for (const Decided& one : decided) {
    if (one.outcome.kind == Outcome::Kind::kPublished) doubt.decided.push_back(one);
  }
  in_doubt_.push_back(std::move(doubt));
}

std::vector<Decided> Committer::TakeLanded(const Head& now) {
  std::vector<Decided> landed;
  for (InDoubt& doubt : std::exchange(in_doubt_, {})) {
    const auto contains = store_.Contains(now.commit, doubt.tip);
    if (contains && *contains) landed = std::move(doubt.decided);
  }
  return landed;
}

Result<void> Committer::FollowBranch(std::span<Waiting> batch) {
  const auto now = ReadBranch();
  if (!now) {
    if (!std::exchange(unreadable_, true)) observer_->OnBranchUnreadable(now.error());
    return now.error();
  }
  unreadable_ = false;
  if (now->commit == head_.commit) return {};
  {
    const MutexLock lock(mutex_);
    ++counters_.outside_moves;
  }
  const std::vector<Decided> landed = TakeLanded(*now);
  Count(landed);
  const Head before = std::exchange(head_, *now);
  observer_->OnHeadMoved(HeadMove{before, *now, true, landed});
  // What is submitted from here on knows of it already.
  const MutexLock lock(mutex_);
  for (const Decided& one : landed) {
    for (Waiting& waiting : batch) MoveBase(one, waiting.request);
    for (Waiting& waiting : queue_) MoveBase(one, waiting.request);
  }
  return {};
}

void Committer::WatchBranch(std::span<Waiting> batch) {
  const auto tip = store_.ReadRef(options_.ref);
  if (tip && *tip == head_.commit && !unreadable_) return;
  // Not ours: a publish would find out and say why; a watcher has nobody to tell but the observer.
  (void)FollowBranch(batch);
}

}  // namespace concordfs::vcs
