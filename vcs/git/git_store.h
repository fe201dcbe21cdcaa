// The store on a git repository, through libgit2. The only folder that includes <git2.h>.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// R13: what "accepted" survives. kPower syncs each object and ref before it is acknowledged.
// It is one setting of the process: the stores of one process all have the durability of the one opened last.
enum class Durability { kProcess, kPower };

// An opened repository: its store, and what the layers above need to know of it.
struct Repository {
  std::unique_ptr<Store> store;
  std::filesystem::path git_dir;  // absolute, canonical: where objects/, refs/ and concordfs/ are
  bool bare = true;
};

// Makes a new bare repository at `path` (created, or an empty directory) whose branch `branch` has one empty commit.
// Sets gc.auto=0: a prune beside writers corrupts a repository. `time_s`: of that commit, in seconds since 1970; now, if nothing.
// The same time and name make the same commit.
// Errors: kExists (not empty), kInvalidName (no branch name), kIo and the like.
Result<void> InitRepository(const std::filesystem::path& path, const std::string& branch,
                            std::optional<std::int64_t> time_s = std::nullopt);

// The same without a commit: the branch is what HEAD names, and is yet to come.
Result<void> InitEmptyRepository(const std::filesystem::path& path, const std::string& branch);

// Opens the repository at `path` (bare, or with a working tree; no parent folder is searched).
// Errors: kNotFound (nothing there), kInvalidArgument (no repository, or of a format that can't be served: SHA-256,
// reftable), kAccess.
Result<Repository> OpenRepository(const std::filesystem::path& path, Durability durability);

// Starts the background maintenance of the repository (maintenance.h), which ends with its store: what is published loose is
// packed, and packs are kept few. `ref` is where loose objects are looked for that nobody told of; `log` gets a line, on the
// maintenance's thread, for what failed. Once, and before anything is published.
void StartMaintenance(Repository& repository, const std::string& ref, std::function<void(const std::string&)> log);

// A pack was added to the repository by somebody else than its store: it may be time to merge some. Threads: any.
void NotePack(Repository& repository);

// Removes `<ref>.lock` and `packed-refs.lock` if nobody alive can be their owner: no process has it open, no git
// process works in the repository, and it is the same file a moment (200 ms) later. A living git's lock is respected.
// Returns true if one was removed. Sees the processes of its own pid namespace only. Reads other processes' /proc
// entries: never call it from a handler of the file system, where that can deadlock.
// Errors: kNotFound (no such repository), kInvalidName, kReadOnly, kIo.
Result<bool> ClearDeadLock(const std::filesystem::path& git_dir, const std::string& ref);

}  // namespace concordfs::vcs::git
