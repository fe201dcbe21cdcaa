#include "tests/tools/parked_repository.h"

#include <stdexcept>
#include <utility>

#include "vcs/commit.h"
#include "vcs/repo_path.h"
#include "vcs/tree_editor.h"

namespace concordfs::tools {
namespace {

constexpr const char* kBranch = "refs/heads/main";

template <class T>
T Need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

void Need(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

}  // namespace

ParkedRepository::ParkedRepository() {
  Need(vcs::git::InitRepository(path(), "main"));
  repository_ = Need(vcs::git::OpenRepository(path(), vcs::git::Durability::kProcess));
  trees_.emplace(store());
  parking_.emplace(store(), *trees_);

  const auto start = Need(store().ReadRef(kBranch));
  file_ = vcs::Version{Need(store().AddBlob("A\n")), vcs::FileMode::kRegular};
  vcs::TreeEditor editor(*trees_, Need(trees_->ReadHead(*start)).root);
  Need(editor.Put(Need(vcs::RepoPath::Parse("docs/file.md")), file_->mode, file_->blob));
  vcs::Publication publication;
  editor.TakeNewTrees(&publication.objects);
  vcs::Commit commit;
  commit.tree = editor.root();
  commit.parents = {*start};
  commit.author = vcs::AgentSignature("benson", time_s_);
  commit.committer = vcs::CommitterSignature(time_s_);
  commit.message = "Create docs/file.md\n";
  const vcs::SharedBytes bytes(commit.Encode());
  head_ = store().Hash(vcs::ObjectKind::kCommit, bytes);
  publication.objects.push_back({head_, vcs::ObjectKind::kCommit, bytes});
  publication.ref = kBranch;
  publication.expected = *start;
  publication.tip = head_;
  publication.reason = "test";
  Need(store().Publish(publication));
}

vcs::Parked ParkedRepository::Park(const std::string& path, const std::optional<std::string>& content,
                                   vcs::FileMode mode, std::string_view prefix) {
  vcs::ParkRequest request;
  request.agent = "andrew";
  request.process = "1234 bash";
  request.path = Need(vcs::RepoPath::Parse(path));
  request.base = {path == "docs/file.md" ? file_ : vcs::MaybeVersion(), head_};
  if (content) request.content = vcs::Version{Need(store().AddBlob(*content)), mode};
  request.head = file_;
  request.head_commit = head_;
  request.reason = "the file changed meanwhile";
  request.time_s = ++time_s_;
  return Need(parking_->Park(request, prefix));
}

}  // namespace concordfs::tools
