// The bytes of published versions, ready to be read at any offset.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "vcs/mutex.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::fs {

// One blob's bytes, verified: in memory if it is small, else in an unnamed file. Immutable. Threads: any.
class Content {
 public:
  explicit Content(std::string bytes) : bytes_(std::move(bytes)), size_(bytes_.size()) {}
  Content(int fd, std::uint64_t size) : fd_(fd), size_(size) {}  // takes the descriptor
  ~Content();
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  std::uint64_t size() const { return size_; }
  // Bytes read; fewer than asked for at the end only. Errors: kIo.
  Result<std::size_t> Read(std::uint64_t offset, std::span<char> out) const;
  // Writes all of it to `fd` from its offset 0. Errors: kIo, kNoSpace, kQuota.
  Result<void> CopyTo(int fd) const;

 private:
  const std::string bytes_;
  const int fd_ = -1;
  const std::uint64_t size_;
};

// Contents and sizes by blob. What is in use is shared; small contents are kept up to a bound. Threads: any.
class ContentCache {
 public:
  static constexpr std::uint64_t kSmall = 256 << 10;          // bytes: up to here in memory
  static constexpr std::uint64_t kMaxKept = 32 << 20;         // bytes of contents that nobody uses just now
  static constexpr std::size_t kMaxSizes = 1 << 18;           // entries

  // `folder`: where unnamed files for large contents are made.
  ContentCache(vcs::Store& store, std::filesystem::path folder) : store_(store), folder_(std::move(folder)) {}

  // Blocks on disk at the first use of a blob. Errors: kNotFound, kCorrupt, kIo, kNoSpace.
  Result<std::shared_ptr<const Content>> Open(const vcs::ObjectId& blob) EXCLUDES(mutex_);
  // Bytes, from the object's header alone. Errors: as Open.
  Result<std::uint64_t> Size(const vcs::ObjectId& blob) EXCLUDES(mutex_);

 private:
  Result<std::shared_ptr<const Content>> Load(const vcs::ObjectId& blob);

  // Constant after construction.
  vcs::Store& store_;
  const std::filesystem::path folder_;
  // Guarded by mutex_.
  Mutex mutex_;
  std::unordered_map<vcs::ObjectId, std::weak_ptr<const Content>> open_ GUARDED_BY(mutex_);
  std::list<std::shared_ptr<const Content>> kept_ GUARDED_BY(mutex_);  // most recently opened first
  std::uint64_t kept_size_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<vcs::ObjectId, std::uint64_t> sizes_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::fs
