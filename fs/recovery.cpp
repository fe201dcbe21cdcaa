// What daemons that died had written and not published (R13).
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "fs/descriptor.h"
#include "fs/filesystem.h"
#include "fs/working_area.h"
#include "vcs/commit.h"
#include "vcs/parking.h"
#include "vcs/tree_reader.h"

namespace concordfs::fs {
namespace {

constexpr int kMaxSearch = 20000;  // commits

// Was this version of the path published, in a commit since the base? Then it is in history, whatever came after.
bool WasPublished(vcs::TreeReader& trees, const std::vector<vcs::Ref>& branches, const Description& description,
                  const vcs::Version& version) {
  const auto path = vcs::RepoPath::Parse(description.path);
  if (!path) return false;
  for (const vcs::Ref& branch : branches) {
    vcs::ObjectId at = branch.target;
    for (int i = 0; i < kMaxSearch; ++i) {
      const auto bytes = trees.store().Read(at, vcs::ObjectKind::kCommit);
      const auto commit = bytes ? vcs::Commit::Parse(*bytes) : Result<vcs::Commit>(bytes.error());
      if (!commit) break;
      const auto entry = trees.Find(commit->tree, *path);
      if (entry && *entry && !(*entry)->IsDirectory() && (*entry)->AsVersion() == version) return true;
      if (at == description.base.commit || commit->parents.empty()) break;
      at = commit->parents.front();
    }
  }
  return false;
}

// One working copy of a dead daemon: parked, unless it is in history.
Result<Recovered> RecoverOne(vcs::Store& store, vcs::TreeReader& trees, vcs::Parking& parking,
                             const std::vector<vcs::Ref>& branches, const std::filesystem::path& description_path) {
  const auto description = ReadDescription(description_path.string());
  if (!description) return description.error();
  Recovered recovered{description->agent, description->path, ""};
  const std::string content_path = description_path.parent_path() / description_path.stem();
  const Descriptor content(open(content_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!content.is_open()) return SystemError(content_path, errno);
  struct stat status {};
  const auto blob = fstat(content.fd(), &status) == 0
                        ? store.AddBlob(content.fd(), static_cast<std::uint64_t>(status.st_size))
                        : SystemError(content_path, errno);
  if (!blob) return blob.error();
  const vcs::Version version{*blob, description->mode};
  if (description->base.version == version || WasPublished(trees, branches, *description, version)) return recovered;

  const auto path = vcs::RepoPath::Parse(description->path);
  if (!path) return path.error();
  vcs::ParkRequest request;
  request.agent = description->agent;
  request.process = description->process;
  request.path = *path;
  request.base = description->base;
  request.content = version;
  request.head = description->base.version;
  request.head_commit = description->base.commit;
  request.reason = "written and not published when the daemon died";
  request.time_s = std::time(nullptr);
  const auto parked = parking.Park(request, vcs::kRecoveredPrefix);
  if (!parked) return parked.error();
  recovered.ref = parked->ref;
  return recovered;
}

}  // namespace

Result<std::vector<Recovered>> RecoverWorkingCopies(vcs::Store& store, const std::filesystem::path& git_dir) {
  std::vector<Recovered> all;
  std::error_code error;
  std::filesystem::directory_iterator mounts(MountsFolder(git_dir), error);
  if (error) return all;  // never mounted before
  const auto branches = store.ListRefs("refs/heads/");
  if (!branches) return branches.error();
  vcs::TreeReader trees(store);
  vcs::Parking parking(store, trees);
  for (const auto& mount : mounts) {
    const std::string lock_path = mount.path() / "lock";
    const int lock = open(lock_path.c_str(), O_RDWR | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {  // its daemon lives
      close(lock);
      continue;
    }
    bool all_safe = true;
    for (const auto& entry : std::filesystem::directory_iterator(mount.path(), error)) {
      if (entry.path().extension() != ".json") continue;
      auto recovered = RecoverOne(store, trees, parking, *branches, entry.path());
      if (!recovered) {
        spdlog::error("recovery of {}: {}; left where it is", entry.path().string(), recovered.error().message);
        all_safe = false;
        continue;
      }
      all.push_back(*std::move(recovered));
      unlink(entry.path().c_str());
    }
    if (all_safe) std::filesystem::remove_all(mount.path(), error);
    if (lock >= 0) close(lock);
  }
  return all;
}

}  // namespace concordfs::fs
