#include "vcs/git/ref_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "vcs/git/git_error.h"
#include "vcs/git/handles.h"

namespace concordfs::vcs::git {
namespace {

constexpr char kWho[] = "ConcordFS <concordfs@localhost>";

// Removes the lock, unless it became the ref.
class LockFile {
 public:
  explicit LockFile(const std::string& path) : path_(path) {}
  ~LockFile() {
    if (held_) ::unlink(path_.c_str());
  }
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  void BecameTheRef() { held_ = false; }

 private:
  const std::string& path_;
  bool held_ = true;
};

// Puts the lock's file in the ref's place. Exchanged, because ext4 writes a file out when it is renamed over another
// one. Without the exchange the lock is gone with the rename.
bool PutInPlace(const std::string& lock, const std::string& path, LockFile* held) {
  if (::renameat2(AT_FDCWD, lock.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  if (::rename(lock.c_str(), path.c_str()) != 0) return false;
  held->BecameTheRef();
  return true;
}

}  // namespace

RefFile::RefFile(const std::string& git_dir, const std::string& name, NewReflog new_reflog)
    : name_(name),
      path_(git_dir + "/" + name),
      lock_(path_ + ".lock"),
      reflog_(git_dir + "/logs/" + name),
      new_reflog_(new_reflog) {}

std::optional<ObjectId> RefFile::Read() const {
  const FileDescriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.ok()) return std::nullopt;
  std::array<char, 64> text;
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size != static_cast<ssize_t>(ObjectId::kHexSize) + 1 || text[ObjectId::kHexSize] != '\n') return std::nullopt;
  return ObjectId::FromHex({text.data(), ObjectId::kHexSize});
}

// Source: git's refs/files-backend.c: "<old> <new> <who> <seconds> <zone>\t<reason>\n", while the lock is held.
Result<void> RefFile::AppendToReflog(const ObjectId& expected, const ObjectId& tip, const std::string& reason) const {
  const FileDescriptor file(::open(reflog_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!file.ok() && errno == ENOENT) return {};
  const std::string line = expected.Hex() + " " + tip.Hex() + " " + kWho + " " + std::to_string(std::time(nullptr)) +
                           " +0000\t" + reason + "\n";
  errno = ENOSPC;  // of a write that is short
  if (file.ok() && ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size())) return {};
  return WriteSystemError(errno, reflog_);
}

Result<RefFile::Outcome> RefFile::Swap(const ObjectId& expected, const ObjectId& tip, const std::string& reason,
                                       const BeforeMove& before_move) const {
  if (new_reflog_ == NewReflog::kMake && ::access(reflog_.c_str(), F_OK) != 0) return Outcome::kNotForUs;
  FileDescriptor file(::open(lock_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.ok()) {
    if (errno == EEXIST) return Error{Code::kLocked, name_ + ": locked by another process"};
    if (errno == ENOENT || errno == ENOTDIR) return Outcome::kNotForUs;  // packed, and its folder is gone
    return WriteSystemError(errno, lock_);
  }
  LockFile lock(lock_);
  const auto now = Read();
  if (!now) return Outcome::kNotForUs;
  if (*now != expected) return Error{Code::kRefMoved, name_ + ": is at " + now->Hex()};
  const std::string text = tip.Hex() + "\n";
  errno = ENOSPC;  // of a write that is short
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return WriteSystemError(errno, lock_);
  }
  if (before_move) {
    if (auto done = before_move(); !done) return done.error();
  }
  if (auto logged = AppendToReflog(expected, tip, reason); !logged) return logged.error();
  file = FileDescriptor();
  if (!PutInPlace(lock_, path_, &lock)) return WriteSystemError(errno, "move " + name_);
  return Outcome::kMoved;
}

}  // namespace concordfs::vcs::git
