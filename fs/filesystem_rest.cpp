// Working copies that rest, so that their agents' next saves find them by the name.
//
// A save that begins at a version's node is sent round (Redirects): a request for each component of the path, and two
// for the name. Who has saved a file is likely to save it again: as long as its copy rests, the name leads it there at
// once. Who has saved other files, and looks up one more, is likely to save that: it is answered a copy that rests
// already (WriteHabits). To everybody a resting copy is as if it weren't there: it equals the version at head, and its
// node becomes the version's as soon as somebody is to read it.
#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

constexpr std::size_t kMaxResting = 256;  // copies: each has a descriptor, and its name is asked for each time
constexpr std::uint64_t kMaxRestingSize = 1 << 20;  // bytes
constexpr std::chrono::seconds kRest{2};

// A program that runs can't be written (ETXTBSY): the kernel knows that by the node that is run, and a copy is another
// one.
bool IsProgram(const vcs::MaybeVersion& version) {
  return version && version->mode == vcs::FileMode::kExecutable;
}

bool MayRest(const WorkingCopy& copy, const Node* node) {
  const File& file = *copy.file;
  return node != nullptr && node->lookups > 0 && file.linked && !file.reserved && !file.aside && file.head &&
         file.head == copy.origin.version && !IsProgram(file.head) && !copy.refused && !copy.publishing &&
         !copy.other_nodes && copy.content->Changes() > 0 && copy.content->Size() <= kMaxRestingSize;
}

}  // namespace

bool FilesystemImpl::Rest(const std::shared_ptr<WorkingCopy>& copy) {
  const auto& file = copy->file;
  if (file->CopyOf(copy->agent) != copy || !MayRest(*copy, names_.Find(copy->node))) return false;
  file->copies.erase(copy->agent);
  StartRest(copy);
  return true;
}

std::shared_ptr<WorkingCopy> FilesystemImpl::MakeResting(const std::shared_ptr<File>& file, const Identity& who) {
  const bool is_file = file->head && file->head->mode != vcs::FileMode::kSymlink && file->head_size;
  if (!is_file || IsProgram(file->head) || !file->linked || file->reserved || file->aside ||
      *file->head_size > kMaxRestingSize)
    return nullptr;
  const auto copy = NewCopy(file, who, CopyOf::kHead);
  StartRest(copy);
  return copy;
}

void FilesystemImpl::StartRest(const std::shared_ptr<WorkingCopy>& copy) {
  const auto& file = copy->file;
  if (file->head_ino == 0) file->head_ino = names_.NewInode();  // the version's, whichever node it is seen by
  file->resting[copy->agent] = copy;
  copy->rest = next_rest_++;
  copy->rests_since = std::chrono::steady_clock::now();
  resting_.emplace(copy->rest, copy);
  if (resting_.size() > kMaxResting) EndRest(resting_.begin()->second);
}

std::shared_ptr<WorkingCopy> FilesystemImpl::TakeUp(const std::shared_ptr<WorkingCopy>& copy, const Identity& who) {
  const auto& file = copy->file;
  file->resting.erase(copy->agent);
  file->copies[copy->agent] = copy;
  resting_.erase(copy->rest);
  copy->origin = vcs::Base{file->head, head_.commit};
  copy->ino = file->head_ino;
  copy->times = file->meta.times;
  copy->last_writer = who;
  copy->written_whole = false;
  return copy;
}

void FilesystemImpl::EndRest(std::shared_ptr<WorkingCopy> copy) {
  const std::shared_ptr<File> file = copy->file;
  file->resting.erase(copy->agent);
  resting_.erase(copy->rest);
  if (file->linked && file->current == 0 && copy->origin.version == file->head) {
    names_.BecomeVersion(*copy);
  } else {
    names_.Prune(copy->node);
  }
  Namespace::Prune(file);
  over_.push_back(std::move(copy));
}

void FilesystemImpl::EndRests(const File& file) {
  const auto resting = file.resting;
  for (const auto& [agent, copy] : resting) {
    if (!file.linked || copy->origin.version != file.head) EndRest(copy);
  }
}

void FilesystemImpl::EndOldRests() {
  std::vector<std::shared_ptr<WorkingCopy>> over;  // ends without the lock: their files are given back
  const MutexLock lock(mutex_);
  const auto since = std::chrono::steady_clock::now() - kRest;
  while (!resting_.empty() && resting_.begin()->second->rests_since < since) EndRest(resting_.begin()->second);
  over.swap(over_);
}

}  // namespace concordfs::fs
