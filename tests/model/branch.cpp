#include "tests/model/branch.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "vcs/tree.h"

namespace concordfs::testing {
namespace {

template <class T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(std::string(CodeName(result.code())) + ": " + result.error().message);
  return *std::move(result);
}

}  // namespace

vcs::Version Branch::Blob(const std::string& content, vcs::FileMode mode) {
  return vcs::Version{Must(store_.AddBlob(content)), mode};
}

vcs::Head Branch::Commit(const Changes& changes, const std::string& author) {
  while (true) {  // every turn after the first means that somebody else moved the branch
    const auto tip = Must(store_.ReadRef(ref_));
    Files files = tip ? FilesOf(*tip) : Files();
    for (const auto& [path, version] : changes) {
      files.erase(path);
      if (version) files.emplace(path, *version);
    }
    vcs::Publication publication;
    const vcs::Head head =
        AddCommit(files, tip ? std::vector<vcs::ObjectId>{*tip} : std::vector<vcs::ObjectId>(), author);
    publication.ref = ref_;
    publication.expected = tip;
    publication.tip = head.commit;
    const auto published = store_.Publish(publication);
    if (published) return head;
    if (published.code() != Code::kRefMoved) throw std::runtime_error(published.error().message);
  }
}

vcs::Head Branch::AddCommit(const Files& files, const std::vector<vcs::ObjectId>& parents, const std::string& author) {
  vcs::Publication publication;
  vcs::Commit commit;
  commit.tree = AddTree(files, &publication.objects);
  commit.parents = parents;
  commit.author = vcs::Signature{author, author + "@example.org", 1000};
  commit.committer = commit.author;
  commit.message = "From outside\n";
  // A store takes trees and commits only together with a ref: one of its own, that goes at once.
  publication.tip = AddObject(vcs::ObjectKind::kCommit, commit.Encode(), &publication.objects);
  publication.ref = "refs/tests/" + publication.tip.Hex();
  auto published = store_.Publish(publication);
  if (published) published = store_.DeleteRef(publication.ref, publication.tip);
  // Two threads may make the same commit at once.
  if (!published && published.code() != Code::kNotFound && published.code() != Code::kRefMoved)
    throw std::runtime_error(published.error().message);
  return vcs::Head{publication.tip, commit.tree, commit.committer.time_s};
}

vcs::Head Branch::Tip() {
  const auto tip = Must(store_.ReadRef(ref_));
  if (!tip) throw std::runtime_error(ref_ + ": no such branch");
  const vcs::Commit commit = ReadCommit(*tip);
  return vcs::Head{*tip, commit.tree, commit.committer.time_s};
}

vcs::MaybeVersion Branch::At(const std::string& path) {
  const Files files = FilesOf(Tip().commit);
  const auto found = files.find(path);
  return found == files.end() ? vcs::MaybeVersion() : vcs::MaybeVersion(found->second);
}

std::string Branch::Content(const vcs::MaybeVersion& version) {
  if (!version) throw std::runtime_error("absent has no content");
  return Must(store_.Read(version->blob, vcs::ObjectKind::kBlob));
}

Files Branch::FilesOf(const vcs::ObjectId& commit) {
  Files files;
  AddFiles(ReadCommit(commit).tree, "", &files);
  return files;
}

std::vector<PastCommit> Branch::History() {
  std::vector<PastCommit> history;
  for (std::optional<vcs::ObjectId> at = Tip().commit; at;) {
    const vcs::Commit commit = ReadCommit(*at);
    history.push_back(PastCommit{*at, commit, {}, {}});
    at = commit.parents.empty() ? std::nullopt : std::optional(commit.parents.front());
  }
  std::reverse(history.begin(), history.end());
  Files last;
  for (PastCommit& past : history) {
    Files files;
    AddFiles(past.commit.tree, "", &files);
    for (const auto& [path, version] : last) {
      const auto now = files.find(path);
      if (now != files.end() && now->second == version) continue;
      past.before[path] = version;
      past.after[path] = now == files.end() ? vcs::MaybeVersion() : vcs::MaybeVersion(now->second);
    }
    for (const auto& [path, version] : files) {
      if (last.contains(path)) continue;
      past.before[path] = std::nullopt;
      past.after[path] = version;
    }
    last = std::move(files);
  }
  return history;
}

vcs::Commit Branch::ReadCommit(const vcs::ObjectId& id) {
  return Must(vcs::Commit::Parse(Must(store_.Read(id, vcs::ObjectKind::kCommit))));
}

void Branch::AddFiles(const vcs::ObjectId& tree, const std::string& folder, Files* files) {
  if (tree == store_.Hash(vcs::ObjectKind::kTree, "")) return;
  const vcs::Tree parsed = Must(vcs::Tree::Parse(Must(store_.Read(tree, vcs::ObjectKind::kTree))));
  for (const vcs::TreeEntryView entry : parsed.entries()) {
    const std::string path = folder + std::string(entry.name);
    if (entry.IsDirectory()) {
      AddFiles(entry.id, path + "/", files);
    } else {
      files->emplace(path, entry.AsVersion());
    }
  }
}

vcs::ObjectId Branch::AddTree(const Files& files, std::vector<vcs::NewObject>* objects) {
  std::map<std::string, Files> folders;
  vcs::Tree tree;
  for (const auto& [path, version] : files) {
    const std::size_t slash = path.find('/');
    if (slash == std::string::npos) {
      tree = tree.With(vcs::TreeEntry{path, version.mode, version.blob});
    } else {
      folders[path.substr(0, slash)].emplace(path.substr(slash + 1), version);
    }
  }
  for (const auto& [name, below] : folders)
    tree = tree.With(vcs::TreeEntry{name, vcs::FileMode::kDirectory, AddTree(below, objects)});
  return AddObject(vcs::ObjectKind::kTree, tree.Encode(), objects);
}

vcs::ObjectId Branch::AddObject(vcs::ObjectKind kind, std::string bytes, std::vector<vcs::NewObject>* objects) {
  const vcs::ObjectId id = store_.Hash(kind, bytes);
  objects->push_back(vcs::NewObject{id, kind, std::move(bytes)});
  return id;
}

}  // namespace concordfs::testing
