// The one writer of the branch: decides changes in the order of their arrival and publishes them in batches (R4, R5).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "vcs/commit_decision.h"
#include "vcs/mutex.h"
#include "vcs/repo_path.h"
#include "vcs/result.h"
#include "vcs/store.h"
#include "vcs/tree_reader.h"
#include "vcs/version.h"

namespace concordfs::vcs {

// Make `path` what `content` says; absent deletes it.
struct PublishChange {
  RepoPath path;
  Base base;
  MaybeVersion content;
  // A working copy follows its file: renames decided before this change are applied to its path (R9).
  bool follows_renames = false;
  Derivation derivation = Derivation::kIndependent;
  // Of content's blob, if it is not stored yet (Store::PrepareBlob).
  std::optional<SharedBytes> bytes = std::nullopt;
};

// Rename a file, or a directory with all below it; whatever it is when the rename is decided.
struct PublishRename {
  RepoPath from;
  RepoPath to;
  // What the rename replaces: checked as a write to `to`. Nothing: `to` must not exist.
  std::optional<Base> to_base;
  // The content of a file that was created and never published: it has no version to move. Fails with kRefMoved if it
  // has one by then: look at the names again.
  std::optional<Version> unpublished;
  // Swap the two instead. Then `from_base` is checked as well, where given.
  bool exchange = false;
  std::optional<Base> from_base;
  // `from` is in history as far as the submitter knows: if it is not any more, there is nothing to rename (kNotFound).
  bool from_published = false;
};

// Whatever the submitter wants to find again in the outcome.
struct RequestContext {
  virtual ~RequestContext() = default;
};

struct CommitRequest {
  std::variant<PublishChange, PublishRename> action;
  std::string agent;
  std::string process;  // "1234 python3"
  std::string message;  // the agent's own words; empty: "Update PATH"
  std::shared_ptr<RequestContext> context;
};

struct Outcome {
  enum class Kind {
    kPublished,  // in history when the outcome is known
    kUnchanged,  // accepted without a commit
    kRefused,    // stale
    kFailed,     // `error`; nothing was published
  };
  Kind kind = Kind::kFailed;
  Error error{Code::kIo, "not decided"};  // of kFailed only
  RepoPath path;                          // where it was decided; of a rename: its target
  MaybeVersion replaced;                  // the version at `path` before
  MaybeVersion now;       // the version at `path` after: the winner's if refused; absent also for a directory
  bool occupied = false;  // `path` is a directory (and `now` is absent)
  MaybeVersion moved;     // of a file's rename: the version at `from` before
  MaybeVersion swapped;   // of an exchange: the version at `from` after
  ObjectId commit;        // the new commit, or the one in which it was decided
};

struct Decided {
  CommitRequest request;  // paths as decided
  Outcome outcome;
};

// The branch is at another commit, or requests were decided without moving it.
struct HeadMove {
  Head before;
  Head after;
  bool outside = false;              // moved by somebody else: anything may have changed
  // In order. Of an outside move: what was answered with a failure because the outcome was in doubt, and turned out to be published.
  std::span<const Decided> decided;
};

// Threads: called by one thread at a time, the committer's or one in Serve, before any waiting submitter hears of the
// outcome.
class HeadObserver {
 public:
  virtual ~HeadObserver() = default;
  virtual void OnHeadMoved(const HeadMove& move) = 0;
  // The branch was deleted or can't be read; said once per change. Reading goes on from the last good head.
  virtual void OnBranchUnreadable(const Error& error) = 0;
};

struct CommitterCounters {
  std::uint64_t commits = 0;
  std::uint64_t unchanged = 0;
  std::uint64_t refusals = 0;
  std::uint64_t failures = 0;
  std::uint64_t lost_swaps = 0;
  std::uint64_t batches = 0;
  std::uint64_t outside_moves = 0;
  std::uint64_t queue_depth = 0;  // waiting now
};

struct CommitterOptions {
  std::string ref;                             // full name of the branch
  std::chrono::milliseconds watch_period{50};  // R11: seen within 100 ms
  std::function<std::int64_t()> now_s;         // seconds since 1970; empty: the system's clock
};

// Whoever waits for a request may serve the queue himself, if nobody is at it: a commit then costs no change of
// threads. The committer's own thread does what is left, and watches the branch.
//
// Threads: Submit, Enqueue, Serve, FollowRename and counters from any thread.
class Committer {
 public:
  Committer(Store& store, TreeReader& trees, CommitterOptions options);
  ~Committer();  // Stop()

  // The branch as it is now. Errors: kNotFound (no such branch), kCorrupt, kIo.
  Result<Head> ReadBranch();
  // Starts the thread on a head that the observer knows already. Call once.
  void Start(const Head& head, HeadObserver* observer);
  // Decides what is queued, then ends the thread. What is submitted later fails. Not under a lock of the layer above.
  void Stop() EXCLUDES(mutex_, turn_);

  // Queues the request and returns at once; may be called under the submitter's lock. The outcome comes after the
  // observer has heard of it.
  std::future<Outcome> Submit(CommitRequest request) EXCLUDES(mutex_);
  // The same in two steps, for who waits: nobody need begin with the request before its submitter, who holds no lock by
  // then, calls Serve with what Enqueue returned.
  std::future<Outcome> Enqueue(CommitRequest request) EXCLUDES(mutex_);
  Outcome Serve(std::future<Outcome> decided) EXCLUDES(mutex_, turn_);
  // Applies a rename to the queued changes that follow renames. The observer calls it while handling the rename, under
  // the lock that its submitters hold for building and submitting: so no path is ever computed before and queued after.
  void FollowRename(const RepoPath& from, const RepoPath& to) EXCLUDES(mutex_);

  CommitterCounters counters() const EXCLUDES(mutex_);

 private:
  struct Waiting {
    CommitRequest request;
    std::promise<Outcome> promise;
  };

  void Run();
  std::vector<Waiting> TakeBatch() EXCLUDES(mutex_);
  // Where a publication takes long and several were in the last one, gives those who were just answered the time to come again: else
  // two halves of them take turns, and each publication carries one half.
  void AwaitCompany() REQUIRES(turn_) EXCLUDES(mutex_);
  void WakeIfQueued() EXCLUDES(mutex_);
  // Decides and publishes the batch and answers each of it: first the observer, then who waits.
  void ProcessBatch(std::vector<Waiting> batch) REQUIRES(turn_);
  // The same; one that is declined is taken apart, `splits` publications more at most.
  void ProcessBatch(std::vector<Waiting> batch, int& splits) REQUIRES(turn_);
  void Answer(const Head& after, std::vector<Decided> decided, std::vector<Waiting>& batch) REQUIRES(turn_);
  void Count(std::span<const Decided> decided) EXCLUDES(mutex_);
  // Remembers what may have been published although it is answered with a failure (V14).
  void KeepInDoubt(const Head& tip, std::span<const Decided> decided) REQUIRES(turn_);
  // What was in doubt and is in the history of `now` after all. Nothing is in doubt any more.
  std::vector<Decided> TakeLanded(const Head& now) REQUIRES(turn_);
  // Follows the branch to where it is now; requests of `batch` go along with what landed. Errors: those of ReadBranch.
  Result<void> FollowBranch(std::span<Waiting> batch) REQUIRES(turn_);
  void WatchBranch(std::span<Waiting> batch) REQUIRES(turn_);

  // Constant after construction or Start().
  Store& store_;
  TreeReader& trees_;
  const CommitterOptions options_;
  HeadObserver* observer_ = nullptr;
  std::thread thread_;
  // Guarded by turn_: whoever holds it is the one writer.
  Mutex turn_ ACQUIRED_BEFORE(mutex_);
  Head head_ GUARDED_BY(turn_);
  bool unreadable_ GUARDED_BY(turn_) = false;
  struct InDoubt {
    ObjectId tip;
    std::vector<Decided> decided;  // all published, if `tip` is
  };
  std::vector<InDoubt> in_doubt_ GUARDED_BY(turn_);  // on top of head_
  std::chrono::steady_clock::duration last_publish_ GUARDED_BY(turn_){};  // how long it took, ...
  std::size_t last_size_ GUARDED_BY(turn_) = 0;                           // ... and how many requests were in it
  // Guarded by mutex_.
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<Waiting> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  CommitterCounters counters_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::vcs
