// Reads one loose object, objects/ab/cdef..., piece by piece.
//
// Our own reader, because libgit2 1.5's never returns from a loose object that was cut off: exactly what a power cut or
// a full disk leaves behind. It also reads with read(2) instead of a mapping, so that a failing disk is an error
// and not a SIGBUS, and needs the same memory for every size.
#pragma once

#include <zlib.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "vcs/git/handles.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// objects_dir/ab, for the id abcdef..., and objects_dir/ab/cdef...
std::string LooseObjectFolder(const std::string& objects_dir, const ObjectId& id);
std::string LooseObjectPath(const std::string& objects_dir, const ObjectId& id);

// Threads: one at a time.
class LooseObject {
 public:
  // Opens the file and reads its header.
  // Errors: kNotFound; kCorrupt (no blob, tree or commit, or damaged); kIo.
  // Source: gitformat-loose(5): a zlib stream of "<kind> <size>\0<bytes>".
  static Result<LooseObject> Open(const std::string& path);

  ObjectKind kind() const { return kind_; }
  std::uint64_t size() const { return size_; }  // bytes, as its header says

  // The next bytes, at most `capacity` of them; 0 only at the end, which is where size() bytes were given and the
  // file ends too. Errors: kCorrupt (damaged, cut off, or longer than its header says), kIo. The hash is not checked.
  Result<std::size_t> Read(char* out, std::size_t capacity);
  // All of its bytes, in one buffer of just that size; before anything else was read. Errors: as Read; kTooBig (over
  // `limit` bytes).
  Result<std::string> ReadWhole(std::uint64_t limit);

 private:
  static constexpr std::size_t kInputSize = 64U << 10;
  static constexpr std::size_t kMaxHeaderSize = 32;  // "commit " and the 20 digits of 2^64

  struct EndInflate {
    void operator()(z_stream* stream) const {
      inflateEnd(stream);
      delete stream;
    }
  };

  LooseObject() = default;
  Result<void> ReadHeader();
  Result<std::size_t> Inflate(char* out, std::size_t capacity);
  Result<void> FillInput();
  Result<void> CheckEnd();
  Error Corrupt(const std::string& why) const;

  std::string path_;
  FileDescriptor file_;
  std::unique_ptr<z_stream, EndInflate> stream_;
  std::unique_ptr<std::array<unsigned char, kInputSize>> input_;
  bool input_ended_ = false;
  bool stream_ended_ = false;
  ObjectKind kind_ = ObjectKind::kBlob;
  std::uint64_t size_ = 0;
  std::uint64_t given_ = 0;  // of size_
  std::string ahead_;        // content that was inflated together with the header
};

}  // namespace concordfs::vcs::git
