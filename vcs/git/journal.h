// What makes publications survive a power cut at the price of one fdatasync(2) each (R13, power).
//
// Objects and refs are written to their places as always, without waiting for the disk; before a ref is moved, the
// publication stands in a journal, on disk for good. Only after a power cut is that read, by whoever opens the
// repository next: journal_replay.h. So the order on disk is the one of V2, objects first, names last, whatever the
// kernel writes when.
//
// A journal has two files, preallocated, so that a record changes no metadata. One is written while what the other
// tells is made durable in its place (syncfs(2)).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "vcs/git/handles.h"
#include "vcs/mutex.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

// Where the journals of a repository's daemons are: files that their owners hold locked (flock(2)).
std::string JournalsFolder(const std::string& git_dir);

// What is at the beginning of a journal's file. Text, for who looks at it: "concordfs journal 1\n<boot>\n<epoch>\n".
struct JournalHeader {
  static constexpr std::size_t kSize = 4096;  // bytes, zeros behind the text
  std::string boot;  // of /proc/sys/kernel/random/boot_id: no power cut since, no need to read on
  std::uint64_t epoch = 0;
};
std::string EncodeHeader(const JournalHeader& header);
std::optional<JournalHeader> DecodeHeader(std::string_view bytes);
std::string CurrentBoot();

// Threads: any. One lock orders the records; it is held while they are written.
class Journal {
 public:
  static constexpr std::size_t kDefaultCapacity = 16U << 20;  // bytes of each file

  // Errors: those of WriteSystemError.
  static Result<std::unique_ptr<Journal>> Make(const std::string& git_dir, std::size_t capacity = kDefaultCapacity);
  // Makes everything durable in its place, and removes the files; if that fails, they stay for the next to open.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

 private:
  struct File {
    std::string path;
    FileDescriptor file;
    std::uint64_t epoch = 0;
    std::size_t end = 0;        // bytes used
    std::size_t unsettled = 0;  // records whose ref is not moved yet
    bool clean = true;          // what it told is durable in its place
  };

 public:
  // A record that stands in the journal. Its owner moves the ref, and then lets go of it.
  class Entry {
   public:
    Entry(Journal& journal, File& file) : journal_(&journal), file_(&file) {}
    ~Entry();
    Entry(Entry&& other) noexcept : journal_(std::exchange(other.journal_, nullptr)), file_(other.file_) {}
    Entry& operator=(Entry&&) = delete;

   private:
    Journal* journal_;
    File* file_;
  };

  // The publication survives a power cut when this returns. Blocks on disk. Errors: kTooBig (a file can't hold it: make
  // it durable in its place), those of WriteSystemError.
  Result<Entry> Append(const Publication& publication) EXCLUDES(mutex_);

 private:
  Journal(std::string git_dir, std::size_t capacity) : git_dir_(std::move(git_dir)), capacity_(capacity) {}

  Result<void> MakeFile(File& file);
  // Goes on to the other file, once it is clean, if the current one has no room for so many bytes.
  Result<void> MakeRoom(std::size_t size) REQUIRES(mutex_);
  Result<void> BeginFile(File& file) REQUIRES(mutex_);
  void Run() EXCLUDES(mutex_);

  // Constant after construction.
  const std::string git_dir_;
  const std::size_t capacity_;
  std::thread thread_;  // makes what was told durable
  // Guarded by mutex_.
  Mutex mutex_;
  CondVar changed_;
  std::array<File, 2> files_ GUARDED_BY(mutex_);
  std::size_t current_ GUARDED_BY(mutex_) = 0;
  std::uint64_t sequence_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace concordfs::vcs::git
