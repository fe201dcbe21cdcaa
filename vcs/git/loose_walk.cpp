#include "vcs/git/loose_walk.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <optional>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "vcs/commit.h"
#include "vcs/git/loose_object.h"
#include "vcs/tree.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::uint64_t kMaxSize = 64ULL << 20;  // of a tree or a commit that is looked into

class Walk {
 public:
  Walk(const std::string& objects_dir, std::unordered_set<ObjectId> loose, const std::function<bool()>& go_on)
      : objects_dir_(objects_dir), go_on_(go_on), loose_(std::move(loose)) {}

  // Returns false if it was stopped.
  bool From(std::span<const ObjectId> tips) {
    std::deque<ObjectId> commits(tips.begin(), tips.end());
    while (!commits.empty()) {
      if (!go_on_()) return false;
      const ObjectId id = commits.front();
      commits.pop_front();
      const auto text = Take(id, ObjectKind::kCommit, kNoPath);
      if (!text) continue;
      const auto commit = Commit::Parse(*text);
      if (!commit) continue;
      if (!WalkTree(commit->tree)) return false;
      commits.insert(commits.end(), commit->parents.begin(), commit->parents.end());
    }
    return true;
  }

  std::vector<WrittenObject> OldestFirst() {
    std::ranges::reverse(found_);
    std::vector<WrittenObject> objects;
    objects.reserve(found_.size());
    std::vector<std::optional<ObjectId>> last(paths_.size());
    for (const Found& found : found_) {
      objects.push_back({found.id, found.kind, std::nullopt});
      if (found.path != kNoPath) objects.back().like = std::exchange(last[found.path], found.id);
    }
    return objects;
  }

 private:
  static constexpr std::size_t kNoPath = static_cast<std::size_t>(-1);

  struct Found {
    ObjectId id;
    ObjectKind kind;
    std::size_t path;  // its number
  };
  struct Item {
    ObjectId tree;
    std::string path;  // empty for the root, else with a slash at its end
  };

  // If it is loose and was not met before: adds it to what was found, and returns its bytes. Those of a blob are not
  // read.
  std::optional<std::string> Take(const ObjectId& id, ObjectKind kind, std::size_t path) {
    if (loose_.erase(id) == 0) return std::nullopt;
    if (kind == ObjectKind::kBlob) {
      found_.push_back({id, kind, path});
      return std::nullopt;
    }
    auto object = LooseObject::Open(LooseObjectPath(objects_dir_, id));
    if (!object || object->kind() != kind) return std::nullopt;
    auto bytes = object->ReadWhole(kMaxSize);
    if (!bytes) return std::nullopt;
    found_.push_back({id, kind, path});
    return *std::move(bytes);
  }

  std::size_t NumberOf(const std::string& path) { return paths_.try_emplace(path, paths_.size()).first->second; }

  bool WalkTree(const ObjectId& root) {
    std::vector<Item> items{{root, ""}};
    while (!items.empty()) {
      if (!go_on_()) return false;
      const Item item = std::move(items.back());
      items.pop_back();
      if (!loose_.contains(item.tree)) continue;
      const auto bytes = Take(item.tree, ObjectKind::kTree, NumberOf(item.path));
      if (!bytes) continue;
      const auto tree = Tree::Parse(*bytes);
      if (!tree) continue;
      for (const TreeEntryView entry : tree->entries()) {
        if (entry.IsSubmodule() || !loose_.contains(entry.id)) continue;
        const std::string path = item.path + std::string(entry.name);
        if (entry.IsDirectory()) {
          items.push_back({entry.id, path + "/"});
        } else {
          Take(entry.id, ObjectKind::kBlob, NumberOf(path));
        }
      }
    }
    return true;
  }

  const std::string& objects_dir_;
  const std::function<bool()>& go_on_;
  std::unordered_set<ObjectId> loose_;                  // and not met yet
  std::unordered_map<std::string, std::size_t> paths_;  // and their numbers
  std::vector<Found> found_;                            // newest first
};

}  // namespace

std::unordered_set<ObjectId> ListLoose(const std::string& objects_dir, std::size_t limit) {
  std::unordered_set<ObjectId> ids;
  std::error_code ignored;
  for (const auto& folder : std::filesystem::directory_iterator(objects_dir, ignored)) {
    const std::string first = folder.path().filename().string();
    if (first.size() != 2) continue;
    for (const auto& file : std::filesystem::directory_iterator(folder.path(), ignored)) {
      if (ids.size() >= limit) return ids;
      if (const auto id = ObjectId::FromHex(first + file.path().filename().string())) ids.insert(*id);
    }
  }
  return ids;
}

Result<std::vector<WrittenObject>> FindReachable(const std::string& objects_dir, std::unordered_set<ObjectId> loose,
                                                 std::span<const ObjectId> tips, const std::function<bool()>& go_on) {
  Walk walk(objects_dir, std::move(loose), go_on);
  if (!walk.From(tips)) return Error{Code::kInterrupted, "maintenance: stopped"};
  return walk.OldestFirst();
}

}  // namespace concordfs::vcs::git
