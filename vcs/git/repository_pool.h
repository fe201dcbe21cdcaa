// A few opened repositories to borrow from: ids are shared between threads, libgit2's handles never are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vcs/git/handles.h"
#include "vcs/mutex.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// What one thread at a time needs to work on the repository.
struct Handles {
  RepositoryHandle repository;            // for refs
  std::vector<std::string> objects_dirs;  // where loose objects are: the repository's own first, then its alternates
  OdbHandle packs;    // only the packs of all objects_dirs: for loose ones there are LooseObject and LooseWriter
  OdbHandle hashing;  // see ObjectHasher
};

// Where the objects of the repository may be: its own folder first, then those that it borrows from (alternates).
std::vector<std::string> ObjectsDirs(const std::string& git_dir);

// Initialises libgit2 for this process, once, and makes its process-wide settings: no object cache (what is read is
// what is on disk), no configuration but the repository's own, repositories of any owner.
void InitLibrary();

// Threads: any.
class RepositoryPool {
 public:
  // Of the repository whose refs and objects are in `git_dir`.
  explicit RepositoryPool(std::string git_dir) : git_dir_(std::move(git_dir)) {}

  // Handles for as long as this lives; then they go back to the pool, which must still exist.
  class Lease {
   public:
    Lease(RepositoryPool& pool, std::unique_ptr<Handles> handles) : pool_(&pool), handles_(std::move(handles)) {}
    ~Lease();
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;

    Handles& operator*() { return *handles_; }
    Handles* operator->() { return handles_.get(); }

   private:
    RepositoryPool* pool_;
    std::unique_ptr<Handles> handles_;
  };

  // Errors: kIo, kNotFound (the repository is gone), kInvalidArgument.
  Result<Lease> Borrow() EXCLUDES(mutex_);
  // The same with handles that have seen nothing of the repository yet: libgit2 keeps packs that `git gc` has removed.
  Result<Lease> BorrowFresh();

  const std::string& git_dir() const { return git_dir_; }

 private:
  static constexpr std::size_t kMaxIdle = 8;

  Result<std::unique_ptr<Handles>> Open() const;
  void GiveBack(std::unique_ptr<Handles> handles) EXCLUDES(mutex_);

  // Constant after construction.
  const std::string git_dir_;
  // Guarded by mutex_.
  Mutex mutex_;
  std::vector<std::unique_ptr<Handles>> idle_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::vcs::git
