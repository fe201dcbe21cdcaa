// A new pack file, entry by entry, and its index.
//
// Readers find a pack by its index. So the pack gets its name first, the index second, and both when they are whole: a
// crash leaves tmp_pack_* and tmp_idx_* files, or a pack without an index, which git counts as garbage and nobody
// reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vcs/git/handles.h"
#include "vcs/git/pack_format.h"
#include "vcs/git/sha1.h"
#include "vcs/object_id.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

enum class Durability;

// What the names of unnamed files begin with. Git knows them by their "tmp_".
constexpr char kUnnamedPack[] = "tmp_pack_concordfs_";
constexpr char kUnnamedIndex[] = "tmp_idx_concordfs_";

// A file in objects/pack without its name yet. Removed with its owner, unless it was named.
class UnnamedPackFile {
 public:
  UnnamedPackFile() = default;
  ~UnnamedPackFile();
  UnnamedPackFile(UnnamedPackFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
  UnnamedPackFile& operator=(UnnamedPackFile&& other) noexcept;

  // Makes `<objects_dir>/pack/<prefix><process>_<number>`, and the folder where it is missing.
  static Result<UnnamedPackFile> Make(const std::string& objects_dir, const char* prefix);

  Result<void> Append(std::string_view bytes);
  Result<void> Sync();
  // Takes the place of a file that has this name.
  Result<void> Name(const std::string& path);

 private:
  std::string Kind() const;

  std::string path_;  // empty: none, or named
  FileDescriptor file_;
};

// Threads: one at a time. Errors of all: those of WriteSystemError. Source: gitformat-pack(5), version 2.
class PackStream {
 public:
  // A pack of `count` entries in `<objects_dir>/pack`.
  static Result<PackStream> Start(const std::string& objects_dir, std::uint32_t count);

  // Where the next entry will begin: bytes from the beginning of the pack.
  std::uint64_t offset() const { return flushed_ + buffer_.size(); }

  // An entry in two steps: what the caller appends to Entry() is one whole entry, and EndEntry() says whose it is.
  std::string& Entry() { return buffer_; }
  Result<void> EndEntry(const ObjectId& id);
  // The entry that is `head` and then `body`, which is not copied if it is large.
  Result<void> Append(const ObjectId& id, std::string_view head, std::string_view body);

  // Ends the pack, of which all entries are there, writes its index and names both, in place of files of these names: a
  // pack is named by its content. Durable if that is asked for. Returns the path without its suffix:
  // "<objects_dir>/pack/pack-<40 digits>".
  // Errors: also kInvalidArgument if `count` was wrong; kNotFound if a `git prune` took the files away;
  // kNotSupported if OpenSSL refuses SHA-1.
  Result<std::string> Finish(Durability durability);

 private:
  PackStream(std::string objects_dir, std::uint32_t count, UnnamedPackFile file);
  Result<void> Flush();

  std::string objects_dir_;
  std::uint32_t count_;
  UnnamedPackFile file_;
  Sha1 hash_;  // of what was flushed
  std::string buffer_;
  std::uint64_t flushed_ = 0;
  std::size_t entry_begin_ = 0;  // in buffer_
  std::vector<IndexEntry> entries_;
};

}  // namespace concordfs::vcs::git
