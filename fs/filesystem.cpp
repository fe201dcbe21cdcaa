// Making, starting, draining and ending a file system; housekeeping.
#include <spdlog/spdlog.h>

#include <set>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

constexpr std::chrono::seconds kSweepPeriod{2};
// What an editor may take between moving a file aside and making it again.
constexpr std::chrono::seconds kEditorsPause{1};

// What a file takes that the kernel remembers: its node, its name, and what is known of it. Bytes.
constexpr std::uint64_t kNodeMemory = 1024;

// The caches share what there is. Contents get little: the kernel keeps those that are read.
std::size_t TreesShare(std::uint64_t cache_memory) { return static_cast<std::size_t>(cache_memory / 8 * 5); }
ContentCache::Limits ContentsShare(std::uint64_t cache_memory) { return {cache_memory / 8, cache_memory / 4}; }

// As a .gitignore has them.
std::string Lines(const std::vector<std::string>& patterns) {
  std::string text;
  for (const std::string& pattern : patterns) text += pattern + "\n";
  return text;
}

}  // namespace

timespec Now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

mode_t ModeOf(vcs::FileMode mode) {
  switch (mode) {
    case vcs::FileMode::kExecutable: return S_IFREG | 0755;
    case vcs::FileMode::kSymlink: return S_IFLNK | 0777;
    case vcs::FileMode::kDirectory:
    case vcs::FileMode::kSubmodule: return S_IFDIR | 0755;
    case vcs::FileMode::kRegular: break;
  }
  return S_IFREG | 0644;
}

vcs::FileMode FileModeOf(mode_t mode) {
  if (S_ISLNK(mode)) return vcs::FileMode::kSymlink;
  return (mode & S_IXUSR) != 0 ? vcs::FileMode::kExecutable : vcs::FileMode::kRegular;
}

Result<std::unique_ptr<Filesystem>> Filesystem::Open(const FilesystemOptions& options) {
  std::unique_ptr<WorkingArea> area;
  FilesystemOptions effective = options;
  if (!options.read_only) {
    auto made = WorkingArea::Make(
        options.git_dir, options.durability == "power" ? ContentFiles::kUsedOnce : ContentFiles::kUsedAgain);
    if (!made && made.code() != Code::kReadOnly) return made.error();
    if (made) area = *std::move(made);
    if (!area) spdlog::warn("{}: can't be written; every write is answered EROFS", options.git_dir.string());
    effective.read_only = !area;
  }
  auto filesystem = std::make_unique<FilesystemImpl>(effective, std::move(area));
  if (auto loaded = filesystem->LoadHead(); !loaded) return loaded.error();
  return std::unique_ptr<Filesystem>(std::move(filesystem));
}

FilesystemImpl::FilesystemImpl(const FilesystemOptions& options, std::unique_ptr<WorkingArea> area)
    : options_(options),
      max_nodes_(options.cache_memory / kNodeMemory),
      store_(*options.store),
      own_agents_(options.agents != nullptr ? nullptr : std::make_unique<ProcAgentSource>(options.fixed_agent)),
      agents_(options.agents != nullptr ? options.agents : own_agents_.get()),
      area_(std::move(area)),
      trees_(store_, TreesShare(options.cache_memory)),
      contents_(store_, area_ ? area_->folder() : std::filesystem::temp_directory_path(),
                ContentsShare(options.cache_memory)),
      parking_(store_, trees_),
      committer_(store_, trees_, vcs::CommitterOptions{.ref = options.ref, .now_s = {}}),
      temporaries_(options.temporaries),
      ignore_rules_(trees_, Lines(options.scratch_patterns), "") {}

FilesystemImpl::~FilesystemImpl() { Stop(); }

Result<void> FilesystemImpl::LoadHead() {
  const auto head = committer_.ReadBranch();
  if (!head) return head.error();
  if (const auto root = trees_.Load(head->root); !root) return root.error();
  auto scratch = OpenScratchRoot(options_.git_dir, options_.ref, options_.read_only ? Missing::kLeave : Missing::kMake);
  if (!scratch) return scratch.error();
  scratch_root_ = *std::move(scratch);
  ReadExclude();
  auto attributes = AttributeStore::Open(options_.git_dir, options_.ref,
                                         options_.read_only ? LogAccess::kReadOnly : LogAccess::kReadWrite);
  if (!attributes) return attributes.error();
  attributes_ = *std::move(attributes);
  file_times_ = std::make_unique<FileTimes>(*attributes_, trees_);
  const bool is_first = attributes_->Epochs()->empty();
  file_times_->NoteHead(*head, is_first ? timespec{static_cast<time_t>(head->time_s), 0} : Now());
  const timespec mtime = MtimeOf(*head, {}, {});
  {
    const MutexLock lock(mutex_);
    head_ = *head;
    names_.root()->meta = MetadataOfDirectory({}, mtime);
    names_.root()->scratch = scratch_root_;
  }
  MakeKeptDirectories();
  return SaveRecords();
}

void FilesystemImpl::Start(KernelCache* cache) {
  cache_ = cache;
  vcs::Head head;
  {
    const MutexLock lock(mutex_);
    head = head_;
    NoteLosses();  // before the mount
  }
  committer_.Start(head, this);
  sweeper_ = std::thread([this] { RunSweeper(); });
}

void FilesystemImpl::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_sweeper_.NotifyAll();
  }
  if (sweeper_.joinable()) sweeper_.join();
  locks_.CancelAll();
  committer_.Stop();
  if (attributes_) (void)SyncRecords();  // for all that nobody waited for
}

DrainReport FilesystemImpl::Drain() {
  // Who unmounts doesn't wait for a remote as often as there are files.
  std::optional<vcs::RemoteStore::Haste> haste;
  if (options_.remote != nullptr) haste.emplace(*options_.remote);
  PublishAsides(std::chrono::seconds(0));
  std::set<std::shared_ptr<WorkingCopy>> copies;
  {
    const MutexLock lock(mutex_);
    for (const auto& copy : names_.Copies()) copies.insert(copy);
    for (const auto& [id, handle] : handles_) {
      if (handle->copy) copies.insert(handle->copy);
      if (handle->refused) copies.insert(handle->refused);
    }
    copies.insert(orphans_.begin(), orphans_.end());
    std::erase_if(copies, [](const auto& copy) { return !copy->IsChanged() || copy->discarded; });
  }
  DrainReport report;
  for (const auto& copy : copies) {
    Identity who;
    {
      const MutexLock lock(mutex_);
      who = copy->last_writer;
    }
    const auto published = Publish(copy, who);
    if (published) {
      ++report.published;
      continue;
    }
    const MutexLock lock(mutex_);
    ++(published.code() == Code::kStale ? report.parked : report.kept);
    if (published.code() != Code::kStale) spdlog::error("drain: {}", published.error().message);
  }
  if (options_.remote != nullptr) report.unpushed = options_.remote->PushOut();
  const MutexLock lock(mutex_);
  last_drain_ = report;
  return report;
}

void FilesystemImpl::RunSweeper() {
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (!stopping_) wake_sweeper_.WaitFor(mutex_, kSweepPeriod);
      if (stopping_) return;
    }
    Sweep();
    EndOldRests();
    PublishAsides(kEditorsPause);
    Thin();
    ReadExclude();
    (void)SyncRecords();
    AdoptOthersRecords();
  }
}

void FilesystemImpl::Thin() {
  std::vector<NodeId> nodes;
  {
    const MutexLock lock(mutex_);
    if (names_.NodeCount() > max_nodes_) nodes = names_.TakeUnused(names_.NodeCount() - max_nodes_ / 4 * 3);
  }
  if (!nodes.empty()) cache_->Prune(std::move(nodes));
}

void FilesystemImpl::Sweep() {
  locks_.GiveWay();
  std::set<vcs::ProcessKey> processes;
  std::vector<std::shared_ptr<WorkingCopy>> orphans;
  {
    const MutexLock lock(mutex_);
    for (const auto& copy : redirects_.DropExpired()) Unpin(copy);  // its caller was killed between the two
    losses_.DropTold();
    processes = tracker_.Processes();
    orphans.swap(orphans_);
  }
  std::erase_if(processes, [&](const vcs::ProcessKey& process) { return !agents_->IsGone(process); });  // reads /proc
  for (const auto& copy : orphans) {
    if (auto parked = Park(copy, "its file was changed by another agent"); !parked) {
      spdlog::error("park: {}: {}", copy->agent, parked.error().message);
      const MutexLock lock(mutex_);
      orphans_.push_back(copy);
    }
  }
  if (processes.empty()) return;
  const MutexLock lock(mutex_);
  tracker_.DropProcesses([&](const vcs::ProcessKey& process) { return processes.contains(process); });
}

}  // namespace concordfs::fs
