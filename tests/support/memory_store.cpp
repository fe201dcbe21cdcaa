#include "tests/support/memory_store.h"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <limits>
#include <utility>

#include "vcs/commit.h"

namespace concordfs::vcs {
namespace {

std::uint64_t Mix(std::uint64_t value) {  // any bijection that spreads bits will do
  value ^= value >> 31;
  value *= 0x9e3779b97f4a7c15ULL;
  value ^= value >> 29;
  return value;
}

std::uint64_t HashWithSeed(std::uint64_t seed, std::string_view bytes) {
  std::uint64_t hash = Mix(seed + bytes.size());
  for (const char byte : bytes) hash = Mix(hash ^ static_cast<unsigned char>(byte)) + seed;
  return hash;
}

// The names that the tests need to be refused; git_reference_name_is_valid knows more of them.
bool IsValidRefName(const std::string& name) {
  if (name == "HEAD") return true;
  if (!name.starts_with("refs/") || name.ends_with('/') || name.ends_with('.') || name.ends_with(".lock")) return false;
  for (const char* bad : {"..", "//", "/.", "@{", " ", "~", "^", ":", "?", "*", "[", "\\", "\n", "\t", "\x7f"}) {
    if (name.find(bad) != std::string::npos) return false;
  }
  return name.find('\0') == std::string::npos && name.find('/', 5) != std::string::npos;
}

Error BadName(const std::string& name) {
  return Error{Code::kInvalidName, "ref " + name + ": git allows no such name"};
}

Result<std::string> ReadFile(int fd, std::uint64_t size) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error{Code::kIo, "read a file to store it"};
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace

ObjectId MemoryStore::Hash(ObjectKind kind, std::string_view bytes) const {
  ObjectId::Bytes id;
  const std::uint64_t first = HashWithSeed(static_cast<std::uint64_t>(kind) + 1, bytes);
  const std::uint64_t rest[] = {first, Mix(first + 1), Mix(first + 2)};
  std::memcpy(id.data(), rest, id.size());
  return ObjectId(id);
}

Result<std::shared_ptr<const std::string>> MemoryStore::Find(const ObjectId& id, ObjectKind kind) const {
  MutexLock lock(mutex_);
  const auto found = objects_.find(id);
  if (found == objects_.end()) return Error{Code::kNotFound, "object " + id.Hex() + ": not found"};
  if (found->second.damaged) return Error{Code::kCorrupt, "object " + id.Hex() + ": damaged"};
  if (found->second.kind != kind) return Error{Code::kCorrupt, "object " + id.Hex() + ": of another kind"};
  return found->second.bytes;
}

void MemoryStore::AddLocked(const ObjectId& id, ObjectKind kind, std::string_view bytes) {
  Object& object = objects_[id];
  if (object.bytes && !object.damaged) return;
  object = Object{kind, std::make_shared<const std::string>(bytes), false};
}

Result<std::string> MemoryStore::Read(const ObjectId& id, ObjectKind kind) {
  auto bytes = Find(id, kind);
  if (!bytes) return bytes.error();
  if ((*bytes)->size() > kMaxReadSize)
    return Error{Code::kCorrupt, "object " + id.Hex() + ": too big to be read whole"};
  return std::string(**bytes);
}

Result<std::uint64_t> MemoryStore::BlobSize(const ObjectId& blob) {
  auto bytes = Find(blob, ObjectKind::kBlob);
  if (!bytes) return bytes.error();
  return std::uint64_t{(*bytes)->size()};
}

Result<void> MemoryStore::CopyBlobTo(const ObjectId& blob, int fd) {
  auto bytes = Find(blob, ObjectKind::kBlob);
  if (!bytes) return bytes.error();
  std::string_view rest(**bytes);
  off_t offset = 0;
  while (!rest.empty()) {
    const ssize_t count = ::pwrite(fd, rest.data(), rest.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError("write a copy of a blob", errno);
    rest.remove_prefix(static_cast<std::size_t>(count));
    offset += count;
  }
  return {};
}

Result<ObjectId> MemoryStore::AddBlob(int fd, std::uint64_t size) {
  auto bytes = ReadFile(fd, size);
  if (!bytes) return bytes.error();
  return AddBlob(*bytes);
}

Result<ObjectId> MemoryStore::AddBlob(std::string_view bytes) {
  const ObjectId id = Hash(ObjectKind::kBlob, bytes);
  MutexLock lock(mutex_);
  AddLocked(id, ObjectKind::kBlob, bytes);
  return id;
}

Result<NewBlob> MemoryStore::PrepareBlob(int fd, std::uint64_t size) {
  auto bytes = ReadFile(fd, size);
  if (!bytes) return bytes.error();
  return PrepareBlob(*std::move(bytes));
}

Result<NewBlob> MemoryStore::PrepareBlob(std::string bytes) {
  const ObjectId id = Hash(ObjectKind::kBlob, bytes);
  return NewBlob{id, SharedBytes(std::move(bytes))};
}

Result<void> MemoryStore::Publish(const Publication& publication) {
  if (!IsValidRefName(publication.ref)) return BadName(publication.ref);
  std::function<void(const Publication&)> hook;
  {
    MutexLock lock(mutex_);
    for (const NewObject& object : publication.objects) {
      assert(Hash(object.kind, object.bytes) == object.id);
      AddLocked(object.id, object.kind, object.bytes);
    }
    hook = before_swap_;
  }
  if (auto tip = Find(publication.tip, ObjectKind::kCommit); !tip) return tip.error();
  if (publication.before_move) {
    if (auto done = publication.before_move(); !done) return done;
  }
  if (hook) hook(publication);

  MutexLock lock(mutex_);
  const auto found = refs_.find(publication.ref);
  const std::optional<ObjectId> current = found == refs_.end() ? std::nullopt : std::optional(found->second);
  if (current == publication.tip) return {};
  if (current != publication.expected) return Error{Code::kRefMoved, "ref " + publication.ref + ": it moved meanwhile"};
  if (!current) {
    for (const auto& [name, target] : refs_) {
      if (name.starts_with(publication.ref + "/") || publication.ref.starts_with(name + "/")) {
        return Error{Code::kInvalidName, "ref " + publication.ref + ": " + name + " is in the way"};
      }
    }
  }
  refs_[publication.ref] = publication.tip;
  return {};
}

Result<std::optional<ObjectId>> MemoryStore::ReadRef(const std::string& name) {
  if (!IsValidRefName(name)) return BadName(name);
  MutexLock lock(mutex_);
  const auto found = refs_.find(name);
  if (found == refs_.end()) return std::optional<ObjectId>();
  return std::optional<ObjectId>(found->second);
}

Result<std::vector<Ref>> MemoryStore::ListRefs(const std::string& prefix) {
  MutexLock lock(mutex_);
  std::vector<Ref> refs;
  for (auto it = refs_.lower_bound(prefix); it != refs_.end() && it->first.starts_with(prefix); ++it) {
    refs.push_back(Ref{it->first, it->second});
  }
  return refs;
}

Result<void> MemoryStore::DeleteRef(const std::string& name, const ObjectId& expected) {
  if (!IsValidRefName(name)) return BadName(name);
  MutexLock lock(mutex_);
  const auto found = refs_.find(name);
  if (found == refs_.end()) return Error{Code::kNotFound, "ref " + name + ": there is none"};
  if (found->second != expected) return Error{Code::kRefMoved, "ref " + name + ": it moved meanwhile"};
  refs_.erase(found);
  return {};
}

Result<bool> MemoryStore::Contains(const ObjectId& tip, const ObjectId& commit) {
  std::vector<ObjectId> queue{tip};
  for (std::size_t next = 0; next < queue.size(); ++next) {
    if (queue[next] == commit) return true;
    auto text = Read(queue[next], ObjectKind::kCommit);
    if (!text) return text.error();
    const auto parsed = Commit::Parse(*text);
    if (!parsed) return parsed.error();
    for (const ObjectId& parent : parsed->parents) {
      if (std::find(queue.begin(), queue.end(), parent) == queue.end()) queue.push_back(parent);
    }
  }
  return false;
}

void MemoryStore::ForceRef(const std::string& name, const std::optional<ObjectId>& target) {
  MutexLock lock(mutex_);
  if (target) {
    refs_[name] = *target;
  } else {
    refs_.erase(name);
  }
}

void MemoryStore::SetBeforeSwap(std::function<void(const Publication&)> hook) {
  MutexLock lock(mutex_);
  before_swap_ = std::move(hook);
}

void MemoryStore::Damage(const ObjectId& id) {
  MutexLock lock(mutex_);
  objects_.at(id).damaged = true;
}

std::size_t MemoryStore::object_count() const {
  MutexLock lock(mutex_);
  return objects_.size();
}

void FailingStore::FailNth(std::uint64_t n, Code code) {
  MutexLock lock(mutex_);
  first_failing_ = operations_ + n;
  last_failing_ = first_failing_;
  code_ = code;
}

void FailingStore::FailFrom(std::uint64_t n, Code code) {
  MutexLock lock(mutex_);
  first_failing_ = operations_ + n;
  last_failing_ = std::numeric_limits<std::uint64_t>::max();
  code_ = code;
}

void FailingStore::Heal() {
  MutexLock lock(mutex_);
  first_failing_ = 0;
  last_failing_ = 0;
}

std::uint64_t FailingStore::operations() const {
  MutexLock lock(mutex_);
  return operations_;
}

std::uint64_t FailingStore::failures() const {
  MutexLock lock(mutex_);
  return failures_;
}

void FailingStore::InNext(std::function<void()> what) {
  const MutexLock lock(mutex_);
  in_next_ = std::move(what);
}

Result<void> FailingStore::Count(const char* operation) {
  std::function<void()> in_this;
  {
    const MutexLock lock(mutex_);
    in_this = std::exchange(in_next_, nullptr);
  }
  if (in_this) in_this();
  const MutexLock lock(mutex_);
  ++operations_;
  if (first_failing_ == 0 || operations_ < first_failing_ || operations_ > last_failing_) return {};
  ++failures_;
  return Error{code_, std::string(operation) + ": made to fail, as operation " + std::to_string(operations_)};
}

Result<std::string> FailingStore::Read(const ObjectId& id, ObjectKind kind) {
  if (auto counted = Count("Read"); !counted) return counted.error();
  return store_.Read(id, kind);
}

Result<std::uint64_t> FailingStore::BlobSize(const ObjectId& blob) {
  if (auto counted = Count("BlobSize"); !counted) return counted.error();
  return store_.BlobSize(blob);
}

Result<void> FailingStore::CopyBlobTo(const ObjectId& blob, int fd) {
  if (auto counted = Count("CopyBlobTo"); !counted) return counted;
  return store_.CopyBlobTo(blob, fd);
}

Result<ObjectId> FailingStore::AddBlob(int fd, std::uint64_t size) {
  if (auto counted = Count("AddBlob"); !counted) return counted.error();
  return store_.AddBlob(fd, size);
}

Result<ObjectId> FailingStore::AddBlob(std::string_view bytes) {
  if (auto counted = Count("AddBlob"); !counted) return counted.error();
  return store_.AddBlob(bytes);
}

Result<NewBlob> FailingStore::PrepareBlob(int fd, std::uint64_t size) {
  if (auto counted = Count("PrepareBlob"); !counted) return counted.error();
  return store_.PrepareBlob(fd, size);
}

Result<NewBlob> FailingStore::PrepareBlob(std::string bytes) {
  if (auto counted = Count("PrepareBlob"); !counted) return counted.error();
  return store_.PrepareBlob(std::move(bytes));
}

Result<void> FailingStore::Publish(const Publication& publication) {
  if (auto counted = Count("Publish"); !counted) return counted;
  return store_.Publish(publication);
}

Result<std::optional<ObjectId>> FailingStore::ReadRef(const std::string& name) {
  if (auto counted = Count("ReadRef"); !counted) return counted.error();
  return store_.ReadRef(name);
}

Result<std::vector<Ref>> FailingStore::ListRefs(const std::string& prefix) {
  if (auto counted = Count("ListRefs"); !counted) return counted.error();
  return store_.ListRefs(prefix);
}

Result<void> FailingStore::DeleteRef(const std::string& name, const ObjectId& expected) {
  if (auto counted = Count("DeleteRef"); !counted) return counted;
  return store_.DeleteRef(name, expected);
}

Result<bool> FailingStore::Contains(const ObjectId& tip, const ObjectId& commit) {
  if (auto counted = Count("Contains"); !counted) return counted.error();
  return store_.Contains(tip, commit);
}

}  // namespace concordfs::vcs
