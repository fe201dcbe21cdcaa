#include "tests/bench/ordinary_way.h"

#include <git2.h>

#include <stdexcept>

#include "vcs/git/handles.h"

namespace concordfs::bench {

using vcs::git::FreeWith;
using vcs::git::Receive;
using vcs::git::RepositoryHandle;
using vcs::git::TransactionHandle;

namespace {

using TreeHandle = std::unique_ptr<git_tree, FreeWith<git_tree_free>>;
using CommitHandle = std::unique_ptr<git_commit, FreeWith<git_commit_free>>;
using SignatureHandle = std::unique_ptr<git_signature, FreeWith<git_signature_free>>;
using ReferenceHandle = vcs::git::ReferenceHandle;

constexpr char kBranch[] = "refs/heads/main";

void Check(int error) {
  if (error == 0) return;
  const git_error* last = git_error_last();
  throw std::runtime_error(last != nullptr ? last->message : "libgit2");
}

}  // namespace

struct OrdinaryWay::State {
  RepositoryHandle repository;
  SignatureHandle signature;
};

OrdinaryWay::OrdinaryWay(const std::string& repository, Sync sync) : state_(std::make_unique<State>()) {
  git_libgit2_init();
  git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, sync == Sync::kYes ? 1 : 0);
  Check(git_repository_open(Receive(state_->repository), repository.c_str()));
  Check(git_signature_now(Receive(state_->signature), "bench", "bench@localhost"));
}

OrdinaryWay::~OrdinaryWay() {
  state_.reset();
  git_libgit2_shutdown();
}

void OrdinaryWay::Commit(const std::string& path, const std::string& content) {
  git_repository* const repository = state_->repository.get();
  TransactionHandle transaction;
  Check(git_transaction_new(Receive(transaction), repository));
  Check(git_transaction_lock_ref(transaction.get(), kBranch));
  git_oid tip;
  Check(git_reference_name_to_id(&tip, repository, kBranch));
  CommitHandle parent;
  Check(git_commit_lookup(Receive(parent), repository, &tip));
  TreeHandle base;
  Check(git_commit_tree(Receive(base), parent.get()));
  git_tree_update update{};
  update.action = GIT_TREE_UPDATE_UPSERT;
  update.filemode = GIT_FILEMODE_BLOB;
  update.path = path.c_str();
  Check(git_blob_create_from_buffer(&update.id, repository, content.data(), content.size()));
  git_oid tree_id;
  Check(git_tree_create_updated(&tree_id, repository, base.get(), 1, &update));
  TreeHandle tree;
  Check(git_tree_lookup(Receive(tree), repository, &tree_id));
  const git_commit* parents[] = {parent.get()};
  git_oid commit;
  Check(git_commit_create(&commit, repository, nullptr, state_->signature.get(), state_->signature.get(), nullptr,
                          ("Update " + path).c_str(), tree.get(), 1, parents));
  Check(git_transaction_set_target(transaction.get(), kBranch, &commit, state_->signature.get(), "bench"));
  Check(git_transaction_commit(transaction.get()));
}

}  // namespace concordfs::bench
