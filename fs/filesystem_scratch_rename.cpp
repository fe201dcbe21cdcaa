// rename(2) where one of the names is scratch (R12): within the area, from it to a versioned path (one checked commit),
// and from a versioned path to it (a checked deletion).
#include <fcntl.h>
#include <limits.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "fs/damage.h"
#include "fs/file_io.h"
#include "fs/filesystem_impl.h"

namespace concordfs::fs {

using Kind = vcs::Outcome::Kind;

struct FilesystemImpl::ScratchRename {
  const Caller& caller;
  NodeId parent = 0;
  std::string_view name;
  NodeId new_parent = 0;
  std::string_view new_name;
  unsigned flags = 0;
  Place from;
  Place to;
};

namespace {

Error At(std::string_view name, int number) {
  return SystemError("rename: " + vcs::Quoted(name), number);
}

// A plain file's content as a version, stored as a blob. Errors also: kPermission for what git has no kind for.
struct StoredPlainFile {
  vcs::Version version;
  struct statx status {};
  std::uint64_t size = 0;
};
Result<StoredPlainFile> Store(vcs::Store& store, const ScratchEntry& entry, std::string_view name) {
  const mode_t mode = entry.status.stx_mode;
  if (S_ISLNK(mode)) {
    std::string target(PATH_MAX, '\0');
    const ssize_t size = readlinkat(entry.fd(), "", target.data(), target.size());
    if (size < 0) return At(name, errno);
    target.resize(static_cast<std::size_t>(size));
    const auto blob = store.AddBlob(target);
    if (!blob) return blob.error();
    return StoredPlainFile{{*blob, vcs::FileMode::kSymlink}, entry.status, target.size()};
  }
  if (!S_ISREG(mode))
    return Error{Code::kPermission, "rename: " + vcs::Quoted(name) + ": git holds files and symlinks only"};
  const Descriptor file(open(PathOf(entry.fd()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return At(name, errno);
  const auto status = StatusOf(file.fd());  // before the content is read: what is written meanwhile is newer
  const auto blob = status ? store.AddBlob(file.fd(), status->stx_size) : Result<vcs::ObjectId>(status.error());
  if (!blob) return blob.error();
  const bool executable = (status->stx_mode & 0100) != 0;
  return StoredPlainFile{
      {*blob, executable ? vcs::FileMode::kExecutable : vcs::FileMode::kRegular}, *status, status->stx_size};
}

}  // namespace

Result<void> FilesystemImpl::Rename(const Caller& caller, NodeId parent, std::string_view name, NodeId new_parent,
                                    std::string_view new_name, unsigned flags) {
  if (auto writable = CheckWritable(); !writable) return writable;
  if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) {
    return Error{Code::kInvalidArgument, "rename: unknown flags"};
  }
  const auto from = FindPlace(parent, name);
  if (!from) return from.error();
  const auto to = FindPlace(new_parent, new_name);
  if (!to) return to.error();
  if (from->where == Where::kNowhere) return At(name, ENOENT);
  if (parent == new_parent && name == new_name) return (flags & RENAME_NOREPLACE) != 0 ? At(name, EEXIST) : Result<void>();
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  const bool from_scratch = from->where == Where::kScratch;
  // A version stays one; a scratch file is replaced where it is by its like; a new name is what the rules say.
  bool to_scratch = to->where == Where::kScratch;
  if (!exchange && (to->where == Where::kNowhere || (to_scratch && !from_scratch))) {
    const auto by_rules =
        IsScratchName(new_parent, new_name, from->is_directory ? NewName::kDirectory : NewName::kFile);
    if (!by_rules) return by_rules.error();
    to_scratch = *by_rules;
  }
  const ScratchRename rename{caller, parent, name, new_parent, new_name, flags, *from, *to};
  if (from_scratch && to_scratch) return RenameScratch(rename);
  auto renamed = from_scratch || to_scratch ? RenameAcross(rename) : RenameWithin(rename);
  if (renamed) (void)SaveRecords();
  return renamed;
}

// From one kind to the other. Directories, or two at a time, would be many commits: mv(1) and others then copy, which
// is the same.
Result<void> FilesystemImpl::RenameAcross(const ScratchRename& rename) {
  if (rename.from.is_directory || (rename.flags & RENAME_EXCHANGE) != 0) return At(rename.name, EXDEV);
  if (rename.to.is_directory) return At(rename.new_name, EISDIR);
  const bool exists = rename.to.where != Where::kNowhere;
  if ((rename.flags & RENAME_NOREPLACE) != 0 && exists) return At(rename.new_name, EEXIST);
  return rename.from.where == Where::kScratch ? PublishScratch(rename) : MoveToScratch(rename);
}

// Of a version to a versioned path, where a scratch file may be that the rules don't call scratch any more: it is
// replaced.
Result<void> FilesystemImpl::RenameWithin(const ScratchRename& rename) {
  const bool over_scratch = rename.to.where == Where::kScratch;
  if (over_scratch) {
    if ((rename.flags & RENAME_NOREPLACE) != 0) return At(rename.new_name, EEXIST);
    if (rename.from.is_directory != rename.to.is_directory) {
      return At(rename.new_name, rename.to.is_directory ? EISDIR : ENOTDIR);
    }
  }
  if (rename.from.is_directory) return RenameVersionedDirectory(rename);
  auto renamed = RenameVersioned(agents_->Identify(rename.caller), rename.parent, rename.name, rename.new_parent,
                                 rename.new_name, rename.flags);
  if (renamed && over_scratch) return RemoveScratch(rename.new_parent, rename.new_name, false);
  return renamed;
}

Result<void> FilesystemImpl::RenameScratch(const ScratchRename& rename) {
  const auto old_directory = FindDirectory(rename.parent);
  const auto new_directory = FindDirectory(rename.new_parent);
  if (!old_directory) return old_directory.error();
  if (!new_directory) return new_directory.error();
  {
    const MutexLock names(scratch_names_);
    const auto from = FolderOfLocked(*old_directory, Missing::kLeave);
    const auto to = FolderOfLocked(*new_directory, Missing::kMake);
    if (!from) return from.error();
    if (!to) return to.error();
    if (!*from || !*to) return At(rename.name, ENOENT);
    auto renamed = (*from)->Rename(std::string(rename.name), **to, std::string(rename.new_name), rename.flags);
    if (!renamed) return renamed;
    const MutexLock lock(mutex_);
    const auto moved = Namespace::FindChild(**old_directory, rename.name);
    const auto other = Namespace::FindChild(**new_directory, rename.new_name);
    if ((rename.flags & RENAME_EXCHANGE) != 0) {
      if (moved && other)
        Namespace::Exchange(*moved, *other);
      else if (moved)
        Namespace::Move(*moved, *new_directory, rename.new_name);
      else if (other)
        Namespace::Move(*other, *old_directory, rename.name);
    } else {
      if (other)
        Namespace::Unlink(std::get<std::shared_ptr<Directory>>(*other));  // an empty directory that was replaced
      if (moved) Namespace::Move(*moved, *new_directory, rename.new_name);
    }
  }
  DropEmptyFolders(*old_directory);
  return {};
}

// The folder behind a directory goes where the directory goes.
Result<void> FilesystemImpl::RenameVersionedDirectory(const ScratchRename& rename) {
  const auto old_directory = FindDirectory(rename.parent);
  const auto new_directory = FindDirectory(rename.new_parent);
  if (!old_directory) return old_directory.error();
  if (!new_directory) return new_directory.error();
  if (rename.to.where != Where::kNowhere && (rename.flags & RENAME_EXCHANGE) == 0) {
    if (auto removed = RemoveFolderOf(rename.new_parent, rename.new_name); !removed) return removed;
  }
  RecordTimesBelow(rename.parent, rename.name);
  if ((rename.flags & RENAME_EXCHANGE) != 0) RecordTimesBelow(rename.new_parent, rename.new_name);
  {
    const MutexLock names(scratch_names_);
    auto renamed = RenameVersioned(agents_->Identify(rename.caller), rename.parent, rename.name, rename.new_parent,
                                   rename.new_name, rename.flags);
    if (!renamed || !scratch_root_) return renamed;
    const auto from = FolderOfLocked(*old_directory, Missing::kLeave);
    const auto behind = from && *from ? (*from)->Find(std::string(rename.name)) : std::optional<ScratchEntry>();
    if (!behind) return behind.error();
    if (!*behind && (rename.flags & RENAME_EXCHANGE) == 0) return {};
    const auto to = FolderOfLocked(*new_directory, Missing::kMake);
    if (!to) return to.error();
    if (from && *from && *to) {
      const auto moved = (*from)->Rename(std::string(rename.name), **to, std::string(rename.new_name), rename.flags);
      // The versions have moved; the scratch files stay behind.
      if (!moved && moved.code() != Code::kNotFound) spdlog::error("rename: {}", moved.error().message);
    }
  }
  DropEmptyFolders(*old_directory);
  return {};
}

Result<vcs::Outcome> FilesystemImpl::SubmitScratch(const std::shared_ptr<ScratchContext>& context,
                                                   const vcs::MaybeVersion& content, NodeId parent,
                                                   std::string_view name, vcs::ParkRequest& park) {
  const Identity& who = context->as.who;
  auto decided = WithName<std::future<vcs::Outcome>>(
      parent, name, [&](const Bound& bound) REQUIRES(mutex_) -> std::optional<Result<std::future<vcs::Outcome>>> {
        if (bound.parent->opaque) return Error{Code::kPermission, "inside a submodule"};
        const auto file = bound.AsFile();
        if (bound.child && !file) return At(name, EISDIR);
        if (file && file->publishing > 0) {  // decide on what comes of it
          settled_.Wait(mutex_);
          return std::nullopt;
        }
        const vcs::MaybeVersion head = file ? file->head : std::nullopt;
        const vcs::Base base = NameBase(who, bound);
        park.path = context->as.path = bound.path;
        park.base = base;
        park.head = head;
        park.head_commit = head_.commit;
        if (IsToldOfLoss(who, bound.path) || base.version != head) return Error{Code::kStale, "rename over a path that was changed"};
        const bool knew = tracker_.Find(who.agent, who.process, bound.path).has_value();
        const vcs::PublishChange change{bound.path, base, content, false,
                                        knew || !content ? vcs::Derivation::kFromBase : vcs::Derivation::kIndependent};
        return committer_.Enqueue({change, who.agent, who.description, who.message, context});
      });
  if (!decided) return decided.error();
  return committer_.Serve(*std::move(decided));
}

Result<void> FilesystemImpl::PublishScratch(const ScratchRename& rename) {
  const auto directory = FindDirectory(rename.parent);
  if (!directory) return directory.error();
  const auto folder = FolderOf(*directory, Missing::kLeave);
  if (!folder) return folder.error();
  const auto entry = *folder ? (*folder)->Find(std::string(rename.name)) : std::optional<ScratchEntry>();
  if (!entry) return entry.error();
  if (!*entry) return At(rename.name, ENOENT);
  const auto stored = Store(store_, **entry, rename.name);
  if (!stored) return stored.error();
  if (stored->version.mode == vcs::FileMode::kSymlink && !vcs::IsAllowedForSymlink(rename.new_name)) {
    return Error{Code::kInvalidName, vcs::Quoted(rename.new_name) + ": git forbids a symlink of this name"};
  }

  auto context = std::make_shared<ScratchContext>();
  context->node = scratch_files_.Find((*entry)->key);
  context->as.who = agents_->Identify(rename.caller);
  context->as.status = stored->status;
  context->size = stored->size;
  vcs::ParkRequest park;
  const auto outcome = SubmitScratch(context, stored->version, rename.new_parent, rename.new_name, park);
  if (!outcome && outcome.code() != Code::kStale) return outcome.error();
  if (outcome && outcome->kind == Kind::kFailed) return outcome->error;
  if (!outcome || outcome->kind == Kind::kRefused) {
    // What was to be put there is kept, although its own name still has it: editors remove that after a refusal.
    park.agent = context->as.who.agent;
    park.process = context->as.who.description;
    park.content = stored->version;
    if (outcome) {
      park.head = outcome->now;
      park.head_commit = outcome->commit;
    }
    park.reason = "rename over a path that was changed since its base was read";
    park.time_s = Now().tv_sec;
    if (auto parked = ParkContent(park); !parked) return parked.error();
    return Refuse(park.agent, "rename over " + vcs::Quoted(park.path.text()));
  }
  (void)SaveRecords();
  if (rename.to.where == Where::kScratch) (void)RemoveScratch(rename.new_parent, rename.new_name, false);
  // It is in history: what can't be removed now is left over, no more.
  if (auto removed = RemoveScratch(rename.parent, rename.name, false); !removed)
    spdlog::warn("{}", removed.error().message);
  return {};
}

void FilesystemImpl::ApplyScratch(const vcs::Outcome& outcome, const ScratchContext& context) {
  if (outcome.kind == Kind::kFailed || outcome.kind == Kind::kRefused) return;
  const std::string& agent = context.as.who.agent;
  const vcs::Base now{outcome.now, outcome.commit};
  tracker_.Published(agent, context.as.who.process, outcome.path, outcome.replaced, now,
                     vcs::BaseTracker::Writer::kKnewContent);
  PublishedAs as = context.as;
  as.path = outcome.path;
  as.base = now;
  if (context.node && context.is_rename)
    scratch_files_.MarkPublished(*context.node, std::move(as));
  else if (context.node)
    scratch_files_.MarkPublishedAgain(*context.node, std::move(as));
  const auto parent = FindKnownDirectory(outcome.path.Parent());
  if (!parent) return;
  const auto replaced = Namespace::FindChild(*parent, outcome.path.Name());
  const auto* file = replaced ? std::get_if<std::shared_ptr<File>>(&*replaced) : nullptr;
  if (outcome.kind == Kind::kUnchanged && file != nullptr) (*file)->aside = nullptr;  // its agent has put it back
  if (outcome.kind == Kind::kPublished) {
    if (file != nullptr) RemoveName(std::shared_ptr<File>(*file), agent);
    Metadata meta = fs::AttrOf(context.as.status, 0).Meta();
    meta.times.ctime = Now();
    const auto added = AddFileLocked(parent, outcome.path.Name(), meta);
    SetHead(added, outcome.now, context.size, meta, agent);
    Touch(*parent);
  }
  // The kernel has moved the scratch file's own entry to this name.
  Expire(*parent, std::string(outcome.path.Name()));
}

Result<void> FilesystemImpl::CopyOut(const std::shared_ptr<File>& file, const Identity& who, const std::string& path) {
  std::shared_ptr<WorkingCopy> own;
  vcs::MaybeVersion version;
  Attr attr;
  {
    const MutexLock lock(mutex_);
    own = file->CopyOf(who.agent);
    version = file->head;
    const vcs::FileMode kind = own ? own->mode : version ? version->mode : file->reserved_mode;
    attr.mode = ModeOf(kind) & S_IFMT;
    attr.Take(MetadataShown(*file, own.get(), kind));
  }
  if (S_ISLNK(attr.mode) && version) {
    const auto target = store_.Read(version->blob, vcs::ObjectKind::kBlob);
    if (!target) return AsDamage(target.error());
    return symlink(target->c_str(), path.c_str()) == 0 ? Result<void>() : At(path, errno);
  }
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return At(path, errno);
  Result<void> copied;
  if (own) {
    std::string buffer(1 << 20, '\0');
    for (std::uint64_t offset = 0; copied;) {
      const auto count = own->content->Read(offset, buffer);
      if (!count) copied = count.error();
      if (!count || *count == 0) break;
      copied = WriteAt(fd, offset, std::string_view(buffer).substr(0, *count));
      offset += *count;
    }
  } else if (version) {
    const auto content = contents_.Open(version->blob);
    copied = content ? (*content)->CopyTo(fd) : Result<void>(AsDamage(content.error()));
  }
  if (copied) copied = SetOwnerAndMode(fd, Caller{0, attr.uid, attr.gid}, attr.mode);
  const timespec times[2] = {attr.atime, attr.mtime};
  if (copied && futimens(fd, times) != 0) copied = At(path, errno);
  close(fd);
  return copied;
}

// vim and emacs save by moving the file to a backup's name and making it again. So the deletion is published only if
// that doesn't follow: otherwise each save would be two commits, the file would be missing to others in between, and
// `git blame` would end there. Until then its agent doesn't see the file; the others see the version that they would
// overwrite.
Result<bool> FilesystemImpl::MoveAside(const Identity& who, NodeId parent, std::string_view name) {
  return WithName<bool>(parent, name, [&](const Bound& bound) REQUIRES(mutex_) -> std::optional<Result<bool>> {
    const auto file = bound.AsFile();
    if (!file || !file->head || file->reserved || file->publishing > 0 || file->aside || file->CopyOf(who.agent))
      return false;
    if (IsToldOfLoss(who, bound.path)) return LossLocked(who.agent, bound.path);
    if (BaseFor(who, bound.path, file->head).version != file->head)
      return RefuseLocked(who.agent, "rename " + vcs::Quoted(bound.path.text()));
    file->aside = std::make_shared<const MovedAside>(MovedAside{who.agent, who, std::chrono::steady_clock::now()});
    if (std::find(asides_.begin(), asides_.end(), file) == asides_.end()) asides_.push_back(file);
    Expire(*file->parent, file->name);
    return true;
  });
}

void FilesystemImpl::PublishAsides(std::chrono::seconds older_than) {
  std::vector<std::future<vcs::Outcome>> decided;
  {
    const MutexLock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(asides_, [](const auto& file) { return !file->aside || !file->linked; });
    for (const auto& file : asides_) {
      if (now - file->aside->since < older_than || file->publishing > 0) continue;
      auto context = std::make_shared<NameContext>();
      context->who = file->aside->who;
      context->file = file;
      const Identity& who = context->who;
      const vcs::PublishChange change{Namespace::LastPathOf(*file), vcs::Base{file->head, head_.commit}, {}, true};
      file->aside = nullptr;
      decided.push_back(committer_.Submit({change, who.agent, who.description, who.message, context}));
    }
  }
  for (auto& one : decided) {
    const vcs::Outcome outcome = one.get();
    if (outcome.kind == Kind::kFailed)
      spdlog::error("delete {}: {}", vcs::Quoted(outcome.path.text()), outcome.error.message);
  }
}

Created FilesystemImpl::CreateAgain(const std::shared_ptr<File>& file, const Identity& who, mode_t mode, int flags) {
  file->aside = nullptr;
  const auto copy = MakeCopy(file, who, CopyOf::kNothing);
  copy->mode = FileModeOf(S_IFREG | mode);
  copy->made_again = NewMetadata(*file->parent, who.uid, who.gid, S_IFREG | mode);
  copy->times = copy->made_again->times;
  copy->created = true;
  copy->written_whole = true;
  const auto handle = HandleOn(copy, copy->node, who, flags);
  handle->read = true;  // it stands on the version that its agent moved away
  Created created;
  created.entry = EntryOf(*names_.Find(copy->node));
  created.opened.handle = AddHandle(handle);
  created.opened.no_flush = !handle->writable;
  return created;
}

Result<void> FilesystemImpl::MoveToScratch(const ScratchRename& rename) {
  const auto directory = FindDirectory(rename.parent);
  if (!directory) return directory.error();
  const auto folder = FolderFor(rename.new_parent);
  if (!folder) return folder.error();
  const Identity who = agents_->Identify(rename.caller);
  auto file = WithName<std::shared_ptr<File>>(rename.parent, rename.name,
                                              [&](const Bound& bound)
                                                  REQUIRES(mutex_) -> std::optional<Result<std::shared_ptr<File>>> {
                                                    if (!bound.AsFile()) return At(rename.name, ENOENT);
                                                    return bound.AsFile();
                                                  });
  if (!file) return file.error();
  const std::string temporary = area_->NewPath();
  auto moved = CopyOut(*file, who, temporary);
  if (moved) {
    const bool temporary_name = temporaries_.Match(rename.new_name, Temporaries::MadeBy::kAnything);
    const auto aside = temporary_name ? MoveAside(who, rename.parent, rename.name) : Result<bool>(false);
    // The content is in history, or in the copy.
    if (!aside)
      moved = aside.error();
    else if (!*aside)
      moved = RemoveVersioned(who, rename.parent, rename.name);
  }
  if (!moved) {
    unlink(temporary.c_str());
    return moved;
  }
  if (auto received = (*folder)->Receive(temporary, std::string(rename.new_name)); !received) {
    spdlog::error("{}; its content is in {}", received.error().message, temporary);
    return received;
  }
  const auto new_directory = FindDirectory(rename.new_parent);
  if (!new_directory) return {};
  const MutexLock lock(mutex_);
  Expire(**new_directory, std::string(rename.new_name));  // the kernel has moved the version's entry there
  return {};
}

}  // namespace concordfs::fs
