// A pack on its way to a remote: exactly the objects that it lacks, as they are handed in.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "vcs/git/sha1.h"
#include "vcs/git/zlib_stream.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// Threads: one. Source: gitformat-pack(5), version 2; its deltas may stand on objects that only the remote has ("thin").
class OutgoingPack {
 public:
  using Sink = std::function<Result<void>(std::string_view)>;
  explicit OutgoingPack(Sink sink) : sink_(std::move(sink)) {}

  // Errors of all: the sink's.
  Result<void> Begin(std::uint32_t objects);
  // As a whole, or as a delta on `like`, which the remote has or had before in this pack, where that is much shorter.
  Result<void> Add(ObjectKind kind, std::string_view bytes, const std::optional<ObjectId>& like, std::string_view like_bytes);
  // The first `size` bytes of a file as a blob, whose memory does not grow with them. Errors: also kIo.
  Result<void> AddFile(int fd, std::uint64_t size);
  Result<void> Finish();

 private:
  Result<void> Write(std::string_view bytes);
  Result<void> Flush();

  const Sink sink_;
  Sha1 hash_;
  Deflater deflater_;
  std::string buffer_;
};

}  // namespace concordfs::vcs::git
