// What daemons that died had written and not published (R13).
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fs/descriptor.h"
#include "fs/filesystem.h"
#include "fs/working_area.h"
#include "vcs/branch_name.h"
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
      const auto commit = vcs::ReadCommit(trees.store(), at);
      if (!commit) break;
      const auto entry = trees.Find(commit->tree, *path);
      if (entry && *entry && !(*entry)->IsDirectory() && (*entry)->AsVersion() == version) return true;
      if (at == description.base.commit || commit->parents.empty()) break;
      at = commit->parents.front();
    }
  }
  return false;
}

// What needs git to be recovered.
struct Recovery {
  vcs::Store& store;
  vcs::TreeReader trees{store};
  vcs::Parking parking{store, trees};
  std::vector<vcs::Ref> branches;
};

// One working copy of a dead daemon: parked, unless it is in history.
Result<Recovered> RecoverOne(Recovery& recovery, const Description& description, const std::string& content_path) {
  vcs::Store& store = recovery.store;
  Recovered recovered{description.agent, description.path, ""};
  const Descriptor content(open(content_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!content.is_open()) return SystemError(content_path, errno);
  struct stat status {};
  const auto blob = fstat(content.fd(), &status) == 0
                        ? store.AddBlob(content.fd(), static_cast<std::uint64_t>(status.st_size))
                        : SystemError(content_path, errno);
  if (!blob) return blob.error();
  const vcs::Version version{*blob, description.mode};
  if (description.base.version == version || WasPublished(recovery.trees, recovery.branches, description, version)) {
    return recovered;
  }

  const auto path = vcs::RepoPath::Parse(description.path);
  if (!path) return path.error();
  vcs::ParkRequest request;
  request.agent = description.agent;
  request.process = description.process;
  request.path = *path;
  request.base = description.base;
  request.content = version;
  request.head = description.base.version;
  request.head_commit = description.base.commit;
  request.reason = "written and not published when the daemon died";
  request.time_s = std::time(nullptr);
  const auto parked = recovery.parking.Park(request, vcs::kRecoveredPrefix);
  if (!parked) return parked.error();
  recovered.ref = parked->ref;
  return recovered;
}

// True: nothing in the folder is needed any more.
bool RecoverFolder(Recovery& recovery, const std::filesystem::path& folder, std::vector<Recovered>& all) {
  if (!std::filesystem::exists(DescriptionsPath(folder))) return true;
  const auto log = DescriptionLog::Open(DescriptionsPath(folder).string());
  if (!log) {
    spdlog::error("recovery of {}: {}; left where it is", folder.string(), log.error().message);
    return false;
  }
  for (const auto& [number, description] : (*log)->Described()) {
    const std::string content_path = ContentPath(folder, number).string();
    if (!std::filesystem::exists(content_path)) {  // it was given up, and there was no room to say so
      (void)(*log)->Drop(number);
      continue;
    }
    auto recovered = RecoverOne(recovery, description, content_path);
    if (!recovered) {
      spdlog::error("recovery of {}: {}; left where it is", content_path, recovered.error().message);
      continue;
    }
    all.push_back(*std::move(recovered));
    (void)(*log)->Drop(number);
  }
  return (*log)->empty();
}

// As daemons before 0.1.0 left them: each content with its description beside it.
Result<Description> ReadOldDescription(const std::string& description_path) {
  std::ifstream file(description_path);
  const auto json = nlohmann::json::parse(file, nullptr, false);
  const auto broken = Error{Code::kCorrupt, description_path + ": no description of a working copy"};
  if (!json.is_object()) return broken;
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Description description;
  description.agent = text("agent");
  description.process = text("process");
  description.path = vcs::Unquoted(text("path"));
  const auto version = vcs::ParseVersion(text("base"));
  const auto commit = vcs::ObjectId::FromHex(text("base_commit"));
  if (!version || !commit || description.agent.empty() || description.path.empty()) return broken;
  description.base = vcs::Base{*version, *commit};
  description.mode =
      static_cast<vcs::FileMode>(json.value("mode", static_cast<std::uint32_t>(vcs::FileMode::kRegular)));
  return description;
}

bool RecoverOldFolder(Recovery& recovery, const std::filesystem::path& folder, std::vector<Recovered>& all) {
  bool all_safe = true;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".json") continue;
    const auto description = ReadOldDescription(entry.path().string());
    const std::string content_path = entry.path().parent_path() / entry.path().stem();
    auto recovered =
        description ? RecoverOne(recovery, *description, content_path) : Result<Recovered>(description.error());
    if (!recovered) {
      spdlog::error("recovery of {}: {}; left where it is", entry.path().string(), recovered.error().message);
      all_safe = false;
      continue;
    }
    all.push_back(*std::move(recovered));
    unlink(entry.path().c_str());
  }
  return all_safe;
}

}  // namespace

Result<std::vector<Recovered>> RecoverWorkingCopies(vcs::Store& store, const std::filesystem::path& git_dir) {
  std::vector<Recovered> all;
  std::error_code error;
  std::filesystem::directory_iterator mounts(MountsFolder(git_dir), error);
  if (error) return all;  // never mounted before
  const auto branches = store.ListRefs(std::string(vcs::kBranchPrefix));
  if (!branches) return branches.error();
  Recovery recovery{.store = store, .branches = *branches};
  for (const auto& mount : mounts) {
    const std::string lock_path = mount.path() / "lock";
    const int lock = open(lock_path.c_str(), O_RDWR | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {  // its daemon lives
      close(lock);
      continue;
    }
    const bool all_safe = RecoverFolder(recovery, mount.path(), all) && RecoverOldFolder(recovery, mount.path(), all);
    if (all_safe) std::filesystem::remove_all(mount.path(), error);
    if (lock >= 0) close(lock);
  }
  return all;
}

}  // namespace concordfs::fs
