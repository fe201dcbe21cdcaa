// Following the branch: what the committer decided, and what others did to it (R11).
#include <spdlog/spdlog.h>

#include <set>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {

using Kind = vcs::Outcome::Kind;

namespace {

// What has the path now, as far as it is known. A request names what had it when it was made; what is decided is decided
// by path.
std::optional<Child> ChildAt(const std::shared_ptr<Directory>& root, const vcs::RepoPath& path) {
  std::optional<Child> child = root;
  for (const std::string_view component : path.Components()) {
    const auto* directory = std::get_if<std::shared_ptr<Directory>>(&*child);
    child = directory != nullptr ? Namespace::FindChild(**directory, component) : std::nullopt;
    if (!child) return std::nullopt;
  }
  return child;
}

std::shared_ptr<File> AsFile(const std::optional<Child>& child) {
  const auto* file = child ? std::get_if<std::shared_ptr<File>>(&*child) : nullptr;
  return file == nullptr ? nullptr : *file;
}

std::shared_ptr<Directory> AsDirectory(const std::optional<Child>& child) {
  const auto* directory = child ? std::get_if<std::shared_ptr<Directory>>(&*child) : nullptr;
  return directory == nullptr ? nullptr : *directory;
}

// Whose process asked for a change of names; null for anything else.
const vcs::ProcessKey* ProcessOf(const vcs::RequestContext* context) {
  if (const auto* name = dynamic_cast<const NameContext*>(context)) return &name->who.process;
  if (const auto* rename = dynamic_cast<const RenameContext*>(context)) return &rename->who.process;
  if (const auto* scratch = dynamic_cast<const ScratchContext*>(context)) return &scratch->as.who.process;
  return nullptr;
}

}  // namespace

void FilesystemImpl::OnHeadMoved(const vcs::HeadMove& move) {
  if (move.outside) {
    AdoptLanded(move.decided);
    FollowOutside(move);
    return;
  }
  const MutexLock lock(mutex_);
  head_ = move.after;
  for (const vcs::Decided& decided : move.decided) {
    const vcs::RequestContext* context = decided.request.context.get();
    if (const auto* copy = dynamic_cast<const CopyContext*>(context)) ApplyCopy(decided.outcome, decided.request, *copy);
    if (const auto* name = dynamic_cast<const NameContext*>(context)) ApplyName(decided.outcome, decided.request, *name);
    if (const auto* rename = dynamic_cast<const RenameContext*>(context)) ApplyRename(decided.outcome, decided.request, *rename);
    if (const auto* scratch = dynamic_cast<const ScratchContext*>(context)) ApplyScratch(decided.outcome, *scratch);
  }
}

// The submitters were told of a failure, and the kernel knows no other names than before: what they changed is followed as an
// outside move. But it is theirs: they know these versions, and what their working copies held then is published.
void FilesystemImpl::AdoptLanded(std::span<const vcs::Decided> landed) {
  const MutexLock lock(mutex_);
  for (const vcs::Decided& one : landed) {
    const auto* copy = dynamic_cast<const CopyContext*>(one.request.context.get());
    if (copy != nullptr) {
      ApplyCopy(one.outcome, one.request, *copy);
      continue;
    }
    const vcs::ProcessKey* process = ProcessOf(one.request.context.get());
    if (process == nullptr) continue;
    tracker_.Published(one.request.agent, *process, one.outcome.path, one.outcome.replaced,
                       {one.outcome.now, one.outcome.commit}, vcs::BaseTracker::Writer::kKnewContent);
  }
}

std::optional<Child> FilesystemImpl::FindKnown(const vcs::RepoPath& path) { return ChildAt(names_.root(), path); }

std::shared_ptr<Directory> FilesystemImpl::FindKnownDirectory(const vcs::RepoPath& path) {
  return AsDirectory(ChildAt(names_.root(), path));
}

void FilesystemImpl::OnBranchUnreadable(const Error& error) {
  spdlog::error("{}: {}; serving the last good commit, publishing nothing", options_.ref, error.message);
}

void FilesystemImpl::Expire(const Directory& parent, const std::string& name) {
  cache_->ExpireEntry(parent.node, name);
}

void FilesystemImpl::MarkStale(const std::shared_ptr<WorkingCopy>& copy) {
  if (copy->stale) return;
  copy->stale = true;
  if (copy->file->CopyOf(copy->agent) == copy) copy->file->copies.erase(copy->agent);
  if (copy->handles > 0 || copy->pins > 0) return;
  if (copy->IsChanged()) {
    orphans_.push_back(copy);
  } else {
    names_.Prune(copy->node);
  }
}

void FilesystemImpl::SetHead(const std::shared_ptr<File>& file, const vcs::MaybeVersion& now,
                             std::optional<std::uint64_t> size, const Metadata& meta, const std::string& agent) {
  file->reserved = false;
  if (file->head == now) {
    if (agent.empty()) return;
    file->meta = meta;  // the same bytes written again: they are as old as that
    RecordFile(*file);
    ExpireOthers(*file, 0);
    return;
  }
  file->aside = nullptr;
  names_.RetireVersion(*file);  // its node lives on for who has it open
  file->head = now;
  file->head_size = size;
  file->meta = meta;
  file->head_ino = 0;
  EndRests(*file);
  if (!agent.empty()) RecordFile(*file);
  // What git holds exists as long as git holds something in it; who removes the last of it here keeps it (RemoveName).
  for (auto directory = file->parent; directory->parent; directory = directory->parent) SetKept(*directory, false);
  const auto copies = file->copies;
  for (const auto& [name, copy] : copies) {
    if (name != agent && copy->origin.version != now) MarkStale(copy);
  }
  // Who is inside asks for the name each time, as long as somebody writes it.
  if (file->linked && (file->remembered || agent.empty())) Expire(*file->parent, file->name);
  file->remembered = false;
}

void FilesystemImpl::RemoveName(const std::shared_ptr<File>& file, const std::string& agent) {
  const auto copies = file->copies;
  file->copies.clear();
  file->meta.times.ctime = Now();
  for (const auto& [name, copy] : copies) {
    copy->times.ctime = file->meta.times.ctime;
    if (name == agent) {
      copy->discarded = true;
    } else {
      MarkStale(copy);
    }
  }
  file->head.reset();
  file->reserved = false;
  names_.RetireVersion(*file);
  EndRests(*file);
  if (!file->linked) return;
  ForgetRecords(file);
  if (agent.empty()) {
    Expire(*file->parent, file->name);
  } else {
    Keep(file->parent);  // POSIX: removing the last entry doesn't remove the directory
    Touch(*file->parent);
  }
  Namespace::Unlink(file);
}

void FilesystemImpl::ApplyCopy(const vcs::Outcome& outcome, const vcs::CommitRequest& request,
                               const CopyContext& context) {
  const auto& copy = context.copy;
  if (outcome.kind == Kind::kFailed) return;
  if (outcome.kind == Kind::kRefused) {
    MarkStale(copy);
    return;
  }
  const auto& change = std::get<vcs::PublishChange>(request.action);
  if (outcome.now != change.content) {  // unchanged on a base that isn't head any more: there is nothing to publish
    copy->Settle(context.changes, context.mode);
    return;
  }
  const vcs::Base now{outcome.now, outcome.commit};
  const bool knew = copy->written_whole || tracker_.Find(copy->agent, context.who.process, outcome.path);
  tracker_.Published(copy->agent, context.who.process, outcome.path, copy->origin.version, now,
                     knew ? vcs::BaseTracker::Writer::kKnewContent : vcs::BaseTracker::Writer::kWroteBlindly);
  const bool first = !copy->origin.version;
  copy->origin = now;
  copy->Settle(context.changes, context.mode);
  // Another file may have the name by now, with the very version that this was made of.
  const auto file = copy->file->linked ? copy->file : AsFile(ChildAt(names_.root(), outcome.path));
  if (file) {
    Metadata meta = copy->made_again ? *copy->made_again : file->meta;
    meta.times = copy->times;
    copy->made_again.reset();
    SetHead(file, outcome.now, context.size, meta, copy->agent);
  }
  if (first && copy->file->head_ino == 0) KeepInode(*copy->file, copy->ino);  // the number that it was made with
}

void FilesystemImpl::ApplyName(const vcs::Outcome& outcome, const vcs::CommitRequest& request,
                               const NameContext& context) {
  if (outcome.kind == Kind::kFailed || outcome.kind == Kind::kRefused) return;
  const auto& change = std::get<vcs::PublishChange>(request.action);
  tracker_.Published(context.who.agent, context.who.process, outcome.path, outcome.replaced,
                     vcs::Base{outcome.now, outcome.commit}, vcs::BaseTracker::Writer::kKnewContent);
  const auto now_there = AsFile(ChildAt(names_.root(), outcome.path));
  const auto& file = outcome.kind == Kind::kPublished && now_there ? now_there : context.file;
  if (change.content) {
    SetHead(file, outcome.now, context.size, context.file->meta, context.who.agent);
  } else if (!outcome.now) {
    RemoveName(file, context.who.agent);
  }
}

void FilesystemImpl::ApplyExchange(const vcs::Outcome& outcome, const vcs::PublishRename& rename, const Identity& who,
                                   const std::optional<Child>& from, const std::optional<Child>& to) {
  attributes_->Exchange(rename.from, rename.to);
  if (from && to) {
    Namespace::Exchange(*from, *to);
  } else {  // what is not known is learned at the next lookup, and what is known has another name
    DropName(from);
    DropName(to);
  }
  for (const auto& [file, path, before, after] :
       {std::tuple(AsFile(from), rename.to, outcome.replaced, outcome.moved),
        std::tuple(AsFile(to), rename.from, outcome.moved, outcome.replaced)}) {
    if (!file) continue;
    tracker_.Published(who.agent, who.process, path, before, {after, outcome.commit},
                       vcs::BaseTracker::Writer::kWroteBlindly);
  }
}

void FilesystemImpl::MoveName(const vcs::PublishRename& rename, const std::optional<Child>& from) {
  const auto new_parent = AsDirectory(ChildAt(names_.root(), rename.to.Parent()));
  const std::shared_ptr<Directory> old_parent = std::visit([](const auto& what) { return what->parent; }, *from);
  if (const auto moved = AsFile(from)) moved->aside = nullptr;
  if (new_parent) {
    Namespace::MakeVersioned(*new_parent);
    Namespace::Move(*from, new_parent, rename.to.Name());
    Touch(*new_parent);
  } else {
    DropName(from);
  }
  Keep(old_parent);
  Touch(*old_parent);
}

void FilesystemImpl::ApplyRename(const vcs::Outcome& outcome, const vcs::CommitRequest& request,
                                 const RenameContext& context) {
  if (outcome.kind == Kind::kFailed || outcome.kind == Kind::kRefused) return;
  const auto& rename = std::get<vcs::PublishRename>(request.action);
  const std::string& agent = context.who.agent;
  using Writer = vcs::BaseTracker::Writer;
  const std::optional<Child> from = ChildAt(names_.root(), rename.from);
  const std::optional<Child> to = ChildAt(names_.root(), rename.to);
  const vcs::Base now{outcome.now, outcome.commit};

  for (const auto& moved : {from, rename.exchange ? to : std::nullopt}) {
    if (!moved) continue;
    std::visit([](const auto& what) { what->meta.times.ctime = Now(); }, *moved);
    Record(*moved);  // also what nobody touched so far: under its new path nothing else knows how old it is
  }
  if (rename.exchange) return ApplyExchange(outcome, rename, context.who, from, to);
  if (const auto replaced = AsFile(to)) {
    RemoveName(replaced, agent);
    if (const auto heir = AsFile(from)) HandOverLocks(*replaced, *heir);
  } else {
    DropName(to);
  }
  attributes_->Rename(rename.from, rename.to);
  if (from) MoveName(rename, from);
  committer_.FollowRename(rename.from, rename.to);

  const bool is_file = std::holds_alternative<std::shared_ptr<File>>(context.from);
  const bool wrote_whole = context.published != nullptr;
  if (is_file && outcome.kind == Kind::kPublished) {
    tracker_.Published(agent, context.who.process, rename.to, outcome.replaced, now,
                       wrote_whole ? Writer::kKnewContent : Writer::kWroteBlindly);
  }
  if (!is_file || !wrote_whole) tracker_.Renamed(agent, rename.from, rename.to, outcome.moved, outcome.commit);
  if (wrote_whole) {
    context.published->origin = now;
    context.published->Settle(context.changes, rename.unpublished->mode);
    // Otherwise: a version that moved is the same version; its node, and the working copies on it, go with it.
    if (const auto file = AsFile(from)) {
      Metadata meta = file->meta;
      meta.times.mtime = context.published->times.mtime;
      SetHead(file, outcome.now, context.size, meta, agent);
    }
  }
}

void FilesystemImpl::DropName(const std::optional<Child>& child) {
  if (const auto file = AsFile(child)) RemoveName(file, "");
  if (const auto directory = AsDirectory(child)) Namespace::Unlink(directory);
}

namespace {

std::shared_ptr<const vcs::Tree> LoadOrLog(vcs::TreeReader& trees, const MaybeEntry& entry) {
  if (!entry || (!entry->IsDirectory() && !entry->IsSubmodule())) return nullptr;
  if (entry->IsSubmodule()) return std::make_shared<const vcs::Tree>();
  auto tree = trees.Load(entry->id);
  if (tree) return *tree;
  spdlog::error("{}: {}", vcs::Quoted(entry->name), tree.error().message);
  return nullptr;
}

MaybeEntry FindIn(const std::shared_ptr<const vcs::Tree>& tree, const std::string& name) {
  return tree ? tree->Find(name) : std::nullopt;
}

}  // namespace

// Others moved the branch. Which names of ours changed is found out without the lock, because that reads trees; then all
// of it takes effect at once. Trees that are the same are not entered. Renames wait for this thread, so that a
// directory's name and place stay what they are meanwhile.
void FilesystemImpl::FollowOutside(const vcs::HeadMove& move) {
  const timespec seen = Now();
  {
    const MutexLock lock(mutex_);
    following_ = true;
  }
  file_times_->FollowOwn(move.before);
  AdoptOthersRecords();
  file_times_->NoteHead(move.after, seen);
  std::map<std::shared_ptr<Directory>, ChangedTrees> changed;
  std::vector<std::shared_ptr<Directory>> in_order;  // parents first
  std::set<std::shared_ptr<Directory>> same;
  const vcs::TreeEntryView root_before{"", vcs::FileMode::kDirectory, move.before.root};
  const vcs::TreeEntryView root_after{"", vcs::FileMode::kDirectory, move.after.root};
  if (root_before != root_after) {
    const MutexLock lock(mutex_);
    in_order.push_back(names_.root());
  }
  for (const auto& root : in_order) changed[root] = {LoadOrLog(trees_, root_before), LoadOrLog(trees_, root_after)};
  while (true) {
    std::vector<std::shared_ptr<Directory>> unseen;
    {
      const MutexLock lock(mutex_);
      for (const auto& directory : in_order) {
        for (const auto& [name, child] : directory->children) {
          const auto* below = std::get_if<std::shared_ptr<Directory>>(&child);
          if (below != nullptr && !changed.contains(*below) && !same.contains(*below)) unseen.push_back(*below);
        }
      }
      if (unseen.empty()) {  // nobody learned another one since
        head_ = move.after;
        following_ = false;
        NoteLosses();
        for (const auto& directory : in_order) {
          if (directory->linked) ReconcileDirectory(directory, changed.at(directory), seen);
        }
        return;
      }
    }
    for (const auto& directory : unseen) {
      const ChangedTrees& parent = changed.at(directory->parent);
      const MaybeEntry before = FindIn(parent.before, directory->name);
      const MaybeEntry after = FindIn(parent.after, directory->name);
      if (before == after) {
        same.insert(directory);
        continue;
      }
      changed[directory] = {LoadOrLog(trees_, before), LoadOrLog(trees_, after)};
      in_order.push_back(directory);
    }
  }
}

bool FilesystemImpl::ReconcileFile(const std::shared_ptr<File>& file, const MaybeEntry& entry,
                                   const timespec& seen) {
  const bool is_directory = entry && (entry->IsDirectory() || entry->IsSubmodule());
  const vcs::MaybeVersion now = !entry || is_directory ? vcs::MaybeVersion() : entry->AsVersion();
  if (now) {
    if (file->head != now) SetHead(file, now, std::nullopt, MetadataOfFile(Namespace::LastPathOf(*file), *now, seen), "");
    return false;
  }
  if (!file->head && !is_directory) return true;  // reserved: it is nobody else's business yet
  RemoveName(file, "");
  return false;
}

bool FilesystemImpl::ReconcileBelow(const std::shared_ptr<Directory>& below, const MaybeEntry& entry,
                                    const timespec& seen) {
  if (entry && (entry->IsDirectory() || entry->IsSubmodule())) {  // its own turn comes
    below->plain = false;
    return false;
  }
  if (below->plain && !entry) return false;
  below->plain = false;
  if (entry) SetKept(*below, false);  // a file has its name now
  if (below->kept) return true;
  // Names below are found to be gone in its own turn, if anybody asks by then.
  ReconcileDirectory(below, {}, seen);
  if (!below->linked || below->kept) return false;
  if (!entry && below->scratch) {  // its scratch files stay, and so does it
    below->plain = true;
    return false;
  }
  ForgetRecords(below);
  Namespace::Unlink(below);
  Expire(*below->parent, below->name);
  return false;
}

void FilesystemImpl::ReconcileDirectory(const std::shared_ptr<Directory>& directory, const ChangedTrees& trees,
                                        const timespec& seen) {
  static const vcs::Tree kEmpty;
  const bool gone = trees.after == nullptr;
  const vcs::Tree* tree = gone ? &kEmpty : trees.after.get();
  const vcs::Tree& before = trees.before ? *trees.before : kEmpty;
  if (!vcs::SameNames(before, *tree)) {
    directory->meta.times.mtime = directory->meta.times.ctime = seen;
    cache_->ExpireAttributes(directory->node);
  }
  if (directory->scratch) {  // what came may hide a scratch file that the kernel remembers
    for (const vcs::TreeEntryView entry : tree->entries()) {
      if (!before.Find(entry.name)) Expire(*directory, std::string(entry.name));
    }
  }
  const auto children = directory->children;
  bool holds_uncommitted = false;
  for (const auto& [name, child] : children) {
    const auto entry = tree->Find(name);
    const auto* file = std::get_if<std::shared_ptr<File>>(&child);
    const bool stays = file != nullptr ? ReconcileFile(*file, entry, seen)
                                       : ReconcileBelow(std::get<std::shared_ptr<Directory>>(child), entry, seen);
    holds_uncommitted = holds_uncommitted || stays;
  }
  if (gone && holds_uncommitted) Keep(directory);
}

}  // namespace concordfs::fs
