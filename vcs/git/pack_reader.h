// Reads objects of one pack by their ids: what a file system needs that serves them.
//
// Ours, because libgit2's looks for new packs at every miss, maps all of a pack, and reads through handles that no two
// threads may share. The pack is read with read(2): a failing disk is an error and not a SIGBUS, and memory doesn't
// grow with it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "vcs/git/handles.h"
#include "vcs/git/pack_format.h"
#include "vcs/mutex.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// Bytes of a file, mapped for reading.
class Mapping {
 public:
  Mapping() = default;
  Mapping(const char* data, std::size_t size) : bytes_(data, size) {}  // of mmap(2)
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  void Swap(Mapping& other) { std::swap(bytes_, other.bytes_); }

  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

// Stays readable when its files are unlinked. Nothing in them is trusted, and no hash is checked: the caller does.
// Threads: any.
class PackReader {
 public:
  static constexpr std::uint64_t kMaxSize = 16ULL << 20;  // bytes of an object, or delta, that is read here
  static constexpr int kMaxChain = 4095;                  // deltas on deltas, as git itself allows

  struct Header {
    ObjectKind kind = ObjectKind::kBlob;
    std::uint64_t size = 0;  // bytes of the object
  };
  struct Object {
    ObjectKind kind = ObjectKind::kBlob;
    std::string bytes;
  };

  // `path` is without its suffix. Maps the index, version 2; its checksum is not computed.
  // Errors: kNotFound (one of the files is missing); kCorrupt; kNotSupported (another version); kIo.
  // Source: gitformat-pack(5).
  static Result<std::shared_ptr<PackReader>> Open(const std::string& path);

  const std::string& path() const { return path_; }  // without its suffix

  // Where the object's entry begins in the pack; nothing if it isn't in it. Needs no disk, unless the index was paged
  // out.
  std::optional<std::uint64_t> Find(const ObjectId& id) const;
  // By the header of the entry and, of a delta, those that it is made on.
  // Errors: kCorrupt; kNotSupported (a tag, or a delta on what is not in the pack); kIo.
  Result<Header> ReadHeader(std::uint64_t offset) const;
  // Errors: the same, and kTooBig (over kMaxSize).
  Result<Object> Read(std::uint64_t offset) const EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMaxBases = 32;
  static constexpr std::size_t kMaxBasesSize = 2 << 20;  // bytes

  // An entry's header, taken apart.
  struct Entry {
    EntryType type = EntryType::kBlob;
    std::uint64_t size = 0;          // bytes that its stream inflates to
    std::uint64_t base_offset = 0;   // of a delta: where its base begins
    std::uint64_t stream_begin = 0;  // in the pack
    bool IsDelta() const { return type == EntryType::kOfsDelta || type == EntryType::kRefDelta; }
  };
  // What others are deltas on: files of one kind lie together, on the same few.
  struct Base {
    std::uint64_t offset = 0;
    std::shared_ptr<const Object> object;
  };
  // Bytes of the pack from `offset` on.
  struct Piece {
    std::uint64_t offset = 0;
    std::string_view bytes;
  };

  PackReader() = default;
  Result<void> CheckIndex();
  const char* Table(std::size_t entry_bytes_before) const;
  // At least the header at `offset`, and what follows it as far as it is cheap. Until the thread's next call.
  Result<Piece> ReadPiece(std::uint64_t offset, std::uint64_t size) const;
  Result<Entry> ParseEntry(const Piece& piece) const;
  Result<std::string> Inflate(const Entry& entry, const Piece& piece) const;
  std::shared_ptr<const Object> FindBase(std::uint64_t offset) const EXCLUDES(mutex_);
  std::shared_ptr<const Object> KeepBase(std::uint64_t offset, Object object) const EXCLUDES(mutex_);
  Error Corrupt(const std::string& why) const;

  // Constant after construction.
  std::string path_;
  FileDescriptor file_;
  std::uint64_t end_ = 0;  // of the entries
  Mapping index_;
  std::uint32_t count_ = 0;
  std::size_t large_count_ = 0;  // of 64-bit offsets
  // Guarded by mutex_.
  mutable Mutex mutex_;
  mutable std::deque<Base> bases_ GUARDED_BY(mutex_);  // the newest first
  mutable std::size_t bases_size_ GUARDED_BY(mutex_) = 0;
};

}  // namespace concordfs::vcs::git
