#include "vcs/git/git_error.h"

#include <git2.h>
#include <sys/statvfs.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <system_error>

namespace concordfs::vcs::git {
namespace {

struct LastError {
  int error_class = GIT_ERROR_NONE;
  int number = 0;  // of the system, 0 if none is known
  std::string text;
};

// The errnos that mean something to the layers above; libgit2 puts their text last in its message.
constexpr std::array kTelling = {ENOSPC, EDQUOT, EROFS, EACCES, EPERM, ENOENT, ENOTDIR, EIO, EMFILE, ENFILE, ENOMEM};

LastError TakeLastError() {
  const int number = errno;
  const git_error* last = git_error_last();
  LastError error;
  if (last == nullptr || last->message == nullptr) {
    error.number = number;
    error.text = number != 0 ? std::generic_category().message(number) : "unknown reason";
    return error;
  }
  error.error_class = last->klass;
  error.text = last->message;
  for (const int candidate : kTelling) {
    if (error.text.ends_with(": " + std::generic_category().message(candidate))) error.number = candidate;
  }
  // A class of its own means that libgit2 itself objected: an errno left over from before says nothing then.
  if (error.number == 0 && error.error_class == GIT_ERROR_OS) error.number = number;
  return error;
}

std::optional<Code> CodeOfGitCode(int git_code) {
  switch (git_code) {
    case GIT_ENOTFOUND: return Code::kNotFound;
    case GIT_EEXISTS: return Code::kExists;
    case GIT_EINVALIDSPEC: return Code::kInvalidName;
    case GIT_ELOCKED: return Code::kLocked;
    case GIT_EMODIFIED: return Code::kRefMoved;
    case GIT_EMISMATCH: return Code::kCorrupt;
    default: return std::nullopt;
  }
}

Code CodeOfWriteErrno(int number) {
  switch (number) {
    case ENOSPC: return Code::kNoSpace;
    case EDQUOT: return Code::kQuota;
    case EROFS:
    case EACCES:
    case EPERM: return Code::kReadOnly;
    case ENOENT: return Code::kNotFound;
    default: return Code::kIo;
  }
}

// What the state of the file system says about a write that failed for an unknown reason.
Code CodeOfFileSystem(const std::string& where, std::uint64_t needed_bytes) {
  struct statvfs state;
  if (statvfs(where.c_str(), &state) != 0) return Code::kIo;
  if ((state.f_flag & ST_RDONLY) != 0) return Code::kReadOnly;
  const std::uint64_t available = static_cast<std::uint64_t>(state.f_bavail) * state.f_frsize;
  const bool no_inode = state.f_files != 0 && state.f_favail == 0;
  // A write that failed has given its blocks back: compare with what it needed, and some for its directory.
  constexpr std::uint64_t kMargin = 64U << 10;
  return no_inode || available < needed_bytes + kMargin ? Code::kNoSpace : Code::kIo;
}

}  // namespace

Error ReadError(int git_code, const std::string& what) {
  const LastError last = TakeLastError();
  std::string message = what + ": " + last.text;
  if (const auto code = CodeOfGitCode(git_code)) return Error{*code, std::move(message)};
  switch (last.error_class) {
    case GIT_ERROR_NONE:
    case GIT_ERROR_OS:
    case GIT_ERROR_NOMEMORY:
    case GIT_ERROR_THREAD: return Error{Code::kIo, std::move(message)};
    default: return Error{last.number != 0 ? Code::kIo : Code::kCorrupt, std::move(message)};
  }
}

Error WriteError(int git_code, const std::string& what, const std::string& where, std::uint64_t needed_bytes) {
  const LastError last = TakeLastError();
  std::string message = what + " (" + where + "): " + last.text;
  if (const auto code = CodeOfGitCode(git_code)) return Error{*code, std::move(message)};
  Code code = CodeOfWriteErrno(last.number);
  if (code == Code::kIo) code = CodeOfFileSystem(where, needed_bytes);
  return Error{code, std::move(message)};
}

Error ReadSystemError(int number, const std::string& what) {
  Error error = SystemError(what, number);
  error.code = Code::kIo;  // what we may not read is no different from what the disk can't read
  return error;
}

Error WriteSystemError(int number, const std::string& what) {
  return Error{CodeOfWriteErrno(number), what + ": " + std::generic_category().message(number)};
}

void ClearLastError() {
  git_error_clear();
  errno = 0;
}

}  // namespace concordfs::vcs::git
