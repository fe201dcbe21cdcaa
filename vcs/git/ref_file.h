// One ref as the file that it is, .git/refs/heads/main: read and moved by git's own protocol, without libgit2's round
// through its whole ref database. For what is not such a file there is libgit2.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "vcs/object_id.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// Threads: any; nothing is kept. Source: gitrepository-layout(5); git's refs/files-backend.c for the lock: whoever
// makes
// `<ref>.lock` may change the ref until the lock is gone.
class RefFile {
 public:
  // Whether a ref of the repository gets a reflog that has none (core.logAllRefUpdates).
  enum class NewReflog { kNone, kMake };
  // `name` is the full name of a ref ("refs/heads/main"), which was checked.
  RefFile(const std::string& git_dir, const std::string& name, NewReflog new_reflog);

  // What it points at; nothing if it is no file (packed, or no ref at all), symbolic, or damaged: ask libgit2.
  std::optional<ObjectId> Read() const;

  enum class Outcome {
    kMoved,
    kNotForUs,  // there is a reflog to be made, or no file to be moved: nothing was done; libgit2 does it
  };
  // What has to be done before the ref moves, when nothing can come between any more.
  using BeforeMove = std::function<Result<void>()>;
  // Compare-and-swap; `reason` is for the reflog, where there is one. Survives the end of this process, not a power
  // cut. Errors: kRefMoved, kLocked, those of WriteSystemError: then it may have moved all the same; and those of
  // `before_move`.
  Result<Outcome> Swap(const ObjectId& expected, const ObjectId& tip, const std::string& reason,
                       const BeforeMove& before_move) const;

 private:
  Result<void> AppendToReflog(const ObjectId& expected, const ObjectId& tip, const std::string& reason) const;

  const std::string name_;
  const std::string path_;
  const std::string lock_;
  const std::string reflog_;
  const NewReflog new_reflog_;
};

}  // namespace concordfs::vcs::git
