// The repository's objects: read verified, written durably, repaired where what is there is damaged.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/git/loose_writer.h"
#include "vcs/git/pack_keeper.h"
#include "vcs/git/pack_set.h"
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
        packs_(ObjectsDirs(pool.git_dir())),
        loose_writer_(objects_dir_) {}

  Result<std::string> Read(const ObjectId& id, ObjectKind kind);
  Result<std::uint64_t> BlobSize(const ObjectId& blob);
  Result<void> CopyBlobTo(const ObjectId& blob, int fd);

  // Durable, as all that is added one by one, where that is asked for.
  Result<void> Add(const ObjectId& id, ObjectKind kind, std::string_view bytes);
  // All of a publication's objects. An id may come twice. Not durable: there is the journal.
  // Returns what became loose; the others are in a pack.
  Result<std::vector<WrittenObject>> AddAll(std::span<const NewObject> objects);
  Result<ObjectId> AddBlob(int fd, std::uint64_t size);
  Result<NewBlob> PrepareBlob(int fd, std::uint64_t size);
  Result<NewBlob> PrepareBlob(std::string bytes);

  // Success if the object is there and of this kind, by its header. Errors: kNotFound, kCorrupt.
  Result<void> Check(const ObjectId& id, ObjectKind kind);

 private:
  using Header = PackReader::Header;
  enum class Existing { kAbsent, kGood };

  // Runs `read` on borrowed handles and, if it finds nothing or something damaged, once more on fresh ones.
  template <class T>
  Result<T> ReadTwice(const std::function<Result<T>(Handles&)>& read);
  // The quick way, without libgit2: what it doesn't find, or finds damaged, is looked for again with all care.
  std::optional<PackReader::Object> ReadQuickly(const ObjectId& id);
  std::optional<Header> ReadHeaderQuickly(const ObjectId& id);
  Result<Header> ReadHeader(Handles& handles, const ObjectId& id);
  Result<Header> ReadPackedHeader(Handles& handles, const ObjectId& id);
  Result<void> CopyTo(Handles& handles, const ObjectId& blob, int fd);

  // What a loose object of this id is; a damaged one is moved away, and then it is absent.
  // Errors: kCorrupt (damaged, and could not be moved), kIo.
  Result<Existing> ExamineLoose(Handles& handles, const ObjectId& id);
  Result<void> MoveDamagedAway(const std::string& path, const ObjectId& id);
  bool IsInPack(const ObjectId& blob, std::string_view bytes);
  // A loose object that was there already becomes young. R13, power: it may never have been synced.
  Result<void> KeepExisting(const ObjectId& id, Durability durability);
  Result<void> AddLoose(const ObjectId& id, ObjectKind kind, std::string_view bytes, Durability durability);
  Result<void> AddPack(std::span<const NewObject> objects);
  Result<ObjectId> AddLargeBlob(Handles& handles, int fd, std::uint64_t size);

  // Constant after construction.
  RepositoryPool& pool_;
  const std::string objects_dir_;
  const Durability durability_;
  // Own synchronisation.
  PackSet packs_;
  LooseWriter loose_writer_;
};

}  // namespace concordfs::vcs::git
