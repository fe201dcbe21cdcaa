#include "vcs/git/diff.h"

#include <git2.h>

#include <memory>

#include "vcs/git/git_error.h"
#include "vcs/git/handles.h"
#include "vcs/git/repository_pool.h"

namespace concordfs::vcs::git {
namespace {

using CommitHandle = std::unique_ptr<git_commit, FreeWith<git_commit_free>>;
using TreeHandle = std::unique_ptr<git_tree, FreeWith<git_tree_free>>;
using DiffHandle = std::unique_ptr<git_diff, FreeWith<git_diff_free>>;
using Buffer = std::unique_ptr<git_buf, FreeWith<git_buf_dispose>>;

constexpr git_off_t kMaxTextSize = 64 << 20;  // bytes

// No handle for the zero id: libgit2 takes a null tree for an empty one.
Result<TreeHandle> TreeOf(git_repository* repository, const ObjectId& commit_id) {
  TreeHandle tree;
  if (commit_id.IsZero()) return tree;
  const git_oid oid = ToGit(commit_id);
  CommitHandle commit;
  if (const int code = git_commit_lookup(Receive(commit), repository, &oid); code != 0) {
    return ReadError(code, "commit " + commit_id.Hex());
  }
  if (const int code = git_commit_tree(Receive(tree), commit.get()); code != 0) {
    return ReadError(code, "tree of commit " + commit_id.Hex());
  }
  return tree;
}

}  // namespace

Result<std::string> UnifiedDiff(const std::filesystem::path& git_dir, const ObjectId& from, const ObjectId& to,
                                const RepoPath& path) {
  InitLibrary();
  ClearLastError();
  RepositoryHandle repository;
  if (const int code =
          git_repository_open_ext(Receive(repository), git_dir.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
      code != 0) {
    return ReadError(code, git_dir.native());
  }
  const auto old_tree = TreeOf(repository.get(), from);
  if (!old_tree) return old_tree.error();
  const auto new_tree = TreeOf(repository.get(), to);
  if (!new_tree) return new_tree.error();

  git_diff_options options;
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags = GIT_DIFF_DISABLE_PATHSPEC_MATCH | GIT_DIFF_INCLUDE_TYPECHANGE;
  options.max_size = kMaxTextSize;
  std::string text = path.text();
  char* paths[] = {text.data()};
  if (!path.IsRoot()) options.pathspec = {paths, 1};
  DiffHandle diff;
  if (const int code =
          git_diff_tree_to_tree(Receive(diff), repository.get(), old_tree->get(), new_tree->get(), &options);
      code != 0) {
    return ReadError(code, "diff");
  }
  git_buf raw = GIT_BUF_INIT;
  const Buffer buffer(&raw);
  if (const int code = git_diff_to_buf(&raw, diff.get(), GIT_DIFF_FORMAT_PATCH); code != 0) {
    return ReadError(code, "diff of " + Quoted(path.text()));
  }
  return std::string(raw.ptr, raw.size);
}

}  // namespace concordfs::vcs::git
