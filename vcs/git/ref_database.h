// The repository's refs: read, and moved by compare-and-swap only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vcs/git/object_database.h"
#include "vcs/git/ref_file.h"
#include "vcs/git/repository_pool.h"
#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// Threads: any; each method may block on disk. Read, List and Delete are those of Store, and documented there.
class RefDatabase {
 public:
  RefDatabase(RepositoryPool& pool, ObjectDatabase& objects, Durability durability, RefFile::NewReflog new_reflog)
      : pool_(pool), objects_(objects), durability_(durability), new_reflog_(new_reflog) {}

  Result<std::optional<ObjectId>> Read(const std::string& name);
  Result<std::vector<Ref>> List(const std::string& prefix);

  // Moves the ref from `expected` (nothing: it must not exist) to `tip`; of a symbolic ref, what it points at. A ref
  // that is a file is moved after `before_move` only, which is called under the ref's lock when nothing can come
  // between any more, and whose error is passed on; any other ref is moved by libgit2, and durably where that is asked
  // for. Errors: as Store::Publish; kInvalidName also where another ref's name is in the way ("a" and "a/b").
  Result<void> Swap(const std::string& name, const std::optional<ObjectId>& expected, const ObjectId& tip,
                    const std::string& reason, const RefFile::BeforeMove& before_move = {});

  Result<void> Delete(const std::string& name, const ObjectId& expected);

  // As Store::Contains: however far that is in the past.
  Result<bool> Contains(const ObjectId& tip, const ObjectId& commit);

  // Whether `ancestor` is `commit` or one of its ancestors, as far as that can be read, among the last 10,000.
  bool Reaches(const ObjectId& commit, const ObjectId& ancestor);

 private:
  // One attempt, whose failure says nothing about what happened.
  Result<void> TrySwap(const std::string& name, const std::optional<ObjectId>& expected, const ObjectId& tip,
                       const std::string& reason, const RefFile::BeforeMove& before_move);
  // What is to be made of a failed attempt: success, a final error, or nothing: try again.
  std::optional<Result<void>> Settle(const std::string& name, const std::optional<ObjectId>& expected,
                                     const ObjectId& tip, const Error& failure);
  // One attempt to delete; kLocked if a lock is held.
  Result<void> TryDelete(const std::string& name, const ObjectId& expected);
  Result<void> DeleteLocked(git_repository* repository, const std::string& name, const ObjectId& expected);

  // Constant after construction.
  RepositoryPool& pool_;
  ObjectDatabase& objects_;
  const Durability durability_;  // of deletions; for moves there is the journal
  const RefFile::NewReflog new_reflog_;
};

// Success if git takes it for a ref's full name ("refs/heads/main", "HEAD"). Errors: kInvalidName.
Result<void> CheckRefName(const std::string& name);

}  // namespace concordfs::vcs::git
