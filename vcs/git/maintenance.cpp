#include "vcs/git/maintenance.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "vcs/git/loose_walk.h"

namespace concordfs::vcs::git {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// A tenth of what others get, if they want all. With 19 it would be a hundredth, and what is written faster than that
// would pile up for as long as the machine is busy.
constexpr int kNice = 10;
// Ten times of what others get, up to a processor: who writes without pause makes loose objects faster than an equal share
// of the processors packs them, on two of them after half a million commits until the disk has no inode left.
constexpr int kPressedNice = -10;
constexpr milliseconds kLongestTick{1'000};
constexpr milliseconds kShortestTick{5};
constexpr std::chrono::seconds kLookAround{60};  // with nothing to do: packs may come from outside
constexpr std::size_t kIdleMergePacks = 4;
constexpr std::size_t kMaxListed = 400'000;  // loose objects; more are left to a later search, or to git

// Of this thread only. Less than before needs a privilege: without it all stays as it is.
void SetNice(int nice) {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice);
}

}  // namespace

Maintenance::Maintenance(std::string git_dir, MaintenanceOptions options)
    : git_dir_(std::move(git_dir)),
      options_(std::move(options)),
      pace_(options_.share),
      keeper_(git_dir_, options_.keeper),
      retry_(options_.first_retry),
      last_write_(Clock::now()),
      thread_([this] { Run(); }) {}

void Maintenance::Note(std::vector<WrittenObject> written) {
  MutexLock lock(mutex_);
  last_write_ = Clock::now();
  const std::size_t before = pending_.size();
  const std::size_t room = options_.max_pending - std::min(options_.max_pending, before);
  const std::size_t taken = std::min(room, written.size());
  pending_.insert(pending_.end(), written.begin(), written.begin() + static_cast<std::ptrdiff_t>(taken));
  if (taken < written.size()) {
    counters_.dropped += written.size() - taken;
    search_ = true;
  }
  const bool begins = before == 0;  // a time to be idle for
  const bool is_enough = before < options_.roll_objects && pending_.size() >= options_.roll_objects;
  if (begins || is_enough) changed_.NotifyOne();
}

void Maintenance::NotePack() {
  MutexLock lock(mutex_);
  last_write_ = Clock::now();
  ++new_packs_;
  if (new_packs_ == 1 || new_packs_ == options_.merge_packs) changed_.NotifyOne();
}

void Maintenance::Stop() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  pace_.Stop();
  if (thread_.joinable()) thread_.join();
}

MaintenanceCounters Maintenance::counters() const {
  MutexLock lock(mutex_);
  MaintenanceCounters counters = counters_;
  counters.pending = pending_.size();
  return counters;
}

void Maintenance::Run() {
  ::pthread_setname_np(::pthread_self(), "maintenance");
  SetNice(kNice);
  CountPacks();
  {
    MutexLock lock(mutex_);
    new_packs_ += counters_.packs;  // whose they are nobody knows
  }
  do {
    const auto done = DoRound();
    if (done) {
      retry_ = options_.first_retry;
    } else if (done.code() != Code::kInterrupted) {
      Fail(done.error());
    }
    CountPacks();
  } while (Wait());
}

bool Maintenance::Wait() {
  const milliseconds tick =
      std::clamp(std::min(options_.idle, options_.keeper.least_grace) / 4, kShortestTick, kLongestTick);
  MutexLock lock(mutex_);
  const auto now = Clock::now();
  std::chrono::nanoseconds pause = kLookAround;
  if (!pending_.empty() || new_packs_ > 0 || search_ || keeper_.retired_count() + keeper_.spare_count() > 0) pause = tick;
  if (RollIsDue() || MergeIsDue()) pause = std::chrono::nanoseconds(0);
  // What comes meanwhile may shorten the pause, but not what a failure or somebody else asks for.
  const auto until_retry = next_round_ - now;
  if (!stop_ && pause > until_retry) changed_.WaitFor(mutex_, pause);
  while (!stop_ && Clock::now() < next_round_) changed_.WaitFor(mutex_, next_round_ - Clock::now());
  return !stop_;
}

bool Maintenance::IsIdle() const {
  return Clock::now() - last_write_ >= options_.idle;
}

bool Maintenance::RollIsDue() const {
  return pending_.size() >= options_.roll_objects || (pending_.size() >= options_.idle_roll_objects && IsIdle());
}

bool Maintenance::MergeIsDue() const {
  return new_packs_ >= options_.merge_packs || (new_packs_ >= kIdleMergePacks && IsIdle());
}

Result<void> Maintenance::DoRound() {
  const FileDescriptor lock = TryLock();
  if (!lock.ok() || GitGcRuns(git_dir_)) {
    Postpone(kLongestTick);
    return {};
  }
  if (auto removed = keeper_.RemoveRetired(Clock::now()); !removed) return removed.error();
  keeper_.RemoveSpares();
  if (auto searched = Search(); !searched) return searched;
  if (auto rolled = RollWhatIsDue(); !rolled) return rolled;
  return MergeWhatIsDue();
}

Result<void> Maintenance::Search() {
  {
    MutexLock lock(mutex_);
    // But for the first time there is enough to do that needs no search.
    if (!search_ || !options_.tips || (has_searched_ && !IsIdle())) return {};
    has_searched_ = true;
    search_ = false;
  }
  // The refs first: a tip that is written after the list was made would not be in it, and hide all that is behind it.
  const std::vector<ObjectId> tips = options_.tips();
  keeper_.RemoveLeftFiles();
  const std::string objects_dir = git_dir_ + "/objects";
  auto loose = ListLoose(objects_dir, kMaxListed);
  auto pruned = keeper_.PrunePacked(loose, go_on_);
  auto found = pruned ? FindReachable(objects_dir, std::move(loose), tips, go_on_) : pruned.error();
  MutexLock lock(mutex_);
  if (!found) {
    search_ = true;
    return found.error();
  }
  const std::size_t count = std::min(found->size(), options_.max_pending);
  // In front: were newer commits packed before them, nobody would find these again through what is loose.
  pending_.insert(pending_.begin(), found->begin(), found->begin() + static_cast<std::ptrdiff_t>(count));
  search_ = search_ || count < found->size();
  return {};
}

Result<void> Maintenance::RollWhatIsDue() {
  for (;;) {
    std::vector<WrittenObject> objects;
    {
      MutexLock lock(mutex_);
      if (!RollIsDue()) return {};
      SetPressed(pending_.size() > options_.many_pending);
      const auto count = std::min(pending_.size(), options_.keeper.roll_objects);
      objects.assign(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
    }
    if (GitGcRuns(git_dir_)) return {};
    // Beside a storm this goes on for as long as the storm.
    if (auto removed = keeper_.RemoveRetired(Clock::now()); !removed) return removed.error();
    auto rolled = keeper_.Roll(objects, pressed_ ? PackCompression::kStored : PackCompression::kFast, go_on_);
    if (!rolled) return rolled.error();
    bool merge = false;
    {
      MutexLock lock(mutex_);
      pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(rolled->taken));
      counters_.rolled_objects += rolled->packed;
      if (!rolled->path.empty()) {
        ++counters_.rolls;
        ++new_packs_;
      }
      merge = new_packs_ >= options_.merge_packs;
    }
    if (merge) {
      if (auto merged = MergeWhatIsDue(); !merged) return merged;
    }
  }
}

Result<void> Maintenance::MergeWhatIsDue() {
  {
    MutexLock lock(mutex_);
    if (!MergeIsDue()) return {};
    new_packs_ = 0;
  }
  for (;;) {
    CountPacks();
    const MaintenanceCounters now = counters();
    SetPressed(now.packs > options_.many_packs || now.pending > options_.many_pending);
    auto merged = keeper_.Merge(pressed_ ? PackCompression::kStored : PackCompression::kFast, go_on_);
    if (!merged && merged.code() == Code::kNotSupported) {
      Log(merged.error().message);
      return {};
    }
    MutexLock lock(mutex_);
    if (!merged) {
      new_packs_ += options_.merge_packs;  // still to be done
      return merged.error();
    }
    if (*merged == 0) return {};
    ++counters_.merges;
    counters_.merged_packs += *merged;
  }
}

void Maintenance::CountPacks() {
  const auto count = keeper_.CountPacks();
  MutexLock lock(mutex_);
  if (count) counters_.packs = *count;
  counters_.retired = keeper_.retired_count();
}

void Maintenance::SetPressed(bool pressed) {
  if (pressed == pressed_) return;
  pressed_ = pressed;
  pace_.Hurry(pressed);
  SetNice(pressed ? kPressedNice : kNice);
}

void Maintenance::Postpone(milliseconds pause) {
  MutexLock lock(mutex_);
  next_round_ = Clock::now() + pause;
}

void Maintenance::Fail(const Error& error) {
  Postpone(retry_);
  retry_ = std::min(2 * retry_, options_.last_retry);
  Log("maintenance: " + error.message);
  MutexLock lock(mutex_);
  ++counters_.failures;
  counters_.last_failure = error.message;
}

void Maintenance::Log(const std::string& line) {
  if (!options_.log || line == last_line_) return;
  last_line_ = line;
  options_.log(line);
}

FileDescriptor Maintenance::TryLock() const {
  const std::string folder = git_dir_ + "/concordfs";
  ::mkdir(folder.c_str(), 0700);  // it may be there; if it can't be made, nor can the file
  FileDescriptor file(::open((folder + "/maintenance.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.ok() && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return file;
}

}  // namespace concordfs::vcs::git
