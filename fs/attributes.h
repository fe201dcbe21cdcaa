// What git can't hold of a path: permissions, owner, times, and which directories live without entries (R12).
//
// Plain data without a lock of its own: AttributeStore guards it, AttributeLog keeps it on disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "vcs/object_id.h"
#include "vcs/repo_path.h"
#include "vcs/version.h"

namespace concordfs::fs {

// A head that was reached by others, or seen at a mount: what was untouched since then is as old as it. Numbers grow.
using EpochNumber = std::uint32_t;  // 0: before all epochs
struct Epoch {
  EpochNumber number = 0;
  vcs::ObjectId commit;
  vcs::ObjectId root;  // its tree
  timespec time{};     // mtime of what came with it
};

// The permissions that a version of this mode has where these were asked for: the owner's exec bit is git's, and the
// others follow it as the owner's does. What git's bit takes or gives, it takes or gives to who may read (as git itself
// does in a checkout), so that a private file stays private.
mode_t PermissionsOf(vcs::FileMode mode, mode_t permissions);
constexpr mode_t kFilePermissions = 0644;
constexpr mode_t kProgramPermissions = 0755;
constexpr mode_t kDirectoryPermissions = 0755;

// Of one path. As a change: what is empty stays as it is.
struct Attributes {
  std::optional<mode_t> mode;  // permissions only: 07777
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<timespec> atime;
  std::optional<timespec> mtime;
  std::optional<timespec> ctime;
  std::optional<timespec> birth;
  // Of a file: what the mtime belongs to. It comes with every mtime; as a change without one, to another version, it
  // makes the mtime void.
  vcs::MaybeVersion version;
  // Of a directory: it exists also while git holds nothing in it.
  std::optional<bool> kept;
  // The newest epoch when the mtime was set: a later one may have changed the path again.
  std::optional<EpochNumber> since;
  // Of a file: the st_ino of this version in this mount; never in the log.
  std::optional<std::uint64_t> ino;

  // Of two changes of a directory this is the earlier one: makes it both.
  void MergeDirectory(const Attributes& later);
};

enum class PathKind : bool { kFile, kDirectory };

// One record in less than 100 bytes; there may be 100,000 of them.
class AttributeRecord {
 public:
  explicit AttributeRecord(PathKind kind) { Set(kDirectoryBit, kind == PathKind::kDirectory); }

  PathKind kind() const { return Has(kDirectoryBit) ? PathKind::kDirectory : PathKind::kFile; }
  bool kept() const { return Has(kKeptBit); }
  void Apply(const Attributes& change);
  Attributes Get() const;
  // Bytes of its line in the log, about.
  std::size_t LineSize() const;

 private:
  enum Time { kAtime, kMtime, kCtime, kBirth, kTimes };
  enum Bit : std::uint16_t {
    kTimeBits = 1,  // the first of kTimes
    kModeBit = 1 << kTimes,
    kUidBit = kModeBit << 1,
    kGidBit = kModeBit << 2,
    kVersionBit = kModeBit << 3,
    kKeptBit = kModeBit << 4,
    kDirectoryBit = kModeBit << 5,
    kSinceBit = kModeBit << 6,
  };

  bool Has(unsigned bit) const { return (bits_ & bit) != 0; }
  void Set(unsigned bit, bool on) { bits_ = static_cast<std::uint16_t>(on ? bits_ | bit : bits_ & ~bit); }
  void SetTime(Time which, const std::optional<timespec>& time);
  std::optional<timespec> GetTime(Time which) const;

  std::int64_t seconds_[kTimes] = {};
  std::uint32_t nanoseconds_[kTimes] = {};
  std::uint64_t ino_ = 0;  // 0: none
  std::uint32_t uid_ = 0;
  std::uint32_t gid_ = 0;
  EpochNumber since_ = 0;
  vcs::ObjectId blob_;
  std::uint16_t file_mode_ = 0;
  std::uint16_t mode_ = 0;
  std::uint16_t bits_ = 0;
};

// The changes of the attributes, and the lines of their log.
struct SetAttributes {
  PathKind kind = PathKind::kFile;
  vcs::RepoPath path;
  Attributes attributes;
};
struct ForgetAttributes {
  vcs::RepoPath path;
  bool below = false;  // what is below the path, not the path itself
};
// Also of all that is below; what `to` and the paths below it had is forgotten.
struct MoveAttributes {
  vcs::RepoPath from;
  vcs::RepoPath to;
};
struct ExchangeAttributes {
  vcs::RepoPath a;
  vcs::RepoPath b;
};
struct NoteEpoch {
  Epoch epoch;
};
// What came since the newest epoch, if it has this number, was published here: it is that epoch's now.
struct AdvanceEpoch {
  EpochNumber number = 0;
  vcs::ObjectId commit;
  vcs::ObjectId root;
};
struct DropEpoch {
  EpochNumber number = 0;
};
struct ResetAttributes {};  // forgets everything: the whole state follows
using AttributeOperation = std::variant<SetAttributes, ForgetAttributes, MoveAttributes, ExchangeAttributes, NoteEpoch,
                                        AdvanceEpoch, DropEpoch, ResetAttributes>;

// Does each path's outcome depend on this path's operations alone? Then applying it again, behind others, does no harm.
bool IsPathwise(const AttributeOperation& operation);

// The outcome of all operations so far.
class AttributeState {
 public:
  static constexpr std::size_t kMaxEpochs = 64;

  void Apply(const AttributeOperation& operation);

  // Null if there is none of that kind.
  const AttributeRecord* Find(PathKind kind, const vcs::RepoPath& path) const;
  const AttributeRecord* Find(const vcs::RepoPath& path) const;
  bool HasBelow(const vcs::RepoPath& directory) const;
  std::vector<vcs::RepoPath> KeptDirectories() const;  // parents before children
  // Oldest first; another object after every change.
  const std::shared_ptr<const std::vector<Epoch>>& epochs() const { return epochs_; }
  std::size_t size() const { return records_.size(); }
  // Bytes of a log that holds this and nothing else, about.
  std::size_t LogSize() const;
  // The shortest operations whose outcome this is.
  std::vector<AttributeOperation> Operations() const;

 private:
  // By bytes, so that all that is below a directory stands together.
  struct ByBytes {
    using is_transparent = void;
    bool operator()(const vcs::RepoPath& a, const vcs::RepoPath& b) const { return a < b; }
    bool operator()(const vcs::RepoPath& a, std::string_view b) const { return a.text() < b; }
    bool operator()(std::string_view a, const vcs::RepoPath& b) const { return a < b.text(); }
  };
  using Records = std::map<vcs::RepoPath, AttributeRecord, ByBytes>;

  void Do(const SetAttributes& set);
  void Do(const ForgetAttributes& forget);
  void Do(const MoveAttributes& move);
  void Do(const ExchangeAttributes& exchange);
  void Do(const NoteEpoch& note);
  void Do(const AdvanceEpoch& advance);
  void Do(const DropEpoch& drop);
  void Do(const ResetAttributes& reset);

  // Takes the record of the path and those below it out.
  std::vector<Records::node_type> Take(const vcs::RepoPath& path);
  void Put(std::vector<Records::node_type> taken, const vcs::RepoPath& from, const vcs::RepoPath& to);
  // The records of all that is below the directory.
  std::pair<Records::iterator, Records::iterator> Below(const vcs::RepoPath& directory);

  Records records_;
  std::size_t record_lines_ = 0;  // bytes
  std::shared_ptr<const std::vector<Epoch>> epochs_ = std::make_shared<const std::vector<Epoch>>();
};

}  // namespace concordfs::fs
