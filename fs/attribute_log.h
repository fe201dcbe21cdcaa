// The file that the attributes of a branch's paths are kept in: append-only lines that several daemons write and read.
//
// Everybody appends with O_APPEND, a batch of lines in one write(2), and reads behind what it has read. Who holds the
// file for writing has a shared flock(2) on the file "lock" beside it; with the exclusive one nobody else does, and the
// log may be written anew. What is torn at the end (by a crash, or a full disk) is no line: it is cut where that is
// safe, else ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "fs/descriptor.h"
#include "vcs/result.h"

namespace concordfs::fs {

enum class LogAccess { kReadWrite, kReadOnly };

// REPO/concordfs/attributes/<branch>: one name for each branch, whatever bytes it has. `ref` is its full name.
std::filesystem::path AttributesFolder(const std::filesystem::path& git_dir, const std::string& ref);

// Threads: one at a time; everything may block on disk.
class AttributeLog {
 public:
  static constexpr std::uint64_t kMaxReadSize = 1ULL << 30;  // bytes; a log is compacted long before that

  // Makes nothing yet: the folder and the file come with the first Append.
  AttributeLog(std::filesystem::path folder, LogAccess access) : folder_(std::move(folder)), access_(access) {}

  struct News {
    bool anew = false;  // the lines are a whole log: what was read before is void
    std::string lines;  // complete ones only
  };
  // What was appended since the last Read by others (what this object appends is never news), cheap if that is nothing.
  // Errors: kIo, kAccess, kTooBig.
  Result<News> Read();
  // The next Read gives the whole log.
  void ReadAnew() {
    anew_ = true;
    read_ = 0;
  }

  struct Appended {
    std::size_t size = 0;        // how many of the bytes were appended as whole lines
    bool in_order = true;        // nobody else's lines are between these and what was read
    std::optional<Error> error;  // of what was not appended: kNoSpace, kQuota, kIo, kReadOnly, kAccess
  };
  // Appends lines in one write(2).
  Appended Append(std::string_view lines);

  // Replaces the log by the lines that `prepare` makes (it may Read what is new first), if nobody else has the log for
  // writing. False: somebody has. Errors: as Append, and those of `prepare`; the old log is there then.
  Result<bool> Replace(const std::function<Result<std::string>()>& prepare);
  // Cuts a torn end off, if nobody else has the log for writing. Errors: as Append.
  Result<void> CutTornEnd();

  // Makes what was appended survive a power cut. Errors: kIo.
  Result<void> Sync();

  bool exists() const { return log_.is_open(); }  // as far as the last call found
  std::uint64_t size() const { return read_; }    // bytes read and appended

 private:
  std::string file() const { return (folder_ / "log").string(); }
  Result<void> OpenForWriting();
  // Opens what has the log's name now, if it isn't open. Errors: kNotFound (also where it was removed), kIo, ...
  enum class IfMissing { kFail, kMake };
  Result<void> Follow(IfMissing if_missing);
  bool LockExclusively();  // true: nobody else has the log for writing, or will until LockShared
  void LockShared();
  Result<void> WriteAnew(std::string_view lines);

  const std::filesystem::path folder_;
  const LogAccess access_;
  Descriptor lock_;
  Descriptor log_;
  bool writable_ = false;   // log_ is open for appending
  bool anew_ = true;        // what was read is void, or nothing was read
  bool named_ = false;      // the name of log_ survives a power cut
  std::uint64_t read_ = 0;  // bytes of log_ that were read, or appended by this object
};

}  // namespace concordfs::fs
