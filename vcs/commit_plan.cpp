#include "vcs/commit_plan.h"

#include "vcs/commit.h"
#include "vcs/commit_decision.h"

namespace concordfs::vcs {
namespace {

std::string SubjectOf(const MaybeVersion& head, const MaybeVersion& wanted, const RepoPath& path) {
  const char* verb = !wanted ? "Delete " : head ? "Update " : "Create ";
  return verb + Quoted(path.text());
}

// A directory or file in the way of the path: the name is not what the writer stood on.
bool IsInTheWay(Code code) {
  return code == Code::kNotDirectory || code == Code::kIsDirectory;
}

}  // namespace

CommitPlan::CommitPlan(TreeReader& trees, const Head& head, std::int64_t time_s)
    : trees_(trees), editor_(trees, head.root), tip_(head), time_s_(time_s) {}

Decided CommitPlan::Decide(CommitRequest request) {
  const ObjectId root = editor_.root();
  Outcome outcome;
  if (auto* change = std::get_if<PublishChange>(&request.action)) {
    if (change->follows_renames) {
      for (const auto& [from, to] : renames_) change->path = change->path.AfterRename(from, to);
    }
    outcome = DecideChange(request, *change);
  } else {
    const auto& rename = std::get<PublishRename>(request.action);
    outcome = DecideRename(request, rename);
    const bool done = outcome.kind == Outcome::Kind::kPublished || outcome.kind == Outcome::Kind::kUnchanged;
    if (done && !rename.exchange) renames_.emplace_back(rename.from, rename.to);
  }
  if (outcome.kind != Outcome::Kind::kPublished) editor_.ResetTo(root);  // half an edit may be in it
  return Decided{std::move(request), std::move(outcome)};
}

Outcome CommitPlan::DecideChange(const CommitRequest& request, const PublishChange& change) {
  const auto at = Look(change.path);
  if (!at) return Failed(at.error(), change.path);
  Outcome outcome;
  outcome.path = change.path;
  outcome.commit = tip_.commit;
  outcome.replaced = outcome.now = at->version;
  outcome.occupied = at->occupied;
  outcome.kind = Outcome::Kind::kRefused;
  if (at->occupied) return outcome;
  switch (vcs::Decide(change.base.version, at->version, change.content, change.derivation)) {
    case Verdict::kRefuse: return outcome;
    case Verdict::kSameAsHead:
    case Verdict::kUnchanged: outcome.kind = Outcome::Kind::kUnchanged; return outcome;
    case Verdict::kPublish: break;
  }
  const auto edited = change.content ? editor_.Put(change.path, change.content->mode, change.content->blob)
                                     : editor_.Remove(change.path);
  if (!edited) return IsInTheWay(edited.code()) ? outcome : Failed(edited.error(), change.path);
  if (change.content) {
    std::optional<ObjectId> like;
    if (at->version) like = at->version->blob;
    if (change.bytes) {
      objects_.push_back({change.content->blob, ObjectKind::kBlob, *change.bytes, like});
    } else {
      stored_.push_back({change.content->blob, like});
    }
  }
  outcome.kind = Outcome::Kind::kPublished;
  outcome.now = change.content;
  outcome.commit = AddCommit(request, SubjectOf(at->version, change.content, change.path), change.base.version);
  return outcome;
}

Outcome CommitPlan::DecideRename(const CommitRequest& request, const PublishRename& rename) {
  const auto from = Look(rename.from);
  const auto to = Look(rename.to);
  if (!from) return Failed(from.error(), rename.to);
  if (!to) return Failed(to.error(), rename.to);
  Outcome outcome;
  outcome.path = rename.to;
  outcome.commit = tip_.commit;
  outcome.replaced = outcome.now = to->version;
  outcome.occupied = to->occupied;
  outcome.kind = Outcome::Kind::kRefused;

  const MaybeVersion expected = rename.to_base ? rename.to_base->version : MaybeVersion();
  if (rename.exchange) {
    if (!from->entry || !to->entry)
      return Failed(Error{Code::kNotFound, "rename: " + Quoted(rename.from.text()) + " is gone"}, rename.to);
    if (rename.to_base && to->version != expected) return outcome;
    if (rename.from_base && from->version != rename.from_base->version) return outcome;
  } else if (to->occupied || to->version != expected) {
    return outcome;
  }
  std::optional<TreeEntry> moved = from->entry;
  if (rename.unpublished &&
      from->entry) {  // somebody else published that name: it is not the submitter's content any more
    return Failed(Error{Code::kRefMoved, "rename: " + Quoted(rename.from.text()) + " was published meanwhile"},
                  rename.to);
  }
  if (rename.unpublished) moved = TreeEntry{"", rename.unpublished->mode, rename.unpublished->blob};
  if (!moved && rename.from_published)
    return Failed(Error{Code::kNotFound, "rename: " + Quoted(rename.from.text()) + " is gone"}, rename.to);
  if (!moved) {  // nothing in history has that name: only the live names change
    if (to->entry)
      return Failed(Error{Code::kBusy, "rename: " + Quoted(rename.from.text()) + " was never published"}, rename.to);
    outcome.kind = Outcome::Kind::kUnchanged;
    return outcome;
  }
  outcome.moved = moved->IsDirectory() ? MaybeVersion() : MaybeVersion(moved->AsVersion());
  if (const auto edited = EditRename(rename, *from, *to, *moved); !edited) {
    return IsInTheWay(edited.code()) ? outcome : Failed(edited.error(), rename.to);
  }
  if (rename.exchange) outcome.swapped = to->version;
  outcome.kind = Outcome::Kind::kPublished;
  outcome.now = outcome.moved;
  outcome.occupied = moved->IsDirectory();
  const std::string subject = rename.exchange
                                  ? "Exchange " + Quoted(rename.from.text()) + " and " + Quoted(rename.to.text())
                              : from->entry ? "Rename " + Quoted(rename.from.text()) + " to " + Quoted(rename.to.text())
                                            : SubjectOf(to->version, outcome.moved, rename.to);
  // A never published file that brings the bytes that are there already makes no commit (R5).
  if (editor_.root() != tip_.root) outcome.commit = AddCommit(request, subject, to->version);
  return outcome;
}

Result<void> CommitPlan::EditRename(const PublishRename& rename, const At& from, const At& to, const TreeEntry& moved) {
  if (from.entry) {
    if (auto removed = editor_.Remove(rename.from); !removed) return removed;
  }
  if (to.entry) {  // what is replaced goes first: a file may take a directory's place in an exchange
    if (auto removed = editor_.Remove(rename.to); !removed) return removed;
  }
  if (auto put = editor_.Put(rename.to, moved.mode, moved.id); !put || !rename.exchange) return put;
  return editor_.Put(rename.from, to.entry->mode, to.entry->id);
}

Result<CommitPlan::At> CommitPlan::Look(const RepoPath& path) {
  auto entry = editor_.Find(path);
  if (!entry) return entry.error();
  At at;
  at.entry = *std::move(entry);
  at.occupied = at.entry && (at.entry->IsDirectory() || at.entry->IsSubmodule());
  if (at.entry && !at.occupied) at.version = at.entry->AsVersion();
  return at;
}

ObjectId CommitPlan::AddCommit(const CommitRequest& request, const std::string& subject, const MaybeVersion& base) {
  editor_.TakeNewTrees(&objects_);
  Commit commit;
  commit.tree = editor_.root();
  commit.parents = {tip_.commit};
  commit.author = AgentSignature(request.agent, time_s_);
  commit.committer = CommitterSignature(time_s_);
  Trailers trailers = {{"Concord-Agent", request.agent}, {"Concord-Base", ToString(base)}};
  if (!request.process.empty()) trailers.emplace_back("Concord-Process", request.process);
  commit.message = ComposeMessage(subject, request.message, trailers);
  const SharedBytes bytes(commit.Encode());
  tip_ = Head{trees_.store().Hash(ObjectKind::kCommit, bytes), commit.tree, time_s_};
  objects_.push_back({tip_.commit, ObjectKind::kCommit, bytes});
  return tip_.commit;
}

Outcome CommitPlan::Failed(const Error& error, const RepoPath& path) const {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kFailed;
  outcome.error = error;
  outcome.path = path;
  outcome.commit = tip_.commit;
  return outcome;
}

}  // namespace concordfs::vcs
