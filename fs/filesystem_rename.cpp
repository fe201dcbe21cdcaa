// rename(2) and renameat2(2): one commit, checked as a write to the path that it replaces (R9).
#include <cstdio>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

Error At(Code code, const vcs::RepoPath& path, const char* why) {
  return Error{code, "rename: " + vcs::Quoted(path.text()) + ": " + why};
}

// POSIX's rules for what may take whose place; `to_empty` tells of a target directory.
Result<void> CheckKinds(bool from_is_directory, bool to_is_directory, bool to_empty, const vcs::RepoPath& to) {
  if (from_is_directory && !to_is_directory) return At(Code::kNotDirectory, to, "not a directory");
  if (!from_is_directory && to_is_directory) return At(Code::kIsDirectory, to, "is a directory");
  if (to_is_directory && !to_empty) return At(Code::kNotEmpty, to, "not empty");
  return {};
}

int Publishing(const std::shared_ptr<File>& file) { return file ? file->publishing : 0; }

}  // namespace

Result<void> FilesystemImpl::Rename(const Caller& caller, NodeId parent, std::string_view name, NodeId new_parent,
                                    std::string_view new_name, unsigned flags) {
  if (auto writable = CheckWritable(); !writable) return writable;
  if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) return Error{Code::kInvalidArgument, "rename: unknown flags"};
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  const Identity who = agents_->Identify(caller);
  auto context = std::make_shared<RenameContext>();
  context->who = who;
  context->new_name = new_name;
  vcs::PublishRename rename;
  rename.exchange = exchange;
  std::optional<WorkingFile::Stored> stored;
  std::future<vcs::Outcome> decided;
  vcs::ParkRequest park;  // if it is refused

  while (true) {
    const auto learned_from = Learn(parent, name);
    if (!learned_from) return learned_from.error();
    const auto learned_to = Learn(new_parent, new_name);
    if (!learned_to) return learned_to.error();
    vcs::Head head;
    std::optional<vcs::TreeEntry> target_entry;
    {
      const MutexLock lock(mutex_);
      head = head_;
    }
    if (!exchange) {  // a directory in history is never empty
      const auto bound_path = [&]() -> Result<vcs::RepoPath> {
        const MutexLock lock(mutex_);
        const Node* node = names_.Find(new_parent);
        const auto path = node != nullptr && node->directory ? Namespace::PathOf(*node->directory) : std::nullopt;
        if (!path) return Error{Code::kNotFound, "the directory was removed"};
        return path->Child(new_name);
      }();
      if (!bound_path) return bound_path.error();
      auto entry = trees_.Find(head.root, *bound_path);
      if (!entry) return entry.error();
      target_entry = *std::move(entry);
    }

    std::shared_ptr<WorkingCopy> unpublished;
    {
      const MutexLock lock(mutex_);
      const auto from = Bind(parent, name, *learned_from);
      if (!from) return from.error();
      const auto to = Bind(new_parent, new_name, *learned_to);
      if (!to) return to.error();
      if (!*from || !*to || head.commit != head_.commit) continue;
      const vcs::RepoPath& from_path = (*from)->path;
      const vcs::RepoPath& to_path = (*to)->path;
      if (!(*from)->child) return At(Code::kNotFound, from_path, "no such path");
      if ((*to)->parent->opaque) return At(Code::kPermission, to_path, "inside a submodule");
      const auto file = (*from)->AsFile();
      const auto target = (*to)->AsFile();
      if (exchange && !(*to)->child) return At(Code::kNotFound, to_path, "no such path");
      if ((flags & RENAME_NOREPLACE) != 0 && (*to)->child) return At(Code::kExists, to_path, "exists");
      if (!exchange && (*to)->child) {
        const auto directory = (*to)->AsDirectory();
        const bool empty = directory && directory->children.empty() && !target_entry && !directory->opaque;
        if (auto checked = CheckKinds(!file, directory != nullptr, empty, to_path); !checked) return checked;
      }
      if (Publishing(file) > 0 || Publishing(target) > 0) {
        settled_.Wait(mutex_);
        continue;
      }
      const auto base_of = [&](const std::shared_ptr<File>& what, const vcs::RepoPath& path) REQUIRES(mutex_) {
        const auto own = what ? what->CopyOf(who.agent) : nullptr;
        return own ? own->origin : BaseFor(who, path, what ? what->head : vcs::MaybeVersion());
      };
      rename.from = from_path;
      rename.to = to_path;
      if (file || target) rename.to_base = base_of(target, to_path);
      if (exchange && file) rename.from_base = base_of(file, from_path);
      if (exchange && ((file && file->reserved) || (target && target->reserved))) {
        return At(Code::kBusy, file && file->reserved ? from_path : to_path, "was never published");
      }
      const vcs::MaybeVersion target_head = target ? target->head : vcs::MaybeVersion();
      // A file that never was published takes a published one's place: its content so far is what is renamed.
      if (file && file->reserved && target_head) unpublished = file->CopyOf(who.agent);
      if (!unpublished) stored.reset();
      if (unpublished && (!stored || context->published != unpublished)) {
        context->published = unpublished;
      } else {
        context->published = unpublished;
        rename.unpublished = stored ? std::optional(vcs::Version{stored->blob, unpublished->mode}) : std::nullopt;
        park.content = rename.unpublished ? rename.unpublished : file ? file->head : std::nullopt;
        if (rename.to_base && rename.to_base->version != target_head) {
          park.base = *rename.to_base;
          park.head = target_head;
          park.head_commit = head_.commit;
        } else {
          context->from = *(*from)->child;
          context->to = (*to)->child;
          context->new_parent = (*to)->parent;
          decided = committer_.Submit({rename, who.agent, who.description, who.message, context});
        }
        break;
      }
    }
    auto content = unpublished->content->StoreAsBlob(store_);  // then look again: everything may have changed
    if (!content) return content.error();
    stored = *content;
    context->changes = content->changes;
    context->size = unpublished->content->Size();
  }

  if (decided.valid()) {
    const vcs::Outcome outcome = decided.get();
    switch (outcome.kind) {
      case vcs::Outcome::Kind::kFailed: return outcome.error;
      case vcs::Outcome::Kind::kPublished:
      case vcs::Outcome::Kind::kUnchanged: break;
      case vcs::Outcome::Kind::kRefused:
        if (!rename.to_base) return At(Code::kExists, rename.to, "another commit made it first");
        park.base = *rename.to_base;
        park.head = outcome.now;
        park.head_commit = outcome.commit;
        break;
    }
    if (outcome.kind != vcs::Outcome::Kind::kRefused) {
      if (context->published) context->published->content->Undescribe(context->changes);
      DescribeMoved(context->from);
      return {};
    }
  }
  // Refused: what was to be put there is kept, although its own name still has it; editors remove that name.
  park.agent = who.agent;
  park.process = who.description;
  park.path = rename.to;
  park.reason = "rename over a path that was changed since its base was read";
  park.time_s = Now().tv_sec;
  if (park.content) {
    if (auto parked = ParkContent(park); !parked) return parked.error();
  }
  return Refuse(who.agent, "rename over " + vcs::Quoted(rename.to.text()));
}

}  // namespace concordfs::fs
