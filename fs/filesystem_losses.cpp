// What was published here and lost to the remote's branch since: each agent hears of it once.
#include "fs/filesystem_impl.h"

namespace concordfs::fs {

void FilesystemImpl::NoteLosses() {
  if (options_.remote == nullptr) return;
  for (const vcs::LostWork& lost : options_.remote->TakeLost()) losses_.Add(lost.agent, lost.path);
}

bool FilesystemImpl::IsToldOfLoss(const Identity& who, const vcs::RepoPath& path) {
  return !losses_.empty() && losses_.Take(who.agent, path, who.process.pid);
}

bool FilesystemImpl::IsToldOfLoss(const WorkingCopy& copy) {
  return !losses_.empty() && losses_.TakeOnce(copy.agent, Namespace::LastPathOf(*copy.file));
}

Result<void> FilesystemImpl::TellOfLossBehind(const Caller& caller, NodeId parent, std::string_view name) {
  {
    const MutexLock lock(mutex_);
    if (losses_.empty()) return {};
  }
  const Identity who = agents_->Identify(caller);  // reads /proc: not under the lock
  const MutexLock lock(mutex_);
  const Node* node = names_.Find(parent);
  const auto directory = node != nullptr && node->directory ? Namespace::PathOf(*node->directory) : std::nullopt;
  const auto path = directory ? directory->Child(name) : Result<vcs::RepoPath>(Error{Code::kNotFound, "unknown directory"});
  if (!path || !losses_.TakeGone(who.agent, *path, who.process.pid)) return {};
  return LossLocked(who.agent, *path);
}

Error FilesystemImpl::LossLocked(const std::string& agent, const vcs::RepoPath& path) {
  ++refusals_[agent];
  return Error{Code::kStale, vcs::Quoted(path.text()) + ": what " + agent + " had published lost to the remote, and is parked"};
}

}  // namespace concordfs::fs
