// A Store without a disk, and one that fails on demand: for tests of everything above the store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vcs/mutex.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs {

// Keeps the contract of Store in memory; tests/vcs/store_contract_test.cpp holds it to what the libgit2 store does.
// Its ids are 20 bytes of a cheap hash, not git's. Refs are direct ones only. Threads: any.
class MemoryStore : public Store {
 public:
  ObjectId Hash(ObjectKind kind, std::string_view bytes) const override;
  Result<std::string> Read(const ObjectId& id, ObjectKind kind) override EXCLUDES(mutex_);
  Result<std::uint64_t> BlobSize(const ObjectId& blob) override EXCLUDES(mutex_);
  Result<void> CopyBlobTo(const ObjectId& blob, int fd) override EXCLUDES(mutex_);
  Result<ObjectId> AddBlob(int fd, std::uint64_t size) override EXCLUDES(mutex_);
  Result<ObjectId> AddBlob(std::string_view bytes) override EXCLUDES(mutex_);
  Result<NewBlob> PrepareBlob(int fd, std::uint64_t size) override EXCLUDES(mutex_);
  Result<NewBlob> PrepareBlob(std::string bytes) override EXCLUDES(mutex_);
  Result<void> Publish(const Publication& publication) override EXCLUDES(mutex_);
  Result<std::optional<ObjectId>> ReadRef(const std::string& name) override EXCLUDES(mutex_);
  Result<std::vector<Ref>> ListRefs(const std::string& prefix) override EXCLUDES(mutex_);
  Result<void> DeleteRef(const std::string& name, const ObjectId& expected) override EXCLUDES(mutex_);
  Result<bool> Contains(const ObjectId& tip, const ObjectId& commit) override EXCLUDES(mutex_);

  // The outside world (R11): sets a ref whatever it was; `target` of nothing deletes it.
  void ForceRef(const std::string& name, const std::optional<ObjectId>& target) EXCLUDES(mutex_);
  // Called by each Publish when its objects are stored and before its ref is looked at, with no lock held: it may use
  // the store itself. An empty function: no more calls.
  void SetBeforeSwap(std::function<void(const Publication&)> hook) EXCLUDES(mutex_);
  // Damages a stored object: reading it is kCorrupt until it is added again.
  void Damage(const ObjectId& id) EXCLUDES(mutex_);
  std::size_t object_count() const EXCLUDES(mutex_);

 private:
  struct Object {
    ObjectKind kind;
    std::shared_ptr<const std::string> bytes;
    bool damaged = false;
  };

  Result<std::shared_ptr<const std::string>> Find(const ObjectId& id, ObjectKind kind) const EXCLUDES(mutex_);
  void AddLocked(const ObjectId& id, ObjectKind kind, std::string_view bytes) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unordered_map<ObjectId, Object> objects_ GUARDED_BY(mutex_);
  std::map<std::string, ObjectId> refs_ GUARDED_BY(mutex_);
  std::function<void(const Publication&)> before_swap_ GUARDED_BY(mutex_);
};

// Hands everything on to another store, counts, and fails where it is told to. A call that it fails has no effect.
// Hash() is no operation: it can't fail. Threads: any.
class FailingStore : public Store {
 public:
  explicit FailingStore(Store& store) : store_(store) {}

  // The n-th operation from now on fails with `code` (1: the next one), and only that one.
  void FailNth(std::uint64_t n, Code code) EXCLUDES(mutex_);
  // From the n-th operation on all fail, as on a full disk, until Heal().
  void FailFrom(std::uint64_t n, Code code) EXCLUDES(mutex_);
  void Heal() EXCLUDES(mutex_);
  // Runs `what` in the next operation, before anything else, in the thread that does it.
  void InNext(std::function<void()> what) EXCLUDES(mutex_);

  std::uint64_t operations() const EXCLUDES(mutex_);  // all so far, failed ones too
  std::uint64_t failures() const EXCLUDES(mutex_);

  ObjectId Hash(ObjectKind kind, std::string_view bytes) const override { return store_.Hash(kind, bytes); }
  Result<std::string> Read(const ObjectId& id, ObjectKind kind) override;
  Result<std::uint64_t> BlobSize(const ObjectId& blob) override;
  Result<void> CopyBlobTo(const ObjectId& blob, int fd) override;
  Result<ObjectId> AddBlob(int fd, std::uint64_t size) override;
  Result<ObjectId> AddBlob(std::string_view bytes) override;
  Result<NewBlob> PrepareBlob(int fd, std::uint64_t size) override;
  Result<NewBlob> PrepareBlob(std::string bytes) override;
  Result<void> Publish(const Publication& publication) override;
  Result<std::optional<ObjectId>> ReadRef(const std::string& name) override;
  Result<std::vector<Ref>> ListRefs(const std::string& prefix) override;
  Result<void> DeleteRef(const std::string& name, const ObjectId& expected) override;
  Result<bool> Contains(const ObjectId& tip, const ObjectId& commit) override;

 private:
  // Counts one operation; an error if it is one that has to fail.
  Result<void> Count(const char* operation) EXCLUDES(mutex_);

  Store& store_;
  mutable Mutex mutex_;
  std::uint64_t operations_ GUARDED_BY(mutex_) = 0;
  std::uint64_t failures_ GUARDED_BY(mutex_) = 0;
  std::uint64_t first_failing_ GUARDED_BY(mutex_) = 0;  // number of an operation; 0: none
  std::uint64_t last_failing_ GUARDED_BY(mutex_) = 0;
  Code code_ GUARDED_BY(mutex_) = Code::kIo;
  std::function<void()> in_next_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::vcs
