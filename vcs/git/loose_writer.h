// Writes loose objects, objects/ab/cdef...: our own writer, because libgit2's deflates each object while somebody waits
// for it, and at its level 0 writes what nothing can read.
//
// The bytes are stored, not deflated, inside the zlib stream that the format asks for; `git gc` deflates them when it
// packs them. A file gets its name when it is whole, never before: a crash leaves a tmp_obj_* beside it, which git prunes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "vcs/git/handles.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

enum class Durability;

// Threads: any. Source: gitformat-loose(5); RFC 1950 and 1951 for "stored" blocks.
class LooseWriter {
 public:
  // A whole object in a file that has no id for its name yet. Removed with its owner, unless it was named.
  class Unnamed {
   public:
    Unnamed(std::string path, FileDescriptor file) : path_(std::move(path)), file_(std::move(file)) {}
    ~Unnamed();
    Unnamed(Unnamed&& other) noexcept : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
    Unnamed& operator=(Unnamed&&) = delete;

   private:
    friend class LooseWriter;
    std::string path_;  // empty: none, or named
    FileDescriptor file_;
  };

  LooseWriter(std::string objects_dir, Durability durability)
      : objects_dir_(std::move(objects_dir)), durability_(durability) {}

  // Errors: those of WriteSystemError.
  Result<Unnamed> Write(ObjectKind kind, std::string_view bytes);
  // The same for bytes that come in pieces: `size` of them, handed over by `produce`, whose error is passed on.
  using Sink = std::function<Result<void>(std::string_view)>;
  Result<Unnamed> Write(ObjectKind kind, std::uint64_t size, const std::function<Result<void>(const Sink&)>& produce);

  // Gives the file its name, in place of one that has it; durable if that is asked for. Errors: those of
  // WriteSystemError; kNotFound if git took the folder away again and again.
  Result<void> Name(Unnamed object, const ObjectId& id);

 private:
  Result<Unnamed> MakeUnnamed();

  // Constant after construction.
  const std::string objects_dir_;
  const Durability durability_;
  // Own synchronisation.
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace concordfs::vcs::git
