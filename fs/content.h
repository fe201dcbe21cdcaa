// The bytes of published versions, ready to be read at any offset.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
  // All of it, if it is in memory; else nothing.
  std::string_view bytes() const { return bytes_; }
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
  static constexpr std::uint64_t kSmall = 256 << 10;  // bytes: up to here in memory

  // Bytes of memory for what nobody uses just now.
  struct Limits {
    std::uint64_t contents = 12 << 20;
    std::uint64_t sizes = 24 << 20;
  };

  // `folder`: where unnamed files for large contents are made.
  ContentCache(vcs::Store& store, std::filesystem::path folder, const Limits& limits)
      : store_(store), folder_(std::move(folder)), limits_(limits) {}

  // Blocks on disk at the first use of a blob. Errors: kNotFound, kCorrupt, kIo, kNoSpace.
  Result<std::shared_ptr<const Content>> Open(const vcs::ObjectId& blob) EXCLUDES(mutex_);
  // Bytes, from the object's header alone. Errors: as Open.
  Result<std::uint64_t> Size(const vcs::ObjectId& blob) EXCLUDES(mutex_);

 private:
  static constexpr std::uint64_t kSizeEntry = 80;         // bytes that a size takes, about
  static constexpr std::uint64_t kContentOverhead = 256;  // and a content besides its bytes

  struct Kept {
    vcs::ObjectId blob;
    std::shared_ptr<const Content> content;
  };

  Result<std::shared_ptr<const Content>> Load(const vcs::ObjectId& blob);
  void KeepSize(const vcs::ObjectId& blob, std::uint64_t size) REQUIRES(mutex_);

  // Constant after construction.
  vcs::Store& store_;
  const std::filesystem::path folder_;
  const Limits limits_;
  // Guarded by mutex_.
  Mutex mutex_;
  std::unordered_map<vcs::ObjectId, std::weak_ptr<const Content>> open_ GUARDED_BY(mutex_);
  // So many entries of open_: time to drop those of what nobody has any more.
  std::size_t forget_closed_at_ GUARDED_BY(mutex_) = 1024;
  std::deque<Kept> kept_ GUARDED_BY(mutex_);        // most recently opened first
  std::uint64_t kept_size_ GUARDED_BY(mutex_) = 0;  // bytes
  std::unordered_map<vcs::ObjectId, std::uint64_t> sizes_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::fs
