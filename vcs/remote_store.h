// A store whose branch is a git remote's: either nothing is published here that is not published there first (PushMode::kSync), or it
// is pushed after it was published here (kAsync).
//
// kSync: the remote decides who was first. Publish() stores the objects, has the remote move its branch from `expected` to the new tip,
// and only then moves the local branch. Where the remote's branch is ahead, the local one is moved forward to it, and the
// answer is kRefMoved, so that the committer decides again on that head, as after any lost swap (V7).
//
// kAsync: Publish() is the local store's, and wakes the thread that pushes. Where the remote's branch is ahead, what it lacks is made again
// on top of it, and what lost is parked (vcs/backlog.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "vcs/backlog.h"
#include "vcs/backlog_pace.h"
#include "vcs/mutex.h"
#include "vcs/push_room.h"
#include "vcs/remote.h"
#include "vcs/store.h"

namespace concordfs::vcs {

// What a remote was like when it was asked last.
enum class RemoteCondition {
  kNotAsked,
  kUpToDate,     // what is here is there, and the other way round
  kUnreachable,  // no answer
  kNoAccess,     // it doesn't let us in, or there is no such repository
  kDeclined,     // it answers, and refused the last publication by rules of its own
  kRewound,      // its branch lost commits that it had when we last saw it, or is gone: nothing is published
  kDiverged,     // the local branch got commits that the remote can't take as a fast-forward: nothing is published
};

// When a publication counts as done: when the remote has it, or when it is here.
enum class PushMode { kSync, kAsync };

// Lower-case words of a condition, for status and logs: "up to date". Never null.
const char* ConditionName(RemoteCondition condition);

struct RemoteStatus {
  RemoteCondition condition = RemoteCondition::kNotAsked;
  std::int64_t since_s = 0;            // seconds since 1970: it is in this condition
  std::int64_t answered_s = 0;         // when the remote answered last; 0: never
  std::optional<ObjectId> tip;         // of its branch, then
  std::uint64_t pushes = 0;            // publications that landed
  std::uint64_t refused = 0;           // because the remote was ahead
  std::uint64_t fetches = 0;           // that brought new commits
  std::uint64_t failures = 0;          // attempts that failed for any other reason
  std::chrono::milliseconds last_push{0};  // how long the last publication took to land
  std::string last_error;              // empty: none yet
  std::optional<BacklogStatus> backlog;  // of kAsync
};

struct RemoteStoreOptions {
  std::string ref;       // full name of the branch, locally
  std::string seen_ref;  // a ref of our own: where the remote's branch was when we last saw it
  // How long a publication tries again while the remote can't be reached. One attempt at least.
  std::chrono::milliseconds patience{10'000};
  std::chrono::milliseconds first_pause{100};  // between two attempts; twice as long after each, up to 2 s
  std::chrono::milliseconds fetch_period{2'000};
  bool read_only = false;  // follow only: nothing is ever pushed
  PushMode push = PushMode::kSync;
  // kAsync: when so many commits wait, the next ones fail. 0: never.
  std::uint64_t push_backlog = 100'000;
  // kAsync: hears of each commit that lost. Any thread. May be empty.
  std::function<void(const LostWork&)> on_lost;
  // Hears that something was parked. Any thread. May be empty.
  std::function<void()> on_parked;
  // Hears of every change of condition, one line. Any thread. May be empty.
  std::function<void(RemoteCondition, const std::string&)> log;
};

// Publications of other refs stay local.
//
// Threads: any. Sync(), and under kSync Publish of the branch, wait for each other, and for the network; all else doesn't: who reads is
// never held up by a remote.
class RemoteStore : public Store {
 public:
  RemoteStore(Store& local, Remote& remote, RemoteStoreOptions options);
  ~RemoteStore() override;  // Stop()
  RemoteStore(const RemoteStore&) = delete;
  RemoteStore& operator=(const RemoteStore&) = delete;

  // Asks the remote now, and moves the local branch forward to it, or the remote's to what was published locally while the
  // remote wasn't there: it has all that was published here when this returns. Errors: those of Remote; kReadOnly (rewound or diverged: the
  // message says what to do).
  Result<void> Sync() EXCLUDES(exchange_, mutex_);
  // kAsync: tries once to push all that was published here, and returns how many commits the remote lacks after that. A remote that
  // didn't take the same before is not asked again.
  std::uint64_t PushOut() EXCLUDES(exchange_, mutex_);
  // Starts asking every `fetch_period`. Once.
  void StartFollowing();
  // Has that be now instead of when it would be. Never blocks.
  void AskNow() EXCLUDES(mutex_);
  void Stop() EXCLUDES(mutex_);
  RemoteStatus status() const EXCLUDES(mutex_);
  const std::string& ref() const { return options_.ref; }
  // kAsync: as in Backlog. Under kSync nothing is lost, and every commit stays what it is.
  std::vector<LostWork> TakeLost() { return backlog_ ? backlog_->TakeLost() : std::vector<LostWork>(); }
  ObjectId Now(const ObjectId& commit) const { return backlog_ ? backlog_->Now(commit) : commit; }

  // While it lives nobody waits for a remote that can't be reached: the first failure counts for all. For an unmount.
  class Haste {
   public:
    explicit Haste(RemoteStore& store);
    ~Haste();
    Haste(const Haste&) = delete;
    Haste& operator=(const Haste&) = delete;

   private:
    RemoteStore& store_;
  };

  // Errors, for the branch: also those of Remote::Push, of which kInDoubt says that the publication may be found in the branch later;
  // kReadOnly (rewound or diverged). Under kAsync only where too many commits wait: kUnreachable, kAccess or kReadOnly, by what they wait for.
  Result<void> Publish(const Publication& publication) override EXCLUDES(exchange_, mutex_);

  ObjectId Hash(ObjectKind kind, std::string_view bytes) const override { return local_.Hash(kind, bytes); }
  Result<std::string> Read(const ObjectId& id, ObjectKind kind) override { return local_.Read(id, kind); }
  Result<std::uint64_t> BlobSize(const ObjectId& blob) override { return local_.BlobSize(blob); }
  Result<void> CopyBlobTo(const ObjectId& blob, int fd) override { return local_.CopyBlobTo(blob, fd); }
  Result<ObjectId> AddBlob(int fd, std::uint64_t size) override { return local_.AddBlob(fd, size); }
  Result<ObjectId> AddBlob(std::string_view bytes) override { return local_.AddBlob(bytes); }
  Result<NewBlob> PrepareBlob(int fd, std::uint64_t size) override { return local_.PrepareBlob(fd, size); }
  Result<NewBlob> PrepareBlob(std::string bytes) override { return local_.PrepareBlob(std::move(bytes)); }
  Result<std::optional<ObjectId>> ReadRef(const std::string& name) override { return local_.ReadRef(name); }
  Result<std::vector<Ref>> ListRefs(const std::string& prefix) override { return local_.ListRefs(prefix); }
  Result<void> DeleteRef(const std::string& name, const ObjectId& expected) override { return local_.DeleteRef(name, expected); }
  Result<bool> Contains(const ObjectId& tip, const ObjectId& commit) override { return local_.Contains(tip, commit); }
  std::optional<StoreUpkeep> upkeep() const override { return local_.upkeep(); }

 private:
  struct Patience {
    std::chrono::steady_clock::time_point deadline;
    std::chrono::milliseconds pause;  // before the next attempt
  };

  Result<void> PublishThereFirst(const Publication& publication) EXCLUDES(exchange_, mutex_);
  // Waits where it is the others' turn to push. What they published may be here when it returns.
  void LeaveRoom() EXCLUDES(exchange_, mutex_);
  Result<void> PublishHere(const Publication& publication) EXCLUDES(exchange_, mutex_);
  // Waits, while the remote takes what is pushed and more comes than that.
  void KeepPace(std::uint64_t commits) EXCLUDES(mutex_);
  // Why nothing more is taken: too much waits.
  Error FullError() const EXCLUDES(mutex_);
  // Pushes what was published here, without a look at the remote first, where it is where we saw it last.
  Result<void> PushBacklog() REQUIRES(exchange_);
  // Brings what the remote lacks on top of what we lack.
  Result<bool> ReplayOn(const ObjectId& ours, const ObjectId& theirs) REQUIRES(exchange_);
  void CountBacklog() REQUIRES(exchange_);

  // Bounded attempts to have the remote take it. Success: its branch contains `tip`, and nothing else has come between.
  Result<void> PushUntilKnown(const Publication& publication) REQUIRES(exchange_);
  // After an attempt whose answer was no, or lost: does the branch contain `tip`, is it where it was, or elsewhere (kRefMoved)?
  enum class Found { kLanded, kUnmoved };
  Result<Found> LookUp(const Publication& publication) REQUIRES(exchange_);
  // For the status; `why`: what the attempt was answered.
  void NoteFound(Found found, const Error& why, const ObjectId& tip, std::chrono::steady_clock::time_point begin) EXCLUDES(mutex_);
  // The same, again while the remote can't be reached.
  Result<Found> LookUpPatiently(const Publication& publication, Patience* patience) REQUIRES(exchange_);
  // Brings both branches together by moving one of them forward. `stored`: a commit that is here with all that it reaches.
  Result<void> Reconcile(const std::optional<ObjectId>& stored = {}) REQUIRES(exchange_);
  // Reconcile(), and on with what is left of very much, until then at most.
  Result<void> ReconcileAll(std::chrono::steady_clock::time_point end) REQUIRES(exchange_);
  void BeginAttempt() REQUIRES(exchange_);
  // One turn of it; false if something moved meanwhile.
  Result<bool> TryReconcile(const std::optional<ObjectId>& stored) REQUIRES(exchange_);
  Result<bool> MoveForward(const std::optional<ObjectId>& ours, const ObjectId& theirs) REQUIRES(exchange_);
  // False: the remote is elsewhere. Under kAsync very many commits are pushed part by part; has_more_ says that there are more.
  Result<bool> PushLocal(const std::optional<ObjectId>& theirs, const ObjectId& ours) REQUIRES(exchange_);
  // Why neither branch can be moved forward to the other.
  Result<bool> Block(const ObjectId& ours, const std::optional<ObjectId>& theirs, RemoteCondition condition)
      REQUIRES(exchange_) EXCLUDES(mutex_);
  Result<bool> HasLost(const ObjectId& theirs) REQUIRES(exchange_);
  void KeepSeen() REQUIRES(exchange_);

  void NoteAnswer(const std::optional<ObjectId>& tip) EXCLUDES(mutex_);
  Error NoteRefusal(Error error) EXCLUDES(mutex_);
  void NoteLanded(const ObjectId& tip, std::chrono::steady_clock::time_point begin) EXCLUDES(mutex_);
  Error NoteFailure(Error error) EXCLUDES(mutex_);
  void SetCondition(RemoteCondition condition, const std::string& why) EXCLUDES(mutex_);
  // Waits before the next attempt; false if the time is up.
  bool Pause(Patience* patience) EXCLUDES(mutex_);
  bool IsPointless() const EXCLUDES(mutex_);
  void Follow();
  enum class Turn { kAsk, kPush, kEnd };
  // Waits for the time to ask again, or for something to push.
  Turn AwaitTurn() EXCLUDES(mutex_);
  // What came of a turn: when to try again.
  void NoteTurn(bool went_well) EXCLUDES(mutex_);

  // Constant after construction.
  Store& local_;
  Remote& remote_;
  const RemoteStoreOptions options_;
  std::thread follower_;
  // Own synchronisation; nothing under kSync.
  std::optional<Backlog> backlog_;
  // Held while the remote is asked, so that one thread at a time does; held during network and disk operations. Taken under
  // Committer::turn_, and before mutex_.
  Mutex exchange_ ACQUIRED_BEFORE(mutex_);
  std::optional<ObjectId> seen_ GUARDED_BY(exchange_);  // the remote's branch, when we last saw it
  std::optional<ObjectId> kept_ GUARDED_BY(exchange_);  // what seen_ref says
  bool read_seen_ GUARDED_BY(exchange_) = false;
  std::optional<ObjectId> refused_at_ GUARDED_BY(exchange_);  // the remote's branch, when it refused what it should have taken ...
  int refusals_ GUARDED_BY(exchange_) = 0;                    // ... so often in a row
  // Of the attempt to bring both branches together: when it began, and whether there is more than it pushed.
  std::chrono::steady_clock::time_point attempt_ GUARDED_BY(exchange_);
  bool has_more_ GUARDED_BY(exchange_) = false;
  std::optional<ObjectId> given_up_ GUARDED_BY(exchange_);  // the local branch, when PushOut() failed
  std::chrono::steady_clock::time_point keep_again_ GUARDED_BY(exchange_);  // seen_ref is not written before
  // Guarded by mutex_; a leaf.
  mutable Mutex mutex_;
  CondVar wake_;
  RemoteStatus status_ GUARDED_BY(mutex_);
  PushRoom room_ GUARDED_BY(mutex_);
  BacklogPace pace_ GUARDED_BY(mutex_);
  bool answers_ GUARDED_BY(mutex_) = false;       // it did when it was asked last
  std::chrono::steady_clock::time_point asked_ GUARDED_BY(mutex_);  // last
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool has_work_ GUARDED_BY(mutex_) = false;  // something is to be pushed, ...
  std::chrono::steady_clock::time_point push_at_ GUARDED_BY(mutex_);  // ... not before, ...
  std::chrono::milliseconds push_pause_ GUARDED_BY(mutex_){0};  // ... and how long that was put off the last time; 0: it went well
  int hasty_ GUARDED_BY(mutex_) = 0;
  bool failed_in_haste_ GUARDED_BY(mutex_) = false;
};

}  // namespace concordfs::vcs
