// Which paths git ignores in a checkout of a tree: its .gitignore files, info/exclude, the command line's patterns
// (R12).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "vcs/ignore_pattern.h"
#include "vcs/mutex.h"
#include "vcs/repo_path.h"
#include "vcs/tree_reader.h"

namespace concordfs::vcs {

// Threads: any, concurrently; blocks on disk for trees and .gitignore files that aren't kept.
class IgnoreRules {
 public:
  static constexpr std::size_t kDefaultCacheSize = 32 << 20;  // bytes
  static constexpr std::size_t kKeptRoots = 4;                // root trees whose directories are kept
  // A larger .gitignore has no patterns. git's bound since 2.46 (dir.c, PATTERN_MAX_FILE_SIZE); before, it had none.
  static constexpr std::uint64_t kMaxFileSize = 100 << 20;  // bytes

  // Both texts are as a .gitignore file's: a pattern a line. `command_line` is asked before any .gitignore file, as
  // `git ls-files --exclude`; `exclude`, which is info/exclude, after all of them.
  IgnoreRules(TreeReader& trees, std::string command_line, std::string exclude,
              std::size_t cache_size = kDefaultCacheSize);

  // What `git check-ignore --no-index` says of the path in a working tree that is a checkout of `root_tree`, whether
  // the tree has the path or not, with core.excludesFile unset and case-sensitive. In short: the lists are asked from
  // the deepest directory's up and the last matching pattern of the first that has one decides; below an ignored
  // directory everything is ignored. A .gitignore that is no regular file has no patterns, and neither has anything
  // below what is no directory in the tree (a file, a symlink, a submodule). The root itself is never ignored.
  // Errors: kCorrupt (a tree or a .gitignore is damaged or missing), and the store's kIo and the like.
  // Source: gitignore(5); git's dir.c, prep_exclude and last_matching_pattern.
  Result<bool> IsIgnored(const ObjectId& root_tree, const RepoPath& path, bool is_directory) EXCLUDES(mutex_);

  // Replaces info/exclude's patterns. A question that is being answered meanwhile may still be answered by the old
  // ones.
  void SetExclude(std::string text) EXCLUDES(mutex_);

 private:
  // A directory, and what holds for the names in it. Immutable.
  struct Directory {
    bool ignored = false;                     // then so is everything below, and the rest doesn't matter
    std::optional<ObjectId> tree;             // where the root tree has it
    std::shared_ptr<const IgnoreList> list;   // its .gitignore; null where that has no pattern
    std::size_t path_start = 0;               // where, in a path below it, the part relative to it starts
    std::shared_ptr<const Directory> parent;  // null for the root
  };
  using DirectoryPtr = std::shared_ptr<const Directory>;
  struct PathHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view path) const noexcept { return std::hash<std::string_view>()(path); }
  };
  struct Root {
    ObjectId tree;
    std::unordered_map<std::string, DirectoryPtr, PathHash, std::equal_to<>> directories;  // by path
    std::size_t size = 0;                                                                  // bytes of them
  };
  // The nearest directory to a path, at it or above, that is kept; null if none is. With the list to go on with.
  struct Start {
    DirectoryPtr directory;
    std::size_t path_size = 0;  // of the directory's path
    std::shared_ptr<const IgnoreList> exclude;
  };

  Start FindKept(const ObjectId& root_tree, std::string_view path) EXCLUDES(mutex_);
  // Keeps what was found out with `exclude`, unless that was replaced since.
  void Keep(const ObjectId& root_tree, std::string_view path, const DirectoryPtr& directory,
            const std::shared_ptr<const IgnoreList>& exclude) EXCLUDES(mutex_);
  Root& RootOfLocked(const ObjectId& tree) REQUIRES(mutex_);
  void DropAllLocked() REQUIRES(mutex_);

  Result<DirectoryPtr> Find(const ObjectId& root_tree, std::string_view path, const Start& start);
  // Reads what a directory has of its own: fills `list` from the tree.
  Result<DirectoryPtr> WithList(Directory directory);
  Result<DirectoryPtr> Below(const DirectoryPtr& parent, std::string_view path, const IgnoreList& exclude);
  Result<std::shared_ptr<const IgnoreList>> Read(const ObjectId& blob) EXCLUDES(mutex_);
  bool Decide(const Directory& directory, std::string_view path, bool is_directory, const IgnoreList& exclude) const;

  // Constant after construction.
  TreeReader& trees_;
  const IgnoreList command_line_;
  const std::size_t cache_size_;
  // Guarded by mutex_. What is kept is dropped, all at once, when it is over cache_size_: it is soon found again.
  Mutex mutex_;
  std::shared_ptr<const IgnoreList> exclude_ GUARDED_BY(mutex_);
  std::list<Root> roots_ GUARDED_BY(mutex_);  // most recently used first
  std::unordered_map<ObjectId, std::shared_ptr<const IgnoreList>> lists_ GUARDED_BY(mutex_);  // by blob
  std::size_t kept_size_ GUARDED_BY(mutex_) = 0;                                              // bytes
};

}  // namespace concordfs::vcs
