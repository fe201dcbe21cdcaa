// The id of an object whose bytes come in pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vcs/git/handles.h"
#include "vcs/git/sha1.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// "blob 12\0": what is in front of an object's bytes in its file, and when its id is made. Source: gitformat-loose(5).
std::string ObjectHeader(ObjectKind kind, std::uint64_t size);

// The id of these bytes, several times as fast as libgit2's and without its look for collisions: for bytes that nobody
// but us has made.
ObjectId HashFast(ObjectKind kind, std::string_view bytes);

// The id of bytes that somebody brought. Errors: kCorrupt (they were made to collide with other bytes).
Result<ObjectId> HashCarefully(ObjectKind kind, std::string_view bytes);

// libgit2 hashes a stream only on its way into an object database: this is one that keeps nothing.
Result<OdbHandle> OpenHashingOdb();

// Threads: one at a time, as is its database.
class ObjectHasher {
 public:
  // Of bytes that somebody brought: looks for collisions. `odb` is from OpenHashingOdb() and outlives the hasher;
  // `size` is how many bytes will come.
  static Result<ObjectHasher> Start(git_odb* odb, ObjectKind kind, std::uint64_t size);
  // Of bytes that are stored already, which may be damaged: several times as fast, as HashFast is.
  static Result<ObjectHasher> StartFast(git_odb* odb, ObjectKind kind, std::uint64_t size);

  // Errors: kInvalidArgument if more bytes come than were announced.
  Result<void> Update(std::string_view bytes);
  // Errors: kInvalidArgument if fewer bytes came than were announced; kCorrupt if they were made to collide with
  // others.
  Result<ObjectId> Finish();

 private:
  ObjectHasher(OdbStreamHandle stream, std::uint64_t size) : stream_(std::move(stream)), size_(size) {}
  ObjectHasher(Sha1 fast, std::uint64_t size) : fast_(std::move(fast)), size_(size) {}

  OdbStreamHandle stream_;  // or else:
  std::optional<Sha1> fast_;
  std::uint64_t size_;      // bytes announced
  std::uint64_t came_ = 0;  // and come
};

}  // namespace concordfs::vcs::git
