#include "vcs/git/delta.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "vcs/git/pack_format.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kMaxInsert = 127;
constexpr std::size_t kMaxCopy = 0xffffff;  // three bytes of size
constexpr std::uint64_t kMaxOffset = 0xffffffff;
constexpr std::size_t kBlock = 256;  // compared at a time

std::size_t CommonPrefix(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t same = 0;
  while (most - same >= kBlock && std::memcmp(a.data() + same, b.data() + same, kBlock) == 0) same += kBlock;
  while (same < most && a[same] == b[same]) ++same;
  return same;
}

std::size_t CommonSuffix(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  const char* const a_end = a.data() + a.size();
  const char* const b_end = b.data() + b.size();
  std::size_t same = 0;
  while (most - same >= kBlock && std::memcmp(a_end - same - kBlock, b_end - same - kBlock, kBlock) == 0)
    same += kBlock;
  while (same < most &&
         a_end[-1 - static_cast<std::ptrdiff_t>(same)] == b_end[-1 - static_cast<std::ptrdiff_t>(same)]) {
    ++same;
  }
  return same;
}

void AppendSize(std::uint64_t size, std::string& out) {
  while (size >= 0x80) {
    out.push_back(static_cast<char>((size & 0x7f) | 0x80));
    size >>= 7;
  }
  out.push_back(static_cast<char>(size));
}

void AppendCopy(std::uint64_t offset, std::size_t size, std::string& out) {
  while (size > 0) {
    const std::size_t piece = std::min(size, kMaxCopy);
    const std::size_t at = out.size();
    unsigned char code = 0x80;
    out.push_back(0);
    for (unsigned i = 0; i < 4; ++i) {
      const auto byte = static_cast<unsigned char>(offset >> (8 * i));
      if (byte == 0) continue;
      code = static_cast<unsigned char>(code | 1U << i);
      out.push_back(static_cast<char>(byte));
    }
    // A size without any byte would mean 64 KiB: here it can't happen, a piece is not empty.
    for (unsigned i = 0; i < 3; ++i) {
      const auto byte = static_cast<unsigned char>(piece >> (8 * i));
      if (byte == 0) continue;
      code = static_cast<unsigned char>(code | 0x10U << i);
      out.push_back(static_cast<char>(byte));
    }
    out[at] = static_cast<char>(code);
    offset += piece;
    size -= piece;
  }
}

void AppendInsert(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kMaxInsert);
    out.push_back(static_cast<char>(piece.size()));
    out.append(piece);
    bytes.remove_prefix(piece.size());
  }
}

Error Damaged(const char* why) {
  return Error{Code::kCorrupt, std::string("delta: ") + why};
}

// Reads a delta's bytes; once they are used up, `ok` is false.
class DeltaReader {
 public:
  explicit DeltaReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

  unsigned char Byte() {
    if (rest_.empty()) {
      ok_ = false;
      return 0;
    }
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  std::string_view Bytes(std::size_t size) {
    if (rest_.size() < size) {
      ok_ = false;
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::uint64_t Size() {
    std::uint64_t size = 0;
    ok_ = TakeSize(rest_, 0, size) && ok_;
    return size;
  }
  // The bytes of a number, lowest first, of which bit i of `mask` says whether byte i is there.
  std::uint64_t Masked(unsigned mask, unsigned count) {
    std::uint64_t number = 0;
    for (unsigned i = 0; i < count; ++i) {
      if ((mask >> i & 1) != 0) number |= static_cast<std::uint64_t>(Byte()) << (8 * i);
    }
    return number;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::optional<std::string> MakeDelta(std::string_view base, std::string_view target, std::size_t limit) {
  if (base.size() > kMaxOffset) return std::nullopt;
  const std::size_t prefix = CommonPrefix(base, target);
  const std::size_t suffix = CommonSuffix(base.substr(prefix), target.substr(prefix));
  const std::string_view added = target.substr(prefix, target.size() - prefix - suffix);
  if (added.size() > limit) return std::nullopt;
  std::string delta;
  constexpr std::size_t kMost = 40;  // two sizes and two copies
  delta.reserve(kMost + added.size() + added.size() / kMaxInsert);
  AppendSize(base.size(), delta);
  AppendSize(target.size(), delta);
  AppendCopy(0, prefix, delta);
  AppendInsert(added, delta);
  AppendCopy(base.size() - suffix, suffix, delta);
  if (delta.size() > limit) return std::nullopt;
  return delta;
}

Result<std::string> ApplyDelta(std::string_view base, std::string_view delta) {
  DeltaReader reader(delta);
  if (reader.Size() != base.size() || !reader.ok()) return Damaged("made for another base");
  const std::uint64_t size = reader.Size();
  if (!reader.ok()) return Damaged("cut off");
  std::string target;
  while (!reader.at_end()) {
    const unsigned code = reader.Byte();
    if (code == 0) return Damaged("an unknown instruction");
    if (code < 0x80) {
      target.append(reader.Bytes(code));
    } else {
      const std::uint64_t offset = reader.Masked(code & 0x0f, 4);
      std::uint64_t count = reader.Masked(code >> 4 & 0x07, 3);
      if (count == 0) count = 0x10000;
      if (offset > base.size() || count > base.size() - offset) return Damaged("copies what isn't there");
      target.append(base.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(count)));
    }
    if (!reader.ok()) return Damaged("cut off");
    if (target.size() > size) return Damaged("longer than it says");
  }
  if (target.size() != size) return Damaged("shorter than it says");
  return target;
}

}  // namespace concordfs::vcs::git
