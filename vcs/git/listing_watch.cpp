#include "vcs/git/listing_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "vcs/git/processes.h"

namespace concordfs::vcs::git {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

std::string FolderName(std::size_t number) {
  return {kDigits[number / 16], kDigits[number % 16]};
}

}  // namespace

ListingWatch::ListingWatch(const std::string& objects_dir) : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  watches_.fill(-1);
  WatchFolders(objects_dir);  // before the look around: who comes in between is seen twice, not never
  FindOpenFolders(objects_dir);
}

void ListingWatch::WatchFolders(const std::string& objects_dir) {
  if (!inotify_.ok()) return;
  for (std::size_t folder = 0; folder < kFolders; ++folder) {
    const std::string path = objects_dir + "/" + FolderName(folder);
    watches_[folder] = ::inotify_add_watch(inotify_.get(), path.c_str(), IN_OPEN | IN_CLOSE_NOWRITE | IN_ONLYDIR);
  }
}

// Source: proc_pid_fd(5).
void ListingWatch::FindOpenFolders(const std::string& objects_dir) {
  std::error_code ignored;
  const std::string prefix = std::filesystem::canonical(objects_dir, ignored).string() + "/";
  for (const std::filesystem::path& process : OtherProcesses()) {
    std::error_code gone;  // or somebody else's
    std::filesystem::directory_iterator file(process / "fd", gone);
    for (; !gone && file != std::filesystem::directory_iterator(); file.increment(gone)) {
      std::error_code closed;
      const std::string target = std::filesystem::read_symlink(file->path(), closed).string();
      if (closed || target.size() != prefix.size() + 2 || !target.starts_with(prefix)) continue;
      std::size_t folder = 0;
      const auto [end, error] =
          std::from_chars(target.data() + prefix.size(), target.data() + target.size(), folder, 16);
      if (error == std::errc() && end == target.data() + target.size()) listed_.set(folder);
    }
  }
}

// Source: inotify(7): a watched directory's own events have no name, those of what is in it have one.
void ListingWatch::TakeEvents() {
  alignas(inotify_event) char buffer[16'384];
  for (;;) {
    const ssize_t size = ::read(inotify_.get(), buffer, sizeof(buffer));
    if (size <= 0) return;
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof(event));
      at += static_cast<ssize_t>(sizeof(event) + event.len);
      if ((event.mask & IN_Q_OVERFLOW) != 0) listed_.set();  // whatever it was
      const auto* watch = std::find(watches_.begin(), watches_.end(), event.wd);
      if (event.len != 0 || watch == watches_.end()) continue;
      int& begun = begun_[static_cast<std::size_t>(watch - watches_.begin())];
      if ((event.mask & IN_OPEN) != 0) ++begun;
      // One that had begun before the watch ends, too.
      if ((event.mask & IN_CLOSE_NOWRITE) != 0) begun = std::max(begun - 1, 0);
    }
  }
}

bool ListingWatch::IsListed(const ObjectId& id) {
  TakeEvents();
  const std::size_t folder = id.bytes()[0];
  return begun_[folder] > 0 || listed_.test(folder);
}

}  // namespace concordfs::vcs::git
