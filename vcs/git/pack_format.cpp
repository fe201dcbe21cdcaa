#include "vcs/git/pack_format.h"

#include <algorithm>

#include "vcs/git/sha1.h"

namespace concordfs::vcs::git {
namespace {

constexpr unsigned kMaxShift = 57;
constexpr unsigned kMaxDistanceBits = 50;

// How far before it an OFS_DELTA's base begins: the highest digits first, each but the last counts from 1.
bool TakeDistance(std::string_view& bytes, std::uint64_t& distance) {
  for (bool first = true; !bytes.empty(); first = false) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (distance >> kMaxDistanceBits != 0) return false;
    distance = (first ? 0 : (distance + 1) << 7) | (byte & 0x7f);
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

}  // namespace

EntryType TypeOf(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kBlob: return EntryType::kBlob;
    case ObjectKind::kTree: return EntryType::kTree;
    case ObjectKind::kCommit: break;
  }
  return EntryType::kCommit;
}

void AppendBigEndian32(std::uint32_t number, std::string& out) {
  const std::array<char, 4> bytes = {static_cast<char>(number >> 24), static_cast<char>(number >> 16 & 0xff),
                                     static_cast<char>(number >> 8 & 0xff), static_cast<char>(number & 0xff)};
  out.append(bytes.data(), bytes.size());
}

void AppendBigEndian64(std::uint64_t number, std::string& out) {
  AppendBigEndian32(static_cast<std::uint32_t>(number >> 32), out);
  AppendBigEndian32(static_cast<std::uint32_t>(number), out);
}

std::uint32_t BigEndian32(const char* bytes) {
  std::uint32_t number = 0;
  for (int i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

std::uint64_t BigEndian64(const char* bytes) {
  return static_cast<std::uint64_t>(BigEndian32(bytes)) << 32 | BigEndian32(bytes + 4);
}

void AppendEntryHeader(EntryType type, std::uint64_t size, std::string& out) {
  auto byte = static_cast<unsigned char>(static_cast<unsigned>(type) << 4 | (size & 0x0f));
  size >>= 4;
  while (size > 0) {
    out.push_back(static_cast<char>(byte | 0x80));
    byte = static_cast<unsigned char>(size & 0x7f);
    size >>= 7;
  }
  out.push_back(static_cast<char>(byte));
}

void AppendDistance(std::uint64_t distance, std::string& out) {
  // Highest digits first, and each but the last counts from 1: so no number can be written in two ways.
  std::array<char, 10> digits;
  std::size_t begin = digits.size() - 1;
  digits[begin] = static_cast<char>(distance & 0x7f);
  while ((distance >>= 7) > 0) {
    --distance;
    digits[--begin] = static_cast<char>(0x80 | (distance & 0x7f));
  }
  out.append(digits.data() + begin, digits.size() - begin);
}

bool TakeSize(std::string_view& bytes, unsigned shift, std::uint64_t& size) {
  for (; !bytes.empty() && shift <= kMaxShift; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    size |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

std::optional<EntryHeader> ParseEntryHeader(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  std::string_view rest = bytes.substr(1);
  const auto byte = static_cast<unsigned char>(bytes.front());
  EntryHeader header;
  header.type = static_cast<EntryType>(byte >> 4 & 0x07);
  header.size = byte & 0x0f;
  if ((byte & 0x80) != 0 && !TakeSize(rest, 4, header.size)) return std::nullopt;
  if (header.type == EntryType::kOfsDelta && (!TakeDistance(rest, header.distance) || header.distance == 0)) {
    return std::nullopt;
  }
  if (header.type == EntryType::kRefDelta) {
    if (rest.size() < ObjectId::kSize) return std::nullopt;
    header.base = ObjectId::FromRaw(rest.data());
    rest.remove_prefix(ObjectId::kSize);
  }
  header.length = bytes.size() - rest.size();
  return header;
}

std::string EncodePackIndex(std::span<IndexEntry> entries, const ObjectId& pack_checksum) {
  std::ranges::sort(entries, {}, &IndexEntry::id);
  std::string out;
  out.reserve(kIndexMagic.size() + kFanoutSize + entries.size() * (ObjectId::kSize + 16) + 2 * ObjectId::kSize);
  out.append(kIndexMagic);
  std::array<std::uint32_t, 256> counts{};
  for (const IndexEntry& entry : entries) ++counts[entry.id.bytes()[0]];
  std::uint32_t total = 0;
  for (const std::uint32_t count : counts) AppendBigEndian32(total += count, out);
  for (const IndexEntry& entry : entries) {
    out.append(reinterpret_cast<const char*>(entry.id.bytes().data()), ObjectId::kSize);
  }
  for (const IndexEntry& entry : entries) AppendBigEndian32(entry.crc, out);
  std::string large;
  for (const IndexEntry& entry : entries) {
    if (entry.offset < kLargeOffset) {
      AppendBigEndian32(static_cast<std::uint32_t>(entry.offset), out);
    } else {
      AppendBigEndian32(kLargeOffset | static_cast<std::uint32_t>(large.size() / 8), out);
      AppendBigEndian64(entry.offset, large);
    }
  }
  out.append(large);
  out.append(reinterpret_cast<const char*>(pack_checksum.bytes().data()), ObjectId::kSize);
  Sha1 hash;
  hash.Update(out);
  const ObjectId checksum = hash.Finish();
  out.append(reinterpret_cast<const char*>(checksum.bytes().data()), ObjectId::kSize);
  return out;
}

}  // namespace concordfs::vcs::git
