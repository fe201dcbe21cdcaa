// Reading and changing open files, and closing them.
#include <spdlog/spdlog.h>

#include "fs/file_io.h"
#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

constexpr std::uint64_t kParkEachWrite = 1 << 20;  // bytes: larger refused content is parked again at close only

Error BadHandle() { return Error{Code::kBadHandle, "no such handle"}; }

}  // namespace

Result<std::size_t> FilesystemImpl::Read(HandleId id, std::uint64_t offset, std::span<char> out) {
  if (IsScratch(id)) return scratch_files_.Read(id, offset, out);
  const auto handle = FindHandle(id);
  if (!handle) return BadHandle();
  if (!handle->copy) {
    const auto content = ContentOf(*handle);
    if (!content) return content.error();
    return *content ? (*content)->Read(offset, out) : Result<std::size_t>(std::size_t{0});
  }
  auto count = handle->copy->content->Read(offset, out);
  if (!count) {
    spdlog::error("read {}: {}", handle->copy->agent, count.error().message);
    return count;
  }
  const MutexLock lock(mutex_);
  // R2: a handle that could write counts as a read only now.
  if (!handle->read && !handle->copy->stale) {
    handle->read = true;
    tracker_.Read(handle->copy->agent, handle->who.process, Namespace::LastPathOf(*handle->copy->file),
                  handle->copy->origin);
  }
  return count;
}

Description FilesystemImpl::DescribeLocked(const WorkingCopy& copy) {
  return Description{copy.agent, copy.last_writer.description, Namespace::LastPathOf(*copy.file).text(), copy.origin,
                     copy.mode};
}

Result<std::shared_ptr<WorkingCopy>> FilesystemImpl::CopyForRefusal(Handle& handle, const vcs::Base& base) {
  Description description;
  {
    const MutexLock lock(mutex_);
    description = DescribeLocked(*handle.copy);
  }
  description.base = base;
  auto content = handle.copy->content->Clone(description);
  if (!content) return content.error();
  auto copy = std::make_shared<WorkingCopy>(handle.copy->agent, handle.copy->file, base, *std::move(content));
  copy->mode = copy->settled_mode = description.mode;
  copy->last_writer = handle.who;
  copy->stale = copy->refused = true;
  return copy;
}

Result<void> FilesystemImpl::ChangeThrough(HandleId id, const Change& change) {
  const auto handle = FindHandle(id);
  if (!handle || !handle->copy) return BadHandle();
  std::shared_ptr<WorkingCopy> copy;
  Description description;
  vcs::Base stale_base;
  bool refuse = false;
  {
    const MutexLock lock(mutex_);
    if (!handle->writable) return BadHandle();
    copy = handle->refused ? handle->refused : handle->copy;
    refuse = copy->stale && !copy->discarded;
    if (!refuse && !copy->discarded && !handle->wrote && !handle->read) {
      // Nothing was read through this handle: its process and its agent have to know what the copy stands on.
      stale_base = BaseFor(handle->who, Namespace::LastPathOf(*copy->file), copy->origin.version);
      if (stale_base.version != copy->origin.version) copy = nullptr;
    }
    if (copy) {
      copy->last_writer = handle->who;
      description = DescribeLocked(*copy);
    }
  }
  if (!copy) {  // other handles of the agent may stand on better ground: they keep the working copy as it is
    auto made = CopyForRefusal(*handle, stale_base);
    if (!made) return made.error();
    copy = *std::move(made);
    refuse = true;
    const MutexLock lock(mutex_);
    handle->refused = copy;
    description = DescribeLocked(*copy);
  }
  // Also what is refused is written: it is parked as the agent meant it to be (R7).
  if (auto changed = change(*copy->content, description); !changed) return changed;
  bool park = refuse;
  {
    const MutexLock lock(mutex_);
    handle->wrote = true;
    copy->times.mtime = copy->times.ctime = Now();
    if (handle->who.uid != 0) TakePrivilegesAway(*copy->file);
    copy->refused = copy->refused || refuse;
    park = refuse && (!copy->parked || copy->content->Size() <= kParkEachWrite);
  }
  if (!refuse) return {};
  if (park) return ParkAndRefuse(copy, "write to a path that was changed since its base was read");
  return Refuse(copy->agent, "write");
}

Result<void> FilesystemImpl::Write(HandleId id, std::uint64_t offset, std::string_view data, WriteTo to) {
  if (IsScratch(id)) return scratch_files_.Write(id, offset, data);
  const auto handle = FindHandle(id);
  if (!handle) return BadHandle();
  return ChangeThrough(id, [&](WorkingFile& file, const Description& description) {
    return to == WriteTo::kEnd ? file.Append(description, data) : file.Write(description, offset, data);
  });
}

Result<void> FilesystemImpl::Allocate(HandleId id, int mode, std::uint64_t offset, std::uint64_t length) {
  if (IsScratch(id)) return scratch_files_.Allocate(id, mode, offset, length);
  return ChangeThrough(id, [&](WorkingFile& file, const Description& description) {
    return file.Allocate(description, mode, offset, length);
  });
}

Result<std::uint64_t> FilesystemImpl::Seek(HandleId id, std::uint64_t offset, int whence) {
  if (IsScratch(id)) return scratch_files_.Seek(id, offset, whence);
  const auto handle = FindHandle(id);
  if (!handle) return BadHandle();
  if (handle->copy) return handle->copy->content->Seek(offset, whence);
  const auto content = ContentOf(*handle);
  if (!content) return content.error();
  return SeekInData(*content ? (*content)->size() : 0, offset, whence);
}

Result<void> FilesystemImpl::Flush(HandleId id, pid_t tid) {
  if (IsScratch(id)) return PublishLate(id);
  const auto handle = FindHandle(id);
  if (!handle) return BadHandle();
  if (!handle->copy || !handle->writable) return {};
  std::shared_ptr<WorkingCopy> refused;
  bool wrote = false;
  {
    const MutexLock lock(mutex_);
    wrote = handle->wrote;
    if (handle->refused) {
      refused = handle->refused;
    } else if (handle->copy->discarded) {
      return {};
    } else if (handle->copy->refused && wrote) {
      refused = handle->copy;
    }
  }
  if (refused) return ParkAndRefuse(refused, "close after a refused write");
  if (!wrote) {  // a duplicate was closed, or what was only created or truncated waits for the last close
    const MutexLock lock(mutex_);
    if (IsToldOfLoss(*handle->copy)) return LossLocked(handle->copy->agent, Namespace::LastPathOf(*handle->copy->file));
    return {};
  }
  // Callers in another pid namespace look all alike (0): for them every close counts as the opener's.
  const pid_t opener = handle->who.process.pid;
  const bool by_opener = (tid == opener && tid != 0) || agents_->ProcessOf(tid) == opener;
  if (by_opener) {
    auto published = Publish(handle->copy, handle->who);
    if (!published) return published;
    const MutexLock lock(mutex_);
    handle->wrote = false;
    return {};
  }
  bool stale = false;
  {
    const MutexLock lock(mutex_);
    stale = handle->copy->stale && handle->copy->IsChanged();
  }
  if (stale) return ParkAndRefuse(handle->copy, "close of an inherited descriptor");
  return {};
}

Result<void> FilesystemImpl::Sync(HandleId id) {
  if (IsScratch(id)) return scratch_files_.Sync(id);
  const auto handle = FindHandle(id);
  if (!handle) return BadHandle();
  if (!handle->copy || !handle->writable) return {};
  std::shared_ptr<WorkingCopy> stale;
  {
    const MutexLock lock(mutex_);
    const auto& copy = handle->refused ? handle->refused : handle->copy;
    if (copy->stale && (copy->refused || copy->IsChanged())) stale = copy;
  }
  if (stale) return ParkAndRefuse(stale, "fsync of a path that was changed since its base was read");
  return handle->copy->content->Sync();
}

void FilesystemImpl::Release(HandleId id) {
  const EndOfLocks locks(*this, id);  // after the publish: who gets them next sees what was written under them
  if (IsScratch(id)) {
    if (const auto published = PublishLate(id); !published) spdlog::warn("last close: {}", published.error().message);
    if (const auto node = scratch_files_.WrittenNode(id)) cache_->ExpireAttributes(*node);  // a mapping changes times unseen
    return scratch_files_.Release(id);
  }
  std::shared_ptr<Handle> handle;
  {
    const MutexLock lock(mutex_);
    const auto found = handles_.find(id);
    if (found == handles_.end()) return;
    handle = found->second;
    handles_.erase(found);
    const auto& copy = handle->copy;
    if (!copy) return;
    if (handle->writable) --copy->writers;
  }
  const auto& copy = handle->copy;
  if (handle->refused) {
    if (auto parked = Park(handle->refused, "close after a refused write"); !parked) {
      spdlog::error("park: {}", parked.error().message);
      const MutexLock lock(mutex_);
      orphans_.push_back(handle->refused);
    }
  }
  bool publish = false;
  Identity who;
  {
    const MutexLock lock(mutex_);
    // What failed at a close stays as it is until it is written again: its writer knows that it is not published.
    const bool failed = copy->failed_changes == copy->content->Changes();
    publish = handle->writable && copy->IsChanged() && !copy->discarded && !failed;
    who = copy->last_writer;
  }
  if (publish) {
    if (const auto published = Publish(copy, who, Close::kLast); !published) {
      // Nobody hears of it any more but the log: the kernel drops a release's answer.
      spdlog::warn("last close by {}: {}", who.agent, published.error().message);
    }
  }
  const MutexLock lock(mutex_);
  LetGo(copy);
}

void FilesystemImpl::LetGo(const std::shared_ptr<WorkingCopy>& copy) {
  --copy->handles;
  ForgetIfUnused(copy);
}

void FilesystemImpl::Unpin(const std::shared_ptr<WorkingCopy>& copy) {
  --copy->pins;
  ForgetIfUnused(copy);
}

void FilesystemImpl::ForgetIfUnused(const std::shared_ptr<WorkingCopy>& copy) {
  if (copy->handles > 0 || copy->pins > 0) return;
  if (copy->discarded) {
    copy->content->GiveUp();
  } else if (copy->IsChanged()) {
    // Not published and not parked, for want of room perhaps. The agent sees it at its next open, and writing and
    // closing again publishes it; what is stale by now is parked by the sweeper.
    if (copy->stale) orphans_.push_back(copy);
    return;
  }
  if (Rest(copy)) return;
  const auto& file = copy->file;
  if (file->CopyOf(copy->agent) == copy) file->copies.erase(copy->agent);
  names_.Prune(copy->node);
  Namespace::Prune(file);
}

}  // namespace concordfs::fs
