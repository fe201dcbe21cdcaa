// Names: lookup, making and removing them, rename.
#include <spdlog/spdlog.h>

#include <cstdio>

#include "fs/damage.h"
#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

using Submitted = std::future<vcs::Outcome>;

// The working copy, resting or not, that a lookup of the file is to lead to; null: the version.
std::shared_ptr<WorkingCopy> CopyToAnswer(const Redirects& redirects, pid_t tid, const File& file,
                                          const std::optional<Identity>& who) {
  if (auto target = redirects.Target(tid, &file)) return target;
  if (!who) return nullptr;
  if (auto own = file.CopyOf(who->agent)) return own;
  return file.RestingOf(who->agent);
}

Error NoSuchNode(NodeId node) {
  return Error{Code::kNotFound, "node " + std::to_string(node) + ": unknown"};
}

}  // namespace

std::shared_ptr<File> FilesystemImpl::Bound::AsFile() const {
  const auto* file = child ? std::get_if<std::shared_ptr<File>>(&*child) : nullptr;
  return file == nullptr ? nullptr : *file;
}

std::shared_ptr<Directory> FilesystemImpl::Bound::AsDirectory() const {
  const auto* directory = child ? std::get_if<std::shared_ptr<Directory>>(&*child) : nullptr;
  return directory == nullptr ? nullptr : *directory;
}

Result<void> FilesystemImpl::CheckWritable() const {
  if (options_.read_only) return Error{Code::kReadOnly, "mounted read-only"};
  return {};
}

Result<FilesystemImpl::Learned> FilesystemImpl::Learn(NodeId parent, std::string_view name) {
  Learned learned;
  vcs::RepoPath path;
  {
    const MutexLock lock(mutex_);
    const Node* node = names_.Find(parent);
    if (node == nullptr) return NoSuchNode(parent);
    if (!node->directory) return Error{Code::kNotDirectory, "not a directory"};
    learned.head = head_;
    if (node->directory->plain) return learned;  // nothing of it is in head
    if (const auto child = Namespace::FindChild(*node->directory, name)) {
      const auto* file = std::get_if<std::shared_ptr<File>>(&*child);
      learned.known = file == nullptr || !(*file)->head || (*file)->head_size;
      if (learned.known) return learned;
    }
    const auto directory_path = Namespace::PathOf(*node->directory);
    if (!directory_path) return Error{Code::kNotFound, "the directory was removed"};
    const auto child_path = directory_path->Child(name);
    if (!child_path) return child_path.error();
    path = *child_path;
  }
  auto entry = trees_.Find(learned.head.root, path);
  if (!entry) {
    spdlog::error("{}: {}", vcs::Quoted(path.text()), entry.error().message);
    return AsDamage(entry.error());
  }
  learned.entry = *std::move(entry);
  if (learned.entry) {
    const bool is_directory = learned.entry->IsDirectory() || learned.entry->IsSubmodule();
    learned.mtime = MtimeOf(learned.head, path, is_directory ? vcs::MaybeVersion() : learned.entry->AsVersion());
  }
  if (!learned.entry || learned.entry->IsDirectory() || learned.entry->IsSubmodule()) return learned;
  const auto size = contents_.Size(learned.entry->id);
  if (!size) {
    spdlog::error("{}: {}", vcs::Quoted(path.text()), size.error().message);
    return AsDamage(size.error());
  }
  learned.size = *size;
  return learned;
}

Result<std::optional<FilesystemImpl::Bound>> FilesystemImpl::Bind(NodeId parent, std::string_view name,
                                                                  const Learned& learned) {
  const Node* node = names_.Find(parent);
  if (node == nullptr) return NoSuchNode(parent);
  Bound bound;
  bound.parent = node->directory;
  const auto directory_path = Namespace::PathOf(*node->directory);
  if (!directory_path) return Error{Code::kNotFound, "the directory was removed"};
  const auto path = directory_path->Child(name);
  if (!path) return path.error();
  bound.path = *path;
  bound.child = Namespace::FindChild(*bound.parent, name);
  if (bound.child) {
    const std::shared_ptr<File> file = bound.AsFile();
    if (!file || !file->head || file->head_size) return std::optional(std::move(bound));
    if (learned.known || learned.head.commit != head_.commit || !learned.size) return std::optional<Bound>();
    file->head_size = learned.size;
    return std::optional(std::move(bound));
  }
  if (learned.known || learned.head.commit != head_.commit) return std::optional<Bound>();
  if (!learned.entry) return std::optional(std::move(bound));
  if (learned.entry->IsDirectory() || learned.entry->IsSubmodule()) {
    Namespace::MakeVersioned(*bound.parent);
    const auto directory = names_.AddDirectory(bound.parent, name, MetadataOfDirectory(*path, learned.mtime));
    directory->opaque = learned.entry->IsSubmodule();
    bound.child = directory;
  } else {
    const vcs::Version version = learned.entry->AsVersion();
    const auto file = AddFileLocked(bound.parent, name, MetadataOfFile(*path, version, learned.mtime));
    file->head = version;
    file->head_size = learned.size;
    if (const auto record = attributes_->FindFile(*path, version)) file->head_ino = record->ino.value_or(0);
    bound.child = file;
  }
  return std::optional(std::move(bound));
}

std::shared_ptr<File> FilesystemImpl::AddFileLocked(const std::shared_ptr<Directory>& parent, std::string_view name,
                                                    const Metadata& meta) {
  Namespace::MakeVersioned(*parent);
  const auto file = Namespace::AddFile(parent, name);
  file->meta = meta;
  return file;
}

Entry FilesystemImpl::EntryOf(Node& node) {
  ++node.lookups;
  Entry entry;
  entry.attr = AttrOf(node);
  entry.attr_timeout_s = kLongTimeout_s;
  // While a working copy exists the answer depends on who asks, and while a name is reserved it soon is another.
  File& file = *node.file;
  const bool same_for_all = file.copies.empty() && file.resting.empty() && !file.reserved && !file.aside;
  file.remembered = file.remembered || same_for_all;
  entry.entry_timeout_s = same_for_all ? kLongTimeout_s : 0;
  return entry;
}

Entry FilesystemImpl::EntryOf(const std::shared_ptr<Directory>& directory) {
  Node* node = names_.Find(directory->node);
  ++node->lookups;
  return Entry{AttrOf(*directory), kLongTimeout_s, kLongTimeout_s};
}

Node& FilesystemImpl::CurrentNode(const std::shared_ptr<File>& file) {
  if (Node* node = names_.Find(file->current); node != nullptr) return *node;
  return names_.AddVersionNode(file, vcs::Base{file->head, head_.commit}, file->head_size.value_or(0));
}

Result<Entry> FilesystemImpl::Lookup(const Caller& caller, NodeId parent, std::string_view name) {
  auto entry = LookupVersioned(caller, parent, name);
  if (entry || entry.code() != Code::kNotFound) return entry;
  if (auto told = TellOfLossBehind(caller, parent, name); !told) return told.error();
  return LookupScratch(parent, name);
}

Result<Entry> FilesystemImpl::AnswerFile(pid_t tid, const std::shared_ptr<File>& file, const std::optional<Identity>& who,
                                         bool writes) {
  if (who && file->aside && file->aside->agent == who->agent) return Error{Code::kNotFound, "moved aside"};
  auto copy = CopyToAnswer(redirects_, tid, *file, who);
  if (!copy && who && writes && !redirects_.IsPending(tid, file.get())) copy = MakeResting(file, *who);
  Node& node = copy ? *names_.Find(copy->node) : CurrentNode(file);
  redirects_.OnAnswer(tid, file.get(), node.id);
  return EntryOf(node);
}

Result<Entry> FilesystemImpl::LookupVersioned(const Caller& caller, NodeId parent, std::string_view name) {
  if (const auto checked = vcs::CheckName(name); !checked && checked.code() == Code::kInvalidName) {
    return Error{Code::kNotFound, checked.error().message};
  }
  std::optional<Identity> who;
  std::optional<bool> writes;  // the caller is about to write it, as far as its habits tell
  while (true) {
    const auto learned = Learn(parent, name);
    if (!learned) return learned.error();
    {
      const MutexLock lock(mutex_);
      const auto bound = Bind(parent, name, *learned);
      if (!bound) return bound.error();
      if (!*bound) continue;
      if (!(*bound)->child) return Error{Code::kNotFound, vcs::Quoted((*bound)->path.text()) + ": no such path"};
      if (const auto directory = (*bound)->AsDirectory()) {
        if (directory->plain) return Error{Code::kNotFound, "a folder of the scratch area"};
        return EntryOf(directory);
      }
      const std::shared_ptr<File> file = (*bound)->AsFile();
      if (!writes) writes = !options_.read_only && habits_.OnLookup(caller.tid);
      const bool is_symlink = file->head && file->head->mode == vcs::FileMode::kSymlink;
      const auto comes_back = is_symlink ? std::nullopt : redirects_.ComesBack(caller.tid, parent, name);
      const bool is_same_for_all = file->copies.empty() && file->resting.empty() && !file->aside && !*writes && !comes_back;
      if (who && comes_back) ExpectBack(caller.tid, file, *comes_back, *who);
      if (is_same_for_all || who) return AnswerFile(caller.tid, file, who, *writes);
    }
    who = agents_->Identify(caller);  // reads /proc: not under the lock
  }
}

std::optional<Entry> FilesystemImpl::LookupListed(const Caller& caller, NodeId parent, std::string_view name) {
  {
    const MutexLock lock(mutex_);
    if (names_.NodeCount() >= max_nodes_) return std::nullopt;
  }
  const auto entry = Lookup(caller, parent, name);
  return entry ? std::optional(*entry) : std::nullopt;
}

void FilesystemImpl::Forget(NodeId node, std::uint64_t lookups) {
  if (IsScratch(node)) return scratch_files_.Forget(node, lookups);
  const MutexLock lock(mutex_);
  names_.Forget(node, lookups);
}

Result<Entry> FilesystemImpl::MakeDirectory(const Caller& caller, NodeId parent, std::string_view name, mode_t mode) {
  if (auto writable = CheckWritable(); !writable) return writable.error();
  const auto scratch = BelongsToScratch(parent, name, NewName::kDirectory);
  if (!scratch) return scratch.error();
  if (*scratch) return MakeScratch(caller, parent, name, {S_IFDIR | mode, 0}, "");
  PublishAsides(std::chrono::seconds(0));
  auto made = WithName<Entry>(parent, name, [&](const Bound& bound) REQUIRES(mutex_) -> std::optional<Result<Entry>> {
    if (bound.child) return Error{Code::kExists, vcs::Quoted(bound.path.text()) + ": exists"};
    if (bound.parent->opaque) return Error{Code::kPermission, "inside a submodule"};
    Namespace::MakeVersioned(*bound.parent);
    const auto directory =
        names_.AddDirectory(bound.parent, name, NewMetadata(*bound.parent, caller.uid, caller.gid, S_IFDIR | mode));
    RecordDirectory(*directory);
    SetKept(*directory, true);
    Touch(*bound.parent);
    return EntryOf(directory);
  });
  if (made) (void)SaveRecords();  // it is there; what couldn't be kept is tried again
  return made;
}

Result<void> FilesystemImpl::RemoveDirectory(const Caller& /*caller*/, NodeId parent, std::string_view name) {
  if (auto writable = CheckWritable(); !writable) return writable;
  const auto place = FindPlace(parent, name);
  if (!place) return place.error();
  if (place->where == Where::kScratch) return RemoveScratch(parent, name, true);
  if (auto removed = RemoveFolderOf(parent, name); !removed) return removed;
  while (true) {
    const auto learned = Learn(parent, name);
    if (!learned) return learned.error();
    vcs::Head head;
    vcs::RepoPath path;
    {
      const MutexLock lock(mutex_);
      const auto bound = Bind(parent, name, *learned);
      if (!bound) return bound.error();
      if (!*bound) continue;
      if (!(*bound)->child) return Error{Code::kNotFound, vcs::Quoted((*bound)->path.text()) + ": no such path"};
      if (!(*bound)->AsDirectory())
        return Error{Code::kNotDirectory, vcs::Quoted((*bound)->path.text()) + ": not a directory"};
      if ((*bound)->AsDirectory()->opaque) return Error{Code::kPermission, "a submodule"};
      head = head_;
      path = (*bound)->path;
    }
    const auto entry = trees_.Find(head.root, path);
    if (!entry) return AsDamage(entry.error());
    {
      const MutexLock lock(mutex_);
      const auto bound = Bind(parent, name, *learned);
      if (!bound) return bound.error();
      if (!*bound || head.commit != head_.commit || !(*bound)->AsDirectory()) continue;
      const auto directory = (*bound)->AsDirectory();
      if (*entry || !directory->children.empty())
        return Error{Code::kNotEmpty, vcs::Quoted(path.text()) + ": not empty"};
      ForgetRecords(directory);
      Namespace::Unlink(directory);
      Touch(*(*bound)->parent);
    }
    (void)SaveRecords();
    return {};
  }
}

Result<Entry> FilesystemImpl::MakeFile(const Caller& caller, NodeId parent, std::string_view name,
                                       const MakeMode& mode) {
  const auto scratch = BelongsToScratch(parent, name, NewName::kFile);
  if (!scratch) return scratch.error();
  if (*scratch) {
    if (auto writable = CheckWritable(); !writable) return writable.error();
    return MakeScratch(caller, parent, name, mode, "");
  }
  if (!S_ISREG(mode.mode)) return Error{Code::kPermission, "git holds no device nodes, sockets or pipes"};
  return MakeWithContent(caller, parent, name, mode.mode, "");
}

Result<Entry> FilesystemImpl::MakeSymlink(const Caller& caller, NodeId parent, std::string_view name,
                                          std::string_view target) {
  const auto scratch = BelongsToScratch(parent, name, NewName::kFile);
  if (!scratch) return scratch.error();
  if (*scratch) {
    if (auto writable = CheckWritable(); !writable) return writable.error();
    return MakeScratch(caller, parent, name, {S_IFLNK | 0777, 0}, target);
  }
  if (!vcs::IsAllowedForSymlink(name))
    return Error{Code::kInvalidName, vcs::Quoted(name) + ": git forbids a symlink of this name"};
  return MakeWithContent(caller, parent, name, S_IFLNK | 0777, target);
}

Result<Entry> FilesystemImpl::MakeWithContent(const Caller& caller, NodeId parent, std::string_view name, mode_t mode,
                                              std::string_view content) {
  if (auto writable = CheckWritable(); !writable) return writable.error();
  const Identity who = agents_->Identify(caller);
  PublishAsides(std::chrono::seconds(0));
  const auto blob = store_.PrepareBlob(std::string(content));
  if (!blob) return blob.error();
  auto context = std::make_shared<NameContext>();
  context->who = who;
  context->size = content.size();
  auto decided =
      WithName<Submitted>(parent, name, [&](const Bound& bound) REQUIRES(mutex_) -> std::optional<Result<Submitted>> {
        if (bound.child) return Error{Code::kExists, vcs::Quoted(bound.path.text()) + ": exists"};
        if (bound.parent->opaque) return Error{Code::kPermission, "inside a submodule"};
        context->file = AddFileLocked(bound.parent, name, NewMetadata(*bound.parent, who.uid, who.gid, mode));
        context->file->reserved = true;
        context->file->reserved_mode = FileModeOf(mode);
        ++context->file->publishing;
        const vcs::PublishChange change{
            bound.path, vcs::Base{{}, head_.commit},   vcs::Version{blob->id, FileModeOf(mode)},
            true,       vcs::Derivation::kIndependent, blob->bytes};
        return committer_.Enqueue({change, who.agent, who.description, who.message, context});
      });
  if (!decided) return decided.error();
  const vcs::Outcome outcome = committer_.Serve(*std::move(decided));
  {
    const MutexLock lock(mutex_);
    --context->file->publishing;
    settled_.NotifyAll();
    const bool accepted =
        outcome.kind == vcs::Outcome::Kind::kPublished || outcome.kind == vcs::Outcome::Kind::kUnchanged;
    if (!accepted || !context->file->linked) {
      if (context->file->reserved) RemoveName(context->file, "");
      if (outcome.kind == vcs::Outcome::Kind::kFailed) return outcome.error;
      return Error{Code::kExists, vcs::Quoted(outcome.path.text()) + ": another commit made it first"};
    }
    Touch(*context->file->parent);
  }
  SaveIfPrivate(*context->file);
  {
    const MutexLock lock(mutex_);
    if (context->file->linked && context->file->head_size) {
      Node& node = CurrentNode(context->file);
      KeepInode(*context->file, node.ino);
      return EntryOf(node);
    }
  }
  return LookupVersioned(caller, parent, name);  // others have changed it already
}

Result<std::string> FilesystemImpl::ReadSymlink(NodeId id) {
  if (IsScratch(id)) return scratch_files_.ReadSymlink(id);
  vcs::ObjectId blob;
  {
    const MutexLock lock(mutex_);
    const Node* node = names_.Find(id);
    if (node == nullptr) return NoSuchNode(id);
    if (!node->version.version || node->mode != vcs::FileMode::kSymlink)
      return Error{Code::kInvalidArgument, "not a symlink"};
    blob = node->version.version->blob;
  }
  return store_.Read(blob, vcs::ObjectKind::kBlob);
}

vcs::Base FilesystemImpl::BaseFor(const Identity& who, const vcs::RepoPath& path, const vcs::MaybeVersion& now) {
  const auto known = tracker_.Find(who.agent, who.process, path);
  return known ? *known : vcs::Base{now, head_.commit};
}

Error FilesystemImpl::Refuse(const std::string& agent, const std::string& what) {
  const MutexLock lock(mutex_);
  return RefuseLocked(agent, what);
}

Error FilesystemImpl::RefuseLocked(const std::string& agent, const std::string& what) {
  ++refusals_[agent];
  return Error{Code::kStale, what + ": changed since " + agent + " read it"};
}

Result<void> FilesystemImpl::Unlink(const Caller& caller, NodeId parent, std::string_view name) {
  if (auto writable = CheckWritable(); !writable) return writable;
  const auto place = FindPlace(parent, name);
  if (!place) return place.error();
  if (place->where == Where::kScratch) return RemoveScratch(parent, name, false);
  return RemoveVersioned(agents_->Identify(caller), parent, name);
}

Result<void> FilesystemImpl::RemoveVersioned(const Identity& who, NodeId parent, std::string_view name) {
  auto context = std::make_shared<NameContext>();
  context->who = who;
  auto decided =
      WithName<Submitted>(parent, name, [&](const Bound& bound) REQUIRES(mutex_) -> std::optional<Result<Submitted>> {
        const std::string path = vcs::Quoted(bound.path.text());
        if (!bound.child) return Error{Code::kNotFound, path + ": no such path"};
        const std::shared_ptr<File> file = bound.AsFile();
        if (!file) return Error{Code::kIsDirectory, path + ": is a directory"};
        if (file->publishing > 0) {  // decide on what comes of it
          settled_.Wait(mutex_);
          return std::nullopt;
        }
        if (IsToldOfLoss(who, bound.path)) return LossLocked(who.agent, bound.path);
        const vcs::Base base = NameBase(who, bound);
        if (base.version != file->head) return RefuseLocked(who.agent, "unlink " + path);
        context->file = file;
        const vcs::PublishChange change{bound.path, base, {}, false};
        return committer_.Enqueue({change, who.agent, who.description, who.message, context});
      });
  if (!decided) return decided.error();
  const vcs::Outcome outcome = committer_.Serve(*std::move(decided));
  if (outcome.kind == vcs::Outcome::Kind::kFailed) return outcome.error;
  if (outcome.kind == vcs::Outcome::Kind::kRefused)
    return Refuse(who.agent, "unlink " + vcs::Quoted(outcome.path.text()));
  (void)SaveRecords();
  return {};
}

}  // namespace concordfs::fs
