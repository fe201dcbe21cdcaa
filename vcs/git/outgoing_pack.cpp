#include "vcs/git/outgoing_pack.h"

#include <algorithm>
#include <array>
#include <memory>

#include "vcs/file_io.h"
#include "vcs/git/delta.h"
#include "vcs/git/pack_format.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kBlockSize = 64 << 10;  // bytes
constexpr int kFast = 1;                      // zlib's level

}  // namespace

Result<void> OutgoingPack::Write(std::string_view bytes) {
  buffer_.append(bytes);
  return buffer_.size() < kBlockSize ? Result<void>() : Flush();
}

Result<void> OutgoingPack::Flush() {
  hash_.Update(buffer_);
  auto written = sink_(buffer_);
  buffer_.clear();
  return written;
}

Result<void> OutgoingPack::Begin(std::uint32_t objects) {
  std::string header(kPackMagic);
  AppendBigEndian32(objects, header);
  return Write(header);
}

Result<void> OutgoingPack::Add(ObjectKind kind, std::string_view bytes, const std::optional<ObjectId>& like,
                               std::string_view like_bytes) {
  std::string entry;
  const auto delta = like && bytes.size() > 64 ? MakeDelta(like_bytes, bytes, bytes.size() / 2) : std::nullopt;
  if (delta) {
    AppendEntryHeader(EntryType::kRefDelta, delta->size(), entry);
    entry.append(reinterpret_cast<const char*>(like->bytes().data()), ObjectId::kSize);
  } else {
    AppendEntryHeader(TypeOf(kind), bytes.size(), entry);
  }
  deflater_.Append(delta ? std::string_view(*delta) : bytes, entry);
  return Write(entry);
}

Result<void> OutgoingPack::AddFile(int fd, std::uint64_t size) {
  std::string header;
  AppendEntryHeader(EntryType::kBlob, size, header);
  if (auto written = Write(header); !written) return written;
  const std::unique_ptr<z_stream, EndDeflate> stream(new z_stream{});
  if (deflateInit(stream.get(), kFast) != Z_OK) return Error{Code::kIo, "send a blob: no memory to deflate it"};
  std::array<char, kBlockSize> in;
  std::array<char, kBlockSize> out;
  std::uint64_t offset = 0;
  for (int state = Z_OK; state != Z_STREAM_END;) {
    if (stream->avail_in == 0 && offset < size) {
      const ssize_t count = ReadAllAt(fd, offset, {in.data(), std::min<std::uint64_t>(in.size(), size - offset)});
      if (count <= 0) return Error{Code::kIo, "send a blob: its copy can't be read"};
      offset += static_cast<std::uint64_t>(count);
      stream->next_in = reinterpret_cast<Bytef*>(in.data());
      stream->avail_in = static_cast<uInt>(count);
    }
    stream->next_out = reinterpret_cast<Bytef*>(out.data());
    stream->avail_out = out.size();
    state = deflate(stream.get(), offset == size ? Z_FINISH : Z_NO_FLUSH);
    if (auto written = Write({out.data(), out.size() - stream->avail_out}); !written) return written;
  }
  return {};
}

Result<void> OutgoingPack::Finish() {
  if (auto flushed = Flush(); !flushed) return flushed;
  const ObjectId checksum = hash_.Finish();
  return sink_({reinterpret_cast<const char*>(checksum.bytes().data()), ObjectId::kSize});
}

}  // namespace concordfs::vcs::git
