// Where objects and refs are: the one interface between the concurrency model and git's storage.
//
// Objects are handed over as git's own bytes (a tree as gitformat-tree, a commit as its text), so that an
// implementation only has to store, and the model above it is the same on every store.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/shared_bytes.h"

namespace concordfs::vcs {

enum class ObjectKind { kBlob, kTree, kCommit };

// An object that was made in memory and is not stored yet. `id` is Store::Hash(kind, bytes).
struct NewObject {
  ObjectId id;
  ObjectKind kind = ObjectKind::kBlob;
  SharedBytes bytes;
  // What it was made of, and so resembles: a store may keep the difference only.
  std::optional<ObjectId> like = std::nullopt;
  std::optional<SharedBytes> like_bytes = std::nullopt;  // those of `like`, where they are at hand
};

// A blob on its way into history.
struct NewBlob {
  ObjectId id;
  std::optional<SharedBytes> bytes;  // not stored yet: the publication that makes it reachable brings it along
};

struct Ref {
  std::string name;  // full: "refs/heads/main"
  ObjectId target;
};

// A blob that was stored before the publication which makes it reachable.
struct StoredBlob {
  ObjectId id;
  std::optional<ObjectId> like;  // as NewObject::like
};

// A batch of new objects and the one ref move that makes them reachable.
struct Publication {
  std::vector<NewObject> objects;    // whatever they name is stored already or in the batch
  std::string ref;                   // full name
  std::optional<ObjectId> expected;  // what the ref must be now; nothing: it must not exist
  ObjectId tip;                      // what it becomes; always a commit
  std::string reason;                // one line for the reflog, where there is one
  std::vector<StoredBlob> stored{};  // the blobs that become reachable and were stored before
  // Called once, when the objects are stored and before the ref is touched, under no lock. What it returns as an error is the
  // publication's, and the ref is not moved. Empty: nothing.
  std::function<Result<void>()> before_move{};
};

// How a store keeps its objects few and small, where it does.
struct StoreUpkeep {
  std::uint64_t packs = 0;
  std::uint64_t pending = 0;  // loose objects that will be packed
  std::uint64_t rolls = 0;    // packs that were made of loose objects
  std::uint64_t merges = 0;   // of packs
  std::uint64_t failures = 0;
  std::string last_failure;   // empty: none yet
};

// Threads: every method from any thread, concurrently; each may block on disk. Errors common to all: kIo, kNoSpace,
// kQuota, kReadOnly, with the path in the message.
class Store {
 public:
  virtual ~Store() = default;

  // The id that these bytes have as an object of this kind. Stores nothing, can't fail.
  virtual ObjectId Hash(ObjectKind kind, std::string_view bytes) const = 0;

  // The whole of a tree, a commit or a small blob, verified against its id.
  // Errors: kNotFound; kCorrupt (damaged, of another kind, or over kMaxReadSize bytes).
  virtual Result<std::string> Read(const ObjectId& id, ObjectKind kind) = 0;
  static constexpr std::uint64_t kMaxReadSize = 256ULL << 20;

  // Bytes in a blob, from its header alone where that is possible. Errors: kNotFound, kCorrupt.
  virtual Result<std::uint64_t> BlobSize(const ObjectId& blob) = 0;

  // Writes the blob's bytes to `fd` from its offset 0, verified; what is in `fd` after an error is undefined.
  // Errors: kNotFound, kCorrupt.
  virtual Result<void> CopyBlobTo(const ObjectId& blob, int fd) = 0;

  // Stores the first `size` bytes of `fd` (from offset 0; its file position is not used) as a blob. Memory does not
  // grow with size. An object of that id that is there already is verified, and replaced where it is damaged.
  // Errors: kIo also if the file is shorter than `size`; kCorrupt if a damaged one is there and can't be replaced.
  virtual Result<ObjectId> AddBlob(int fd, std::uint64_t size) = 0;
  // The same for bytes in memory.
  virtual Result<ObjectId> AddBlob(std::string_view bytes) = 0;

  // As AddBlob, but a small blob is only read and hashed, so that it can be stored together with what names it. Errors:
  // as AddBlob.
  virtual Result<NewBlob> PrepareBlob(int fd, std::uint64_t size) = 0;
  // The same for bytes in memory.
  virtual Result<NewBlob> PrepareBlob(std::string bytes) = 0;

  // Stores the batch's objects and then, only if all are stored, moves its ref by compare-and-swap: objects first,
  // names last. After an error the ref was not moved: an outcome that is uncertain is looked up before returning.
  // Errors: kRefMoved (the ref is not `expected`), kLocked.
  virtual Result<void> Publish(const Publication& publication) = 0;

  // What the ref points at, symbolic refs followed; nothing if it doesn't exist. Errors: kCorrupt.
  virtual Result<std::optional<ObjectId>> ReadRef(const std::string& name) = 0;
  // All direct refs whose name starts with `prefix`, by name.
  virtual Result<std::vector<Ref>> ListRefs(const std::string& prefix) = 0;
  // Whether `commit` is `tip` or one of its ancestors. Errors: kNotFound, kCorrupt (of `tip`'s history).
  virtual Result<bool> Contains(const ObjectId& tip, const ObjectId& commit) = 0;
  // Nothing if this store does none, or not now.
  virtual std::optional<StoreUpkeep> upkeep() const { return std::nullopt; }

  // Deletes a ref if it still points at `expected`. Errors: kNotFound, kRefMoved, kLocked.
  virtual Result<void> DeleteRef(const std::string& name, const ObjectId& expected) = 0;
};

}  // namespace concordfs::vcs
