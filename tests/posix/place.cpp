#include "tests/posix/place.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace concordfs::mounttest {
namespace {

// Of the plain directory, and of the mount.
std::unique_ptr<World>& Slot(Place place) {
  static std::unique_ptr<World> plain;
  static std::unique_ptr<World> mounted;
  return place.IsInMount() ? mounted : plain;
}

// Disks may take long to remove thousands of directories, memory doesn't.
std::string Below(Place place) {
  return !place.IsInMount() && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

// A first commit, by stock git, whose .gitignore makes `scratch/` what R12 says.
void IgnoreScratch(const Repository& repository, const std::filesystem::path& clone_folder) {
  Clone clone(repository, clone_folder);
  clone.Push(".gitignore", "/scratch/\n");
}

}  // namespace

const char* Place::Name() const {
  switch (kind_) {
    case Kind::kPlainDirectory: return "PlainDirectory";
    case Kind::kVersioned: return "Versioned";
    case Kind::kScratch: return "Scratch";
  }
  return "";
}

std::ostream& operator<<(std::ostream& stream, const Place& place) {
  return stream << place.Name();
}

World& World::Of(Place place) {
  auto& world = Slot(place);
  if (!world) world.reset(new World(place));
  return *world;
}

void World::EndAll() {
  Slot(Place(Place::Kind::kPlainDirectory)).reset();
  Slot(Place(Place::Kind::kVersioned)).reset();
}

World::World(Place place) : place_(place), temp_(Below(place)) {
  chmod(temp_.path().c_str(), 0755);  // for those of other users
  if (!place.IsInMount()) {
    temp_.MakeDirectory("plain");
    return;
  }
  repository_.emplace(temp_.path() / "repository");
  IgnoreScratch(*repository_, temp_.path() / "clone");
  // One agent, whoever calls: within an agent POSIX holds (R3).
  mount_.emplace(repository_->path(), temp_.path() / "mnt",
                 std::vector<std::string>{"--allow-other", "--agent", "tester"});
  mkdir((mount_->path() / "versioned").c_str(), 0755);
  mkdir((mount_->path() / "scratch").c_str(), 0755);
}

World::~World() {
  if (read_only_mount_) read_only_mount_->Unmount();
  if (!mount_ || !mount_->mounted()) return;
  mount_->Unmount();
  EXPECT_EQ(repository_->Fsck(), "");
}

std::filesystem::path World::Root(Place place) const {
  if (!place.IsInMount()) return temp_.path() / "plain";
  return mount_->path() / (place.kind() == Place::Kind::kScratch ? "scratch" : "versioned");
}

std::filesystem::path World::ReadOnlyRoot(Place place) {
  std::filesystem::path root = temp_.path() / "read-only";
  if (place.IsInMount()) {
    if (!read_only_mount_) {
      read_only_mount_.emplace(repository_->path(), root,
                               std::vector<std::string>{"--read-only", "--allow-other", "--agent", "reader"});
    }
    return root / Root(place).filename();
  }
  if (!std::filesystem::exists(root)) {
    std::filesystem::create_directory(root);
    // The temporary directory's end detaches it.
    EXPECT_EQ(mount(Root(place).c_str(), root.c_str(), nullptr, MS_BIND, nullptr), 0) << std::strerror(errno);
    EXPECT_EQ(mount(nullptr, root.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0)
        << std::strerror(errno);
  }
  return root;
}

bool World::Answers() {
  return !mount_ || mount_->DaemonRuns();
}

}  // namespace concordfs::mounttest
