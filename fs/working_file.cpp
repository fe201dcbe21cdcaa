#include "fs/working_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "fs/file_io.h"

namespace concordfs::fs {

WorkingFile::~WorkingFile() {
  if (fd_ < 0) return;
  ContentFile file{number_, Descriptor(fd_)};
  if (described_) return;  // would be lost
  if (reusable_) {
    area_.GiveBack(std::move(file), size_);
  } else {
    area_.Remove(file);
  }
}

Result<std::size_t> WorkingFile::Read(std::uint64_t offset, std::span<char> out) {
  std::shared_ptr<const Content> base;
  {
    const MutexLock lock(mutex_);
    if (fd_ >= 0) return ReadAt(fd_, offset, out);
    if (!blob_) return std::size_t{0};
    if (!base_) {
      auto opened = contents_.Open(*blob_);
      if (!opened) return opened.error();
      base_ = *std::move(opened);
    }
    base = base_;
  }
  return base->Read(offset, out);
}

Result<void> WorkingFile::Write(const Description& description, std::uint64_t offset, std::string_view data) {
  const MutexLock lock(mutex_);
  return WriteLocked(description, offset, data);
}

Result<void> WorkingFile::Append(const Description& description, std::string_view data) {
  const MutexLock lock(mutex_);
  return WriteLocked(description, size_, data);
}

Result<void> WorkingFile::WriteLocked(const Description& description, std::uint64_t offset, std::string_view data) {
  if (max_size_ != 0 && offset + data.size() > max_size_)
    return Error{Code::kTooBig, description.path + ": over the maximum file size"};
  if (auto prepared = Prepare(description, size_); !prepared) return prepared;
  auto written = WriteAt(fd_, offset, data);
  if (written) {
    size_ = std::max<std::uint64_t>(size_, offset + data.size());
  } else if (struct stat now{}; fstat(fd_, &now) == 0) {  // half a write, perhaps
    size_ = static_cast<std::uint64_t>(now.st_size);
  }
  ++changes_;
  return written;
}

Result<void> WorkingFile::Truncate(const Description& description, std::uint64_t size) {
  if (max_size_ != 0 && size > max_size_)
    return Error{Code::kTooBig, description.path + ": over the maximum file size"};
  const MutexLock lock(mutex_);
  const std::uint64_t keep = std::min<std::uint64_t>(size, size_);
  const std::uint64_t size_on_disk = fd_ < 0 && keep == 0 ? 0 : size_.load();
  if (auto prepared = Prepare(description, keep); !prepared) return prepared;
  if (size != size_on_disk && ftruncate(fd_, static_cast<off_t>(size)) != 0) return SystemError("truncate", errno);
  size_ = size;
  ++changes_;
  return {};
}

Result<void> WorkingFile::Allocate(const Description& description, int mode, std::uint64_t offset,
                                   std::uint64_t length) {
  if (max_size_ != 0 && offset + length > max_size_)
    return Error{Code::kTooBig, description.path + ": over the maximum file size"};
  const MutexLock lock(mutex_);
  if (auto prepared = Prepare(description, size_); !prepared) return prepared;
  if (fallocate(fd_, mode, static_cast<off_t>(offset), static_cast<off_t>(length)) != 0)
    return SystemError("fallocate", errno);
  struct stat now {};
  if (fstat(fd_, &now) == 0) size_ = static_cast<std::uint64_t>(now.st_size);
  ++changes_;
  return {};
}

Result<std::uint64_t> WorkingFile::Seek(std::uint64_t offset, int whence) {
  const MutexLock lock(mutex_);
  if (fd_ < 0) return SeekInData(size_, offset, whence);
  const off_t place = lseek(fd_, static_cast<off_t>(offset), whence);  // nothing else uses the descriptor's position
  if (place < 0) return SystemError("lseek", errno);
  return static_cast<std::uint64_t>(place);
}

Result<void> WorkingFile::Sync() {
  const MutexLock lock(mutex_);
  if (fd_ < 0) return {};  // nothing but the base's bytes
  if (fsync(fd_) != 0) return SystemError("fsync", errno);
  reusable_ = false;  // what the disk says about it may be older than what is in it, after a power cut
  return area_.Sync();
}

Result<WorkingFile::Stored> WorkingFile::StoreAsBlob(vcs::Store& store) {
  const MutexLock lock(mutex_);
  const auto blob = fd_ >= 0 ? store.AddBlob(fd_, size_) : blob_ ? Result<vcs::ObjectId>(*blob_) : store.AddBlob("");
  if (!blob) return blob.error();
  return Stored{*blob, size_, changes_};
}

Result<WorkingFile::Prepared> WorkingFile::PrepareBlob(vcs::Store& store) {
  {
    const MutexLock lock(mutex_);
    if (fd_ >= 0) {
      auto blob = store.PrepareBlob(fd_, size_);
      if (!blob) return blob.error();
      return Prepared{{blob->id, size_, changes_}, std::move(blob->bytes)};
    }
  }
  const auto stored = StoreAsBlob(store);
  if (!stored) return stored.error();
  return Prepared{*stored, std::nullopt};
}

void WorkingFile::Undescribe(std::uint64_t changes) {
  const MutexLock lock(mutex_);
  if (changes == changes_) UndescribeLocked();
}

void WorkingFile::GiveUp() {
  const MutexLock lock(mutex_);
  UndescribeLocked();
}

void WorkingFile::UndescribeLocked() {
  if (!described_) return;
  described_ = false;
  if (!area_.descriptions().Drop(number_)) reusable_ = false;
}

void WorkingFile::DescribeAgain(const Description& description) {
  const MutexLock lock(mutex_);
  // A failure leaves the old name in place: found under the wrong path is better than not found.
  if (described_) (void)area_.descriptions().Describe(number_, description);
}

Result<std::unique_ptr<WorkingFile>> WorkingFile::Clone(const Description& description) {
  const MutexLock lock(mutex_);
  auto clone = std::make_unique<WorkingFile>(area_, contents_, blob_, size_, max_size_);
  const MutexLock clone_lock(clone->mutex_);  // nobody else has it: no order to keep
  if (fd_ < 0) return clone;
  clone->blob_.reset();
  if (auto prepared = clone->Prepare(description, 0); !prepared) return prepared.error();
  std::string buffer(1 << 20, '\0');
  for (std::uint64_t offset = 0; offset < size_;) {
    const auto count = ReadAt(fd_, offset, buffer);
    if (!count) return count.error();
    if (*count == 0) break;
    if (auto written = WriteAt(clone->fd_, offset, std::string_view(buffer).substr(0, *count)); !written)
      return written.error();
    offset += *count;
  }
  return clone;
}

Result<void> WorkingFile::Prepare(const Description& description, std::uint64_t keep) {
  if (fd_ < 0) {
    if (blob_ && keep > 0 && !base_) {
      auto opened = contents_.Open(*blob_);
      if (!opened) return opened.error();
      base_ = *std::move(opened);
    }
    auto file = area_.TakeFile();
    if (!file) return file.error();
    auto prepared = base_ && keep > 0 ? base_->CopyTo(file->descriptor.fd()) : Result<void>();
    if (prepared) prepared = area_.descriptions().Describe(file->number, description);
    if (!prepared) {
      area_.Remove(*file);
      return prepared;
    }
    fd_ = file->descriptor.Release();
    number_ = file->number;
    described_ = true;
    base_.reset();
    blob_.reset();
    return {};
  }
  if (described_) return {};
  if (auto described = area_.descriptions().Describe(number_, description); !described) return described;
  described_ = true;
  return {};
}

}  // namespace concordfs::fs
