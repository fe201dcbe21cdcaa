// Files without names, made before somebody waits for them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "vcs/git/handles.h"
#include "vcs/mutex.h"

namespace concordfs::vcs::git {

// To make a file's inode takes longer than to write a small object into it. A thread does that ahead, as long as
// objects are written; it starts with the first few of them, and gives the files back when nobody takes any.
//
// Threads: any. Source: open(2), O_TMPFILE.
class SpareFiles {
 public:
  struct Limits {
    std::size_t full = 48;      // open files that wait at most
    std::size_t low = 16;       // with so many left, more are made
    std::uint64_t start = 16;   // so many are asked for in vain before the thread starts
    std::chrono::milliseconds idle{3'000};  // after which none wait any more
  };

  explicit SpareFiles(std::string folder) : SpareFiles(std::move(folder), Limits{}) {}
  SpareFiles(std::string folder, const Limits& limits);
  ~SpareFiles();
  SpareFiles(const SpareFiles&) = delete;
  SpareFiles& operator=(const SpareFiles&) = delete;

  // An empty file of mode 0444 on the folder's file system, open for writing. Not ok(): none is ready.
  FileDescriptor Take() EXCLUDES(mutex_);
  std::size_t count() const EXCLUDES(mutex_);  // that are ready

 private:
  void Run() EXCLUDES(mutex_);
  // Returns false if no file without a name can be made here, or none any more.
  bool Fill() EXCLUDES(mutex_);

  // Constant after construction.
  const std::string folder_;
  const Limits limits_;
  // Guarded by mutex_.
  mutable Mutex mutex_;
  CondVar wake_;
  std::vector<FileDescriptor> spares_ GUARDED_BY(mutex_);
  std::uint64_t asked_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::vcs::git
