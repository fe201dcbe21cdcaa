// Opening and creating files: from the node that the kernel found to the one that the agent is to see.
#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "fs/damage.h"
#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

bool Writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0; }

// Opens from which nothing of the old content can be read: refused at once if they are stale (R6).
bool WritesWithoutReading(int flags) { return (flags & O_ACCMODE) == O_WRONLY || (flags & O_TRUNC) != 0; }

Redirects::Intent IntentOf(int flags) {
  return Writes(flags) ? Redirects::Intent::kWrites : Redirects::Intent::kReads;
}

// Not an error that a program sees: the kernel looks the path up again and finds the node that the agent is to see.
Error LookAgain() { return Error{Code::kStale, "redirected"}; }

}  // namespace

HandleId FilesystemImpl::AddHandle(const std::shared_ptr<Handle>& handle) {
  const HandleId id = next_handle_++;
  handles_.emplace(id, handle);
  return id;
}

std::shared_ptr<Handle> FilesystemImpl::FindHandle(HandleId id) {
  const MutexLock lock(mutex_);
  const auto found = handles_.find(id);
  return found == handles_.end() ? nullptr : found->second;
}

std::shared_ptr<WorkingCopy> FilesystemImpl::MakeCopy(const std::shared_ptr<File>& file, const Identity& who,
                                                      CopyOf of) {
  if (const auto rested = file->RestingOf(who.agent)) {
    if (of == CopyOf::kHead) return TakeUp(rested, who);
    EndRest(rested);
  }
  const auto copy = NewCopy(file, who, of);
  file->copies[who.agent] = copy;
  return copy;
}

std::shared_ptr<WorkingCopy> FilesystemImpl::NewCopy(const std::shared_ptr<File>& file, const Identity& who, CopyOf of) {
  const auto blob = file->head && of == CopyOf::kHead ? std::optional(file->head->blob) : std::nullopt;
  auto content = std::make_unique<WorkingFile>(*area_, contents_, blob, blob ? file->head_size.value_or(0) : 0,
                                               options_.max_file_size);
  auto copy = std::make_shared<WorkingCopy>(who.agent, file, vcs::Base{file->head, head_.commit}, std::move(content));
  if (!file->head) copy->mode = copy->settled_mode = file->reserved_mode;
  copy->times = file->meta.times;
  copy->last_writer = who;
  names_.AddCopyNode(copy);
  return copy;
}

std::shared_ptr<Handle> FilesystemImpl::HandleOn(const std::shared_ptr<WorkingCopy>& copy, NodeId node,
                                                 const Identity& who, int flags) {
  auto handle = std::make_shared<Handle>();
  handle->node = node;
  handle->who = who;
  handle->who.agent = copy->agent;  // a descriptor that was handed over acts for whose working copy it is
  handle->writable = Writes(flags);
  handle->copy = copy;
  ++copy->handles;
  copy->other_nodes = copy->other_nodes || node != copy->node;
  if (handle->writable) {
    ++copy->writers;
  } else {
    // Of a copy that just became stale, too: what is made of this content stands on its origin.
    tracker_.Read(copy->agent, who.process, Namespace::LastPathOf(*copy->file), copy->origin);
  }
  return handle;
}

Result<void> FilesystemImpl::LearnSize(NodeId id) {
  while (true) {
    vcs::ObjectId blob;
    {
      const MutexLock lock(mutex_);
      const Node* node = names_.Find(id);
      if (node == nullptr || !node->file || !node->file->head || node->file->head_size) return {};
      blob = node->file->head->blob;
    }
    const auto size = contents_.Size(blob);
    if (!size) return size.error();
    const MutexLock lock(mutex_);
    const Node* node = names_.Find(id);
    if (node == nullptr || !node->file->head || node->file->head->blob != blob) continue;
    node->file->head_size = *size;
    return {};
  }
}

Result<Opened> FilesystemImpl::Open(const Caller& caller, NodeId id, int flags) {
  if (IsScratch(id)) {
    auto opened = scratch_files_.Open(caller, id, flags);
    if (!opened && opened.code() == Code::kStale) {
      const MutexLock lock(mutex_);
      redirects_.SendAway(caller.tid, IntentOf(flags));
    }
    return opened;
  }
  const Identity who = agents_->Identify(caller);
  OpenPlan plan;
  do {
    if (plan.size_unknown) {
      if (auto learned = LearnSize(id); !learned) return learned.error();
    }
    const MutexLock lock(mutex_);
    auto planned = PlanOpen(who, caller.tid, id, flags);
    if (!planned) return planned.error();
    plan = *std::move(planned);
  } while (plan.size_unknown);

  // The first open finds out whether the bytes can be had at all. Later ones may need none, because the kernel has them.
  std::shared_ptr<const Content> content;
  if (plan.first) {
    auto found = ContentOf(*plan.handle);
    if (!found) {
      const MutexLock lock(mutex_);
      if (Node* node = names_.Find(id); node != nullptr) node->opened = false;
      return found.error();
    }
    content = *std::move(found);
  }
  auto opened = FinishOpen(plan.handle, flags, plan.direct_io);
  if (opened && content) opened->whole = content->bytes();
  return opened;
}

Result<std::shared_ptr<const Content>> FilesystemImpl::ContentOf(Handle& handle) {
  {
    const MutexLock lock(mutex_);
    if (handle.content || !handle.version) return handle.content;
  }
  auto content = contents_.Open(handle.version->blob);
  if (!content) {
    spdlog::error("read: {}", content.error().message);
    return AsDamage(content.error());
  }
  const MutexLock lock(mutex_);
  handle.content = *content;
  return content;
}

Result<Opened> FilesystemImpl::FinishOpen(const std::shared_ptr<Handle>& handle, int flags, bool direct_io) {
  Opened opened;
  opened.direct_io = direct_io;
  opened.keep_cache = handle->copy == nullptr;
  opened.no_flush = !handle->writable;
  {
    std::vector<std::shared_ptr<WorkingCopy>> over;  // ends without the lock
    const MutexLock lock(mutex_);
    opened.handle = AddHandle(handle);
    over.swap(over_);
  }
  if (handle->copy && (flags & O_TRUNC) != 0) {
    // No write yet: what only was truncated is published at the last close, not by a shell's duplicate (R4).
    if (auto truncated = ChangeThrough(opened.handle, [](WorkingFile& file, const Description& description) {
          return file.Truncate(description, 0);
        });
        !truncated) {
      Release(opened.handle);
      return truncated.error();
    }
    const MutexLock lock(mutex_);
    handle->wrote = false;
    handle->read = true;  // what it stands on was settled here: a write is not asked again for its base
    handle->copy->written_whole = true;
  }
  return opened;
}

Result<FilesystemImpl::OpenPlan> FilesystemImpl::PlanOpen(const Identity& who, pid_t tid, NodeId id, int flags) {
  Node* node = names_.Find(id);
  if (node == nullptr) return Error{Code::kNotFound, "open: unknown node"};
  if (node->directory) return Error{Code::kIsDirectory, "open: is a directory"};
  if (Writes(flags) && options_.read_only) return Error{Code::kReadOnly, "mounted read-only"};
  const std::shared_ptr<File> file = node->file;
  if (const vcs::RepoPath path = Namespace::LastPathOf(*file); IsToldOfLoss(who, path)) return LossLocked(who.agent, path);
  const bool to_own_copy = node->copy && file->CopyOf(who.agent) == node->copy;
  if (Writes(flags) && !to_own_copy && file->head && !file->head_size) {
    return OpenPlan{.handle = nullptr, .size_unknown = true};
  }
  const Redirects::Taken taken = redirects_.Take(tid, file.get(), id);
  auto plan = node->copy      ? PlanCopyOpen(who, tid, *node, flags, taken.MustServe())
              : Writes(flags) ? PlanWrite(who, tid, *node, flags, taken.MustServe())
                              : PlanRead(who, tid, *node, taken.MustServe());
  for (const auto& target : taken.targets) Unpin(target);
  if (plan && plan->handle && plan->handle->writable) habits_.OnWrite(tid);
  return plan;
}

// To another node of the file: not an error that a program sees, because the kernel looks the path up again.
Error FilesystemImpl::SendAway(pid_t tid, const std::shared_ptr<File>& file, const std::shared_ptr<WorkingCopy>& to,
                               Redirects::Intent intent) {
  redirects_.SendAway(tid, intent);
  Expect(tid, file, to);
  return LookAgain();
}

void FilesystemImpl::Expect(pid_t tid, const std::shared_ptr<File>& file, const std::shared_ptr<WorkingCopy>& to) {
  if (to) ++to->pins;
  if (const auto replaced = redirects_.Remember(tid, file.get(), to)) Unpin(replaced);
}

void FilesystemImpl::ExpectBack(pid_t tid, const std::shared_ptr<File>& file, Redirects::Intent intent,
                                const Identity& who) {
  if (file->aside && file->aside->agent == who.agent) return;
  const auto target = redirects_.Target(tid, file.get());
  const bool is_stale = target && target->stale;  // others have published since: a copy of what there is now
  if (redirects_.IsPending(tid, file.get()) && !is_stale) return;
  std::shared_ptr<WorkingCopy> own = file->CopyOf(who.agent);
  if (!own && intent == Redirects::Intent::kWrites) own = MakeCopy(file, who);
  Expect(tid, file, own);
}

Result<FilesystemImpl::OpenPlan> FilesystemImpl::PlanWrite(const Identity& who, pid_t tid, Node& node, int flags,
                                                           bool must_serve) {
  const std::shared_ptr<File> file = node.file;
  std::shared_ptr<WorkingCopy> own = file->CopyOf(who.agent);
  const vcs::MaybeVersion stands_on = own ? own->origin.version : file->head;
  const vcs::RepoPath path = Namespace::LastPathOf(*file);
  if (WritesWithoutReading(flags) && BaseFor(who, path, stands_on).version != stands_on) {
    return RefuseLocked(who.agent, "open " + vcs::Quoted(path.text()));
  }
  if (!file->linked && !must_serve) return SendAway(tid, file, nullptr, Redirects::Intent::kWrites);  // gone, or another file's name
  if (!own) {
    own = MakeCopy(file, who);
    if (!file->linked) {  // an unlinked file's descriptor, opened again: as private as the file is by now
      own->discarded = true;
      file->copies.erase(who.agent);
    }
  }
  if (!must_serve) return SendAway(tid, file, own, Redirects::Intent::kWrites);
  // Came back without a lookup (/proc/self/fd): the working copy, past the cached pages of the version's node.
  return OpenPlan{.handle = HandleOn(own, node.id, who, flags), .direct_io = true};
}

Result<FilesystemImpl::OpenPlan> FilesystemImpl::PlanCopyOpen(const Identity& who, pid_t tid, Node& node, int flags,
                                                              bool must_serve) {
  const std::shared_ptr<WorkingCopy> copy = node.copy;
  const bool rests = copy->file->RestingOf(who.agent) == copy;
  if (rests && !Writes(flags) && (!must_serve || copy->file->current == 0)) {  // what it reads is a version
    const NodeId id = node.id;
    EndRest(copy);
    Node* version = names_.Find(id);
    const bool is_version = version != nullptr && !version->copy;
    return is_version ? PlanRead(who, tid, *version, must_serve)
                      : SendAway(tid, copy->file, nullptr, Redirects::Intent::kReads);
  }
  if (!rests && copy->file->CopyOf(who.agent) != copy && !must_serve) {  // another agent's, or one that is over
    // Who is to write has to come back to a copy of its own: a version's node that is opened with O_TRUNC is empty to
    // the kernel, for all that read it.
    return Writes(flags) ? PlanWrite(who, tid, node, flags, must_serve)
                         : SendAway(tid, copy->file, nullptr, Redirects::Intent::kReads);
  }
  if (WritesWithoutReading(flags) && !copy->discarded) {
    const vcs::RepoPath path = Namespace::LastPathOf(*copy->file);
    if (copy->stale || BaseFor(who, path, copy->origin.version).version != copy->origin.version) {
      return RefuseLocked(who.agent, "open " + vcs::Quoted(path.text()));
    }
  }
  if (copy->file->RestingOf(copy->agent) == copy) TakeUp(copy, who);
  // It was over between the lookup and now: as good as new, if nothing else has taken its place.
  const std::shared_ptr<File>& file = copy->file;
  const bool other = file->CopyOf(copy->agent) || file->RestingOf(copy->agent);
  const bool free = file->linked && !copy->stale && !copy->discarded && !other;
  if (free && copy->origin.version == file->head) file->copies[copy->agent] = copy;
  return OpenPlan{.handle = HandleOn(copy, node.id, who, flags)};
}

Result<FilesystemImpl::OpenPlan> FilesystemImpl::PlanRead(const Identity& who, pid_t tid, Node& node, bool must_serve) {
  const std::shared_ptr<File> file = node.file;
  const auto own = file->CopyOf(who.agent);
  const bool newest = file->linked && !own && file->current == node.id;
  if (!newest && !must_serve) return SendAway(tid, file, own, Redirects::Intent::kReads);
  auto handle = std::make_shared<Handle>();
  handle->node = node.id;
  handle->who = who;
  vcs::Base base = node.version;
  if (newest) base.commit = head_.commit;
  tracker_.Read(who.agent, who.process, Namespace::LastPathOf(*file), base);
  handle->version = node.version.version;
  const bool first = !std::exchange(node.opened, true) && handle->version;
  node.used = true;
  return OpenPlan{.handle = handle, .first = first};
}

Result<Created> FilesystemImpl::Create(const Caller& caller, NodeId parent, std::string_view name, mode_t mode,
                                       int flags) {
  if (auto writable = CheckWritable(); !writable) return writable.error();
  const bool is_private = (mode & 077) == 0;  // mkstemp(3): 0600; rsync for a program: 0700
  const auto kind = (flags & O_EXCL) == 0 ? NewName::kFile
                    : is_private          ? NewName::kMkstempFile
                                          : NewName::kExclusiveFile;
  const auto scratch = BelongsToScratch(parent, name, kind);
  if (!scratch) return scratch.error();
  if (*scratch) return CreateScratch(caller, parent, name, mode, flags);
  const Identity who = agents_->Identify(caller);
  std::shared_ptr<WorkingCopy> pinned;
  auto created = WithName<Created>(parent, name, [&](const Bound& bound) REQUIRES(mutex_) -> std::optional<Result<Created>> {
    if (!bound.child && IsToldOfLoss(who, bound.path)) return LossLocked(who.agent, bound.path);
    if (!bound.child) return CreateNew(bound, who, mode, flags);
    if (const auto moved = bound.AsFile(); moved && moved->aside && moved->aside->agent == who.agent) {
      return CreateAgain(moved, who, mode, flags);
    }
    auto entry = PlanCreateExisting(bound, who, caller.tid, flags, &pinned);
    if (!entry) return entry.error();
    return Created{*std::move(entry), {}};
  });
  const bool is_new = created && created->opened.handle != 0;
  if (!created || is_new) return created;
  auto opened = Open(caller, created->entry.attr.node, flags & ~(O_CREAT | O_EXCL));
  if (pinned) {
    const MutexLock lock(mutex_);
    Unpin(pinned);
  }
  if (!opened) {
    Forget(created->entry.attr.node, 1);
    return opened.error();
  }
  created->opened = *opened;
  return created;
}

Result<Entry> FilesystemImpl::PlanCreateExisting(const Bound& bound, const Identity& who, pid_t tid, int flags,
                                                 std::shared_ptr<WorkingCopy>* pinned) {
  const std::string path = vcs::Quoted(bound.path.text());
  if ((flags & O_EXCL) != 0) return Error{Code::kExists, path + ": exists"};
  const auto file = bound.AsFile();
  if (!file) return Error{Code::kIsDirectory, path + ": is a directory"};
  // Somebody made it since the kernel looked. What is a symlink by now has to be walked again.
  if (file->head && file->head->mode == vcs::FileMode::kSymlink) {
    redirects_.SendAway(tid, IntentOf(flags));
    return LookAgain();
  }
  if (Writes(flags) && !file->CopyOf(who.agent)) {
    const vcs::Base base = BaseFor(who, bound.path, file->head);
    if (base.version != file->head && WritesWithoutReading(flags)) return RefuseLocked(who.agent, "open " + path);
    MakeCopy(file, who);
  }
  *pinned = file->CopyOf(who.agent);
  if (*pinned) ++(*pinned)->pins;
  return EntryOf(*pinned ? *names_.Find((*pinned)->node) : CurrentNode(file));
}

Result<Created> FilesystemImpl::CreateNew(const Bound& bound, const Identity& who, mode_t mode, int flags) {
  if (bound.parent->opaque) return Error{Code::kPermission, "inside a submodule"};
  // O_EXCL states its own base: absent. Without it, who knew a version of the path must not miss that it is gone; nor who
  // moved a newer version than it knew out of the way itself, as editors do before they save.
  const vcs::Base base = BaseFor(who, bound.path, {});
  if (base.version && ((flags & O_EXCL) == 0 || base.moved_newer_away)) {
    return RefuseLocked(who.agent, "create " + vcs::Quoted(bound.path.text()));
  }
  const auto file =
      AddFileLocked(bound.parent, bound.path.Name(), NewMetadata(*bound.parent, who.uid, who.gid, S_IFREG | mode));
  file->reserved = true;
  file->reserved_mode = FileModeOf(S_IFREG | mode);
  Touch(*bound.parent);
  const auto copy = MakeCopy(file, who);
  copy->created = true;
  copy->written_whole = true;
  const auto handle = HandleOn(copy, copy->node, who, flags);
  handle->read = (flags & O_EXCL) != 0;  // whatever its agent knew of another file of that name
  Created created;
  created.entry = EntryOf(*names_.Find(copy->node));
  created.opened.handle = AddHandle(handle);
  created.opened.no_flush = !handle->writable;
  return created;
}

}  // namespace concordfs::fs
