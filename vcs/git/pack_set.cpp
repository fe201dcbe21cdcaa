#include "vcs/git/pack_set.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>

namespace concordfs::vcs::git {
namespace {

constexpr std::chrono::seconds kLookAgain{1};
constexpr std::int64_t kSettled_ns = 50'000'000;  // file systems' clocks are coarse

std::int64_t Nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::optional<PackSet::Place> PackSet::Find(const ObjectId& id) {
  std::shared_ptr<const Packs> packs;
  bool is_old = false;
  {
    const MutexLock lock(mutex_);
    packs = packs_;
    is_old = Clock::now() - looked_ > kLookAgain;
  }
  if (is_old && Refresh()) {  // so that what `git gc` removed is let go of
    const MutexLock lock(mutex_);
    packs = packs_;
  }
  for (const auto& pack : *packs) {
    if (const auto offset = pack->Find(id)) return Place{pack, *offset};
  }
  return std::nullopt;
}

bool PackSet::Refresh() {
  std::vector<Seen> seen = Look();
  std::shared_ptr<const Packs> known;
  {
    const MutexLock lock(mutex_);
    looked_ = Clock::now();
    if (seen == seen_) return false;
    known = packs_;
  }
  auto packs = Scan(*known);  // two threads may do it at a time: they find the same
  const MutexLock lock(mutex_);
  packs_ = std::move(packs);
  seen_ = std::move(seen);
  return true;
}

std::vector<PackSet::Seen> PackSet::Look() const {
  std::vector<Seen> seen;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  for (const std::string& objects_dir : objects_dirs_) {
    struct stat status {};
    Seen one;
    if (::stat((objects_dir + "/pack").c_str(), &status) == 0) one.changed = status.st_mtim;
    one.is_settled = Nanoseconds(now) - Nanoseconds(one.changed) > kSettled_ns;
    seen.push_back(one);
  }
  return seen;
}

std::shared_ptr<const PackSet::Packs> PackSet::Scan(const Packs& known) const {
  std::vector<std::pair<std::uintmax_t, std::string>> found;  // sizes, and paths without suffix
  for (const std::string& objects_dir : objects_dirs_) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(objects_dir + "/pack", error), end; !error && at != end;
         at.increment(error)) {
      const std::filesystem::path& path = at->path();
      if (path.extension() != ".idx" || !path.filename().string().starts_with("pack-")) continue;
      std::error_code no_size;
      const std::uintmax_t size = at->file_size(no_size);
      found.emplace_back(no_size ? 0 : size, path.parent_path() / path.stem());
    }
  }
  std::ranges::sort(found, std::greater<>());
  if (found.size() > kMaxPacks) found.resize(kMaxPacks);
  auto packs = std::make_shared<Packs>();
  for (const auto& [size, path] : found) {
    const auto same = std::ranges::find(known, path, &PackReader::path);
    if (same != known.end()) {
      packs->push_back(*same);
    } else if (auto opened = PackReader::Open(path)) {
      packs->push_back(*std::move(opened));
    }
  }
  return packs;
}

}  // namespace concordfs::vcs::git
