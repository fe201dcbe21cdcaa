// Where one mount keeps uncommitted content: REPO/concordfs/mounts/<id>/, locked while the daemon lives.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "vcs/mutex.h"
#include "vcs/result.h"
#include "vcs/version.h"

namespace concordfs::fs {

// What a piece of uncommitted content is, for the mount that finds it after a crash (R13).
struct Description {
  std::string agent;
  std::string process;
  std::string path;  // bytes
  vcs::Base base;
  vcs::FileMode mode = vcs::FileMode::kRegular;
};

// Threads: any.
class WorkingArea {
 public:
  // Makes the folder (0700; files in it are 0600) and locks it. Errors: kReadOnly, kAccess, kNoSpace, kIo.
  static Result<std::unique_ptr<WorkingArea>> Make(const std::filesystem::path& git_dir);
  // Removes the folder, if nothing is left in it.
  ~WorkingArea();
  WorkingArea(const WorkingArea&) = delete;
  WorkingArea& operator=(const WorkingArea&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  // A path in the folder that was never used. Its description stands beside it, as <path>.json.
  std::string NewPath();

 private:
  WorkingArea(std::filesystem::path folder, int lock) : folder_(std::move(folder)), lock_(lock) {}

  const std::filesystem::path folder_;
  const int lock_;  // holds flock(2) on the folder's "lock"
  std::atomic<std::uint64_t> next_{1};
};

// The folder that holds the mounts' folders.
std::filesystem::path MountsFolder(const std::filesystem::path& git_dir);
Result<void> WriteDescription(const std::string& content_path, const Description& description);
Result<Description> ReadDescription(const std::string& description_path);

}  // namespace concordfs::fs
