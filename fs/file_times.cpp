#include "fs/file_times.h"

#include <algorithm>

namespace concordfs::fs {
namespace {

bool IsPruned(const Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kCorrupt;
}

}  // namespace

void FileTimes::NoteHead(const vcs::Head& head, const timespec& time) {
  const Epochs epochs = store_.Epochs();
  if (epochs->size() >= AttributeState::kMaxEpochs && epochs->back().commit != head.commit) {
    // An epoch that nobody can read must not take another one's place.
    for (const Epoch& epoch : *epochs) {
      const auto tree = trees_.Load(epoch.root);
      if (!tree && IsPruned(tree.error())) store_.RemoveEpoch(epoch.number);
    }
    const Epochs readable = store_.Epochs();
    if (readable->size() >= AttributeState::kMaxEpochs) {
      const auto recorded = RecordSecond(readable);
      if (!recorded || !*recorded) store_.RemoveEpoch(readable->front().number);
    }
  }
  store_.AddEpoch(head, time);
  const MutexLock lock(mutex_);
  noted_ = head.commit;
}

Result<bool> FileTimes::RecordSecond(const Epochs& epochs) {
  const Epoch& second = (*epochs)[1];
  std::size_t recorded = 0;
  // Directories that differ, with what they were in the first epoch and are in the second.
  struct Pair {
    vcs::RepoPath path;
    std::optional<vcs::ObjectId> before;
    vcs::ObjectId after;
  };
  std::vector<Pair> unread{{vcs::RepoPath(), epochs->front().root, second.root}};
  while (!unread.empty()) {
    const Pair pair = std::move(unread.back());
    unread.pop_back();
    if (pair.before == pair.after) continue;
    const auto before = pair.before ? trees_.Load(*pair.before) : std::make_shared<const vcs::Tree>();
    const auto after = trees_.Load(pair.after);
    if (!before) return before.error();
    if (!after) return after.error();
    const auto is_from_second = [&](const Result<std::optional<timespec>>& time) {
      return time && *time && (*time)->tv_sec == second.time.tv_sec && (*time)->tv_nsec == second.time.tv_nsec;
    };
    Attributes change;
    change.mtime = second.time;
    if (!vcs::SameNames(**before, **after) && is_from_second(MtimeOfDirectory(pair.path))) {
      store_.UpdateDirectory(pair.path, change);
    }
    for (const vcs::TreeEntryView entry : (*after)->entries()) {
      const auto old = (*before)->Find(entry.name);
      const auto path = pair.path.Child(entry.name);
      if (!path || entry.IsSubmodule() || old == entry) continue;
      if (entry.IsDirectory()) {
        unread.push_back({*path, old && old->IsDirectory() ? std::optional(old->id) : std::nullopt, entry.id});
        continue;
      }
      change.version = entry.AsVersion();
      if (!is_from_second(MtimeOfFile(*path, *change.version))) continue;  // changed since, or known better
      if (++recorded > kMaxRecorded) return false;
      store_.UpdateFile(*path, change);
    }
  }
  return true;
}

void FileTimes::FollowOwn(const vcs::Head& head) {
  const MutexLock lock(mutex_);
  store_.AdvanceEpoch(noted_, head);
  noted_ = head.commit;
}

Result<std::optional<timespec>> FileTimes::MtimeOfFile(const vcs::RepoPath& path, const vcs::Version& now) {
  EpochNumber changed_after = 0;
  if (const auto record = store_.FindFile(path, now)) {
    if (record->mtime) return record->mtime;
    changed_after = record->since.value_or(0);
  }
  const Epochs epochs = store_.Epochs();
  const auto parent = Find(epochs, path.Parent());
  if (!parent) return parent.error();
  std::optional<timespec> time;
  for (const Run& run : (*parent)->runs) {
    const auto entry = run.tree ? run.tree->Find(path.Name()) : std::nullopt;
    if (!entry || entry->IsDirectory() || entry->AsVersion() != now) break;
    // What it was before it was published here is none of its present time's business.
    std::size_t oldest = run.oldest;
    while (oldest <= run.newest && (*epochs)[oldest].number <= changed_after) ++oldest;
    if (oldest <= run.newest) time = (*epochs)[oldest].time;
    if (oldest != run.oldest) break;
  }
  return time;
}

Result<std::optional<timespec>> FileTimes::MtimeOfDirectory(const vcs::RepoPath& path) {
  const auto record = store_.FindDirectory(path);
  const std::optional<timespec> recorded = record ? record->mtime : std::nullopt;
  const Epochs epochs = store_.Epochs();
  const auto directory = Find(epochs, path);
  if (!directory) return directory.error();
  if ((*directory)->runs.empty() || !(*directory)->runs.front().tree) return recorded;
  const std::size_t since = (*directory)->same_names_since;
  if (recorded && (*epochs)[since].number <= record->since.value_or(0)) return recorded;
  return std::optional((*epochs)[since].time);
}

Result<std::shared_ptr<const FileTimes::Directory>> FileTimes::Find(const Epochs& epochs, const vcs::RepoPath& path) {
  {
    const MutexLock lock(mutex_);
    if (epochs_ != epochs || directories_.size() >= kMaxDirectories) {
      directories_.clear();
      epochs_ = epochs;
    }
    if (const auto found = directories_.find(path.text()); found != directories_.end()) return found->second;
  }
  auto made = Make(epochs, path);
  if (!made) return made.error();
  const MutexLock lock(mutex_);
  if (epochs_ == epochs) directories_[path.text()] = *made;
  return made;
}

Result<std::shared_ptr<const FileTimes::Directory>> FileTimes::Make(const Epochs& epochs, const vcs::RepoPath& path) {
  auto directory = std::make_shared<Directory>();
  Runs& runs = directory->runs;
  Result<void> added;
  if (path.IsRoot()) {
    for (std::size_t i = epochs->size(); i-- > 0 && added;) added = AddRun((*epochs)[i].root, i, i, &runs);
  } else {
    const auto parent = Find(epochs, path.Parent());
    if (!parent) return parent.error();
    for (const Run& run : (*parent)->runs) {
      const auto entry = run.tree ? run.tree->Find(path.Name()) : std::nullopt;
      const bool is_there = entry && entry->IsDirectory();
      added = AddRun(is_there ? std::optional(entry->id) : std::nullopt, run.oldest, run.newest, &runs);
      if (!added) break;
    }
  }
  if (!added) return added.error();
  for (std::size_t i = 0; i < runs.size() && runs[i].tree && vcs::SameNames(*runs[i].tree, *runs.front().tree); ++i) {
    directory->same_names_since = runs[i].oldest;
  }
  return std::shared_ptr<const Directory>(std::move(directory));
}

Result<void> FileTimes::AddRun(const std::optional<vcs::ObjectId>& tree, std::size_t oldest, std::size_t newest,
                               Runs* runs) {
  Run run{nullptr, tree.value_or(vcs::ObjectId()), oldest, newest};
  if (!runs->empty() && runs->back().id == run.id) {
    runs->back().oldest = oldest;
    return {};
  }
  if (tree) {
    auto loaded = trees_.Load(*tree);
    if (!loaded && IsPruned(loaded.error())) return {};
    if (!loaded) return loaded.error();
    run.tree = *std::move(loaded);
  }
  runs->push_back(std::move(run));
  return {};
}

}  // namespace concordfs::fs
