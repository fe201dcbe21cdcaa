// From a working copy to a commit, or to a parked one.
#include <spdlog/spdlog.h>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {

Result<void> FilesystemImpl::Publish(const std::shared_ptr<WorkingCopy>& copy, const Identity& who, Close close) {
  const auto is_taken_up = [&]() REQUIRES(mutex_) { return close == Close::kLast && copy->writers > 0; };
  vcs::FileMode mode;
  bool refused = false;
  bool made = false;
  {
    const MutexLock lock(mutex_);
    while (copy->publishing) settled_.Wait(mutex_);
    if (is_taken_up()) return {};
    // What was refused is settled once it is parked; whoever wrote part of it is refused all the same.
    if (copy->discarded || (!copy->refused && !copy->IsChanged())) return {};
    mode = copy->mode;
    made = copy->created || copy->made_again;
    // A file that another agent removed or replaced: what has its name now may equal the base (absent, or empty), and
    // is another file all the same (R9).
    refused = copy->refused || (copy->stale && !copy->file->linked);
    if (!refused) {
      copy->publishing = true;
      ++copy->file->publishing;
    }
  }
  if (refused) return ParkAndRefuse(copy, "its writes were refused");
  const auto end = [&](std::optional<std::uint64_t> failed_changes) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    copy->failed_changes = failed_changes;
    copy->publishing = false;
    --copy->file->publishing;
    settled_.NotifyAll();
  };
  const std::uint64_t changes = copy->content->Changes();
  auto stored = copy->content->PrepareBlob(store_);
  if (!stored) {
    end(changes);
    spdlog::error("publish for {}: {}", who.agent, stored.error().message);
    return stored.error();
  }
  auto context = std::make_shared<CopyContext>();
  context->copy = copy;
  context->changes = stored->changes;
  context->mode = mode;
  context->size = stored->size;
  context->who = who;
  std::future<vcs::Outcome> decided;
  {
    const MutexLock lock(mutex_);  // the path as it is when the request gets its place in the queue
    if (!is_taken_up()) decided = EnqueuePublish(context, *std::move(stored));
  }
  if (!decided.valid()) {
    end(std::nullopt);
    return {};
  }
  const vcs::Outcome outcome = committer_.Serve(std::move(decided));
  end(outcome.kind == vcs::Outcome::Kind::kFailed ? std::optional(context->changes) : std::nullopt);
  switch (outcome.kind) {
    case vcs::Outcome::Kind::kPublished:
    case vcs::Outcome::Kind::kUnchanged:
      copy->content->Undescribe(context->changes);
      if (made) SaveIfPrivate(*copy->file);
      return {};
    case vcs::Outcome::Kind::kFailed:
      spdlog::error("publish {} for {}: {}", vcs::Quoted(outcome.path.text()), who.agent, outcome.error.message);
      return outcome.error;
    case vcs::Outcome::Kind::kRefused: break;
  }
  return ParkAndRefuse(copy, "another version was accepted since the base was read");
}

std::future<vcs::Outcome> FilesystemImpl::EnqueuePublish(const std::shared_ptr<CopyContext>& context,
                                                         WorkingFile::Prepared stored) {
  const WorkingCopy& copy = *context->copy;
  const Identity& who = context->who;
  const vcs::RepoPath path = Namespace::LastPathOf(*copy.file);
  const bool independent = copy.written_whole && !tracker_.Find(copy.agent, who.process, path);
  const vcs::PublishChange change{path,
                                  copy.origin,
                                  vcs::Version{stored.blob, context->mode},
                                  copy.file->linked,
                                  independent ? vcs::Derivation::kIndependent : vcs::Derivation::kFromBase,
                                  std::move(stored.bytes)};
  return committer_.Enqueue({change, copy.agent, who.description, who.message, context});
}

Error FilesystemImpl::ParkAndRefuse(const std::shared_ptr<WorkingCopy>& copy, const std::string& reason) {
  {
    const MutexLock lock(mutex_);
    copy->refused = true;  // first: nobody may take what is parked for what is published
  }
  if (auto parked = Park(copy, reason); !parked) {
    spdlog::error("park for {}: {}", copy->agent, parked.error().message);
    return parked.error();
  }
  const MutexLock lock(mutex_);
  (void)IsToldOfLoss(*copy);  // it is, by this
  return RefuseLocked(copy->agent, vcs::Quoted(Namespace::LastPathOf(*copy->file).text()));
}

Result<void> FilesystemImpl::Park(const std::shared_ptr<WorkingCopy>& copy, const std::string& reason) {
  {
    const MutexLock lock(mutex_);
    if (!copy->IsChanged() || copy->discarded) return {};
  }
  const auto stored = copy->content->StoreAsBlob(store_);
  if (!stored) return stored.error();
  vcs::ParkRequest request;
  std::optional<vcs::Parked> before;
  bool parked_already = false;
  {
    const MutexLock lock(mutex_);
    request.agent = copy->agent;
    request.process = copy->last_writer.description;
    request.path = Namespace::LastPathOf(*copy->file);
    request.base = copy->origin;
    request.content = vcs::Version{stored->blob, copy->mode};
    request.head_commit = head_.commit;
    before = copy->parked;
    parked_already = before && copy->parked_version == request.content;  // programs try the same write again
    if (parked_already) copy->Settle(stored->changes, request.content->mode);
  }
  if (parked_already) {
    copy->content->Undescribe(stored->changes);
    return {};
  }
  const auto head = trees_.ReadHead(request.head_commit);
  const auto entry = head ? trees_.Find(head->root, request.path) : head.error();
  if (entry && *entry && !(*entry)->IsDirectory()) request.head = (*entry)->AsVersion();
  request.reason = reason;
  request.time_s = Now().tv_sec;
  const auto parked = ParkContent(request);
  if (!parked) return parked.error();
  if (before && before->ref != parked->ref) {
    // More of the same: the newer content holds the older. Both stay if the old name can't be removed.
    (void)store_.DeleteRef(before->ref, before->commit);
  }
  copy->content->Undescribe(stored->changes);
  const MutexLock lock(mutex_);
  copy->parked = *parked;
  copy->parked_version = request.content;
  copy->Settle(stored->changes, request.content->mode);
  return {};
}

Result<vcs::Parked> FilesystemImpl::ParkContent(const vcs::ParkRequest& refused) {
  vcs::ParkRequest request = refused;
  // What it was read in may have been made again since, on top of what others pushed.
  if (options_.remote != nullptr) request.base.commit = options_.remote->Now(request.base.commit);
  auto parked = parking_.Park(request);
  if (!parked) return parked;
  spdlog::warn("refused {} of {}: {}; parked as {}", vcs::Quoted(request.path.text()), request.agent, request.reason,
               parked->ref);
  const MutexLock lock(mutex_);
  ++parked_;
  return parked;
}

void FilesystemImpl::DescribeMoved(const Child& moved) {
  std::vector<std::pair<std::shared_ptr<WorkingCopy>, Description>> changed;
  {
    const MutexLock lock(mutex_);
    for (const auto& copy : names_.Copies()) {
      bool below = false;
      if (const auto* file = std::get_if<std::shared_ptr<File>>(&moved)) {
        below = copy->file == *file;
      } else {
        for (auto at = copy->file->parent; at && !below; at = at->parent)
          below = at == std::get<std::shared_ptr<Directory>>(moved);
      }
      if (below && copy->IsChanged()) changed.emplace_back(copy, DescribeLocked(*copy));
    }
  }
  for (const auto& [copy, description] : changed) copy->content->DescribeAgain(description);
}

}  // namespace concordfs::fs
