// Reads the trees of any commit, directory by directory, as they are asked for.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>

#include "vcs/mutex.h"
#include "vcs/repo_path.h"
#include "vcs/store.h"
#include "vcs/tree.h"

namespace concordfs::vcs {

// The tip of a branch, or any other commit, as far as reading needs it.
struct Head {
  ObjectId commit;
  ObjectId root;            // its tree
  std::int64_t time_s = 0;  // committer's time, seconds since 1970
};

// The entry at `path` under the tree `root`, each tree got from `load`; for the root path itself a directory entry without a
// name. Nothing if there is none, also where a component is a file. Errors: those of `load`.
using TreeLoader = std::function<Result<std::shared_ptr<const Tree>>(const ObjectId&)>;
Result<std::optional<TreeEntry>> FindFrom(const TreeLoader& load, const ObjectId& root, const RepoPath& path);

// Trees by id, loaded lazily and kept up to a bound: memory is for what was visited lately, not for the repository.
// Threads: any; blocks on disk for a tree that isn't kept.
class TreeReader {
 public:
  static constexpr std::size_t kDefaultCacheSize = 64 << 20;  // bytes

  explicit TreeReader(Store& store, std::size_t cache_size = kDefaultCacheSize);

  // Errors: kNotFound, kCorrupt, kIo.
  Result<std::shared_ptr<const Tree>> Load(const ObjectId& tree);
  // As FindFrom. Errors: as Load.
  Result<std::optional<TreeEntry>> Find(const ObjectId& root, const RepoPath& path);
  // What a commit is. Errors: kNotFound, kCorrupt, kIo.
  Result<Head> ReadHead(const ObjectId& commit);

  // Keeps a tree that was made here, so that nobody has to read it back.
  void Keep(const ObjectId& id, std::shared_ptr<const Tree> tree) EXCLUDES(mutex_);

  Store& store() { return store_; }

 private:
  struct Kept {
    std::shared_ptr<const Tree> tree;
    std::list<ObjectId>::iterator place;
  };

  std::shared_ptr<const Tree> FindKept(const ObjectId& id) EXCLUDES(mutex_);

  // Constant after construction.
  Store& store_;
  const std::size_t cache_size_;
  const ObjectId empty_tree_;
  // Guarded by mutex_.
  Mutex mutex_;
  std::unordered_map<ObjectId, Kept> kept_ GUARDED_BY(mutex_);
  std::list<ObjectId> by_use_ GUARDED_BY(mutex_);  // most recently used first
  std::size_t kept_size_ GUARDED_BY(mutex_) = 0;   // bytes
};

}  // namespace concordfs::vcs
