// Writes loose objects, objects/ab/cdef...: our own writer, because libgit2's deflates each object while somebody waits
// for it, and at its level 0 writes what nothing can read.
//
// The bytes are stored, not deflated, inside the zlib stream that the format asks for; `git gc` deflates them when it
// packs them. A file gets its name when it is whole, never before: a crash leaves nothing, or a tmp_obj_* where the
// file system knows no files without names; git prunes those.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "vcs/git/handles.h"
#include "vcs/git/spare_files.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

enum class Durability;

// Threads: any. Source: gitformat-loose(5); RFC 1950 and 1951 for "stored" blocks.
class LooseWriter {
 public:
  // A whole object in a file that does not have its name yet. Gone with its owner, unless it was named.
  class Unnamed {
   public:
    Unnamed(std::string path, FileDescriptor file) : path_(std::move(path)), file_(std::move(file)) {}
    ~Unnamed();
    Unnamed(Unnamed&& other) noexcept : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
    Unnamed& operator=(Unnamed&&) = delete;

   private:
    friend class LooseWriter;
    std::string path_;  // empty: the file has no name at all, or its own
    FileDescriptor file_;
  };

  explicit LooseWriter(std::string objects_dir) : objects_dir_(std::move(objects_dir)), spares_(objects_dir_) {}

  // Writes an object that will be named `id`. Errors: those of WriteSystemError.
  Result<Unnamed> Write(ObjectKind kind, std::string_view bytes, const ObjectId& id);
  // The same for bytes that come in pieces and whose id is not known: `size` of them, handed over by `produce`, whose
  // error is passed on.
  using Sink = std::function<Result<void>(std::string_view)>;
  Result<Unnamed> Write(ObjectKind kind, std::uint64_t size, const std::function<Result<void>(const Sink&)>& produce);

  // Gives the file its name; durable if that is asked for. Errors: those of WriteSystemError; kExists if a file has
  // that name (where files without names are unknown, that one is replaced); kNotFound if git took the folder away
  // again and again.
  Result<void> Name(Unnamed object, const ObjectId& id, Durability durability);

 private:
  // A file in `folder`, or in objects/ if there is no such folder yet.
  Result<Unnamed> MakeUnnamed(const std::string& folder);
  Result<void> GiveName(Unnamed& object, const std::string& path);

  // Constant after construction.
  const std::string objects_dir_;
  // Own synchronisation.
  std::atomic<std::uint64_t> next_{0};
  SpareFiles spares_;
};

}  // namespace concordfs::vcs::git
