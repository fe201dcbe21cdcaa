#include "vcs/tree_diff.h"

#include <deque>
#include <memory>
#include <utility>

namespace concordfs::vcs {
namespace {

// A directory that differs; nothing: it isn't there.
struct Pair {
  RepoPath path;
  std::optional<ObjectId> before;
  std::optional<ObjectId> after;
};

Result<std::shared_ptr<const Tree>> LoadIf(TreeReader& trees, const std::optional<ObjectId>& id) {
  if (!id) return std::make_shared<const Tree>();
  return trees.Load(*id);
}

std::optional<TreeEntry> LeafOf(const std::optional<TreeEntryView>& entry) {
  if (!entry || entry->IsDirectory()) return std::nullopt;
  return TreeEntry{std::string(entry->name), entry->mode, entry->id};
}

std::optional<ObjectId> DirectoryOf(const std::optional<TreeEntryView>& entry) {
  return entry && entry->IsDirectory() ? std::optional(entry->id) : std::nullopt;
}

class Differ {
 public:
  explicit Differ(TreeReader& trees) : trees_(trees) {}

  Result<std::vector<PathChange>> Run(const ObjectId& before, const ObjectId& after) {
    if (before != after) unread_.push_back({RepoPath(), before, after});
    while (!unread_.empty()) {
      const Pair pair = std::move(unread_.front());
      unread_.pop_front();
      if (auto compared = Compare(pair); !compared) return compared.error();
    }
    return std::move(changes_);
  }

 private:
  Result<void> Compare(const Pair& pair) {
    const auto before = LoadIf(trees_, pair.before);
    if (!before) return before.error();
    const auto after = LoadIf(trees_, pair.after);
    if (!after) return after.error();
    for (const TreeEntryView entry : (*before)->entries()) {
      if (auto noted = Note(pair.path, entry, (*after)->Find(entry.name), entry.name); !noted) return noted;
    }
    for (const TreeEntryView entry : (*after)->entries()) {
      if ((*before)->Find(entry.name)) continue;
      if (auto noted = Note(pair.path, std::nullopt, entry, entry.name); !noted) return noted;
    }
    return {};
  }

  Result<void> Note(const RepoPath& directory, const std::optional<TreeEntryView>& before,
                    const std::optional<TreeEntryView>& after, std::string_view name) {
    if (before == after) return {};
    const auto path = directory.Child(name);
    if (!path) return path.error();
    PathChange change{*path, LeafOf(before), LeafOf(after)};
    if (change.before || change.after) changes_.push_back(std::move(change));
    const Pair below{*path, DirectoryOf(before), DirectoryOf(after)};
    if (below.before != below.after) unread_.push_back(below);
    return {};
  }

  TreeReader& trees_;
  std::deque<Pair> unread_;
  std::vector<PathChange> changes_;
};

}  // namespace

Result<std::vector<PathChange>> DiffTrees(TreeReader& trees, const ObjectId& before, const ObjectId& after) {
  return Differ(trees).Run(before, after);
}

}  // namespace concordfs::vcs
