#include "vcs/git/pack_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <fstream>
#include <memory>
#include <set>
#include <string_view>

#include "vcs/git/git_error.h"
#include "vcs/git/handles.h"
#include "vcs/git/pack_format.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::uint64_t kFactor = 2;
constexpr std::array<std::string_view, 4> kBinding = {".keep", ".promisor", ".mtimes", ".bitmap"};
constexpr std::array<const char*, 3> kRemoved = {".idx", ".pack", ".rev"};  // in this order
constexpr std::time_t kLongestGc = 12 * 3600;                               // seconds

// The number of objects in an index, or nothing if it can't be read or is none.
std::optional<std::uint32_t> CountOf(const std::string& index) {
  const FileDescriptor file(::open(index.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, kIndexMagic.size() + kFanoutSize> head;
  if (!file.ok() || ::pread(file.get(), head.data(), head.size(), 0) != static_cast<ssize_t>(head.size())) {
    return std::nullopt;
  }
  if (!std::string_view(head.data(), head.size()).starts_with(kIndexMagic)) return std::nullopt;
  return BigEndian32(head.data() + head.size() - 4);
}

// With its birth time.
std::optional<struct statx> StatusOf(const std::string& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &status) != 0) return std::nullopt;
  return status;
}

FileIdentity ToIdentity(const struct statx& status) {
  return {makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino, status.stx_btime.tv_sec,
          status.stx_btime.tv_nsec};
}

std::optional<PackInfo> Examine(const std::string& path) {
  const auto status = StatusOf(path + ".pack");
  if (!status) return std::nullopt;
  const auto count = CountOf(path + ".idx");
  if (!count) return std::nullopt;
  PackInfo info;
  info.path = path;
  info.identity = ToIdentity(*status);
  info.bytes = status->stx_size;
  info.objects = *count;
  info.mtime_ns = status->stx_mtime.tv_sec * 1'000'000'000LL + status->stx_mtime.tv_nsec;
  return info;
}

// Is it there, and not from a process that must have died long ago?
bool IsYoung(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && std::time(nullptr) - status.st_mtim.tv_sec <= kLongestGc;
}

}  // namespace

std::optional<FileIdentity> IdentityOf(const std::string& path) {
  const auto status = StatusOf(path);
  if (!status) return std::nullopt;
  return ToIdentity(*status);
}

Result<PackListing> ListPacks(const std::string& objects_dir) {
  PackListing listing;
  const std::string folder = objects_dir + "/pack";
  const DirHandle dir(::opendir(folder.c_str()));
  if (!dir) {
    if (errno == ENOENT) return listing;
    return ReadSystemError(errno, folder);
  }
  std::vector<std::string> stems;
  std::set<std::string> bound;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "multi-pack-index") listing.has_multi_pack_index = true;
    if (!name.starts_with("pack-")) continue;
    const std::size_t dot = std::min(name.find('.'), name.size());
    if (name.substr(dot) == ".idx") stems.emplace_back(name.substr(0, dot));
    if (std::ranges::find(kBinding, name.substr(dot)) != kBinding.end()) bound.emplace(name.substr(0, dot));
  }
  for (const std::string& stem : stems) {
    auto info = Examine(folder + "/" + stem);
    if (!info) continue;
    info->is_bound = bound.contains(stem);
    listing.packs.push_back(*std::move(info));
  }
  return listing;
}

std::vector<PackInfo> ChooseMerge(std::span<const PackInfo> packs, const MergeLimits& limits) {
  std::vector<PackInfo> chosen;
  for (const PackInfo& pack : packs) {
    const bool settled = pack.bytes > limits.bytes / 2 || pack.objects > limits.objects / 2;
    if (!pack.is_bound && !settled) chosen.push_back(pack);
  }
  std::ranges::sort(chosen, {}, &PackInfo::objects);
  // The largest one that isn't twice as large as the one before it: all up to there become one.
  std::size_t count = chosen.size();
  const auto fits = [&](std::size_t i) { return chosen[i].objects >= kFactor * chosen[i - 1].objects; };
  while (count > 1 && fits(count - 1)) --count;
  if (count < 2) return {};
  // And those that would then be too small beside it.
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
  std::size_t taken = 0;
  for (; taken < chosen.size(); ++taken) {
    const PackInfo& pack = chosen[taken];
    if (taken >= count && pack.objects >= kFactor * objects) break;
    if (objects + pack.objects > limits.objects || bytes + pack.bytes > limits.bytes) break;
    objects += pack.objects;
    bytes += pack.bytes;
  }
  if (taken < 2) return {};
  chosen.resize(taken);
  std::ranges::sort(chosen, {}, &PackInfo::mtime_ns);
  return chosen;
}

Result<void> RemovePack(const std::string& path) {
  for (const char* suffix : kRemoved) {
    if (::unlink((path + suffix).c_str()) != 0 && errno != ENOENT)
      return WriteSystemError(errno, "remove " + path + suffix);
  }
  return {};
}

bool Exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

bool GitGcRuns(const std::string& git_dir) {
  if (IsYoung(git_dir + "/objects/maintenance.lock")) return true;
  const std::string path = git_dir + "/gc.pid";
  if (!IsYoung(path)) return false;
  std::ifstream file(path);
  long long pid = 0;
  std::string host;
  if (!(file >> pid >> host) || pid <= 0) return false;
  std::array<char, 256> own{};
  static_cast<void>(::gethostname(own.data(), own.size() - 1));
  if (host != own.data()) return true;
  return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM;
}

}  // namespace concordfs::vcs::git
