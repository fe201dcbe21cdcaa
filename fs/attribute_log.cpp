#include "fs/attribute_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "fs/branch_folder.h"
#include "fs/file_io.h"

namespace concordfs::fs {
namespace {

// Ends a torn line so that it is none, even if it lacked nothing but its newline: who wrote it writes it again.
constexpr std::string_view kSpoil = "~\n";

Result<void> SyncDescriptor(int fd, const std::string& path) {
  if (fsync(fd) != 0) return SystemError(path, errno);
  return {};
}

Result<void> SyncFolder(const std::filesystem::path& folder) {
  const Descriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open()) return SystemError(folder.string(), errno);
  return SyncDescriptor(fd.fd(), folder.string());
}

}  // namespace

std::filesystem::path AttributesFolder(const std::filesystem::path& git_dir, const std::string& ref) {
  return git_dir / "concordfs" / "attributes" / BranchFolderName(ref);
}

Result<void> AttributeLog::Follow(IfMissing if_missing) {
  struct stat named {};
  const bool missing = stat(file().c_str(), &named) != 0;
  if (missing && errno != ENOENT) return SystemError(file(), errno);
  struct stat opened {};
  if (log_.is_open()) {
    if (fstat(log_.fd(), &opened) != 0) return SystemError(file(), errno);
    if (missing) return Error{Code::kNotFound, file() + ": was removed"};
    const bool same = opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
    if (same && (writable_ || if_missing == IfMissing::kFail)) return {};
  }
  const int make = if_missing == IfMissing::kMake ? O_CREAT : 0;
  Descriptor fresh;
  bool writable = access_ == LogAccess::kReadWrite;
  if (writable) fresh = Descriptor(open(file().c_str(), O_RDWR | O_APPEND | O_CLOEXEC | make, 0600));
  if (!fresh.is_open() && make == 0) {  // whoever only reads makes do with less
    writable = false;
    fresh = Descriptor(open(file().c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (!fresh.is_open()) return SystemError(file(), errno);
  struct stat status {};
  if (fstat(fresh.fd(), &status) != 0) return SystemError(file(), errno);
  if (!log_.is_open() || status.st_ino != opened.st_ino || status.st_dev != opened.st_dev) {
    ReadAnew();
    named_ = false;
  }
  log_ = std::move(fresh);
  writable_ = writable;
  return {};
}

Result<void> AttributeLog::OpenForWriting() {
  if (access_ == LogAccess::kReadOnly) return Error{Code::kReadOnly, file() + ": opened for reading only"};
  if (!lock_.is_open()) {
    const std::filesystem::path attributes = folder_.parent_path();
    for (const auto& folder : {attributes.parent_path(), attributes, folder_}) {
      if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return SystemError(folder.string(), errno);
    }
    const std::string path = (folder_ / "lock").string();
    lock_ = Descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock_.is_open()) return SystemError(path, errno);
    LockShared();
  }
  return Follow(IfMissing::kMake);
}

bool AttributeLog::LockExclusively() {
  if (flock(lock_.fd(), LOCK_EX | LOCK_NB) != 0) {
    LockShared();  // the attempt lost it
    return false;
  }
  // Somebody may have replaced the log before we had the lock.
  if (Follow(IfMissing::kMake)) return true;
  LockShared();
  return false;
}

void AttributeLog::LockShared() {
  // Waits only while another one writes the log anew. Where there are no locks (ENOLCK), there is no exclusive one,
  // either.
  while (flock(lock_.fd(), LOCK_SH) != 0 && errno == EINTR) {
  }
}

Result<AttributeLog::News> AttributeLog::Read() {
  if (auto followed = Follow(IfMissing::kFail); !followed) {
    if (followed.code() == Code::kNotFound) return News{};  // there is none yet
    return followed.error();
  }
  struct stat status {};
  if (fstat(log_.fd(), &status) != 0) return SystemError(file(), errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < read_) ReadAnew();  // somebody cut it
  News news;
  news.anew = anew_;
  if (size - read_ > kMaxReadSize) return Error{Code::kTooBig, file() + ": " + std::to_string(size) + " bytes"};
  news.lines.resize(size - read_);
  const auto count = ReadAt(log_.fd(), read_, news.lines);
  if (!count) return Error{count.code(), file() + ": " + count.error().message};
  news.lines.resize(*count);
  const std::size_t last = news.lines.rfind('\n');
  news.lines.resize(last == std::string::npos ? 0 : last + 1);
  read_ += news.lines.size();
  anew_ = false;
  return news;
}

AttributeLog::Appended AttributeLog::Append(std::string_view lines) {
  if (auto opened = OpenForWriting(); !opened) return {0, true, opened.error()};
  struct stat status {};
  char last = '\n';
  if (fstat(log_.fd(), &status) != 0) return {0, true, SystemError(file(), errno)};
  if (status.st_size > 0 && pread(log_.fd(), &last, 1, status.st_size - 1) != 1) last = ' ';
  std::string with_end;
  const std::string_view spoil = last == '\n' ? "" : kSpoil;
  if (!spoil.empty()) with_end = std::string(spoil) + std::string(lines);
  const std::string_view text = spoil.empty() ? lines : std::string_view(with_end);

  ssize_t count = -1;
  do {
    count = write(log_.fd(), text.data(), text.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return {0, true, SystemError(file(), errno)};
  const auto end = static_cast<std::uint64_t>(lseek(log_.fd(), 0, SEEK_CUR));  // O_APPEND: behind what was written
  const auto written = static_cast<std::size_t>(count);
  Appended appended;
  appended.in_order = !anew_ && end - written == read_;
  std::size_t complete = written;
  if (written < text.size()) {
    complete = text.substr(0, written).rfind('\n') + 1;
    appended.error = Error{Code::kNoSpace, file() + ": written in part"};
  }
  if (appended.in_order) read_ += complete;
  appended.size = complete - std::min(complete, spoil.size());
  return appended;
}

Result<bool> AttributeLog::Replace(const std::function<Result<std::string>()>& prepare) {
  if (auto writable = OpenForWriting(); !writable) return writable.error();
  if (!LockExclusively()) return false;
  const auto lines = prepare();
  const auto done = lines ? WriteAnew(*lines) : Result<void>(lines.error());
  LockShared();
  if (!done) return done.error();
  return true;
}

Result<void> AttributeLog::WriteAnew(std::string_view lines) {
  const std::string temporary = file() + ".new";
  Descriptor fresh(open(temporary.c_str(), O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fresh.is_open()) return SystemError(temporary, errno);
  auto written = WriteAt(fresh.fd(), 0, lines);
  // Once its name is taken, the old log is gone: the new one has to be on disk before.
  if (written) written = SyncDescriptor(fresh.fd(), temporary);
  if (written && rename(temporary.c_str(), file().c_str()) != 0) written = SystemError(file(), errno);
  if (!written) {
    unlink(temporary.c_str());
    return written;
  }
  log_ = std::move(fresh);
  writable_ = true;
  anew_ = false;
  named_ = false;
  read_ = lines.size();
  return {};
}

Result<void> AttributeLog::CutTornEnd() {
  if (auto writable = OpenForWriting(); !writable) return writable;
  if (!LockExclusively()) return {};
  Result<void> cut;
  struct stat status {};
  if (fstat(log_.fd(), &status) != 0) {
    cut = SystemError(file(), errno);
  } else if (!anew_ && static_cast<std::uint64_t>(status.st_size) > read_) {
    std::string rest(static_cast<std::size_t>(status.st_size) - read_, '\0');
    const auto count = ReadAt(log_.fd(), read_, rest);
    if (!count) {
      cut = count.error();
    } else if (rest.find('\n') == std::string::npos && ftruncate(log_.fd(), static_cast<off_t>(read_)) != 0) {
      cut = SystemError(file(), errno);
    }
  }
  LockShared();
  return cut;
}

Result<void> AttributeLog::Sync() {
  if (!log_.is_open()) return {};
  if (fdatasync(log_.fd()) != 0) return SystemError(file(), errno);
  if (named_) return {};
  const std::filesystem::path attributes = folder_.parent_path();
  for (const auto& folder : {folder_, attributes, attributes.parent_path()}) {
    if (auto synced = SyncFolder(folder); !synced) return synced;
  }
  named_ = true;
  return {};
}

}  // namespace concordfs::fs
