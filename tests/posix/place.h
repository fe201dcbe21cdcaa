// Where the POSIX suite runs: what holds on the plain directory and not in the mount is a bug of the mount, what holds
// in neither is a bug of the test.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "tests/mount/support/mount.h"
#include "tests/mount/support/repository.h"
#include "tests/mount/support/temp_dir.h"

namespace concordfs::mounttest {

// One kind of directory, and how its contract differs from POSIX.
class Place {
 public:
  enum class Kind { kPlainDirectory, kVersioned, kScratch };
  explicit constexpr Place(Kind kind) : kind_(kind) {}

  Kind kind() const { return kind_; }
  const char* Name() const;
  bool IsInMount() const { return kind_ != Kind::kPlainDirectory; }
  // git has no links and no special files: EPERM on versioned paths.
  bool HasHardLinks() const { return kind_ != Kind::kVersioned; }
  bool HasSpecialFiles() const { return kind_ != Kind::kVersioned; }
  // O_TMPFILE: a request that libfuse 3.14 doesn't know.
  bool HasUnnamedFiles() const { return kind_ == Kind::kPlainDirectory; }
  // R1: pages of a version are read without the daemon's hearing of it, so that versioned paths are as on `noatime`.
  bool MarksReads() const { return kind_ != Kind::kVersioned; }
  // Attributes of one's own beside `user.concordfs.*`.
  bool HasExtendedAttributes() const { return kind_ != Kind::kVersioned; }
  // By --max-file-size, and by the disk; memory takes any size.
  bool LimitsSizes() const { return IsInMount(); }
  // fcntl takes O_APPEND away. Where the kernel passes writes through, the plain file stays as it was opened.
  bool CanStopAppending() const { return kind_ != Kind::kScratch; }
  // st_ino belongs to a version: it changes with a commit.
  bool KeepsInodeNumbers() const { return kind_ != Kind::kVersioned; }
  // A versioned file that is made is a commit: thousands of them come from outside.
  bool MakesFilesCheaply() const { return kind_ != Kind::kVersioned; }

 private:
  Kind kind_;
};

std::ostream& operator<<(std::ostream& stream, const Place& place);

// A place that is there: a temporary directory, with a repository and its mount where the place asks for them.
// Versioned and scratch paths share one. Threads: one.
class World {
 public:
  // The world of this place: made when it is first asked for.
  static World& Of(Place place);
  // Unmounts all worlds and checks their repositories.
  static void EndAll();

  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // The directory below which the place's paths are. Others may enter it.
  std::filesystem::path Root(Place place) const;
  // The same files, where they can't be changed.
  std::filesystem::path ReadOnlyRoot(Place place);
  // Where to put things that are not under test.
  const TempDir& temp() const { return temp_; }
  bool Answers();
  // Empty if this place has none.
  const Repository& repository() const { return *repository_; }

 private:
  explicit World(Place place);

  Place place_;
  TempDir temp_;
  std::optional<Repository> repository_;
  std::optional<Mount> mount_;
  std::optional<Mount> read_only_mount_;
};

}  // namespace concordfs::mounttest
