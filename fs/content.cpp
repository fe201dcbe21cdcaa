#include "fs/content.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "fs/file_io.h"

namespace concordfs::fs {

Content::~Content() {
  if (fd_ >= 0) close(fd_);
}

Result<std::size_t> Content::Read(std::uint64_t offset, std::span<char> out) const {
  if (offset >= size_) return std::size_t{0};
  const std::size_t count = std::min<std::uint64_t>(out.size(), size_ - offset);
  if (fd_ >= 0) return ReadAt(fd_, offset, out.first(count));
  std::memcpy(out.data(), bytes_.data() + offset, count);
  return count;
}

Result<void> Content::CopyTo(int fd) const {
  if (fd_ < 0) return WriteAt(fd, 0, bytes_);
  std::vector<char> buffer(1 << 20);
  for (std::uint64_t offset = 0; offset < size_;) {
    const auto count = Read(offset, buffer);
    if (!count) return count.error();
    if (*count == 0) return Error{Code::kIo, "cached content: shorter than its blob"};
    if (auto written = WriteAt(fd, offset, {buffer.data(), *count}); !written) return written;
    offset += *count;
  }
  return {};
}

Result<std::shared_ptr<const Content>> ContentCache::Open(const vcs::ObjectId& blob) {
  {
    const MutexLock lock(mutex_);
    if (const auto found = open_.find(blob); found != open_.end()) {
      if (auto content = found->second.lock()) return content;
    }
  }
  auto loaded = Load(blob);  // two threads may load one blob at a time: they get the same bytes
  if (!loaded) return loaded;
  const MutexLock lock(mutex_);
  if (open_.size() >= forget_closed_at_) {
    std::erase_if(open_, [](const auto& entry) { return entry.second.expired(); });
    forget_closed_at_ = 2 * open_.size() + 1024;
  }
  open_[blob] = *loaded;
  KeepSize(blob, (*loaded)->size());
  if ((*loaded)->size() > kSmall) return loaded;
  kept_.push_front({blob, *loaded});
  kept_size_ += (*loaded)->size() + kContentOverhead;
  while (kept_size_ > limits_.contents && !kept_.empty()) {
    const Kept oldest = std::move(kept_.back());
    kept_.pop_back();
    kept_size_ -= oldest.content->size() + kContentOverhead;
    const auto found = open_.find(oldest.blob);
    if (oldest.content.use_count() == 1 && found != open_.end() && found->second.lock() == oldest.content) {
      open_.erase(found);
    }
  }
  return loaded;
}

void ContentCache::KeepSize(const vcs::ObjectId& blob, std::uint64_t size) {
  if (sizes_.size() * kSizeEntry >= limits_.sizes) sizes_.clear();
  sizes_[blob] = size;
}

Result<std::uint64_t> ContentCache::Size(const vcs::ObjectId& blob) {
  {
    const MutexLock lock(mutex_);
    if (const auto found = sizes_.find(blob); found != sizes_.end()) return found->second;
  }
  const auto size = store_.BlobSize(blob);
  if (!size) return size;
  const MutexLock lock(mutex_);
  KeepSize(blob, *size);
  return size;
}

Result<std::shared_ptr<const Content>> ContentCache::Load(const vcs::ObjectId& blob) {
  const auto size = Size(blob);
  if (!size) return size.error();
  if (*size <= kSmall) {
    auto bytes = store_.Read(blob, vcs::ObjectKind::kBlob);
    if (!bytes) return bytes.error();
    return std::make_shared<const Content>(*std::move(bytes));
  }
  const int fd = open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return SystemError("unnamed file in " + folder_.string(), errno);
  auto content = std::make_shared<const Content>(fd, *size);
  if (auto copied = store_.CopyBlobTo(blob, fd); !copied) return copied.error();
  return content;
}

}  // namespace concordfs::fs
