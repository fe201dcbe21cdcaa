// The numbers of git's packs and their indexes.
// Source: gitformat-pack(5).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vcs/object_id.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// What an entry of a pack is, with git's own numbers: an object as a whole, or a delta on another one.
enum class EntryType : std::uint8_t { kCommit = 1, kTree = 2, kBlob = 3, kTag = 4, kOfsDelta = 6, kRefDelta = 7 };

// Of an object as a whole.
EntryType TypeOf(ObjectKind kind);

constexpr std::string_view kPackMagic("PACK\0\0\0\2", 8);      // and the version, 2
constexpr std::size_t kPackHeaderSize = 12;                    // and the number of entries
constexpr std::string_view kIndexMagic("\377tOc\0\0\0\2", 8);  // and the version, 2
constexpr std::size_t kFanoutSize = 256 * 4;
constexpr std::uint32_t kLargeOffset = 0x80000000;  // in an index: the rest is a place in the table of 64-bit offsets

void AppendBigEndian32(std::uint32_t number, std::string& out);
void AppendBigEndian64(std::uint64_t number, std::string& out);
std::uint32_t BigEndian32(const char* bytes);
std::uint64_t BigEndian64(const char* bytes);

// What is in front of an entry's zlib stream: its type, and how many bytes are in the stream.
void AppendEntryHeader(EntryType type, std::uint64_t size, std::string& out);
// And for an OFS_DELTA, how many bytes before it its base begins.
void AppendDistance(std::uint64_t distance, std::string& out);

// What both are read back as.
struct EntryHeader {
  EntryType type = EntryType::kBlob;
  std::uint64_t size = 0;      // bytes that the stream inflates to
  std::uint64_t distance = 0;  // of a kOfsDelta: how many bytes before it its base begins
  ObjectId base;               // of a kRefDelta
  std::size_t length = 0;      // bytes of the header
};
constexpr std::size_t kMaxEntryHeader = 64;  // bytes: at most 10 + 20, in fact
// The header at the beginning of `bytes`; nothing if it is cut off, or makes no sense.
std::optional<EntryHeader> ParseEntryHeader(std::string_view bytes);
// A number of seven bits a byte, the lowest first, as sizes are in packs and deltas: takes it off the front, and adds
// it to `size` from the bit `shift` on. False if it is cut off, or too large.
bool TakeSize(std::string_view& bytes, unsigned shift, std::uint64_t& size);

// An index's bytes but for its entries, and those of an entry with a small offset.
constexpr std::size_t kIndexFixedSize = kIndexMagic.size() + kFanoutSize + 2 * ObjectId::kSize;
constexpr std::size_t kIndexEntrySize = ObjectId::kSize + 4 + 4;

// One object of a pack, for its index.
struct IndexEntry {
  ObjectId id;
  std::uint32_t crc = 0;     // CRC-32 of the whole entry
  std::uint64_t offset = 0;  // where the entry begins in the pack
};

// The index, version 2, of a pack with these entries (any order, no id twice) and this SHA-1 at its end.
std::string EncodePackIndex(std::span<IndexEntry> entries, const ObjectId& pack_checksum);

}  // namespace concordfs::vcs::git
