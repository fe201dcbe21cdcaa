// What the uncommitted contents in a mount's folder are, for the mount that finds them after a crash (R13): one file,
// to which a line is appended when a content is changed first, and another when it is safe elsewhere.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "fs/descriptor.h"
#include "vcs/mutex.h"
#include "vcs/result.h"
#include "vcs/version.h"

namespace concordfs::fs {

struct Description {
  std::string agent;
  std::string process;  // "1234 python3"
  std::string path;     // bytes
  vcs::Base base;
  vcs::FileMode mode = vcs::FileMode::kRegular;
};

using ContentNumber = std::uint64_t;  // names a content's file in the folder

// Survives kill -9 at any instruction: a line counts once it is there as a whole. One daemon writes it. Threads: any.
class DescriptionLog {
 public:
  // The log at this path, made if it is missing. Errors: kAccess, kNoSpace, kIo.
  static Result<std::unique_ptr<DescriptionLog>> Open(const std::string& path);

  // Says what the content is, instead of what was said before. Errors: kNoSpace, kQuota, kIo: nothing was said.
  Result<void> Describe(ContentNumber content, const Description& description) EXCLUDES(mutex_);
  // Nobody needs the content any more. False: it couldn't be said, and the file must not hold anything else.
  bool Drop(ContentNumber content) EXCLUDES(mutex_);
  // What was said survives a power cut; the folder is the caller's to sync. Errors: kIo, kNoSpace.
  Result<void> Sync() EXCLUDES(mutex_);

  std::map<ContentNumber, Description> Described() const EXCLUDES(mutex_);
  bool empty() const EXCLUDES(mutex_);

 private:
  static constexpr std::uint64_t kTruncateAbove = 256 << 10;  // bytes: if nothing is described
  static constexpr std::uint64_t kRewriteAbove = 4 << 20;     // bytes, and twice what is described

  explicit DescriptionLog(std::string path) : path_(std::move(path)) {}

  Result<void> Append(const std::string& line) REQUIRES(mutex_);
  // Keeps the log short. A failure leaves it as it is.
  void Shorten() REQUIRES(mutex_);
  Result<void> Rewrite() REQUIRES(mutex_);

  // Constant after construction.
  const std::string path_;
  // Held while a line is written; nobody waits for a disk under it, but where the log is written anew.
  mutable Mutex mutex_;
  DescriptorPtr file_ GUARDED_BY(mutex_);
  std::uint64_t size_ GUARDED_BY(mutex_) = 0;  // bytes
  std::uint64_t rewrite_above_ GUARDED_BY(mutex_) = kRewriteAbove;
  std::map<ContentNumber, std::string> lines_ GUARDED_BY(mutex_);  // of what is described
  bool synced_ GUARDED_BY(mutex_) = false;                         // some of it has to survive a power cut
};

}  // namespace concordfs::fs
