#include "vcs/git/journal.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <random>

#include "vcs/file_io.h"
#include "vcs/git/disk_sync.h"
#include "vcs/git/git_error.h"
#include "vcs/git/journal_record.h"

namespace concordfs::vcs::git {
namespace {

constexpr char kTitle[] = "concordfs journal 1";

}  // namespace

std::string JournalsFolder(const std::string& git_dir) {
  return git_dir + "/concordfs/journals";
}

std::string CurrentBoot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  return boot;
}

std::string EncodeHeader(const JournalHeader& header) {
  std::string text = kTitle + ("\n" + header.boot) + "\n" + std::to_string(header.epoch) + "\n";
  text.resize(JournalHeader::kSize, '\0');
  return text;
}

std::optional<JournalHeader> DecodeHeader(std::string_view bytes) {
  JournalHeader header;
  const std::string title = std::string(kTitle) + "\n";
  if (!bytes.starts_with(title)) return std::nullopt;
  bytes.remove_prefix(title.size());
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  header.boot = bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  std::size_t digits = 0;
  for (; digits < bytes.size() && bytes[digits] >= '0' && bytes[digits] <= '9'; ++digits) {
    header.epoch = header.epoch * 10 + static_cast<std::uint64_t>(bytes[digits] - '0');
  }
  if (digits == 0 || digits == bytes.size() || bytes[digits] != '\n') return std::nullopt;
  return header;
}

Result<std::unique_ptr<Journal>> Journal::Make(const std::string& git_dir, std::size_t capacity) {
  const std::string folder = JournalsFolder(git_dir);
  for (const std::string& made : {git_dir + "/concordfs", folder}) {
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) return WriteSystemError(errno, "make " + made);
  }
  std::unique_ptr<Journal> journal(new Journal(git_dir, capacity));
  {
    const MutexLock lock(journal->mutex_);
    for (File& file : journal->files_) {
      if (auto made = journal->MakeFile(file); !made) return made.error();
    }
    if (auto begun = journal->BeginFile(journal->files_[0]); !begun) return begun.error();
  }
  if (auto synced = SyncFileSystem(folder); !synced) return synced.error();
  journal->thread_ = std::thread([raw = journal.get()] {
    pthread_setname_np(pthread_self(), "journal");
    raw->Run();
  });
  return journal;
}

Journal::~Journal() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  const bool durable = SyncFileSystem(git_dir_).ok();
  const MutexLock lock(mutex_);
  for (const File& file : files_) {
    if (durable && !file.path.empty()) ::unlink(file.path.c_str());
  }
}

// Zeros are written, not only reserved: a first write to reserved blocks is a change of metadata.
Result<void> Journal::MakeFile(File& file) {
  std::string path = JournalsFolder(git_dir_) + "/XXXXXX";
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);  // 0600
  if (fd < 0) return WriteSystemError(errno, path);
  file.file = FileDescriptor(fd);
  file.path = path;
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return WriteSystemError(errno, "lock " + path);
  const std::string zeros(1U << 20, '\0');
  for (std::size_t offset = 0; offset < capacity_; offset += zeros.size()) {
    if (!WriteAllAt(fd, offset, zeros)) return WriteSystemError(errno, "write " + path);
  }
  return {};
}

// Not synced: it is on disk with the first record.
Result<void> Journal::BeginFile(File& file) {
  file.epoch = (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  file.end = JournalHeader::kSize;
  file.clean = false;
  if (WriteAllAt(file.file.get(), 0, EncodeHeader({CurrentBoot(), file.epoch}))) return {};
  return WriteSystemError(errno, "write " + file.path);
}

Result<void> Journal::MakeRoom(std::size_t size) {
  while (files_[current_].end + size > capacity_) {
    File& other = files_[1 - current_];
    if (!other.clean) {
      changed_.Wait(mutex_);
      continue;
    }
    if (auto begun = BeginFile(other); !begun) {
      other.clean = true;
      return begun;
    }
    current_ = 1 - current_;
    changed_.NotifyAll();  // to the thread, which cleans what is not current
  }
  return {};
}

Result<Journal::Entry> Journal::Append(const Publication& publication) {
  std::string record = EncodeRecord(publication);
  if (JournalHeader::kSize + record.size() > capacity_) return Error{Code::kTooBig, "journal: too big a publication"};
  const MutexLock lock(mutex_);
  if (auto made = MakeRoom(record.size()); !made) return made.error();
  File& file = files_[current_];
  StampRecord(file.epoch, ++sequence_, record);
  if (!WriteAllAt(file.file.get(), file.end, record) || ::fdatasync(file.file.get()) != 0) {
    return WriteSystemError(errno, "write " + file.path);
  }
  file.end += record.size();
  ++file.unsettled;
  return Entry(*this, file);
}

Journal::Entry::~Entry() {
  if (journal_ == nullptr) return;
  const MutexLock lock(journal_->mutex_);
  if (--file_->unsettled == 0) journal_->changed_.NotifyAll();
}

void Journal::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    File& full = files_[1 - current_];
    if (!full.clean && full.unsettled == 0) {
      lock.Unlock();
      const bool durable = SyncFileSystem(git_dir_).ok();
      lock.Lock();
      full.clean = durable;
      changed_.NotifyAll();
      if (durable) continue;
    }
    if (stopping_) return;
    if (full.clean || full.unsettled > 0) {
      changed_.Wait(mutex_);
    } else {
      changed_.WaitFor(mutex_, std::chrono::seconds(1));  // the disk failed: try again
    }
  }
}

}  // namespace concordfs::vcs::git
