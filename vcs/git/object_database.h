// The repository's objects: read verified, written durably, repaired where what is there is damaged.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "vcs/git/loose_writer.h"
#include "vcs/git/repository_pool.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

enum class Durability;

// Threads: any; each method may block on disk. The methods are those of Store, and documented there.
class ObjectDatabase {
 public:
  ObjectDatabase(RepositoryPool& pool, Durability durability)
      : pool_(pool),
        objects_dir_(pool.git_dir() + "/objects"),
        durability_(durability),
        loose_writer_(objects_dir_, durability) {}

  Result<std::string> Read(const ObjectId& id, ObjectKind kind);
  Result<std::uint64_t> BlobSize(const ObjectId& blob);
  Result<void> CopyBlobTo(const ObjectId& blob, int fd);

  Result<void> Add(const ObjectId& id, ObjectKind kind, std::string_view bytes);
  Result<ObjectId> AddBlob(int fd, std::uint64_t size);

  // Success if the object is there and of this kind, by its header. Errors: kNotFound, kCorrupt.
  Result<void> Check(const ObjectId& id, ObjectKind kind);

 private:
  struct Header {
    ObjectKind kind;
    std::uint64_t size;
  };
  enum class Existing { kAbsent, kGood };

  // Runs `read` on borrowed handles and, if it finds nothing or something damaged, once more on fresh ones.
  template <class T>
  Result<T> ReadTwice(const std::function<Result<T>(Handles&)>& read);
  Result<Header> ReadHeader(Handles& handles, const ObjectId& id);
  Result<Header> ReadPackedHeader(Handles& handles, const ObjectId& id);
  Result<void> CopyTo(Handles& handles, const ObjectId& blob, int fd);

  // What a loose object of this id is; a damaged one is moved away, and then it is absent.
  // Errors: kCorrupt (damaged, and could not be moved), kIo.
  Result<Existing> ExamineLoose(Handles& handles, const ObjectId& id);
  Result<void> MoveDamagedAway(const std::string& path, const ObjectId& id);
  // R13, power: an object that was there already may never have been synced.
  Result<void> SyncExisting(const std::string& path);
  Result<ObjectId> AddLargeBlob(Handles& handles, int fd, std::uint64_t size);

  // Constant after construction.
  RepositoryPool& pool_;
  const std::string objects_dir_;
  const Durability durability_;
  // Own synchronisation.
  LooseWriter loose_writer_;
};

}  // namespace concordfs::vcs::git
