#include "vcs/git/spare_files.h"

#include <fcntl.h>

#include <utility>

namespace concordfs::vcs::git {

SpareFiles::SpareFiles(std::string folder, const Limits& limits) : folder_(std::move(folder)), limits_(limits) {}

SpareFiles::~SpareFiles() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    thread.swap(thread_);
  }
  wake_.NotifyAll();
  if (thread.joinable()) thread.join();
}

FileDescriptor SpareFiles::Take() {
  FileDescriptor spare;
  bool is_low = false;
  {
    const MutexLock lock(mutex_);
    ++asked_;
    is_low = spares_.size() <= limits_.low;
    if (!spares_.empty()) {
      spare = std::move(spares_.back());
      spares_.pop_back();
    }
    if (asked_ >= limits_.start && !thread_.joinable() && !stopping_) thread_ = std::thread([this] { Run(); });
  }
  if (is_low) wake_.NotifyOne();
  return spare;
}

std::size_t SpareFiles::count() const {
  const MutexLock lock(mutex_);
  return spares_.size();
}

bool SpareFiles::Fill() {
  for (std::size_t ready = count(); ready < limits_.full;) {
    FileDescriptor spare(::open(folder_.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0444));
    if (!spare.ok()) return false;  // whoever needs one says why
    const MutexLock lock(mutex_);
    if (stopping_) return false;
    spares_.push_back(std::move(spare));
    ready = spares_.size();
  }
  return true;
}

void SpareFiles::Run() {
  std::uint64_t filled_for = 0;  // asked_ at that time
  MutexLock lock(mutex_);
  while (!stopping_) {
    const std::uint64_t asked = asked_;
    if (asked != filled_for && spares_.size() <= limits_.low) {
      filled_for = asked;
      lock.Unlock();
      const bool filled = Fill();
      lock.Lock();
      if (!filled) return;
      continue;
    }
    if (wake_.WaitFor(mutex_, limits_.idle) || asked != asked_) continue;
    std::vector<FileDescriptor> unused;
    unused.swap(spares_);
    lock.Unlock();
    unused.clear();
    lock.Lock();
  }
}

}  // namespace concordfs::vcs::git
