#include "vcs/committer.h"

#include <pthread.h>

#include <ctime>

#include "vcs/commit_plan.h"

namespace concordfs::vcs {
namespace {

// How often a batch is decided again after a lost swap. Every loss means that somebody else made progress, so this is
// reached only where something moves the branch without pause.
constexpr int kMaxSwaps = 200;
constexpr std::size_t kMaxBatch = 256;

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
  head_ = head;
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
}

std::future<Outcome> Committer::Submit(CommitRequest request) {
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
  wake_.NotifyOne();
  return future;
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
    std::vector<Waiting> batch;
    {
      const MutexLock lock(mutex_);
      if (queue_.empty() && !stopping_) wake_.WaitFor(mutex_, options_.watch_period);
      if (queue_.empty() && stopping_) return;
      while (!queue_.empty() && batch.size() < kMaxBatch) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    if (batch.empty()) {
      WatchBranch();
    } else {
      ProcessBatch(std::move(batch));
    }
  }
}

void Committer::ProcessBatch(std::vector<Waiting> batch) {
  WatchBranch();  // cheaper than a lost swap
  for (int swaps = 0; !batch.empty();) {
    CommitPlan plan(trees_, head_, options_.now_s());
    std::vector<Decided> decided;
    decided.reserve(batch.size());
    for (const Waiting& waiting : batch) decided.push_back(plan.Decide(waiting.request));
    if (plan.objects().empty()) return Answer(head_, std::move(decided), batch);

    auto published =
        store_.Publish({plan.objects(), options_.ref, head_.commit, plan.tip().commit, "concordfs: publish"});
    if (published) {
      plan.KeepTrees();
      return Answer(plan.tip(), std::move(decided), batch);
    }
    if (published.code() == Code::kRefMoved) {
      {
        const MutexLock lock(mutex_);
        ++counters_.lost_swaps;
      }
      const auto followed = FollowBranch();
      if (followed && ++swaps < kMaxSwaps) continue;  // decide again, on the new head
      if (!followed) published = followed.error();
    }
    // Nothing of the plan is in history. Whoever was to be published hears why; the others are decided again, because
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

Result<void> Committer::FollowBranch() {
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
  const Head before = std::exchange(head_, *now);
  observer_->OnHeadMoved(HeadMove{before, *now, true, {}});
  return {};
}

void Committer::WatchBranch() {
  const auto tip = store_.ReadRef(options_.ref);
  if (tip && *tip == head_.commit && !unreadable_) return;
  // Not ours: a publish would find out and say why; a watcher has nobody to tell but the observer.
  (void)FollowBranch();
}

}  // namespace concordfs::vcs
