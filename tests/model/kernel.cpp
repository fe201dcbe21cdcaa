#include "tests/model/kernel.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <stdexcept>

namespace concordfs::testing {

using fs::Caller;
using fs::NodeId;

fs::Identity NumberedAgents::Identify(const Caller& caller) {
  const pid_t process = ProcessOf(caller.tid);
  return fs::Identity{NameOf(caller.tid / 1000), vcs::ProcessKey{process, 1}, std::to_string(process) + " test", "",
                      caller.uid, caller.gid};
}

// The VFS's retry_estale(): once more, and never again.
template <class T, class Operation>
Result<T> Kernel::Retrying(Operation operation) {
  Result<T> done = operation(Names::kCached);
  if (done || done.code() != Code::kStale) return done;
  return operation(Names::kFresh);
}

void Kernel::Remember(NodeId parent, const std::string& name, const fs::Entry& entry) {
  const MutexLock lock(mutex_);
  ++lookups_[entry.attr.node];
  if (entry.entry_timeout_s > 0) {
    names_[{parent, name}] = entry.attr.node;
  } else {
    names_.erase({parent, name});
  }
}

void Kernel::ExpireEntry(NodeId parent, const std::string& name) {
  const MutexLock lock(mutex_);
  names_.erase({parent, name});
}

Result<NodeId> Kernel::LookUp(const Caller& caller, NodeId parent, const std::string& name, Names names) {
  if (names == Names::kCached) {
    const MutexLock lock(mutex_);
    const auto found = names_.find({parent, name});
    if (found != names_.end()) return found->second;
  }
  const auto entry = fs_.Lookup(caller, parent, name);
  if (!entry) {
    Drop(parent, name);
    return entry.error();
  }
  Remember(parent, name, *entry);
  return entry->attr.node;
}

Result<Kernel::Place> Kernel::Find(const Caller& caller, const std::string& path, Names names) {
  Place place;
  std::string_view rest = path;
  for (std::size_t slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
    const auto node = LookUp(caller, place.parent, std::string(rest.substr(0, slash)), names);
    if (!node) return node.error();
    place.parent = *node;
    rest.remove_prefix(slash + 1);
  }
  place.name = rest;
  return place;
}

Result<NodeId> Kernel::Walk(const Caller& caller, const std::string& path, Names names) {
  if (path.empty()) return fs::kRootNode;
  const auto place = Find(caller, path, names);
  if (!place) return place.error();
  return LookUp(caller, place->parent, place->name, names);
}

Result<Kernel::File> Kernel::Open(const Caller& caller, const std::string& path, int flags, mode_t mode) {
  auto file = Retrying<File>([&](Names names) -> Result<File> {
    const auto place = Find(caller, path, names);
    if (!place) return place.error();
    const auto node = LookUp(caller, place->parent, place->name, names);
    if (!node && (node.code() != Code::kNotFound || (flags & O_CREAT) == 0)) return node.error();
    if (!node) {
      const auto created = fs_.Create(caller, place->parent, place->name, S_IFREG | mode, flags);
      if (!created) return created.error();
      Remember(place->parent, place->name, created->entry);
      return File{created->entry.attr.node, created->opened, flags, 0};
    }
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return Error{Code::kExists, path + ": exists"};
    const auto opened = fs_.Open(caller, *node, flags & ~(O_CREAT | O_EXCL));
    if (!opened) return opened.error();
    return File{*node, *opened, flags, 0};
  });
  if (!file) return file;
  const MutexLock lock(mutex_);
  ++open_[file->node];
  if (!file->opened.keep_cache) pages_.erase(file->node);
  return file;
}

Result<void> Kernel::Write(File& file, std::string_view data) {
  const auto to = (file.flags & O_APPEND) != 0 ? fs::WriteTo::kEnd : fs::WriteTo::kOffset;
  auto written = fs_.Write(file.opened.handle, file.position, data, to);
  if (written) file.position += data.size();
  return written;
}

Result<std::string> Kernel::ReadAll(File& file) {
  std::string content;
  std::string buffer(1 << 16, '\0');
  while (true) {
    const auto count = fs_.Read(file.opened.handle, content.size(), buffer);
    if (!count) return count.error();
    if (*count == 0) break;
    content.append(buffer, 0, *count);
  }
  if (!file.opened.keep_cache) return content;
  const MutexLock lock(mutex_);
  if (pages_.try_emplace(file.node, content).first->second != content) {
    throw std::logic_error("F2: the content behind a version's nodeid changed");
  }
  return content;
}

Result<void> Kernel::Flush(const Caller& caller, const File& file) {
  if (file.opened.no_flush) return {};
  return fs_.Flush(file.opened.handle, caller.tid);
}

void Kernel::Release(const File& file) {
  fs_.Release(file.opened.handle);
  const MutexLock lock(mutex_);
  if (--open_[file.node] == 0) open_.erase(file.node);
}

Result<void> Kernel::Close(const Caller& caller, const File& file) {
  auto flushed = Flush(caller, file);
  Release(file);
  return flushed;
}

Result<fs::Attr> Kernel::Stat(const Caller& caller, const std::string& path) {
  return Retrying<fs::Attr>([&](Names names) -> Result<fs::Attr> {
    const auto node = Walk(caller, path, names);
    if (!node) return node.error();
    return fs_.GetAttr(caller, *node);
  });
}

Result<void> Kernel::Truncate(const Caller& caller, const std::string& path, std::uint64_t size) {
  return Retrying<void>([&](Names names) -> Result<void> {
    const auto node = Walk(caller, path, names);
    if (!node) return node.error();
    fs::AttrChange change;
    change.size = size;
    const auto changed = fs_.SetAttr(caller, *node, change, std::nullopt);
    if (!changed) return changed.error();
    return {};
  });
}

Result<void> Kernel::Chmod(const Caller& caller, const std::string& path, mode_t mode) {
  return Retrying<void>([&](Names names) -> Result<void> {
    const auto node = Walk(caller, path, names);
    if (!node) return node.error();
    fs::AttrChange change;
    change.mode = mode;
    const auto changed = fs_.SetAttr(caller, *node, change, std::nullopt);
    if (!changed) return changed.error();
    return {};
  });
}

Result<void> Kernel::Unlink(const Caller& caller, const std::string& path) {
  return Retrying<void>([&](Names names) -> Result<void> {
    const auto place = Find(caller, path, names);
    if (!place) return place.error();
    if (const auto node = LookUp(caller, place->parent, place->name, names); !node) return node.error();
    auto done = fs_.Unlink(caller, place->parent, place->name);
    if (done || done.code() == Code::kNotFound) Drop(place->parent, place->name);
    return done;
  });
}

Result<void> Kernel::Rename(const Caller& caller, const std::string& from, const std::string& to, unsigned flags) {
  return Retrying<void>([&](Names names) -> Result<void> {
    const auto old_place = Find(caller, from, names);
    if (!old_place) return old_place.error();
    const auto new_place = Find(caller, to, names);
    if (!new_place) return new_place.error();
    const auto node = LookUp(caller, old_place->parent, old_place->name, names);
    if (!node) return node.error();
    const auto target = LookUp(caller, new_place->parent, new_place->name, names);
    if (target && *target == *node && flags == 0) return {};  // the VFS does nothing for two names of one inode
    auto done = fs_.Rename(caller, old_place->parent, old_place->name, new_place->parent, new_place->name, flags);
    if (!done) {
      if (done.code() == Code::kNotFound) Drop(old_place->parent, old_place->name);
      return done;
    }
    // d_move: the cached name goes along; but another answer may have come in between, so the test's kernel asks again.
    Drop(old_place->parent, old_place->name);
    Drop(new_place->parent, new_place->name);
    return done;
  });
}

Result<void> Kernel::MakeDirectory(const Caller& caller, const std::string& path) {
  return Retrying<void>([&](Names names) -> Result<void> {
    const auto place = Find(caller, path, names);
    if (!place) return place.error();
    if (LookUp(caller, place->parent, place->name, names)) return Error{Code::kExists, path + ": exists"};
    const auto made = fs_.MakeDirectory(caller, place->parent, place->name, 0755);
    if (!made) return made.error();
    Remember(place->parent, place->name, *made);
    return {};
  });
}

Result<void> Kernel::RemoveDirectory(const Caller& caller, const std::string& path) {
  return Retrying<void>([&](Names names) -> Result<void> {
    const auto place = Find(caller, path, names);
    if (!place) return place.error();
    auto done = fs_.RemoveDirectory(caller, place->parent, place->name);
    if (done) Drop(place->parent, place->name);
    return done;
  });
}

Result<std::vector<std::string>> Kernel::List(const Caller& caller, const std::string& path) {
  const auto node = Walk(caller, path, Names::kCached);
  if (!node) return node.error();
  const auto handle = fs_.OpenDirectory(caller, *node);
  if (!handle) return handle.error();
  std::vector<std::string> names;
  Result<void> done;
  for (std::uint64_t cookie = 0;;) {
    const auto entries = fs_.ReadDirectory(*handle, cookie, 3);  // few at a time: cookies have to work
    if (!entries) done = entries.error();
    if (!entries || entries->empty()) break;
    for (const fs::DirEntry& entry : *entries) {
      if (entry.name != "." && entry.name != "..") names.push_back(entry.name);
      cookie = entry.next_cookie;
    }
  }
  fs_.ReleaseDirectory(*handle);
  if (!done) return done.error();
  return names;
}

Result<std::string> Kernel::GetXattr(const Caller& caller, const std::string& path, const std::string& name) {
  return Retrying<std::string>([&](Names names) -> Result<std::string> {
    const auto node = Walk(caller, path, names);
    if (!node) return node.error();
    return fs_.GetXattr(caller, *node, name);
  });
}

Result<void> Kernel::SetXattr(const Caller& caller, const std::string& path, const std::string& name,
                              const std::string& value) {
  return Retrying<void>([&](Names names) -> Result<void> {
    const auto node = Walk(caller, path, names);
    if (!node) return node.error();
    return fs_.SetXattr(caller, *node, name, value, 0);
  });
}

Result<std::string> Kernel::Cat(const Caller& caller, const std::string& path) {
  auto file = Open(caller, path, O_RDONLY);
  if (!file) return file.error();
  auto content = ReadAll(*file);
  const auto closed = Close(caller, *file);
  if (content && !closed) return closed.error();
  return content;
}

Result<void> Kernel::Echo(const Caller& caller, const std::string& path, std::string_view content) {
  auto file = Open(caller, path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return file.error();
  auto written = Write(*file, content);
  auto closed = Close(caller, *file);
  return written ? closed : written;
}

Result<void> Kernel::Append(const Caller& caller, const std::string& path, std::string_view content) {
  auto file = Open(caller, path, O_WRONLY | O_CREAT | O_APPEND);
  if (!file) return file.error();
  auto written = Write(*file, content);
  auto closed = Close(caller, *file);
  return written ? closed : written;
}

void Kernel::DropCaches() {
  std::vector<std::pair<NodeId, std::uint64_t>> forgets;
  {
    const MutexLock lock(mutex_);
    names_.clear();
    std::erase_if(lookups_, [&](const auto& entry) REQUIRES(mutex_) {
      if (open_.contains(entry.first)) return false;
      forgets.push_back(entry);
      pages_.erase(entry.first);
      return true;
    });
  }
  for (const auto& [node, lookups] : forgets) fs_.Forget(node, lookups);
}

}  // namespace concordfs::testing
