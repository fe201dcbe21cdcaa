// Where one mount keeps uncommitted content: REPO/concordfs/mounts/<id>/, locked while the daemon lives.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fs/description_log.h"
#include "vcs/mutex.h"
#include "vcs/result.h"

namespace concordfs::fs {

// A file in the folder, by its number, and an open descriptor of it.
struct ContentFile {
  ContentNumber number = 0;
  Descriptor descriptor;
};

// May a file hold one content after the other? Where a power cut has to be survived: no, because what the disk says
// about a file may then be older than what is in it.
enum class ContentFiles { kUsedAgain, kUsedOnce };

// Threads: any.
class WorkingArea {
 public:
  // Makes the folder (0700; files in it are 0600) and locks it. Errors: kReadOnly, kAccess, kNoSpace, kIo.
  static Result<std::unique_ptr<WorkingArea>> Make(const std::filesystem::path& git_dir, ContentFiles files);
  // Removes the folder, if nothing is described in it.
  ~WorkingArea();
  WorkingArea(const WorkingArea&) = delete;
  WorkingArea& operator=(const WorkingArea&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  DescriptionLog& descriptions() { return *descriptions_; }

  // A path in the folder that was never used.
  std::string NewPath() EXCLUDES(mutex_);
  // An empty file that is not described. Errors: kNoSpace, kQuota, kIo.
  Result<ContentFile> TakeFile() EXCLUDES(mutex_);
  // What is in it (`size` bytes) is not needed any more.
  void GiveBack(ContentFile file, std::uint64_t size) EXCLUDES(mutex_);
  // The same, but nothing else may ever be in a file of that number.
  void Remove(const ContentFile& file);
  // The folder and what is described in it survive a power cut; a content is its owner's to sync. Errors: kIo,
  // kNoSpace.
  Result<void> Sync();

 private:
  // Making and removing a file costs more than all else that is done on the disk for a small save.
  static constexpr std::size_t kMaxSpare = 32;

  WorkingArea(std::filesystem::path folder, int lock, std::unique_ptr<DescriptionLog> descriptions,
              std::size_t max_spare)
      : folder_(std::move(folder)), lock_(lock), descriptions_(std::move(descriptions)), max_spare_(max_spare) {}

  const std::filesystem::path folder_;
  const int lock_;  // holds flock(2) on the folder's "lock"
  const std::unique_ptr<DescriptionLog> descriptions_;
  const std::size_t max_spare_;
  // Guarded by mutex_: map work only.
  Mutex mutex_;
  ContentNumber next_ GUARDED_BY(mutex_) = 1;
  std::vector<ContentFile> spare_ GUARDED_BY(mutex_);  // empty
};

// The folder that holds the mounts' folders, and what is in one of those.
std::filesystem::path MountsFolder(const std::filesystem::path& git_dir);
std::filesystem::path DescriptionsPath(const std::filesystem::path& mount_folder);
std::filesystem::path ContentPath(const std::filesystem::path& mount_folder, ContentNumber number);

}  // namespace concordfs::fs
