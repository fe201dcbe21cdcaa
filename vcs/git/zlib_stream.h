// Zlib streams in memory, as loose objects and packs have them: stored, deflated, and inflated again.
#pragma once

#include <zlib.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "vcs/result.h"

namespace concordfs::vcs::git {

// What a zlib stream of stored blocks consists of, besides the bytes: how it begins, what is in front of each block,
// and what is at the end. Source: RFC 1950; RFC 1951, 3.2.4.
constexpr std::size_t kMaxStoredBlock = 65535;  // bytes
constexpr std::string_view kStoredBegin("\x78\x01", 2);
std::array<char, 5> StoredBlockHeader(std::size_t size, bool last);
std::array<char, 4> StoredEnd(std::uint32_t adler);  // adler32 of all bytes

// Appends `bytes` as a zlib stream of stored blocks: 11 bytes longer than they are, and 5 more for each 64 KiB.
// Source: RFC 1950; RFC 1951, 3.2.4.
void AppendStored(std::string_view bytes, std::string& out);

// Is this the beginning of a stream that AppendStored made, and that nobody has tried to deflate yet?
bool IsUndeflated(std::string_view stream);

struct EndDeflate {
  void operator()(z_stream* stream) const {
    deflateEnd(stream);
    delete stream;
  }
};

// Deflates at level 1, the fastest. Keeps its memory (256 KiB) from one stream to the next. Threads: one at a time.
class Deflater {
 public:
  // Appends `bytes` as one zlib stream: deflated, or stored where that is not longer, and then marked as tried.
  void Append(std::string_view bytes, std::string& out);

 private:
  bool Start();

  std::unique_ptr<z_stream, EndDeflate> stream_;
};

// Inflates streams whose sizes are known. Threads: one at a time.
class Inflater {
 public:
  // A stream that was inflated: its content, and how many bytes of the input it took.
  struct Inflated {
    std::string bytes;
    std::size_t consumed = 0;
  };
  // The stream at the beginning of `input`, which holds exactly `size` bytes; more may follow it.
  // Errors: kCorrupt (damaged, cut off, or of another size); kIo (no memory).
  Result<Inflated> Inflate(std::string_view input, std::uint64_t size);

 private:
  struct EndInflate {
    void operator()(z_stream* stream) const {
      inflateEnd(stream);
      delete stream;
    }
  };

  std::unique_ptr<z_stream, EndInflate> stream_;
};

}  // namespace concordfs::vcs::git
