#include "vcs/git/pack_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "vcs/file_io.h"
#include "vcs/git/delta.h"
#include "vcs/git/git_error.h"
#include "vcs/git/zlib_stream.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kFirstPiece = 8 << 10;  // bytes: most of the small files' entries as a whole
constexpr std::size_t kMaxKept = 1 << 20;     // bytes of a thread's buffer
constexpr std::size_t kDeltaSizes = 20;       // bytes: both sizes that a delta begins with

// The most that a stream of `size` bytes takes, however badly it deflates.
std::uint64_t StreamBound(std::uint64_t size) {
  return size + size / 1000 + 64;
}

std::optional<ObjectKind> KindOf(EntryType type) {
  switch (type) {
    case EntryType::kBlob: return ObjectKind::kBlob;
    case EntryType::kTree: return ObjectKind::kTree;
    case EntryType::kCommit: return ObjectKind::kCommit;
    default: return std::nullopt;
  }
}

// Size of the object that a delta makes; `bytes` is where it begins.
std::optional<std::uint64_t> SizeMade(std::string_view bytes) {
  std::uint64_t base = 0;
  std::uint64_t made = 0;
  if (!TakeSize(bytes, 0, base) || !TakeSize(bytes, 0, made)) return std::nullopt;
  return made;
}

// The beginning of a zlib stream.
Result<std::string> InflateBeginning(std::string_view stream, std::size_t size) {
  z_stream zlib{};
  if (inflateInit(&zlib) != Z_OK) return Error{Code::kIo, "inflate: no memory"};
  std::string out(size, '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(stream.data()));  // zlib's const is a macro
  zlib.avail_in = static_cast<uInt>(stream.size());
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = static_cast<uInt>(out.size());
  inflate(&zlib, Z_SYNC_FLUSH);
  out.resize(size - zlib.avail_out);
  inflateEnd(&zlib);
  return out;
}

}  // namespace

Mapping::~Mapping() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

Error PackReader::Corrupt(const std::string& why) const {
  return Error{Code::kCorrupt, path_ + ": " + why};
}

Result<std::shared_ptr<PackReader>> PackReader::Open(const std::string& path) {
  std::shared_ptr<PackReader> pack(new PackReader());
  pack->path_ = path;
  const FileDescriptor index(::open((path + ".idx").c_str(), O_RDONLY | O_CLOEXEC));
  pack->file_ = FileDescriptor(::open((path + ".pack").c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  struct stat index_status {};
  if (!index.ok() || !pack->file_.ok() || ::fstat(index.get(), &index_status) != 0 ||
      ::fstat(pack->file_.get(), &status) != 0) {
    const int number = errno;
    if (number == ENOENT) return Error{Code::kNotFound, path + ": no such pack"};
    return ReadSystemError(number, path);
  }
  const auto index_size = static_cast<std::size_t>(index_status.st_size);
  if (index_size < kIndexFixedSize) return pack->Corrupt("its index is cut off");
  if (status.st_size < static_cast<off_t>(kPackHeaderSize + ObjectId::kSize)) return pack->Corrupt("cut off");
  void* const mapped = ::mmap(nullptr, index_size, PROT_READ, MAP_SHARED, index.get(), 0);
  if (mapped == MAP_FAILED) return ReadSystemError(errno, path);
  Mapping mapping(static_cast<const char*>(mapped), index_size);
  pack->index_.Swap(mapping);
  pack->end_ = static_cast<std::uint64_t>(status.st_size) - ObjectId::kSize;
  if (auto checked = pack->CheckIndex(); !checked) return checked.error();
  return pack;
}

Result<void> PackReader::CheckIndex() {
  const std::string_view index = index_.bytes();
  if (!index.starts_with(kIndexMagic)) {
    return Error{Code::kNotSupported, path_ + ": its index is none of version 2"};
  }
  const char* const fanout = index.data() + kIndexMagic.size();
  std::uint32_t before = 0;
  for (std::size_t i = 0; i < kFanoutSize; i += 4) {
    const std::uint32_t now = BigEndian32(fanout + i);
    if (now < before) return Corrupt("its index makes no sense");
    before = now;
  }
  count_ = before;
  const std::uint64_t small = kIndexFixedSize + static_cast<std::uint64_t>(count_) * kIndexEntrySize;
  if (index.size() < small) return Corrupt("its index is cut off");
  large_count_ = static_cast<std::size_t>(index.size() - small) / 8;
  return {};
}

// The table that begins behind so many bytes for each entry.
const char* PackReader::Table(std::size_t entry_bytes_before) const {
  return index_.bytes().data() + kIndexMagic.size() + kFanoutSize + entry_bytes_before * count_;
}

std::optional<std::uint64_t> PackReader::Find(const ObjectId& id) const {
  const char* const fanout = index_.bytes().data() + kIndexMagic.size();
  const std::size_t first = id.bytes()[0];
  std::size_t low = first == 0 ? 0 : BigEndian32(fanout + 4 * (first - 1));
  std::size_t high = BigEndian32(fanout + 4 * first);
  const char* const ids = Table(0);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const int order = std::memcmp(ids + middle * ObjectId::kSize, id.bytes().data(), ObjectId::kSize);
    if (order == 0) {
      const std::uint64_t offset = BigEndian32(Table(ObjectId::kSize + 4) + 4 * middle);
      if ((offset & kLargeOffset) == 0) return offset;
      const std::uint64_t place = offset & ~std::uint64_t{kLargeOffset};
      if (place >= large_count_) return std::nullopt;
      return BigEndian64(Table(kIndexEntrySize) + 8 * place);
    }
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return std::nullopt;
}

Result<PackReader::Piece> PackReader::ReadPiece(std::uint64_t offset, std::uint64_t size) const {
  thread_local std::vector<char> buffer;
  if (offset < kPackHeaderSize || offset >= end_) return Corrupt("an entry outside of it");
  const auto wanted = static_cast<std::size_t>(std::min(size, end_ - offset));
  if (buffer.size() > kMaxKept && wanted <= kMaxKept) buffer = {};  // that was an exception
  if (buffer.size() < wanted) buffer.resize(wanted);
  const ssize_t count = ReadAllAt(file_.get(), offset, {buffer.data(), wanted});
  if (count < 0) return ReadSystemError(errno, path_);
  if (static_cast<std::size_t>(count) < wanted) return Corrupt("shorter than it was");
  return Piece{offset, {buffer.data(), wanted}};
}

Result<PackReader::Entry> PackReader::ParseEntry(const Piece& piece) const {
  const auto header = ParseEntryHeader(piece.bytes);
  if (!header || header->distance > piece.offset) return Corrupt("an entry that makes no sense");
  Entry entry;
  entry.type = header->type;
  entry.size = header->size;
  entry.stream_begin = piece.offset + header->length;
  if (entry.type == EntryType::kOfsDelta) {
    entry.base_offset = piece.offset - header->distance;
  } else if (entry.type == EntryType::kRefDelta) {
    const auto base = Find(header->base);
    if (!base) return Error{Code::kNotSupported, path_ + ": a delta on what is not in it"};
    entry.base_offset = *base;
  } else if (!KindOf(entry.type)) {
    return Error{Code::kNotSupported, path_ + ": no blob, tree or commit"};
  }
  return entry;
}

Result<PackReader::Header> PackReader::ReadHeader(std::uint64_t offset) const {
  std::optional<std::uint64_t> size;
  for (int depth = 0; depth <= kMaxChain; ++depth) {
    if (depth > 0) {
      if (const auto base = FindBase(offset)) return Header{base->kind, *size};
    }
    const auto piece = ReadPiece(offset, 2 * kMaxEntryHeader);
    if (!piece) return piece.error();
    const auto entry = ParseEntry(*piece);
    if (!entry) return entry.error();
    if (!size && entry->IsDelta()) {
      const auto beginning = InflateBeginning(piece->bytes.substr(entry->stream_begin - offset), kDeltaSizes);
      if (!beginning) return beginning.error();
      size = SizeMade(*beginning);
      if (!size) return Corrupt("a damaged delta");
    }
    if (const auto kind = KindOf(entry->type)) return Header{*kind, size.value_or(entry->size)};
    offset = entry->base_offset;
  }
  return Corrupt("too many deltas on each other");
}

Result<std::string> PackReader::Inflate(const Entry& entry, const Piece& piece) const {
  thread_local Inflater inflater;
  if (entry.size > kMaxSize) return Error{Code::kTooBig, path_ + ": too big to be read whole"};
  const std::uint64_t header_size = entry.stream_begin - piece.offset;
  const std::uint64_t wanted = header_size + StreamBound(entry.size);
  Piece all = piece;
  if (wanted > piece.bytes.size()) {
    // Most streams are shorter than what they hold: perhaps all of it is here.
    auto inflated = inflater.Inflate(piece.bytes.substr(header_size), entry.size);
    if (inflated) return std::move(inflated->bytes);
    auto more = ReadPiece(piece.offset, wanted);
    if (!more) return more.error();
    all = *more;
  }
  auto inflated = inflater.Inflate(all.bytes.substr(header_size), entry.size);
  if (!inflated) return Corrupt(inflated.error().message);
  return std::move(inflated->bytes);
}

Result<PackReader::Object> PackReader::Read(std::uint64_t offset) const {
  struct Delta {
    std::uint64_t offset;
    std::string bytes;
  };
  const Error too_big{Code::kTooBig, path_ + ": too big to be read whole"};
  std::vector<Delta> deltas;  // each made on the next one
  std::uint64_t deltas_size = 0;
  std::shared_ptr<const Object> base;
  while (!base) {
    const auto piece = ReadPiece(offset, kFirstPiece);
    if (!piece) return piece.error();
    const auto entry = ParseEntry(*piece);
    if (!entry) return entry.error();
    auto bytes = Inflate(*entry, *piece);
    if (!bytes) return bytes.error();
    if (const auto kind = KindOf(entry->type)) {
      if (deltas.empty()) return Object{*kind, *std::move(bytes)};
      base = KeepBase(offset, {*kind, *std::move(bytes)});
    } else {
      deltas_size += bytes->size();
      deltas.push_back({offset, *std::move(bytes)});
      offset = entry->base_offset;
      base = FindBase(offset);
    }
    if (deltas.size() > static_cast<std::size_t>(kMaxChain)) return Corrupt("too many deltas on each other");
    if (deltas_size > kMaxSize) return too_big;
  }
  while (true) {
    auto made = ApplyDelta(base->bytes, deltas.back().bytes);
    if (!made) return Corrupt(made.error().message);
    if (made->size() > kMaxSize) return too_big;
    Object object{base->kind, *std::move(made)};
    const std::uint64_t at = deltas.back().offset;
    deltas.pop_back();
    if (deltas.empty()) return object;
    base = KeepBase(at, std::move(object));
  }
}

std::shared_ptr<const PackReader::Object> PackReader::FindBase(std::uint64_t offset) const {
  const MutexLock lock(mutex_);
  const auto found = std::ranges::find(bases_, offset, &Base::offset);
  return found == bases_.end() ? nullptr : found->object;
}

std::shared_ptr<const PackReader::Object> PackReader::KeepBase(std::uint64_t offset, Object object) const {
  auto kept = std::make_shared<const Object>(std::move(object));
  if (kept->bytes.size() > kMaxBasesSize / 4) return kept;
  const MutexLock lock(mutex_);
  bases_size_ += kept->bytes.size();
  bases_.push_front({offset, kept});
  while (bases_.size() > kMaxBases || bases_size_ > kMaxBasesSize) {
    bases_size_ -= bases_.back().object->bytes.size();
    bases_.pop_back();
  }
  return kept;
}

}  // namespace concordfs::vcs::git
