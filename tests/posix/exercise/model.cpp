#include "tests/posix/exercise/model.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace concordfs::exercise {
namespace {

bool Reads(int flags) {
  return (flags & O_ACCMODE) != O_WRONLY;
}
bool Writes(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY;
}

}  // namespace

std::shared_ptr<Model::File> Model::Find(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second;
}

std::shared_ptr<Model::File> Model::Make(const std::string& path) {
  auto file = std::make_shared<File>();
  file->path = path;
  file->versioned = !versioned_prefix_.empty() && path.starts_with(versioned_prefix_);
  return names_[path] = file;
}

// R2.
const Model::Base* Model::Known(int agent, const std::string& path) const {
  const auto paths = known_.find(agent);
  if (paths == known_.end()) return nullptr;
  const auto base = paths->second.find(path);
  return base == paths->second.end() ? nullptr : &base->second;
}

Model::Content Model::BaseOf(int agent, const std::string& path, const Content& otherwise) const {
  const Base* const known = Known(agent, path);
  return known != nullptr ? known->version : otherwise;
}

std::shared_ptr<Model::Copy> Model::CopyOf(const std::shared_ptr<File>& file, int agent) const {
  const auto found = file->copies.find(agent);
  return found == file->copies.end() ? nullptr : found->second;
}

std::shared_ptr<Model::Copy> Model::MakeCopy(const std::shared_ptr<File>& file, int agent) {
  auto copy = std::make_shared<Copy>();
  copy->agent = agent;
  copy->file = file;
  copy->origin = file->head;
  copy->content = file->head.value_or("");
  return file->copies[agent] = copy;
}

int Model::Open(int number, int agent, const std::string& path, int flags) {
  Handle handle;
  handle.agent = agent;
  handle.writes = Writes(flags);
  handle.file = Find(path);
  if (!handle.file && (flags & O_CREAT) == 0) return ENOENT;
  if (handle.file && (flags & O_EXCL) != 0) return EEXIST;
  const bool versioned = handle.file ? handle.file->versioned : path.starts_with(versioned_prefix_);
  if (versioned && !versioned_prefix_.empty()) {
    if (const int error = OpenVersioned(handle, path, flags); error != 0) return error;
  } else {
    if (!handle.file) handle.file = Make(path);
    if ((flags & O_TRUNC) != 0) handle.file->plain.clear();
  }
  handles_[number] = std::move(handle);
  return 0;
}

int Model::OpenVersioned(Handle& handle, const std::string& path, int flags) {
  const int agent = handle.agent;
  if (!handle.file) {
    // What it knew is gone; O_EXCL says that it knows, unless it moved somebody's newer version away.
    const Base* const known = Known(agent, path);
    const bool exclusive = (flags & O_EXCL) != 0;
    if (known != nullptr && known->version && (!exclusive || known->moved_newer_away)) return ESTALE;
    handle.file = Make(path);
    handle.copy = MakeCopy(handle.file, agent);
    handle.copy->dirty = handle.copy->whole = true;
    handle.read = exclusive;
  } else if (Writes(flags)) {
    auto copy = CopyOf(handle.file, agent);
    const Content stands_on = copy ? copy->origin : handle.file->head;
    const bool blind = !Reads(flags) || (flags & O_TRUNC) != 0;
    if (blind && BaseOf(agent, path, stands_on) != stands_on) return ESTALE;  // R6
    handle.copy = copy ? copy : MakeCopy(handle.file, agent);
    if ((flags & O_TRUNC) != 0) {
      handle.copy->content.clear();
      handle.copy->dirty = handle.copy->whole = handle.read = true;
    }
  } else {
    handle.copy = CopyOf(handle.file, agent);
    if (!handle.copy) handle.snapshot = handle.file->head.value_or("");  // R1
    known_[agent][path] = Base{handle.copy ? handle.copy->origin : handle.file->head};
  }
  if (handle.copy) {
    ++handle.copy->handles;
    handle.copy->writers += handle.writes ? 1 : 0;
  }
  return 0;
}

const std::string* Model::Seen(int number) const {
  const Handle& handle = handles_.at(number);
  if (!handle.file->versioned) return &handle.file->plain;
  if (!handle.copy) return &handle.snapshot;
  return handle.refused || handle.copy->refused ? nullptr : &handle.copy->content;
}

Model::Content Model::SeenAt(int agent, const std::string& path) const {
  const auto file = Find(path);
  if (!file) return std::nullopt;
  if (!file->versioned) return file->plain;
  const auto copy = CopyOf(file, agent);
  return copy ? copy->content : file->head.value_or("");  // R10
}

bool Model::ReadsForCertain(int number) const {
  const Handle& handle = handles_.at(number);
  return !handle.copy || !handle.writes || handle.read || handle.copy->stale || !handle.copy->touched;
}

void Model::WasRead(int number) {
  Handle& handle = handles_.at(number);
  if (!handle.copy || handle.read || handle.copy->stale) return;
  handle.read = true;
  known_[handle.agent][handle.file->path] = Base{handle.copy->origin};
}

bool Model::Refuses(const Handle& handle) const {
  if (!handle.copy) return false;
  if (handle.refused) return true;
  if (handle.copy->discarded) return false;
  if (handle.copy->stale) return true;
  return !handle.wrote && !handle.read &&
         BaseOf(handle.agent, handle.file->path, handle.copy->origin) != handle.copy->origin;
}

bool Model::WouldAccept(int number) const {
  return !Refuses(handles_.at(number));
}

int Model::Write(int number, const Change& change) {
  Handle& handle = handles_.at(number);
  if (!handle.file->versioned) {
    change(handle.file->plain);
    return 0;
  }
  Copy& copy = *handle.copy;
  if (!Refuses(handle)) {
    change(copy.content);
    copy.dirty = copy.touched = handle.wrote = true;
    return 0;
  }
  handle.wrote = true;
  if (copy.stale) {
    copy.refused = copy.dirty = true;
  } else {
    handle.refused = true;  // the copy stays as its other handles need it
  }
  return ESTALE;
}

int Model::Sync(int number) {
  const Handle& handle = handles_.at(number);
  if (!handle.copy || !handle.writes) return 0;
  if (handle.refused) return ESTALE;
  Copy& copy = *handle.copy;
  if (!copy.stale || copy.discarded || (!copy.refused && !copy.dirty)) return 0;
  copy.refused = true;  // and parked
  copy.dirty = false;
  return ESTALE;
}

// R4.
int Model::Flush(Handle& handle) {
  if (!handle.copy || !handle.writes) return 0;
  if (handle.refused) return ESTALE;
  if (handle.copy->discarded || !handle.wrote) return 0;
  if (handle.copy->refused || !Publish(handle.copy)) return ESTALE;
  handle.wrote = false;
  return 0;
}

int Model::Close(int number) {
  Handle handle = std::move(handles_.at(number));
  handles_.erase(number);
  const int error = Flush(handle);
  const auto& copy = handle.copy;
  if (!copy) return error;
  if (handle.writes && --copy->writers == 0 && copy->dirty && !copy->discarded) Publish(copy);
  if (--copy->handles == 0 && CopyOf(copy->file, copy->agent) == copy) copy->file->copies.erase(copy->agent);
  return error;
}

// R5. Whether it was accepted.
bool Model::Publish(const std::shared_ptr<Copy>& copy) {
  if (copy->discarded || (!copy->dirty && !copy->refused)) return true;
  const auto file = copy->file;
  const Base* const known = Known(copy->agent, file->path);
  const bool knew = copy->whole || known != nullptr;
  const auto at_path = Find(file->path);
  const Content head = at_path ? at_path->head : Content();
  const bool same = head == copy->content && (copy->origin == head || (copy->whole && known == nullptr));
  const bool removed = copy->stale && !file->linked;  // R9
  if (copy->refused || removed || (!same && copy->origin != head && copy->origin != copy->content)) {
    MarkStale(copy);
    copy->refused = true;
    copy->dirty = false;
    return false;
  }
  copy->dirty = false;
  if (copy->origin != head && !same) return true;  // it left its base as it was
  Replaced(copy->agent, file->path, copy->origin, copy->content, knew);
  copy->origin = copy->content;
  SetHead(file, copy->content, copy->agent);
  return true;
}

// R3: an agent's own commit makes it not stale.
void Model::Replaced(int agent, const std::string& path, const Content& before, const Content& now, bool knew) {
  const Base* const known = Known(agent, path);
  if (knew || (known != nullptr && known->version == before)) known_[agent][path] = Base{now};
}

void Model::MarkStale(const std::shared_ptr<Copy>& copy) {
  copy->stale = true;
  const auto found = copy->file->copies.find(copy->agent);
  if (found != copy->file->copies.end() && found->second == copy) copy->file->copies.erase(found);
}

void Model::SetHead(const std::shared_ptr<File>& file, const Content& now, int agent) {
  if (file->head == now) return;
  file->head = now;
  const auto copies = file->copies;
  for (const auto& [owner, copy] : copies) {
    if (owner != agent && copy->origin != now) MarkStale(copy);
  }
}

void Model::RemoveName(const std::shared_ptr<File>& file, int agent) {
  const auto copies = std::move(file->copies);
  file->copies.clear();
  for (const auto& [owner, copy] : copies) (owner == agent ? copy->discarded : copy->stale) = true;
  file->head.reset();
  file->linked = false;
  names_.erase(file->path);
}

int Model::Truncate(int agent, const std::string& path, std::size_t size) {
  const auto file = Find(path);
  if (!file) return ENOENT;
  if (!file->versioned) {
    file->plain.resize(size);
    return 0;
  }
  if (BaseOf(agent, path, file->head) != file->head) return ESTALE;
  const auto copy = MakeCopy(file, agent);
  copy->content.resize(size);
  copy->dirty = true;
  copy->whole = size == 0;
  Publish(copy);
  file->copies.erase(agent);
  return 0;
}

Model::Content Model::NameBaseOf(int agent, const std::string& path, const std::shared_ptr<File>& file) const {
  const auto own = file ? CopyOf(file, agent) : nullptr;
  if (own && own->dirty) return own->origin;  // only to have opened the file says nothing
  return BaseOf(agent, path, own ? own->origin : file ? file->head : Content());
}

int Model::Unlink(int agent, const std::string& path) {
  const auto file = Find(path);
  if (!file) return ENOENT;
  if (!file->versioned) {
    names_.erase(path);
    return 0;
  }
  if (NameBaseOf(agent, path, file) != file->head) return ESTALE;
  Replaced(agent, path, file->head, std::nullopt, true);
  RemoveName(file, agent);
  return 0;
}

int Model::Rename(int agent, const std::string& from, const std::string& to) {
  const auto file = Find(from);
  if (!file) return ENOENT;
  const auto target = Find(to);
  if (!file->versioned) {
    names_.erase(from);
    file->path = to;
    names_[to] = file;
    return 0;
  }
  const Content target_head = target ? target->head : Content();
  if (NameBaseOf(agent, to, target) != target_head) return ESTALE;
  if (target) RemoveName(target, agent);
  names_.erase(from);
  file->path = to;
  names_[to] = file;
  const Content& moved = file->head;
  Replaced(agent, to, target_head, moved, false);
  // R9: bases follow the name. Who knew another version stays stale at the old one.
  for (auto& [owner, paths] : known_) {
    const auto found = paths.find(from);
    if (found == paths.end()) continue;
    if (owner != agent) {
      paths.try_emplace(to, found->second);
    } else if (found->second.version == moved) {
      found->second = Base{};
      paths[to] = Base{moved};
    } else {
      found->second.moved_newer_away = true;
    }
  }
  return 0;
}

int Model::OpenHandles(int agent, const std::string& path) const {
  const auto file = Find(path);
  return static_cast<int>(std::count_if(handles_.begin(), handles_.end(), [&](const auto& each) {
    return each.second.file == file && each.second.agent == agent;
  }));
}

int Model::OpenWriters(int number) const {
  const Handle& handle = handles_.at(number);
  return handle.copy ? handle.copy->writers : 0;
}

int Model::HandlesOnCopies(int agent) const {
  return static_cast<int>(std::count_if(handles_.begin(), handles_.end(), [&](const auto& each) {
    return each.second.copy && !each.second.copy->discarded && each.second.agent == agent;
  }));
}

bool Model::IsPublished(const std::string& path) const {
  const auto file = Find(path);
  return file && (!file->versioned || file->head);
}

std::vector<std::string> Model::Names(const std::string& folder) const {
  std::vector<std::string> names;
  for (const auto& [path, file] : names_) {
    if (path.substr(0, path.rfind('/')) == folder) names.push_back(path.substr(folder.size() + 1));
  }
  return names;
}

std::map<std::string, std::string> Model::Published() const {
  std::map<std::string, std::string> heads;
  for (const auto& [path, file] : names_) {
    if (file->versioned && file->head) heads[path] = *file->head;
  }
  return heads;
}

std::map<std::string, std::string> Model::Plain() const {
  std::map<std::string, std::string> contents;
  for (const auto& [path, file] : names_) {
    if (!file->versioned) contents[path] = file->plain;
  }
  return contents;
}

}  // namespace concordfs::exercise
