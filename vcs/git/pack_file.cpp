#include "vcs/git/pack_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "vcs/file_io.h"
#include "vcs/git/git_error.h"
#include "vcs/git/sha1.h"

namespace concordfs::vcs::git {
namespace {

Result<FileDescriptor> OpenFile(const std::string& path, std::uint64_t& size) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (file.ok() && ::fstat(file.get(), &status) == 0) {
    size = static_cast<std::uint64_t>(status.st_size);
    return file;
  }
  const int number = errno;
  if (number == ENOENT || number == ENOTDIR) return Error{Code::kNotFound, path + ": no such pack"};
  return ReadSystemError(number, path);
}

// Exactly `size` bytes from there.
Result<std::string> ReadAt(int fd, std::uint64_t offset, std::size_t size, const std::string& path) {
  std::string bytes(size, '\0');
  const ssize_t count = ReadAllAt(fd, offset, bytes);
  if (count < 0) return ReadSystemError(errno, path);
  if (static_cast<std::size_t>(count) < size) return Error{Code::kCorrupt, path + ": shorter than it was"};
  return bytes;
}

bool IsKnown(EntryType type) {
  switch (type) {
    case EntryType::kCommit:
    case EntryType::kTree:
    case EntryType::kBlob:
    case EntryType::kTag:
    case EntryType::kOfsDelta:
    case EntryType::kRefDelta: return true;
  }
  return false;
}

}  // namespace

Error PackFile::Corrupt(const std::string& why) const {
  return Error{Code::kCorrupt, path_ + ": " + why};
}

Result<PackFile> PackFile::Open(const std::string& path) {
  PackFile pack;
  pack.path_ = path;
  std::uint64_t index_size = 0;
  const std::string index_path = path + ".idx";
  auto index_file = OpenFile(index_path, index_size);
  if (!index_file) return index_file.error();
  auto file = OpenFile(path + ".pack", pack.size_);
  if (!file) return file.error();
  pack.file_ = *std::move(file);
  if (index_size < kIndexFixedSize) return pack.Corrupt("its index is cut off");
  if (pack.size_ < kPackHeaderSize + ObjectId::kSize) return pack.Corrupt("cut off");
  auto index = ReadAt(index_file->get(), 0, static_cast<std::size_t>(index_size), index_path);
  if (!index) return index.error();
  auto head = ReadAt(pack.file_.get(), 0, kPackHeaderSize, path);
  if (!head) return head.error();
  auto tail = ReadAt(pack.file_.get(), pack.size_ - ObjectId::kSize, ObjectId::kSize, path);
  if (!tail) return tail.error();
  if (auto read = pack.ReadIndex(*index, ObjectId::FromRaw(tail->data())); !read) return read.error();
  if (!head->starts_with(kPackMagic)) {
    if (!head->starts_with(kPackMagic.substr(0, 4))) return pack.Corrupt("no pack");
    return Error{Code::kNotSupported, path + ": a pack of another version"};
  }
  if (BigEndian32(head->data() + kPackMagic.size()) != pack.count()) return pack.Corrupt("another count in its index");
  return pack;
}

Result<void> PackFile::ReadIndex(const std::string& index, const ObjectId& pack_checksum) {
  if (!index.starts_with(kIndexMagic)) {
    const bool other = index.starts_with(kIndexMagic.substr(0, 4));
    return Error{other ? Code::kNotSupported : Code::kCorrupt, path_ + ": its index is none of version 2"};
  }
  const char* const fanout = index.data() + kIndexMagic.size();
  const std::uint32_t count = BigEndian32(fanout + kFanoutSize - 4);
  const std::uint64_t small_size = kIndexFixedSize + static_cast<std::uint64_t>(count) * kIndexEntrySize;
  if (index.size() < small_size || (index.size() - small_size) % 8 != 0) return Corrupt("its index is cut off");
  const std::uint64_t large_count = (index.size() - small_size) / 8;
  const char* const checksums = index.data() + index.size() - 2 * ObjectId::kSize;
  Sha1 hash;
  hash.Update(std::string_view(index).substr(0, index.size() - ObjectId::kSize));
  if (hash.Finish() != ObjectId::FromRaw(checksums + ObjectId::kSize)) return Corrupt("its index is damaged");
  if (ObjectId::FromRaw(checksums) != pack_checksum) return Corrupt("its index is another pack's");

  const char* const ids = fanout + kFanoutSize;
  const char* const crcs = ids + static_cast<std::size_t>(count) * ObjectId::kSize;
  const char* const offsets = crcs + static_cast<std::size_t>(count) * 4;
  const char* const large = offsets + static_cast<std::size_t>(count) * 4;
  entries_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    IndexEntry entry{ObjectId::FromRaw(ids + i * ObjectId::kSize), BigEndian32(crcs + 4 * i),
                     BigEndian32(offsets + 4 * i)};
    if ((entry.offset & kLargeOffset) != 0) {
      const std::uint64_t place = entry.offset & ~kLargeOffset;
      if (place >= large_count) return Corrupt("its index points behind its end");
      entry.offset = BigEndian64(large + 8 * place);
    }
    const bool inside = entry.offset >= kPackHeaderSize && entry.offset < size_ - ObjectId::kSize;
    if (!inside || (i > 0 && entries_.back().id >= entry.id)) return Corrupt("its index makes no sense");
    entries_.push_back(entry);
  }
  std::ranges::sort(entries_, {}, &IndexEntry::offset);
  const auto same = std::ranges::adjacent_find(entries_, {}, &IndexEntry::offset);
  return same == entries_.end() ? Result<void>() : Corrupt("two objects in one entry");
}

Result<RawEntry> PackFile::Read(std::size_t place) const {
  const IndexEntry& entry = entries_[place];
  const std::uint64_t end = place + 1 < entries_.size() ? entries_[place + 1].offset : size_ - ObjectId::kSize;
  const std::string what = path_ + ": object " + entry.id.Hex();
  if (end - entry.offset > kMaxEntrySize + kMaxEntryHeader) return Error{Code::kTooBig, what};
  auto bytes = ReadAt(file_.get(), entry.offset, static_cast<std::size_t>(end - entry.offset), path_);
  if (!bytes) return bytes.error();
  const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes->data()), bytes->size());
  if (crc != entry.crc) return Error{Code::kCorrupt, what + ": damaged"};
  RawEntry raw;
  raw.bytes = *std::move(bytes);
  const auto header = ParseEntryHeader(raw.bytes);
  if (!header || !IsKnown(header->type) || header->distance >= entry.offset) {
    return Error{Code::kCorrupt, what + ": an entry that makes no sense"};
  }
  raw.type = header->type;
  raw.size = header->size;
  raw.base_offset = entry.offset - header->distance;
  raw.base = header->base;
  raw.stream_begin = header->length;
  return raw;
}

}  // namespace concordfs::vcs::git
