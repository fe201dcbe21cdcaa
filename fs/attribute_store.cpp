#include "fs/attribute_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "fs/attribute_lines.h"

namespace concordfs::fs {
namespace {

// A compaction that another daemon prevented is tried again when the log has grown by a quarter.
constexpr std::uint64_t kRetryDivisor = 4;

bool CantBeWritten(Code code) {
  return code == Code::kReadOnly || code == Code::kAccess || code == Code::kPermission;
}

}  // namespace

Result<std::unique_ptr<AttributeStore>> AttributeStore::Open(const std::filesystem::path& git_dir,
                                                             const std::string& ref, LogAccess access) {
  std::unique_ptr<AttributeStore> store(new AttributeStore(AttributeLog(AttributesFolder(git_dir, ref), access)));
  const MutexLock io(store->io_mutex_);
  const auto read = store->CatchUp();
  if (!read && !CantBeWritten(read.code())) return read.error();
  if (!read) spdlog::warn("attributes are kept in memory only: {}", read.error().message);
  {
    const MutexLock lock(store->mutex_);
    store->discards_ = access == LogAccess::kReadOnly || !read;
    if (store->discards_) return store;
  }
  if (!store->log_.exists()) return store;
  auto tidied = store->log_.CutTornEnd();
  if (tidied) tidied = store->CompactIfWorthwhile();
  if (!tidied && !CantBeWritten(tidied.code())) spdlog::warn("attributes: {}", tidied.error().message);
  return store;
}

std::optional<Attributes> AttributeStore::FindRecord(PathKind kind, const vcs::RepoPath& path) const {
  const MutexLock lock(mutex_);
  const AttributeRecord* record = state_.Find(kind, path);
  return record == nullptr ? std::nullopt : std::optional(record->Get());
}

std::optional<Attributes> AttributeStore::FindFile(const vcs::RepoPath& path, const vcs::Version& now) const {
  auto found = FindRecord(PathKind::kFile, path);
  if (!found) return found;
  if (found->mode) found->mode = PermissionsOf(now.mode, *found->mode);
  if (found->version && found->version != now) {
    found->mtime.reset();
    found->ctime.reset();
    found->ino.reset();
  }
  return found;
}

std::optional<Attributes> AttributeStore::FindDirectory(const vcs::RepoPath& path) const {
  return FindRecord(PathKind::kDirectory, path);
}

std::vector<vcs::RepoPath> AttributeStore::KeptDirectories() const {
  const MutexLock lock(mutex_);
  return state_.KeptDirectories();
}

std::shared_ptr<const std::vector<Epoch>> AttributeStore::Epochs() const {
  const MutexLock lock(mutex_);
  return state_.epochs();
}

std::size_t AttributeStore::size() const {
  const MutexLock lock(mutex_);
  return state_.size();
}

std::uint64_t AttributeStore::log_size() const {
  const MutexLock io(io_mutex_);
  return log_.size();
}

void AttributeStore::DoLocked(AttributeOperation operation) {
  state_.Apply(operation);
  if (discards_ || rewrite_) return;
  if (MergeIntoPending(operation)) return;
  pending_.push_back(std::move(operation));
  if (pending_.size() > kMaxPending) TooManyPending();
}

// Files are made in one directory by the thousand: its time is said once for all of those that are pending.
bool AttributeStore::MergeIntoPending(const AttributeOperation& operation) {
  constexpr std::size_t kFar = 3;  // operations back
  const auto* set = std::get_if<SetAttributes>(&operation);
  if (set == nullptr || set->kind != PathKind::kDirectory) return false;
  for (std::size_t back = 1; back <= std::min(kFar, pending_.size()); ++back) {
    AttributeOperation& earlier = pending_[pending_.size() - back];
    if (!IsPathwise(earlier)) return false;
    // What was removed and made again is another directory.
    const auto* forget = std::get_if<ForgetAttributes>(&earlier);
    if (forget != nullptr && set->path.IsAtOrBelow(forget->path)) return false;
    auto* same = std::get_if<SetAttributes>(&earlier);
    if (same == nullptr || same->path != set->path) continue;
    if (same->kind != set->kind) return false;
    same->attributes.MergeDirectory(set->attributes);
    return true;
  }
  return false;
}

void AttributeStore::TooManyPending() {
  pending_.clear();
  rewrite_ = true;
}

void AttributeStore::UpdateLocked(PathKind kind, const vcs::RepoPath& path, const Attributes& change) {
  SetAttributes set{kind, path, change};
  const auto& epochs = *state_.epochs();
  if (change.mtime) set.attributes.since = epochs.empty() ? 0 : epochs.back().number;
  DoLocked(std::move(set));
}

void AttributeStore::UpdateFile(const vcs::RepoPath& path, const Attributes& change) {
  assert(!change.mtime || change.version);
  const MutexLock lock(mutex_);
  UpdateLocked(PathKind::kFile, path, change);
}

void AttributeStore::UpdateDirectory(const vcs::RepoPath& path, const Attributes& change) {
  assert(!change.version);
  const MutexLock lock(mutex_);
  UpdateLocked(PathKind::kDirectory, path, change);
}

void AttributeStore::NoteInode(const vcs::RepoPath& path, std::uint64_t ino) {
  SetAttributes set{PathKind::kFile, path, {}};
  set.attributes.ino = ino;
  const MutexLock lock(mutex_);
  if (state_.Find(PathKind::kFile, path) != nullptr) state_.Apply(set);  // nothing for the log
}

void AttributeStore::Forget(const vcs::RepoPath& path) {
  const MutexLock lock(mutex_);
  if (state_.Find(path) != nullptr) DoLocked(ForgetAttributes{path, false});
}

void AttributeStore::ForgetBelow(const vcs::RepoPath& directory) {
  const MutexLock lock(mutex_);
  if (state_.HasBelow(directory)) DoLocked(ForgetAttributes{directory, true});
}

void AttributeStore::Rename(const vcs::RepoPath& from, const vcs::RepoPath& to) {
  const MutexLock lock(mutex_);
  if (from == to) return;
  if (state_.HasBelow(from)) {
    DoLocked(MoveAttributes{from, to});
    return;
  }
  if (state_.HasBelow(to)) DoLocked(ForgetAttributes{to, true});
  if (state_.Find(to) != nullptr) DoLocked(ForgetAttributes{to, false});
  const AttributeRecord* record = state_.Find(from);
  if (record == nullptr) return;
  // Said path by path: a daemon that finds this in front of its own lines need not read the whole log again.
  const SetAttributes set{record->kind(), to, record->Get()};
  DoLocked(ForgetAttributes{from, false});
  DoLocked(set);
}

void AttributeStore::Exchange(const vcs::RepoPath& a, const vcs::RepoPath& b) {
  const MutexLock lock(mutex_);
  const auto has_any = [&](const vcs::RepoPath& path)
                           REQUIRES(mutex_) { return state_.Find(path) != nullptr || state_.HasBelow(path); };
  if (a != b && (has_any(a) || has_any(b))) DoLocked(ExchangeAttributes{a, b});
}

void AttributeStore::AddEpoch(const vcs::Head& head, const timespec& time) {
  const MutexLock lock(mutex_);
  const auto& epochs = *state_.epochs();
  if (!epochs.empty() && epochs.back().commit == head.commit) return;
  DoLocked(NoteEpoch{{epochs.empty() ? 1 : epochs.back().number + 1, head.commit, head.root, time}});
}

void AttributeStore::AdvanceEpoch(const vcs::ObjectId& from, const vcs::Head& head) {
  const MutexLock lock(mutex_);
  const auto& epochs = *state_.epochs();
  if (epochs.empty() || epochs.back().commit != from || from == head.commit) return;
  DoLocked(fs::AdvanceEpoch{epochs.back().number, head.commit, head.root});
}

void AttributeStore::RemoveEpoch(EpochNumber number) {
  const MutexLock lock(mutex_);
  DoLocked(DropEpoch{number});
}

Result<void> AttributeStore::Flush() {
  const MutexLock io(io_mutex_);
  return FlushPending();
}

Result<void> AttributeStore::Sync() {
  const MutexLock io(io_mutex_);
  if (auto flushed = FlushPending(); !flushed) return flushed;
  return log_.Sync();
}

Result<std::vector<vcs::RepoPath>> AttributeStore::Refresh() {
  const MutexLock io(io_mutex_);
  auto done = CatchUp();
  if (done) done = CompactIfWorthwhile();
  if (!done && !CantBeWritten(done.code())) return done.error();
  return std::exchange(set_by_others_, {});
}

Result<void> AttributeStore::FlushPending() {
  {
    const MutexLock lock(mutex_);
    if (pending_.empty() && !rewrite_) return {};
  }
  // What others appended meanwhile goes first, and costs less than finding it in front of our own lines.
  if (auto caught_up = CatchUp(); !caught_up) return caught_up;
  std::vector<AttributeOperation> operations;
  bool writes_all = false;
  {
    const MutexLock lock(mutex_);
    writes_all = rewrite_;
    operations.assign(pending_.begin(), pending_.end());
  }
  if (writes_all) return WriteAll();
  const std::string lines = EncodeLines(operations);
  const auto appended = log_.Append(lines);
  const auto written = std::count(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(appended.size), '\n');
  {
    const MutexLock lock(mutex_);
    const std::ptrdiff_t done = std::min<std::ptrdiff_t>(written, std::ssize(pending_));  // none if rewrite_ by now
    pending_.erase(pending_.begin(), pending_.begin() + done);
  }
  if (appended.error) return NotWritten(*appended.error);
  return appended.in_order ? Result<void>() : ReadAnew();
}

Result<void> AttributeStore::WriteAll() {
  std::string lines;
  {
    std::vector<AttributeOperation> operations;
    {
      const MutexLock lock(mutex_);
      operations = state_.Operations();
      rewrite_ = false;  // from here on changes are pending behind the whole state
    }
    lines = EncodeLines(operations);
  }
  const auto replaced = log_.Replace([&] { return Result<std::string>(std::move(lines)); });
  if (replaced && *replaced) return {};
  Result<void> done = replaced ? Result<void>() : Result<void>(replaced.error());
  if (replaced) {
    const auto appended = log_.Append(EncodeLine(ResetAttributes{}) + lines);
    if (!appended.error) return appended.in_order ? done : ReadAnew();
    done = *appended.error;
  }
  {
    const MutexLock lock(mutex_);
    TooManyPending();
  }
  return NotWritten(done.error());
}

Result<void> AttributeStore::NotWritten(const Error& error) {
  if (!CantBeWritten(error.code)) return error;
  const MutexLock lock(mutex_);
  if (!discards_) spdlog::warn("attributes are kept in memory only: {}", error.message);
  discards_ = true;
  rewrite_ = false;
  pending_.clear();
  return {};
}

std::vector<AttributeOperation> AttributeStore::Decode(std::string_view lines) const {
  std::vector<AttributeOperation> operations;
  std::size_t damaged = 0;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 1);               // every line has its newline
    if (line.empty() || line == "~") continue;  // the end that somebody gave to what looked torn
    if (auto operation = DecodeLine(line)) {
      operations.push_back(*std::move(operation));
    } else {
      ++damaged;
    }
  }
  if (damaged > 0) spdlog::warn("attributes: {} lines of the log are damaged or unknown; the rest is used", damaged);
  return operations;
}

Result<void> AttributeStore::CatchUp() {
  const auto news = log_.Read();
  if (!news) return news.error();
  if (!news->anew && news->lines.empty()) return {};
  const auto operations = Decode(news->lines);
  for (const auto& operation : operations) {
    if (const auto* set = std::get_if<SetAttributes>(&operation)) set_by_others_.push_back(set->path);
  }
  AttributeState fresh;  // of a whole log: made without the lock
  if (news->anew) {
    for (const auto& operation : operations) fresh.Apply(operation);
  }
  {
    const MutexLock lock(mutex_);
    // Where everything is to be written again, what is in memory is what counts.
    if (news->anew && rewrite_) return {};
    if (news->anew) state_ = std::move(fresh);
    // What is pending comes behind what is in the log. Pathwise operations may simply be done again; the rest can't.
    const bool in_order = news->anew || rewrite_ || pending_.empty() ||
                          (std::all_of(operations.begin(), operations.end(), IsPathwise) &&
                           std::all_of(pending_.begin(), pending_.end(), IsPathwise));
    if (in_order) {
      if (!news->anew) {
        for (const auto& operation : operations) state_.Apply(operation);
      }
      for (const auto& operation : pending_) state_.Apply(operation);
      return {};
    }
  }
  return ReadAnew();
}

Result<void> AttributeStore::ReadAnew() {
  {
    const MutexLock lock(mutex_);
    if (rewrite_) return {};
  }
  log_.ReadAnew();
  return CatchUp();
}

Result<void> AttributeStore::CompactIfWorthwhile() {
  const std::uint64_t size = log_.size();
  {
    const MutexLock lock(mutex_);
    if (discards_ || rewrite_ || size <= compact_above_ || size <= 2 * state_.LogSize()) return {};
  }
  std::size_t in_log = 0;  // of what is pending
  const auto done = log_.Replace([&]() REQUIRES(io_mutex_) -> Result<std::string> {
    if (auto caught_up = CatchUp(); !caught_up) return caught_up.error();
    std::vector<AttributeOperation> operations;
    {
      const MutexLock lock(mutex_);
      operations = state_.Operations();
      in_log = pending_.size();
    }
    return EncodeLines(operations);
  });
  if (!done || !*done) {
    compact_above_ = size + size / kRetryDivisor;
    return done ? Result<void>() : Result<void>(done.error());
  }
  compact_above_ = kMinCompaction;
  const MutexLock lock(mutex_);
  // Fewer if there were too many meanwhile.
  pending_.erase(pending_.begin(),
                 pending_.begin() + std::min(std::ssize(pending_), static_cast<std::ptrdiff_t>(in_log)));
  return {};
}

}  // namespace concordfs::fs
