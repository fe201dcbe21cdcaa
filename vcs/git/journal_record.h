// One publication as a record of a journal.
//
//   "CJR1" | payload's length, 4 bytes | its crc32, 4 bytes | the file's epoch, 8 bytes | sequence, 8 bytes | payload
//
// Numbers are little-endian. A file's epoch is new each time it is used again, so that what an earlier use left behind
// the last record is not taken for one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// An object of a record: whole, or as a delta (gitformat-pack(5)) on another one.
struct JournalObject {
  ObjectId id;
  ObjectKind kind = ObjectKind::kBlob;
  std::optional<ObjectId> base;  // `data` is a delta on it
  std::string data;
};

struct JournalRecord {
  std::uint64_t sequence = 0;  // of all records of one store, rising
  std::string ref;
  std::optional<ObjectId> expected;
  ObjectId tip;
  std::string reason;
  std::vector<JournalObject> objects;
};

// Objects are told as deltas on what they are like where that is much shorter. The record says which it is only once it
// is stamped.
std::string EncodeRecord(const Publication& publication);
void StampRecord(std::uint64_t epoch, std::uint64_t sequence, std::string& record);

// The record at the beginning of `bytes`, and its length in them; nothing where there is none of this epoch, or one
// that was not written to its end.
struct DecodedRecord {
  JournalRecord record;
  std::size_t size = 0;  // bytes
};
std::optional<DecodedRecord> DecodeRecord(std::string_view bytes, std::uint64_t epoch);

}  // namespace concordfs::vcs::git
