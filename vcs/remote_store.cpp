#include "vcs/remote_store.h"

#include <algorithm>
#include <ctime>

namespace concordfs::vcs {
namespace {

using Clock = std::chrono::steady_clock;

// Each one that is more than a look at a branch that moves means that somebody else made progress.
constexpr int kMaxTurns = 50;
constexpr int kMaxRefusals = 4;  // on one tip of the remote's branch
constexpr std::chrono::minutes kKeepLater{1};  // after a failure
constexpr std::chrono::milliseconds kLongestPause{2'000};
constexpr int kMaxOvertime = 2;  // attempts after the time is up, at a remote that answers

RemoteCondition ConditionAfter(const Error& error, RemoteCondition before) {
  switch (error.code) {
    case Code::kUnreachable:
    case Code::kInDoubt: return RemoteCondition::kUnreachable;
    case Code::kAccess: return RemoteCondition::kNoAccess;
    case Code::kDeclined: return RemoteCondition::kDeclined;
    default: return before;  // a fault of this machine
  }
}

std::string Text(const std::optional<ObjectId>& id) {
  return id ? id->Hex() : "nothing";
}

}  // namespace

const char* ConditionName(RemoteCondition condition) {
  switch (condition) {
    case RemoteCondition::kNotAsked: return "not asked yet";
    case RemoteCondition::kUpToDate: return "up to date";
    case RemoteCondition::kUnreachable: return "unreachable";
    case RemoteCondition::kNoAccess: return "no access";
    case RemoteCondition::kDeclined: return "declined";
    case RemoteCondition::kRewound: return "rewound";
    case RemoteCondition::kDiverged: return "diverged";
  }
  return "";
}

RemoteStore::RemoteStore(Store& local, Remote& remote, RemoteStoreOptions options)
    : local_(local), remote_(remote), options_(std::move(options)) {
  status_.since_s = std::time(nullptr);
  if (options_.push == PushMode::kAsync) backlog_.emplace(local_, BacklogOptions{options_.ref, options_.push_backlog, options_.on_lost});
}

RemoteStore::~RemoteStore() { Stop(); }

void RemoteStore::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (follower_.joinable()) follower_.join();
  const MutexLock exchange(exchange_);
  KeepSeen();
}

Result<void> RemoteStore::Sync() {
  const MutexLock exchange(exchange_);
  auto done = ReconcileAll(Clock::time_point::max());
  KeepSeen();
  CountBacklog();
  return done;
}

RemoteStatus RemoteStore::status() const {
  RemoteStatus status;
  {
    const MutexLock lock(mutex_);
    status = status_;
  }
  if (backlog_) status.backlog = backlog_->status();
  return status;
}

RemoteStore::Haste::Haste(RemoteStore& store) : store_(store) {
  const MutexLock lock(store_.mutex_);
  if (store_.hasty_++ == 0) store_.failed_in_haste_ = false;
  store_.wake_.NotifyAll();
}

RemoteStore::Haste::~Haste() {
  const MutexLock lock(store_.mutex_);
  --store_.hasty_;
}

Result<void> RemoteStore::Publish(const Publication& publication) {
  if (publication.ref == options_.ref) return backlog_ ? PublishHere(publication) : PublishThereFirst(publication);
  auto published = local_.Publish(publication);
  if (published && options_.on_parked && publication.ref.starts_with(kRejectedPrefix)) options_.on_parked();
  return published;
}

void RemoteStore::LeaveRoom() {
  const MutexLock lock(mutex_);
  const Clock::time_point until = Clock::now() + room_.Before(Clock::now());
  while (!stopping_ && hasty_ == 0 && Clock::now() < until) wake_.WaitFor(mutex_, until - Clock::now());
}

Result<void> RemoteStore::PublishThereFirst(const Publication& publication) {
  LeaveRoom();
  const MutexLock exchange(exchange_);
  bool landed = false;
  Publication here = publication;
  here.before_move = [&]() REQUIRES(exchange_) {
    auto pushed = PushUntilKnown(publication);
    landed = pushed.ok();
    return pushed;
  };
  auto published = local_.Publish(here);
  if (published && seen_ && *seen_ != publication.tip) (void)MoveForward(publication.tip, *seen_);  // to what came on top of it
  if (published && Clock::now() >= keep_again_) KeepSeen();
  if (published || !landed) return published;
  // It is published where that counts. Another daemon on this repository may have moved the branch there before us; where
  // somebody else moved it elsewhere, that is found and said now.
  if (published.code() == Code::kRefMoved) {
    auto reconciled = Reconcile();
    if (reconciled || reconciled.code() == Code::kReadOnly) return {};
    published = reconciled.error();
  }
  return Error{Code::kInDoubt, "published on the remote, but the local branch doesn't follow: " + published.error().message};
}

namespace {

// Why nothing more is tried. `in_doubt`: an attempt was sent and not answered; on a branch that is elsewhere, what was sent from
// `expected` can't land any more.
Error GivenUp(Error error, bool in_doubt) {
  if (in_doubt && error.code != Code::kRefMoved && error.code != Code::kReadOnly) error.code = Code::kInDoubt;
  return error;
}

}  // namespace

Result<void> RemoteStore::PushUntilKnown(const Publication& publication) {
  if (IsPointless()) return Error{Code::kUnreachable, status().last_error};
  const Clock::time_point begin = Clock::now();
  Patience patience{begin + options_.patience, options_.first_pause};
  bool in_doubt = false;  // an attempt was sent and not answered
  int refusals = 0;
  std::string refusal;  // the last one's words
  for (int overtime = 0; refusals < kMaxTurns && overtime <= kMaxOvertime;) {
    const auto pushed = remote_.Push(publication);
    if (pushed) {
      seen_ = publication.tip;
      NoteLanded(publication.tip, begin);
      return {};
    }
    const bool was_refused = pushed.code() == Code::kRefMoved;
    refusals += was_refused ? 1 : 0;
    const Error why = was_refused ? NoteRefusal(pushed.error()) : NoteFailure(pushed.error());
    if (was_refused) refusal = ": " + why.message;
    in_doubt = in_doubt || why.code == Code::kInDoubt;
    // What was sent and not answered is looked up before anything else (V14). So is a refusal, whatever the remote's words for
    // it are: where its branch is says whether it is a matter of who was first.
    if (was_refused || in_doubt || why.code == Code::kDeclined) {
      const auto found = LookUpPatiently(publication, &patience);
      if (!found) return GivenUp(found.error(), in_doubt);
      NoteFound(*found, why, publication.tip, begin);
      if (*found == Found::kLanded) return {};
      if (!was_refused && why.code != Code::kInDoubt && why.code != Code::kUnreachable) return GivenUp(why, in_doubt);
      // It answers, and the branch is where we want it: brought there by the look, or somebody is at it just now, or what was
      // sent got lost. That is worth another attempt, whatever time the last one took.
      if (refusals != 1 && !Pause(&patience)) ++overtime;
      if (IsPointless()) return GivenUp({Code::kUnreachable, why.message}, in_doubt);
      continue;
    }
    if (why.code != Code::kUnreachable || !Pause(&patience)) return GivenUp(why, in_doubt);
  }
  return GivenUp({Code::kUnreachable, "the remote refuses each publication, and its branch doesn't move" + refusal}, in_doubt);
}

void RemoteStore::NoteFound(Found found, const Error& why, const ObjectId& tip, Clock::time_point begin) {
  if (found == Found::kLanded) {
    NoteLanded(tip, begin);
  } else if (why.code == Code::kDeclined) {
    SetCondition(RemoteCondition::kDeclined, why.message);
  }
}

Result<RemoteStore::Found> RemoteStore::LookUpPatiently(const Publication& publication, Patience* patience) {
  for (;;) {
    auto found = LookUp(publication);
    if (found || found.code() != Code::kUnreachable || !Pause(patience)) return found;
  }
}

Result<RemoteStore::Found> RemoteStore::LookUp(const Publication& publication) {
  if (auto reconciled = Reconcile(publication.tip); !reconciled) return reconciled.error();
  const auto has_landed = seen_ ? local_.Contains(*seen_, publication.tip) : false;
  if (!has_landed) return has_landed.error();
  if (*has_landed) return Found::kLanded;
  const auto now = local_.ReadRef(publication.ref);
  if (!now) return now.error();
  if (*now == publication.expected) return Found::kUnmoved;
  if (!*now) return Error{Code::kRefMoved, "ref " + publication.ref + ": is gone"};
  return Error{Code::kRefMoved, "ref " + publication.ref + ": the remote is ahead, at " + (*now)->Hex()};
}

Result<void> RemoteStore::Reconcile(const std::optional<ObjectId>& stored) {
  if (!read_seen_) {
    const auto kept = local_.ReadRef(options_.seen_ref);
    if (!kept) return kept.error();
    seen_ = kept_ = *kept;
    read_seen_ = true;
  }
  const Clock::time_point deadline = Clock::now() + options_.patience;
  for (int turn = 0; turn < kMaxTurns; ++turn) {
    const auto done = TryReconcile(stored);
    if (!done) return done.error();
    if (*done) return {};
    if (backlog_ && Clock::now() > deadline) break;  // to replay much takes long; nobody need wait for it
  }
  return Error{Code::kUnreachable, "the remote's branch and the local one move without pause"};
}

Result<void> RemoteStore::ReconcileAll(Clock::time_point end) {
  auto done = Reconcile();
  while (done && has_more_ && Clock::now() < end) done = Reconcile();
  return done;
}

void RemoteStore::BeginAttempt() {
  attempt_ = Clock::now();
  has_more_ = false;
}

Result<bool> RemoteStore::TryReconcile(const std::optional<ObjectId>& stored) {
  BeginAttempt();
  const auto local = local_.ReadRef(options_.ref);
  if (!local) return local.error();
  const std::optional<ObjectId> ours = *local;
  std::vector<ObjectId> known;
  for (const auto& id : {ours, seen_, stored}) {
    if (id && std::find(known.begin(), known.end(), *id) == known.end()) known.push_back(*id);
  }
  const auto remote = remote_.Fetch(known);
  if (!remote) return NoteFailure(remote.error());
  const std::optional<ObjectId> theirs = *remote;
  NoteAnswer(theirs);
  if (!theirs) {
    if (!ours) return Error{Code::kNotFound, options_.ref + ": no such branch, neither here nor on the remote"};
    return seen_ ? Block(*ours, theirs, RemoteCondition::kRewound) : PushLocal(theirs, *ours);
  }
  // V13: a publication that landed moves the local branch by itself, with the record of its objects.
  const auto has_landed = stored ? local_.Contains(*theirs, *stored) : false;
  if (!has_landed) return has_landed.error();
  if (*has_landed || !ours || *ours == *theirs) return MoveForward(*has_landed ? theirs : ours, *theirs);
  const auto is_behind = local_.Contains(*theirs, *ours);
  if (!is_behind) return is_behind.error();
  if (*is_behind) return MoveForward(ours, *theirs);
  const auto has_lost = HasLost(*theirs);
  if (!has_lost) return has_lost.error();
  if (*has_lost) return Block(*ours, theirs, RemoteCondition::kRewound);
  const auto is_ahead = local_.Contains(*ours, *theirs);
  if (!is_ahead) return is_ahead.error();
  if (*is_ahead) return PushLocal(theirs, *ours);
  return backlog_ && !options_.read_only ? ReplayOn(*ours, *theirs) : Block(*ours, theirs, RemoteCondition::kDiverged);
}

Result<bool> RemoteStore::HasLost(const ObjectId& theirs) {
  if (!seen_) return false;
  const auto has = local_.Contains(theirs, *seen_);
  if (!has) return has.error();
  return !*has;
}

Result<bool> RemoteStore::MoveForward(const std::optional<ObjectId>& ours, const ObjectId& theirs) {
  if (ours != theirs) {
    Publication move;
    move.ref = options_.ref;
    move.expected = ours;
    move.tip = theirs;
    move.reason = "concordfs: fetch";
    const auto moved = local_.Publish(move);
    if (!moved && moved.code() == Code::kRefMoved) return false;
    if (!moved) return moved.error();
    const MutexLock lock(mutex_);
    ++status_.fetches;
    room_.NoteOthers(Clock::now());
  }
  seen_ = theirs;
  {
    const MutexLock lock(mutex_);
    if (status_.condition == RemoteCondition::kDeclined) return true;  // until a publication lands, that is what it does
  }
  SetCondition(RemoteCondition::kUpToDate, "");
  return true;
}

Result<bool> RemoteStore::PushLocal(const std::optional<ObjectId>& theirs, const ObjectId& ours) {
  if (options_.read_only) return true;
  Publication publication;
  publication.ref = options_.ref;
  publication.expected = theirs;
  const auto part = backlog_ && theirs ? backlog_->NextPart(*theirs, ours) : BacklogPart{ours, 0, false};
  if (!part) return part.error();
  publication.tip = part->tip;
  has_more_ = part->has_more;
  const auto pushed = remote_.Push(publication);
  if (!pushed && pushed.code() == Code::kRefMoved) {
    (void)NoteRefusal(pushed.error());
    // By whoever was faster, and then its branch is elsewhere by now; or by a lock that somebody has, or has left.
    refusals_ = refused_at_ == theirs ? refusals_ + 1 : 1;
    refused_at_ = theirs;
    if (refusals_ < kMaxRefusals) return false;
    refusals_ = 0;
    return NoteFailure({Code::kUnreachable, "the remote refuses each push, and its branch doesn't move: " + pushed.error().message});
  }
  if (!pushed) return NoteFailure(pushed.error());
  refusals_ = 0;
  seen_ = part->tip;
  NoteLanded(part->tip, attempt_);
  const MutexLock lock(mutex_);
  pace_.NotePush(part->commits, Clock::now() - attempt_);
  return true;
}

Result<bool> RemoteStore::Block(const ObjectId& ours, const std::optional<ObjectId>& theirs, RemoteCondition condition) {
  const std::string here = options_.ref + " is at " + ours.Hex() + " here and at " + Text(theirs) + " on the remote, ";
  std::string why;
  if (condition == RemoteCondition::kRewound) {
    why = here + "which had " + Text(seen_) + ": it was rewound. Nothing is published. Either push " + Text(seen_) +
          " to the remote's branch again, or, to give up what it lost, set the local branch to where the remote's is";
  } else {
    why = here + "and neither contains the other. Nothing is published. Merge them and push the merge to the remote, or set " +
          "the local branch to where the remote's is";
  }
  SetCondition(condition, why);
  return Error{Code::kReadOnly, "remote " + std::string(ConditionName(condition)) + ": " + why};
}

void RemoteStore::KeepSeen() {
  if (!read_seen_ || !seen_ || seen_ == kept_) return;
  keep_again_ = Clock::now() + options_.fetch_period;
  Publication keep;
  keep.ref = options_.seen_ref;
  keep.expected = kept_;
  keep.tip = *seen_;
  keep.reason = "concordfs: seen";
  const auto kept = local_.Publish(keep);
  if (kept) {
    kept_ = seen_;
  } else if (kept.code() == Code::kRefMoved) {  // by another daemon on this repository, which may have seen more
    const auto now = local_.ReadRef(options_.seen_ref);
    if (!now) return;
    kept_ = *now;
    const auto saw_more = *now ? local_.Contains(**now, *seen_) : false;
    if (saw_more && *saw_more) seen_ = *now;
  } else {  // who publishes must not wait for it again and again
    keep_again_ = Clock::now() + kKeepLater;
    const RemoteCondition condition = status().condition;
    if (options_.log) options_.log(condition, options_.seen_ref + " can't be written: " + kept.error().message);
  }
}

void RemoteStore::NoteAnswer(const std::optional<ObjectId>& tip) {
  const MutexLock lock(mutex_);
  status_.answered_s = std::time(nullptr);
  status_.tip = tip;
  answers_ = true;
  asked_ = Clock::now();
}

Error RemoteStore::NoteRefusal(Error error) {
  const MutexLock lock(mutex_);
  ++status_.refused;
  room_.NoteOthers(Clock::now());
  return error;
}

void RemoteStore::NoteLanded(const ObjectId& tip, Clock::time_point begin) {
  NoteAnswer(tip);
  {
    const MutexLock lock(mutex_);
    ++status_.pushes;
    status_.last_push = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    room_.NotePush(Clock::now(), Clock::now() - begin);
  }
  SetCondition(RemoteCondition::kUpToDate, "");
}

Error RemoteStore::NoteFailure(Error error) {
  RemoteCondition condition;
  {
    const MutexLock lock(mutex_);
    ++status_.failures;
    asked_ = Clock::now();
    answers_ = false;
    failed_in_haste_ = failed_in_haste_ || error.code == Code::kUnreachable || error.code == Code::kInDoubt;
    condition = ConditionAfter(error, status_.condition);
  }
  SetCondition(condition, error.message);
  return error;
}

void RemoteStore::SetCondition(RemoteCondition condition, const std::string& why) {
  {
    const MutexLock lock(mutex_);
    if (!why.empty()) status_.last_error = why;
    if (condition == status_.condition) return;
    status_.condition = condition;
    status_.since_s = std::time(nullptr);
  }
  if (options_.log) options_.log(condition, std::string(ConditionName(condition)) + (why.empty() ? "" : ": " + why));
}

bool RemoteStore::IsPointless() const {
  const MutexLock lock(mutex_);
  return hasty_ > 0 && failed_in_haste_;
}

bool RemoteStore::Pause(Patience* patience) {
  const Clock::time_point until = Clock::now() + patience->pause;
  if (until > patience->deadline) return false;
  patience->pause = std::min(patience->pause * 2, kLongestPause);
  const MutexLock lock(mutex_);
  while (!stopping_ && hasty_ == 0) {
    const auto now = Clock::now();
    if (now >= until) return true;
    wake_.WaitFor(mutex_, until - now);
  }
  return false;
}

}  // namespace concordfs::vcs
