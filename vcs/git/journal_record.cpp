#include "vcs/git/journal_record.h"

#include <zlib.h>

#include <cstring>

#include "vcs/git/delta.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::string_view kMagic = "CJR1";
constexpr std::size_t kStampSize = 8 + 8;                    // bytes: epoch, sequence
constexpr std::size_t kHeaderSize = 4 + 4 + 4 + kStampSize;  // bytes

template <class Number>
void Put(Number number, std::string& out) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) out.push_back(static_cast<char>(number >> (8 * i) & 0xff));
}

void PutId(const ObjectId& id, std::string& out) {
  out.append(reinterpret_cast<const char*>(id.bytes().data()), ObjectId::kSize);
}

void PutText(std::string_view text, std::string& out) {
  Put(static_cast<std::uint32_t>(text.size()), out);
  out.append(text);
}

std::uint32_t Checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Takes values from the front of bytes. What is not there is zero, and makes it fail.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t left() const { return rest_.size(); }

  std::string_view Take(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  template <class Number>
  Number Take() {
    Number number = 0;
    const std::string_view bytes = Take(sizeof(Number));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      number |= static_cast<Number>(static_cast<Number>(static_cast<unsigned char>(bytes[i])) << (8 * i));
    }
    return number;
  }
  ObjectId TakeId() {
    const std::string_view raw = Take(ObjectId::kSize);
    return raw.empty() ? ObjectId() : ObjectId::FromRaw(raw.data());
  }
  std::optional<ObjectId> TakeOptionalId() {
    if (Take<std::uint8_t>() == 0) return std::nullopt;
    return TakeId();
  }
  std::string TakeText() { return std::string(Take(Take<std::uint32_t>())); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

void PutOptionalId(const std::optional<ObjectId>& id, std::string& out) {
  Put(static_cast<std::uint8_t>(id ? 1 : 0), out);
  if (id) PutId(*id, out);
}

void PutObject(const NewObject& object, std::string& out) {
  const std::string_view bytes = object.bytes;
  std::optional<std::string> delta;
  if (object.like && object.like_bytes) delta = MakeDelta(*object.like_bytes, bytes, bytes.size() / 2);
  PutId(object.id, out);
  Put(static_cast<std::uint8_t>(object.kind), out);
  PutOptionalId(delta ? object.like : std::nullopt, out);
  PutText(delta ? std::string_view(*delta) : bytes, out);
}

}  // namespace

std::string EncodeRecord(const Publication& publication) {
  std::string payload;
  PutText(publication.ref, payload);
  PutOptionalId(publication.expected, payload);
  PutId(publication.tip, payload);
  PutText(publication.reason, payload);
  Put(static_cast<std::uint32_t>(publication.objects.size()), payload);
  for (const NewObject& object : publication.objects) PutObject(object, payload);

  std::string record(kMagic);
  record.reserve(kHeaderSize + payload.size());
  Put(static_cast<std::uint32_t>(payload.size()), record);
  Put(Checksum(payload), record);
  record.append(kStampSize, '\0');
  return record.append(payload);
}

void StampRecord(std::uint64_t epoch, std::uint64_t sequence, std::string& record) {
  std::string stamp;
  Put(epoch, stamp);
  Put(sequence, stamp);
  record.replace(kHeaderSize - kStampSize, kStampSize, stamp);
}

std::optional<DecodedRecord> DecodeRecord(std::string_view bytes, std::uint64_t epoch) {
  RecordReader header(bytes);
  if (header.Take(kMagic.size()) != kMagic) return std::nullopt;
  const auto length = header.Take<std::uint32_t>();
  const auto checksum = header.Take<std::uint32_t>();
  const bool is_ours = header.Take<std::uint64_t>() == epoch;
  DecodedRecord decoded;
  JournalRecord& record = decoded.record;
  record.sequence = header.Take<std::uint64_t>();
  const std::string_view payload = header.Take(length);
  if (!header.ok() || !is_ours || Checksum(payload) != checksum) return std::nullopt;

  RecordReader reader(payload);
  record.ref = reader.TakeText();
  record.expected = reader.TakeOptionalId();
  record.tip = reader.TakeId();
  record.reason = reader.TakeText();
  for (auto left = reader.Take<std::uint32_t>(); left > 0 && reader.ok(); --left) {
    JournalObject object;
    object.id = reader.TakeId();
    const auto kind = reader.Take<std::uint8_t>();
    if (kind > static_cast<std::uint8_t>(ObjectKind::kCommit)) return std::nullopt;
    object.kind = static_cast<ObjectKind>(kind);
    object.base = reader.TakeOptionalId();
    object.data = reader.TakeText();
    record.objects.push_back(std::move(object));
  }
  if (!reader.ok() || reader.left() != 0) return std::nullopt;
  decoded.size = kHeaderSize + payload.size();
  return decoded;
}

}  // namespace concordfs::vcs::git
