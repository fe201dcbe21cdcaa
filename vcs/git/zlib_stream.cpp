#include "vcs/git/zlib_stream.h"

#include <algorithm>
#include <limits>

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kMaxPiece = 1U << 30;  // zlib counts in 32 bits
constexpr std::size_t kMaxRatio = 1100;      // deflate can't do better than 1032 to 1

// The two first bytes of a stream also tell the level, which nobody needs to inflate it.
constexpr std::string_view kNeverTried = kStoredBegin;  // the fastest
constexpr std::string_view kTried("\x78\x9c", 2);       // the default

// zlib reads from here only, but its interface is older than const.
Bytef* Input(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

std::array<char, 5> StoredBlockHeader(std::size_t size, bool last) {
  return {static_cast<char>(last ? 1 : 0), static_cast<char>(size & 0xff), static_cast<char>(size >> 8),
          static_cast<char>(~size & 0xff), static_cast<char>(~size >> 8 & 0xff)};
}

std::array<char, 4> StoredEnd(std::uint32_t adler) {
  return {static_cast<char>(adler >> 24), static_cast<char>(adler >> 16 & 0xff), static_cast<char>(adler >> 8 & 0xff),
          static_cast<char>(adler & 0xff)};
}

void AppendStored(std::string_view bytes, std::string& out) {
  const std::uint32_t adler =
      static_cast<std::uint32_t>(::adler32_z(::adler32(0, nullptr, 0), Input(bytes), bytes.size()));
  out.append(kNeverTried);
  bool last = false;
  while (!last) {
    const std::string_view block = bytes.substr(0, kMaxStoredBlock);
    bytes.remove_prefix(block.size());
    last = bytes.empty();
    const auto header = StoredBlockHeader(block.size(), last);
    out.append(header.data(), header.size());
    out.append(block);
  }
  const auto end = StoredEnd(adler);
  out.append(end.data(), end.size());
}

bool IsUndeflated(std::string_view stream) {
  // Its method and flags, and a first block of type 0, which may be the last one.
  return stream.size() > 2 && stream.starts_with(kNeverTried) && (stream[2] & 0x06) == 0;
}

bool Deflater::Start() {
  if (stream_) return deflateReset(stream_.get()) == Z_OK;
  auto stream = std::make_unique<z_stream>();
  if (deflateInit(stream.get(), 1) != Z_OK) return false;
  stream_.reset(stream.release());
  return true;
}

void Deflater::Append(std::string_view bytes, std::string& out) {
  const std::size_t begin = out.size();
  const std::size_t stored_size = bytes.size() + 11;  // at the least
  if (!Start()) {
    AppendStored(bytes, out);
    return;
  }
  out.resize(begin + stored_size);
  std::string_view rest = bytes;
  std::size_t written = 0;
  int status = Z_OK;
  while (status == Z_OK && written < stored_size) {
    const std::string_view piece = rest.substr(0, kMaxPiece);
    const std::size_t room = std::min(stored_size - written, kMaxPiece);
    stream_->next_in = Input(piece);
    stream_->avail_in = static_cast<uInt>(piece.size());
    stream_->next_out = reinterpret_cast<Bytef*>(out.data() + begin + written);
    stream_->avail_out = static_cast<uInt>(room);
    status = deflate(stream_.get(), piece.size() == rest.size() ? Z_FINISH : Z_NO_FLUSH);
    rest.remove_prefix(piece.size() - stream_->avail_in);
    written += room - stream_->avail_out;
  }
  out.resize(begin + (status == Z_STREAM_END ? written : 0));
  if (status != Z_STREAM_END) AppendStored(bytes, out);
  out.replace(begin, kTried.size(), kTried);
}

Result<Inflater::Inflated> Inflater::Inflate(std::string_view input, std::uint64_t size) {
  // A damaged size must not cost memory.
  if (size / kMaxRatio > input.size()) return Error{Code::kCorrupt, "inflate: too short for its size"};
  if (stream_ ? inflateReset(stream_.get()) != Z_OK : false) stream_.reset();
  if (!stream_) {
    auto stream = std::make_unique<z_stream>();
    if (inflateInit(stream.get()) != Z_OK) return Error{Code::kIo, "inflate: no memory"};
    stream_.reset(stream.release());
  }
  Inflated inflated;
  inflated.bytes.resize(static_cast<std::size_t>(size) + 1);  // one more: an end that comes too late is seen
  std::size_t written = 0;
  int status = Z_OK;
  while (status == Z_OK && written < inflated.bytes.size()) {
    const std::string_view piece = input.substr(inflated.consumed, kMaxPiece);
    const std::size_t room = std::min(inflated.bytes.size() - written, kMaxPiece);
    stream_->next_in = Input(piece);
    stream_->avail_in = static_cast<uInt>(piece.size());
    stream_->next_out = reinterpret_cast<Bytef*>(inflated.bytes.data() + written);
    stream_->avail_out = static_cast<uInt>(room);
    status = inflate(stream_.get(), Z_NO_FLUSH);
    inflated.consumed += piece.size() - stream_->avail_in;
    written += room - stream_->avail_out;
  }
  if (status != Z_STREAM_END || written != size) return Error{Code::kCorrupt, "inflate: damaged, or of another size"};
  inflated.bytes.resize(written);
  return inflated;
}

}  // namespace concordfs::vcs::git
