// RefDatabase::Delete.
//
// Our own, because libgit2 1.5 writes packed-refs from what it read before it had the lock: beside a `git pack-refs`
// it puts other refs, the branch too, back to where they were. The order is git's: under the ref's lock and the lock
// of packed-refs, first the packed entry goes, then the loose file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include "vcs/file_io.h"
#include "vcs/git/backoff.h"
#include "vcs/git/disk_sync.h"
#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"
#include "vcs/git/ref_database.h"

namespace concordfs::vcs::git {
namespace {

// packed-refs.lock, held while this lives. Threads: one.
class PackedRefsLock {
 public:
  // Errors: kLocked, and as WriteSystemError.
  static Result<PackedRefsLock> Take(const std::string& git_dir) {
    std::string path = git_dir + "/packed-refs.lock";
    FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (file.ok()) return PackedRefsLock(std::move(path), std::move(file));
    if (errno == EEXIST) return Error{Code::kLocked, path + ": locked by another process"};
    return WriteSystemError(errno, "make " + path);
  }
  ~PackedRefsLock() {
    if (file_.ok()) ::unlink(path_.c_str());
  }
  PackedRefsLock(PackedRefsLock&&) = default;
  PackedRefsLock& operator=(PackedRefsLock&&) = delete;

 private:
  PackedRefsLock(std::string path, FileDescriptor file) : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  FileDescriptor file_;
};

// `packed` without the ref's line and the peeled line after it; nothing if it isn't there.
// Source: git-pack-refs(1), and the comment at the file's head: "<40 hex> <name>", "^<40 hex>" belongs to the line
// above.
std::optional<std::string> WithoutEntry(const std::string& packed, const std::string& name) {
  std::istringstream lines(packed);
  std::string rest;
  std::string line;
  bool found = false;
  bool in_entry = false;
  while (std::getline(lines, line)) {
    if (!line.starts_with('^')) {
      in_entry = !line.starts_with('#') && line.size() > ObjectId::kHexSize + 1 &&
                 line.compare(ObjectId::kHexSize + 1, std::string::npos, name) == 0;
      found = found || in_entry;
    }
    if (!in_entry) rest += line + "\n";
  }
  if (!found) return std::nullopt;
  return rest;
}

Result<void> SyncFolder(const std::string& path, Durability durability) {
  return durability == Durability::kPower ? Sync(path) : Result<void>();
}

// Writes packed-refs anew by way of packed-refs.new, as git does while it holds the lock.
Result<void> ReplacePackedRefs(const std::string& git_dir, const std::string& text, Durability durability) {
  const std::string made = git_dir + "/packed-refs.new";
  ::unlink(made.c_str());  // of somebody who died with the lock
  FileDescriptor file(::open(made.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.ok()) return WriteSystemError(errno, "make " + made);
  if (!WriteAll(file.get(), text)) {
    const int number = errno;
    ::unlink(made.c_str());
    return WriteSystemError(number, "write " + made);
  }
  if (durability == Durability::kPower && ::fsync(file.get()) != 0) {
    const int number = errno;
    ::unlink(made.c_str());
    return WriteSystemError(number, "sync " + made);
  }
  if (::rename(made.c_str(), (git_dir + "/packed-refs").c_str()) != 0) {
    const int number = errno;
    ::unlink(made.c_str());
    return WriteSystemError(number, "replace packed-refs");
  }
  return SyncFolder(git_dir, durability);
}

Result<void> RemovePackedEntry(const std::string& git_dir, const std::string& name, Durability durability) {
  std::ifstream file(git_dir + "/packed-refs", std::ios::binary);
  if (!file) return {};
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return Error{Code::kIo, "read " + git_dir + "/packed-refs"};
  const auto rest = WithoutEntry(text.str(), name);
  if (!rest) return {};
  return ReplacePackedRefs(git_dir, *rest, durability);
}

bool IsThere(const Result<std::optional<ObjectId>>& ref) {
  return ref && ref->has_value();
}

// Removes the folders that the ref leaves empty, up to refs/<group>.
void PruneFolders(const std::string& git_dir, std::string name) {
  for (;;) {
    const std::size_t slash = name.rfind('/');
    if (slash == std::string::npos) return;
    name.resize(slash);
    if (name.find('/') == name.rfind('/')) return;  // "refs/heads"
    if (::rmdir((git_dir + "/" + name).c_str()) != 0) return;
  }
}

}  // namespace

Result<void> RefDatabase::Delete(const std::string& name, const ObjectId& expected) {
  if (auto valid = CheckRefName(name); !valid) return valid;
  auto current = Read(name);  // first without a lock, which would make the ref's folders
  if (!current) return current.error();
  if (!*current) return Error{Code::kNotFound, "delete ref " + name + ": there is none"};
  Backoff backoff;
  for (;;) {
    auto deleted = TryDelete(name, expected);
    if (deleted) return deleted;
    // Not found may also be the ref's folder, which was removed as empty while we made the lock.
    const bool again = deleted.code() == Code::kLocked || (deleted.code() == Code::kNotFound && IsThere(Read(name)));
    if (!again || !backoff.Wait()) return deleted;
  }
}

Result<void> RefDatabase::TryDelete(const std::string& name, const ObjectId& expected) {
  auto handles = pool_.Borrow();
  if (!handles) return handles.error();
  git_repository* const repository = (*handles)->repository.get();
  {
    TransactionHandle transaction;  // ends without a change: it is here for the ref's lock
    ClearLastError();
    int error = git_transaction_new(Receive(transaction), repository);
    if (error == 0) error = git_transaction_lock_ref(transaction.get(), name.c_str());
    if (error != 0) return WriteError(error, "delete ref " + name, pool_.git_dir());
    if (auto deleted = DeleteLocked(repository, name, expected); !deleted) return deleted;
  }
  git_reflog_delete(repository, name.c_str());
  PruneFolders(pool_.git_dir(), name);
  return {};
}

Result<void> RefDatabase::DeleteLocked(git_repository* repository, const std::string& name, const ObjectId& expected) {
  auto packed_lock = PackedRefsLock::Take(pool_.git_dir());
  if (!packed_lock) return packed_lock.error();
  ReferenceHandle reference;
  ClearLastError();
  const int error = git_reference_lookup(Receive(reference), repository, name.c_str());
  if (error != 0) return ReadError(error, "delete ref " + name);
  const git_oid* target = git_reference_target(reference.get());  // null if it is symbolic
  if (target == nullptr || FromGit(*target) != expected) {
    return Error{Code::kRefMoved, "delete ref " + name + ": it moved meanwhile"};
  }
  if (auto removed = RemovePackedEntry(pool_.git_dir(), name, durability_); !removed) return removed;
  const std::string path = pool_.git_dir() + "/" + name;
  if (::unlink(path.c_str()) != 0) {
    if (errno != ENOENT) return WriteSystemError(errno, "delete " + path);
    return {};
  }
  return SyncFolder(path.substr(0, path.rfind('/')), durability_);
}

}  // namespace concordfs::vcs::git
