// rename(2) and renameat2(2) of versioned paths: one commit, checked as a write to the path that it replaces (R9).
#include <cstdio>

#include "fs/damage.h"
#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

Error At(Code code, const vcs::RepoPath& path, const char* why) {
  return Error{code, "rename: " + vcs::Quoted(path.text()) + ": " + why};
}

int Publishing(const std::shared_ptr<File>& file) {
  return file ? file->publishing : 0;
}

}  // namespace

struct FilesystemImpl::RenameAttempt {
  // The question.
  Identity who;
  NodeId parent = 0;
  std::string_view name;
  NodeId new_parent = 0;
  std::string_view new_name;
  bool exchange = false;
  bool no_replace = false;
  // What was read without the lock.
  Learned from;
  Learned to;
  vcs::Head head;
  bool target_in_history = false;
  // The content of a file that was never published, where the rename publishes it.
  std::shared_ptr<WorkingCopy> unpublished;
  std::optional<WorkingFile::Stored> stored;
  // What was made of it.
  vcs::PublishRename rename;
  std::shared_ptr<RenameContext> context = std::make_shared<RenameContext>();
  std::future<vcs::Outcome> decided;
  vcs::ParkRequest park;  // if it is refused
};

Result<void> FilesystemImpl::RenameVersioned(const Identity& who, NodeId parent, std::string_view name,
                                             NodeId new_parent, std::string_view new_name, unsigned flags) {
  RenameAttempt attempt;
  attempt.who = who;
  attempt.parent = parent;
  attempt.name = name;
  attempt.new_parent = new_parent;
  attempt.new_name = new_name;
  attempt.exchange = (flags & RENAME_EXCHANGE) != 0;
  attempt.no_replace = (flags & RENAME_NOREPLACE) != 0;

  while (true) {
    auto renamed = TryRename(attempt);
    // Another version of the source came in between: by now the names show it.
    if (renamed || renamed.code() != Code::kRefMoved) return renamed;
  }
}

Result<void> FilesystemImpl::TryRename(RenameAttempt& attempt) {
  auto step = RenameStep::kLookAgain;
  while (step == RenameStep::kLookAgain || step == RenameStep::kStoreContent) {
    if (step == RenameStep::kStoreContent) {  // then look again: everything may have changed meanwhile
      auto stored = attempt.unpublished->content->StoreAsBlob(store_);
      if (!stored) return stored.error();
      attempt.stored = *stored;
    }
    if (auto learned = LearnRename(attempt); !learned) return learned;
    const MutexLock lock(mutex_);
    const auto planned = PlanRename(attempt);
    if (!planned) return planned.error();
    step = *planned;
  }
  if (step == RenameStep::kRefused) return ParkRename(attempt);

  const vcs::Outcome outcome = committer_.Serve(std::move(attempt.decided));
  switch (outcome.kind) {
    case vcs::Outcome::Kind::kFailed: return outcome.error;
    case vcs::Outcome::Kind::kRefused:
      if (!attempt.rename.to_base) return At(Code::kExists, attempt.rename.to, "another commit made it first");
      attempt.park.head = outcome.now;
      attempt.park.head_commit = outcome.commit;
      return ParkRename(attempt);
    case vcs::Outcome::Kind::kPublished:
    case vcs::Outcome::Kind::kUnchanged: break;
  }
  if (attempt.unpublished) attempt.unpublished->content->Undescribe(attempt.stored->changes);
  DescribeMoved(attempt.context->from);
  (void)SyncRecords();  // it is renamed; what couldn't be kept is tried again
  return {};
}

Result<void> FilesystemImpl::LearnRename(RenameAttempt& attempt) {
  auto from = Learn(attempt.parent, attempt.name);
  if (!from) return from.error();
  auto to = Learn(attempt.new_parent, attempt.new_name);
  if (!to) return to.error();
  attempt.from = *std::move(from);
  attempt.to = *std::move(to);
  vcs::RepoPath target;
  {
    const MutexLock lock(mutex_);
    attempt.head = head_;
    const Node* node = names_.Find(attempt.new_parent);
    const auto directory = node != nullptr && node->directory ? Namespace::PathOf(*node->directory) : std::nullopt;
    if (!directory) return Error{Code::kNotFound, "rename: the directory was removed"};
    const auto path = directory->Child(attempt.new_name);
    if (!path) return path.error();
    target = *path;
  }
  const auto entry = trees_.Find(attempt.head.root, target);
  if (!entry) return AsDamage(entry.error());
  attempt.target_in_history = entry->has_value();  // a directory that is in history is not empty
  return {};
}

Result<FilesystemImpl::RenameStep> FilesystemImpl::PlanRename(RenameAttempt& attempt) {
  const auto from = Bind(attempt.parent, attempt.name, attempt.from);
  if (!from) return from.error();
  const auto to = Bind(attempt.new_parent, attempt.new_name, attempt.to);
  if (!to) return to.error();
  if (!*from || !*to || attempt.head.commit != head_.commit) return RenameStep::kLookAgain;
  const vcs::RepoPath& to_path = (*to)->path;
  if (!(*from)->child) return At(Code::kNotFound, (*from)->path, "no such path");
  if ((*to)->parent->opaque) return At(Code::kPermission, to_path, "inside a submodule");
  if (attempt.exchange && !(*to)->child) return At(Code::kNotFound, to_path, "no such path");
  if (attempt.no_replace && (*to)->child) return At(Code::kExists, to_path, "exists");
  if (!attempt.exchange && (*to)->child) {  // POSIX's rules for what may take whose place
    const auto directory = (*to)->AsDirectory();
    if ((*from)->AsDirectory() && !directory) return At(Code::kNotDirectory, to_path, "not a directory");
    if ((*from)->AsFile() && directory) return At(Code::kIsDirectory, to_path, "is a directory");
    if (directory && (attempt.target_in_history || !directory->children.empty()))
      return At(Code::kNotEmpty, to_path, "not empty");
  }
  if (Publishing((*from)->AsFile()) > 0 || Publishing((*to)->AsFile()) > 0) {
    settled_.Wait(mutex_);  // decide on what comes of it
    return RenameStep::kLookAgain;
  }
  return SubmitRename(attempt, **from, **to);
}

vcs::Base FilesystemImpl::NameBase(const Identity& who, const Bound& bound) {
  const auto file = bound.AsFile();
  const auto own = file ? file->CopyOf(who.agent) : nullptr;
  // What the agent wrote stands on the version that it was written on; only to have opened the file says nothing.
  if (own && own->IsChanged()) return own->origin;
  return BaseFor(who, bound.path, own ? own->origin.version : file ? file->head : std::nullopt);
}

Result<FilesystemImpl::RenameStep> FilesystemImpl::SubmitRename(RenameAttempt& attempt, const Bound& from,
                                                                const Bound& to) {
  const auto file = from.AsFile();
  const auto target = to.AsFile();
  const vcs::MaybeVersion target_head = target ? target->head : std::nullopt;
  if (attempt.exchange && ((file && file->reserved) || (target && target->reserved))) {
    return At(Code::kBusy, file && file->reserved ? from.path : to.path, "was never published");
  }
  // A file that never was published takes a published one's place: its content so far is what is renamed.
  const auto unpublished = file && file->reserved && target_head ? file->CopyOf(attempt.who.agent) : nullptr;
  if (attempt.unpublished != unpublished) {
    attempt.unpublished = unpublished;
    attempt.stored.reset();
    if (unpublished) return RenameStep::kStoreContent;
  }

  vcs::PublishRename& rename = attempt.rename;
  rename = vcs::PublishRename{from.path, to.path, {}, {}, attempt.exchange, {}, file && file->head};
  if (file || target) rename.to_base = NameBase(attempt.who, to);
  if (attempt.exchange && file) rename.from_base = NameBase(attempt.who, from);
  if (unpublished) rename.unpublished = vcs::Version{attempt.stored->blob, unpublished->mode};
  attempt.park.content = rename.unpublished ? rename.unpublished : file ? file->head : std::nullopt;
  attempt.park.base = rename.to_base.value_or(vcs::Base{{}, head_.commit});
  attempt.park.head = target_head;
  attempt.park.head_commit = head_.commit;
  if (file && IsToldOfLoss(attempt.who, from.path)) return LossLocked(attempt.who.agent, from.path);
  const bool is_lost = rename.to_base && IsToldOfLoss(attempt.who, to.path);
  if (is_lost || (rename.to_base && rename.to_base->version != target_head)) return RenameStep::kRefused;

  RenameContext& context = *attempt.context;
  context.from = *from.child;
  context.to = to.child;
  context.new_parent = to.parent;
  context.new_name = attempt.new_name;
  context.who = attempt.who;
  context.published = unpublished;
  context.changes = unpublished ? attempt.stored->changes : 0;
  context.size = unpublished ? attempt.stored->size : 0;
  attempt.decided =
      committer_.Enqueue({rename, attempt.who.agent, attempt.who.description, attempt.who.message, attempt.context});
  return RenameStep::kSubmitted;
}

// What was to be put there is kept, although its own name still has it: editors remove that name after a refusal.
Error FilesystemImpl::ParkRename(RenameAttempt& attempt) {
  attempt.park.agent = attempt.who.agent;
  attempt.park.process = attempt.who.description;
  attempt.park.path = attempt.rename.to;
  attempt.park.reason = "rename over a path that was changed since its base was read";
  attempt.park.time_s = Now().tv_sec;
  if (attempt.park.content) {
    if (auto parked = ParkContent(attempt.park); !parked) return parked.error();
  }
  return Refuse(attempt.who.agent, "rename over " + vcs::Quoted(attempt.rename.to.text()));
}

}  // namespace concordfs::fs
