// Attributes and extended attributes.
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

constexpr std::string_view kPrefix = "user.concordfs.";

}  // namespace

Result<Attr> FilesystemImpl::GetAttr(const Caller& caller, NodeId id) {
  if (IsScratch(id)) {
    auto attr = scratch_files_.GetAttr(id);
    if (!attr && attr.code() == Code::kStale) {
      // What for isn't known: the kernel also asks while it opens a file, to check permissions.
      const MutexLock lock(mutex_);
      redirects_.SendAway(caller.tid, Redirects::Intent::kWrites);
    }
    return attr;
  }
  if (const DescriptorPtr folder = PlainFolder(id)) {
    const auto status = StatusOf(folder->fd());
    if (!status) return status.error();
    return fs::AttrOf(*status, id);
  }
  const MutexLock lock(mutex_);
  const Node* node = names_.Find(id);
  if (node == nullptr) return Error{Code::kNotFound, "getattr: unknown node"};
  return AttrOf(*node);
}

Result<FilesystemImpl::PathChange> FilesystemImpl::PlanPathChange(const Identity& who, const Node& node) {
  const std::shared_ptr<File> file = node.file;
  if (file->head && !file->head_size) return PathChange{.copy = nullptr, .description = {}, .size_unknown = true};
  PathChange plan;
  plan.copy = node.copy && (node.copy->handles > 0) ? node.copy : file->CopyOf(who.agent);
  if (!plan.copy && !file->linked) return plan;
  if (!plan.copy || !plan.copy->discarded) {
    const vcs::RepoPath path = Namespace::LastPathOf(*file);
    if (IsToldOfLoss(who, path)) return LossLocked(who.agent, path);
    const vcs::MaybeVersion stands_on = plan.copy ? plan.copy->origin.version : file->head;
    if ((plan.copy && plan.copy->stale) || BaseFor(who, path, stands_on).version != stands_on) {
      return RefuseLocked(who.agent, "change of " + vcs::Quoted(path.text()));
    }
  }
  if (!plan.copy) plan.copy = MakeCopy(file, who);
  plan.copy->other_nodes = plan.copy->other_nodes || plan.copy->node != node.id;
  plan.publish = plan.copy->handles == 0;  // else it goes with what the open handles publish
  ++plan.copy->handles;
  plan.copy->last_writer = who;
  return plan;
}

Result<void> FilesystemImpl::ChangePath(const Identity& who, NodeId id, const AttrChange& change) {
  PathChange plan;
  do {
    if (auto learned = LearnSize(id); !learned) return learned;
    const MutexLock lock(mutex_);
    const Node* node = names_.Find(id);
    if (node == nullptr || !node->file) return Error{Code::kNotFound, "setattr: unknown node"};
    auto planned = PlanPathChange(who, *node);
    if (!planned) return planned.error();
    plan = *std::move(planned);
    if (plan.size_unknown) continue;  // others moved the branch in between
    if (!plan.copy) return {};        // nobody can see the file any more
    WorkingCopy& copy = *plan.copy;
    copy.times.ctime = Now();
    if (change.size) copy.times.mtime = copy.times.ctime;
    if (change.size && who.uid != 0) TakePrivilegesAway(*copy.file);
    if (change.mode) copy.mode = FileModeOf(S_IFREG | *change.mode);
    if (change.size && *change.size == 0) copy.written_whole = true;
    plan.description = DescribeLocked(copy);
  } while (plan.size_unknown);
  const auto& copy = plan.copy;
  Result<void> done;
  if (change.size) done = copy->content->Truncate(plan.description, *change.size);
  if (done && plan.publish) done = Publish(copy, who);
  const MutexLock lock(mutex_);
  LetGo(copy);
  return done;
}

Result<std::string> FilesystemImpl::GetXattr(const Caller& caller, NodeId id, std::string_view name) {
  if (!name.starts_with(kPrefix)) {
    if (IsScratch(id)) return scratch_files_.GetXattr(id, std::string(name));
    if (const DescriptorPtr folder = PlainFolder(id)) return fs::GetXattr(folder->fd(), std::string(name));
    return Error{Code::kNoAttribute, "no such attribute"};
  }
  name.remove_prefix(kPrefix.size());
  if (name == "status") return Status();
  const Identity who = agents_->Identify(caller);
  const MutexLock lock(mutex_);
  const Node* node = names_.Find(id);
  if (node == nullptr && !IsScratch(id)) return Error{Code::kNotFound, "getxattr: unknown node"};
  if (name == "repository") return options_.git_dir.string();
  if (name == "branch") return options_.ref;
  if (name == "mountpoint") return options_.mountpoint;
  if (name == "pid") return std::to_string(getpid());
  if (name == "agent") return who.agent;
  if (name == "refusals") {
    const auto found = refusals_.find(who.agent);
    return std::to_string(found == refusals_.end() ? 0 : found->second);
  }
  if (name == "drain") {
    return nlohmann::json({{"published", last_drain_.published},
                           {"parked", last_drain_.parked},
                           {"kept", last_drain_.kept},
                           {"unpushed", last_drain_.unpushed}})
        .dump();
  }
  if (name == "version" && (IsScratch(id) || (node->directory && node->directory->plain))) return std::string("scratch");
  if (IsScratch(id) || !node->file) return Error{Code::kNoAttribute, "no such attribute"};
  const auto own = node->file->CopyOf(who.agent);
  if (name == "version") return vcs::ToString(node->copy ? node->copy->origin.version : node->version.version);
  const auto known = own ? std::optional(own->origin)
                         : tracker_.Find(who.agent, who.process, Namespace::LastPathOf(*node->file));
  if (name == "base") return known ? vcs::ToString(known->version) : "none";
  if (name == "stale") return std::string(known && known->version != node->file->head ? "yes" : "no");
  return Error{Code::kNoAttribute, "no such attribute"};
}

Result<void> FilesystemImpl::SetXattr(const Caller& caller, NodeId id, std::string_view name, std::string_view value,
                                      int flags) {
  if (!name.starts_with(kPrefix) && IsScratch(id)) return scratch_files_.SetXattr(id, std::string(name), value, flags);
  if (const DescriptorPtr folder = PlainFolder(id); folder && !name.starts_with(kPrefix)) {
    return fs::SetXattr(folder->fd(), std::string(name), value, flags);
  }
  if (!name.starts_with(kPrefix)) return Error{Code::kNotSupported, "only user.concordfs.* attributes can be set"};
  name.remove_prefix(kPrefix.size());
  if (name == "drain") {
    if (caller.uid != 0 && caller.uid != getuid()) return Error{Code::kAccess, "drain: only for who mounted, or root"};
    Drain();
    return {};
  }
  if (name == "sync") return SyncWithRemote();
  const Identity who = agents_->Identify(caller);
  if (name == "refresh") {  // of the entry `value` of this directory, which need not exist
    using Done = std::monostate;
    const auto adopted = WithName<Done>(id, value, [&](const Bound& bound) REQUIRES(mutex_) -> std::optional<Result<Done>> {
      const auto file = bound.AsFile();
      if (bound.child && !file) return Error{Code::kIsDirectory, "refresh: a directory has no version"};
      tracker_.Adopt(who.agent, bound.path, vcs::Base{file ? file->head : std::nullopt, head_.commit});
      return Done();
    });
    return adopted ? Result<void>() : adopted.error();
  }
  if (name != "base") return Error{Code::kNotSupported, "this attribute can't be set"};
  const auto version = vcs::ParseVersion(value);
  if (!version) return Error{Code::kInvalidArgument, "base: '" + std::string(value) + "': neither 'absent' nor '<mode> <blob>'"};
  const MutexLock lock(mutex_);
  const Node* node = names_.Find(id);
  if (IsScratch(id)) return Error{Code::kNotSupported, "a scratch file has no base"};
  if (node == nullptr) return Error{Code::kNotFound, "setxattr: unknown node"};
  if (!node->file) return Error{Code::kIsDirectory, "what isn't versioned has no base"};
  tracker_.Adopt(who.agent, Namespace::LastPathOf(*node->file), vcs::Base{*version, head_.commit});
  return {};
}

// What the remote has is to be seen when this returns: the committer looks at the branch at least every 100 ms (R11).
Result<void> FilesystemImpl::SyncWithRemote() {
  if (options_.remote == nullptr) return Error{Code::kNotSupported, "sync: this mount has no remote"};
  auto synced = options_.remote->Sync();
  if (!synced) return synced;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  const auto now = store_.ReadRef(options_.ref);
  while (now && *now && std::chrono::steady_clock::now() < end) {
    {
      const MutexLock lock(mutex_);
      if (head_.commit == **now) break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return {};
}

// Ours are to be asked for by name: a program that copies all that are listed (cp --preserve=xattr, rsync -X) would set
// them elsewhere, where `base` has a meaning.
Result<std::vector<std::string>> FilesystemImpl::ListXattr(NodeId id) {
  if (IsScratch(id)) return scratch_files_.ListXattr(id);
  if (const DescriptorPtr folder = PlainFolder(id)) return fs::ListXattr(folder->fd());
  return std::vector<std::string>();
}

Result<void> FilesystemImpl::RemoveXattr(NodeId id, std::string_view name) {
  if (name.starts_with(kPrefix)) return Error{Code::kNotSupported, "this attribute can't be removed"};
  if (IsScratch(id)) return scratch_files_.RemoveXattr(id, std::string(name));
  if (const DescriptorPtr folder = PlainFolder(id)) return fs::RemoveXattr(folder->fd(), std::string(name));
  return Error{Code::kNoAttribute, "no such attribute"};
}

Result<struct statvfs> FilesystemImpl::StatFs() {
  struct statvfs result {};
  if (statvfs(options_.git_dir.c_str(), &result) != 0) return SystemError(options_.git_dir.string(), errno);
  result.f_namemax = 255;
  return result;
}

}  // namespace concordfs::fs
