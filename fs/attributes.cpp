#include "fs/attributes.h"

#include <algorithm>
#include <iterator>

namespace concordfs::fs {
namespace {

constexpr std::size_t kEpochLine = 150;  // bytes

std::size_t LineSizeOf(const vcs::RepoPath& path, const AttributeRecord& record) {
  return path.text().size() + record.LineSize();
}

}  // namespace

mode_t PermissionsOf(vcs::FileMode mode, mode_t permissions) {
  constexpr mode_t kOwnerExec = 0100;
  constexpr mode_t kAllExec = 0111;
  switch (mode) {
    case vcs::FileMode::kSymlink: return 0777;
    case vcs::FileMode::kExecutable: {
      if ((permissions & kOwnerExec) != 0) return permissions;
      return permissions | kOwnerExec | ((permissions & 0444) >> 2);
    }
    case vcs::FileMode::kRegular: {
      if ((permissions & kOwnerExec) == 0) return permissions;
      return permissions & 0777 & ~kAllExec;
    }
    case vcs::FileMode::kDirectory:
    case vcs::FileMode::kSubmodule: break;
  }
  return permissions;
}

void AttributeRecord::SetTime(Time which, const std::optional<timespec>& time) {
  if (!time) return;
  Set(kTimeBits << which, true);
  seconds_[which] = time->tv_sec;
  nanoseconds_[which] = static_cast<std::uint32_t>(time->tv_nsec);
}

std::optional<timespec> AttributeRecord::GetTime(Time which) const {
  if (!Has(kTimeBits << which)) return std::nullopt;
  return timespec{static_cast<time_t>(seconds_[which]), static_cast<long>(nanoseconds_[which])};
}

void AttributeRecord::Apply(const Attributes& change) {
  SetTime(kAtime, change.atime);
  SetTime(kMtime, change.mtime);
  SetTime(kCtime, change.ctime);
  SetTime(kBirth, change.birth);
  if (change.mode) {
    Set(kModeBit, true);
    mode_ = static_cast<std::uint16_t>(*change.mode & 07777);
  }
  if (change.uid) {
    Set(kUidBit, true);
    uid_ = *change.uid;
  }
  if (change.gid) {
    Set(kGidBit, true);
    gid_ = *change.gid;
  }
  if (change.version) {
    const bool is_other = Get().version != change.version;
    if (!change.mtime && is_other) Set(kTimeBits << kMtime, false);
    if (is_other) ino_ = 0;
    Set(kVersionBit, true);
    blob_ = change.version->blob;
    file_mode_ = static_cast<std::uint16_t>(change.version->mode);
  }
  if (change.ino) ino_ = *change.ino;
  if (change.since) {
    Set(kSinceBit, true);
    since_ = *change.since;
  }
  if (change.kept) Set(kKeptBit, *change.kept);
}

Attributes AttributeRecord::Get() const {
  Attributes attributes;
  attributes.atime = GetTime(kAtime);
  attributes.mtime = GetTime(kMtime);
  attributes.ctime = GetTime(kCtime);
  attributes.birth = GetTime(kBirth);
  if (Has(kModeBit)) attributes.mode = mode_;
  if (Has(kUidBit)) attributes.uid = uid_;
  if (Has(kGidBit)) attributes.gid = gid_;
  if (Has(kVersionBit)) attributes.version = vcs::Version{blob_, static_cast<vcs::FileMode>(file_mode_)};
  if (Has(kSinceBit)) attributes.since = since_;
  if (Has(kKeptBit)) attributes.kept = true;
  if (ino_ != 0) attributes.ino = ino_;
  return attributes;
}

std::size_t AttributeRecord::LineSize() const {
  std::size_t size = 12;
  for (unsigned time = 0; time < kTimes; ++time) size += Has(kTimeBits << time) ? 31 : 0;
  size += (Has(kModeBit) ? 11 : 0) + (Has(kUidBit) ? 11 : 0) + (Has(kGidBit) ? 11 : 0) + (Has(kVersionBit) ? 60 : 0);
  return size + (Has(kKeptBit) ? 12 : 0) + (Has(kSinceBit) ? 11 : 0);
}

void Attributes::MergeDirectory(const Attributes& later) {
  const auto take = [](auto& mine, const auto& theirs) {
    if (theirs) mine = theirs;
  };
  take(mode, later.mode);
  take(uid, later.uid);
  take(gid, later.gid);
  take(atime, later.atime);
  take(mtime, later.mtime);
  take(ctime, later.ctime);
  take(birth, later.birth);
  take(kept, later.kept);
  take(since, later.since);
}

bool IsPathwise(const AttributeOperation& operation) {
  return std::holds_alternative<SetAttributes>(operation) || std::holds_alternative<ForgetAttributes>(operation);
}

void AttributeState::Apply(const AttributeOperation& operation) {
  std::visit([this](const auto& what) { Do(what); }, operation);
}

const AttributeRecord* AttributeState::Find(PathKind kind, const vcs::RepoPath& path) const {
  const AttributeRecord* found = Find(path);
  return found == nullptr || found->kind() != kind ? nullptr : found;
}

const AttributeRecord* AttributeState::Find(const vcs::RepoPath& path) const {
  const auto found = records_.find(path);
  return found == records_.end() ? nullptr : &found->second;
}

bool AttributeState::HasBelow(const vcs::RepoPath& directory) const {
  const auto first =
      directory.IsRoot() ? records_.upper_bound(directory) : records_.lower_bound(directory.text() + "/");
  return first != records_.end() && first->first.IsAtOrBelow(directory);
}

std::vector<vcs::RepoPath> AttributeState::KeptDirectories() const {
  std::vector<vcs::RepoPath> kept;
  for (const auto& [path, record] : records_) {
    if (record.kind() == PathKind::kDirectory && record.kept()) kept.push_back(path);
  }
  return kept;
}

std::size_t AttributeState::LogSize() const {
  return record_lines_ + epochs_->size() * kEpochLine;
}

std::vector<AttributeOperation> AttributeState::Operations() const {
  std::vector<AttributeOperation> operations;
  operations.reserve(epochs_->size() + records_.size());
  for (const Epoch& epoch : *epochs_) operations.emplace_back(NoteEpoch{epoch});
  for (const auto& [path, record] : records_) {
    operations.emplace_back(SetAttributes{record.kind(), path, record.Get()});
  }
  return operations;
}

void AttributeState::Do(const SetAttributes& set) {
  auto found = records_.find(set.path);
  if (found == records_.end()) {
    found = records_.emplace(set.path, AttributeRecord(set.kind)).first;
  } else {
    record_lines_ -= LineSizeOf(found->first, found->second);
    // What has the path now is something else than what had it.
    if (found->second.kind() != set.kind) found->second = AttributeRecord(set.kind);
  }
  found->second.Apply(set.attributes);
  record_lines_ += LineSizeOf(found->first, found->second);
}

void AttributeState::Do(const ForgetAttributes& forget) {
  auto [first, last] = forget.below ? Below(forget.path) : records_.equal_range(forget.path);
  while (first != last) {
    record_lines_ -= LineSizeOf(first->first, first->second);
    first = records_.erase(first);
  }
}

void AttributeState::Do(const MoveAttributes& move) {
  if (move.from == move.to) return;
  auto taken = Take(move.from);
  Take(move.to);
  Put(std::move(taken), move.from, move.to);
}

void AttributeState::Do(const ExchangeAttributes& exchange) {
  auto of_a = Take(exchange.a);
  auto of_b = Take(exchange.b);
  Put(std::move(of_a), exchange.a, exchange.b);
  Put(std::move(of_b), exchange.b, exchange.a);
}

void AttributeState::Do(const NoteEpoch& note) {
  if (!epochs_->empty() && epochs_->back().commit == note.epoch.commit) return;  // two daemons saw it
  auto epochs = std::make_shared<std::vector<Epoch>>(*epochs_);
  epochs->push_back(note.epoch);
  const EpochNumber last = epochs_->empty() ? 0 : epochs_->back().number;
  epochs->back().number = std::max(note.epoch.number, last + 1);
  if (epochs->size() > kMaxEpochs) {
    // Only what the second epoch brought moves, back to the time of the first. Giving up the first one's time, or the
    // second one's tree, would make files younger, and builds would do them again.
    (*epochs)[1].time = epochs->front().time;
    (*epochs)[1].number = epochs->front().number;
    epochs->erase(epochs->begin());
  }
  epochs_ = std::move(epochs);
}

void AttributeState::Do(const AdvanceEpoch& advance) {
  if (epochs_->empty() || epochs_->back().number != advance.number) return;  // another daemon noted one meanwhile
  auto epochs = std::make_shared<std::vector<Epoch>>(*epochs_);
  epochs->back().commit = advance.commit;
  epochs->back().root = advance.root;
  epochs_ = std::move(epochs);
}

void AttributeState::Do(const DropEpoch& drop) {
  auto epochs = std::make_shared<std::vector<Epoch>>(*epochs_);
  std::erase_if(*epochs, [&](const Epoch& epoch) { return epoch.number == drop.number; });
  epochs_ = std::move(epochs);
}

void AttributeState::Do(const ResetAttributes&) {
  *this = AttributeState();
}

std::vector<AttributeState::Records::node_type> AttributeState::Take(const vcs::RepoPath& path) {
  std::vector<Records::node_type> taken;
  const auto take = [&](Records::iterator record) {
    record_lines_ -= LineSizeOf(record->first, record->second);
    taken.push_back(records_.extract(record));
  };
  if (const auto found = records_.find(path); found != records_.end()) take(found);
  for (auto [first, last] = Below(path); first != last;) take(first++);
  return taken;
}

void AttributeState::Put(std::vector<Records::node_type> taken, const vcs::RepoPath& from, const vcs::RepoPath& to) {
  for (Records::node_type& record : taken) {
    record.key() = record.key().AfterRename(from, to);
    record_lines_ += LineSizeOf(record.key(), record.mapped());
    records_.insert(std::move(record));
  }
}

std::pair<AttributeState::Records::iterator, AttributeState::Records::iterator> AttributeState::Below(
    const vcs::RepoPath& directory) {
  if (directory.IsRoot()) return {records_.upper_bound(directory), records_.end()};
  // From "d/" up to "d0", which is the first behind all that starts with "d/".
  return {records_.lower_bound(directory.text() + "/"), records_.lower_bound(directory.text() + "0")};
}

}  // namespace concordfs::fs
