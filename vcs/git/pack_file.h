// Reads a pack as what it is made of: entries, not objects.
//
// With read(2), not with a mapping: a failing disk is an error and not a SIGBUS. Nothing in the files is trusted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/git/handles.h"
#include "vcs/git/pack_format.h"
#include "vcs/object_id.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// One entry, taken apart.
struct RawEntry {
  EntryType type = EntryType::kBlob;
  std::uint64_t size = 0;         // bytes that its stream inflates to: of the object, or of the delta
  std::uint64_t base_offset = 0;  // of a kOfsDelta: where its base begins
  ObjectId base;                  // of a kRefDelta
  std::string bytes;              // the whole entry as it is in the pack
  std::size_t stream_begin = 0;   // where in `bytes` its zlib stream begins

  std::string_view stream() const { return std::string_view(bytes).substr(stream_begin); }
};

// An opened pack and its index, version 2 both. Stays readable when its files are unlinked. Threads: one at a time.
class PackFile {
 public:
  static constexpr std::uint64_t kMaxEntrySize = 64ULL << 20;  // bytes of a stream that is read here

  // `path` is without its suffix. The index is checked as a whole, its checksum too; of the pack its header, its size
  // and the checksum at its end, which is not computed again.
  // Errors: kNotFound (one of the files is missing); kCorrupt; kNotSupported (another version); kIo.
  // Source: gitformat-pack(5).
  static Result<PackFile> Open(const std::string& path);

  const std::string& path() const { return path_; }  // without its suffix
  std::uint64_t size() const { return size_; }       // bytes of the pack
  std::size_t count() const { return entries_.size(); }
  // In the order in which they are in the pack.
  std::span<const IndexEntry> entries() const { return entries_; }

  // The entry at that place in entries(), verified against the CRC-32 of its index.
  // Errors: kCorrupt; kTooBig (over kMaxEntrySize: not read); kIo.
  Result<RawEntry> Read(std::size_t place) const;

 private:
  PackFile() = default;
  Result<void> ReadIndex(const std::string& index, const ObjectId& pack_checksum);
  Error Corrupt(const std::string& why) const;

  std::string path_;
  FileDescriptor file_;
  std::uint64_t size_ = 0;
  std::vector<IndexEntry> entries_;
};

}  // namespace concordfs::vcs::git
