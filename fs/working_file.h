// The uncommitted bytes of one working copy: those of its base until the first change, then a file of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fs/content.h"
#include "fs/working_area.h"
#include "vcs/mutex.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::fs {

// Threads: any. One lock per working copy orders one agent's reads, writes and publishes of one file; it is held during
// disk operations, and no other lock is taken under it but the content cache's.
class WorkingFile {
 public:
  // Starts as the blob's bytes, `size` of them; without a blob, as an empty file.
  WorkingFile(WorkingArea& area, ContentCache& contents, std::optional<vcs::ObjectId> blob, std::uint64_t size,
              std::uint64_t max_size)
      : area_(area), contents_(contents), max_size_(max_size), blob_(blob), size_(size) {}
  ~WorkingFile();  // gives the file back, unless it still is described (that is: would be lost)
  WorkingFile(const WorkingFile&) = delete;
  WorkingFile& operator=(const WorkingFile&) = delete;

  std::uint64_t Size() const { return size_; }        // bytes; never blocks
  std::uint64_t Changes() const { return changes_; }  // how many changes were made so far; never blocks

  Result<std::size_t> Read(std::uint64_t offset, std::span<char> out) EXCLUDES(mutex_);
  // Changes say what they change: the description is on disk before the first changed byte (R13).
  // Errors: kTooBig, kNoSpace, kQuota, kIo, kCorrupt (the base's blob).
  Result<void> Write(const Description& description, std::uint64_t offset, std::string_view data) EXCLUDES(mutex_);
  Result<void> Append(const Description& description, std::string_view data) EXCLUDES(mutex_);
  Result<void> Truncate(const Description& description, std::uint64_t size) EXCLUDES(mutex_);
  // As fallocate(2). Errors also: kNotSupported.
  Result<void> Allocate(const Description& description, int mode, std::uint64_t offset, std::uint64_t length)
      EXCLUDES(mutex_);
  // Where the next data or hole is, as lseek(2) for SEEK_DATA and SEEK_HOLE. Errors: kNoData.
  Result<std::uint64_t> Seek(std::uint64_t offset, int whence) EXCLUDES(mutex_);
  // Makes the uncommitted bytes and their description survive a power cut. Errors: kIo, kNoSpace.
  Result<void> Sync() EXCLUDES(mutex_);

  // Stores the bytes as they are now, after so many changes. Errors: those of Store::AddBlob.
  struct Stored {
    vcs::ObjectId blob;
    std::uint64_t size = 0;  // bytes
    std::uint64_t changes = 0;
  };
  Result<Stored> StoreAsBlob(vcs::Store& store) EXCLUDES(mutex_);
  // The same, but the publication that names the blob may have to bring its bytes. Errors: those of Store::PrepareBlob.
  struct Prepared : Stored {
    std::optional<vcs::SharedBytes> bytes;  // of a blob that is not stored yet
  };
  Result<Prepared> PrepareBlob(vcs::Store& store) EXCLUDES(mutex_);
  // The bytes as they were after so many changes are in history, or parked: if they still are those, a crash loses
  // nothing any more.
  void Undescribe(std::uint64_t changes) EXCLUDES(mutex_);
  // Nobody wants the bytes any more.
  void GiveUp() EXCLUDES(mutex_);
  // The file was renamed: describes what is there anew, if it is described.
  void DescribeAgain(const Description& description) EXCLUDES(mutex_);
  // An own copy of the bytes. Errors: as Write.
  Result<std::unique_ptr<WorkingFile>> Clone(const Description& description) EXCLUDES(mutex_);

 private:
  // Makes the file, with the first `keep` bytes of the base. Errors: as Write.
  Result<void> Prepare(const Description& description, std::uint64_t keep) REQUIRES(mutex_);
  Result<void> WriteLocked(const Description& description, std::uint64_t offset, std::string_view data)
      REQUIRES(mutex_);
  void UndescribeLocked() REQUIRES(mutex_);

  // Constant after construction.
  WorkingArea& area_;
  ContentCache& contents_;
  const std::uint64_t max_size_;  // bytes; 0: any
  // Guarded by mutex_.
  Mutex mutex_;
  std::optional<vcs::ObjectId> blob_ GUARDED_BY(mutex_);
  std::shared_ptr<const Content> base_ GUARDED_BY(mutex_);  // of blob_, once it was needed
  int fd_ GUARDED_BY(mutex_) = -1;                          // the own file, from the first change on
  ContentNumber number_ GUARDED_BY(mutex_) = 0;             // of that file
  bool described_ GUARDED_BY(mutex_) = false;
  bool reusable_ GUARDED_BY(mutex_) = true;  // the file may hold another content afterwards
  // Own synchronisation; written under mutex_.
  std::atomic<std::uint64_t> size_;
  std::atomic<std::uint64_t> changes_{0};
};

}  // namespace concordfs::fs
