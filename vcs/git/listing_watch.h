// Who is listing the folders of a repository's loose objects.
//
// Git lists such a folder, and then opens by name what it has read there: `git fsck` reports a file that was removed in
// between as a missing object, wherever else the object is.
#pragma once

#include <array>
#include <bitset>
#include <string>

#include "vcs/git/handles.h"
#include "vcs/object_id.h"

namespace concordfs::vcs::git {

// Sees who is at it when the watch begins, and who begins and ends later. Best effort: processes of other users aren't
// seen at the beginning by a daemon that isn't root, nor anything if the kernel has no inotify watch left; and two who
// begin with the same folder directly after one another are taken for one, as inotify takes them.
//
// Threads: one. Costs some microseconds for each open file of the machine, and one for each question.
class ListingWatch {
 public:
  explicit ListingWatch(const std::string& objects_dir);

  // Does anybody list the folder where `id` is, if it is loose? Who was at it when the watch began counts to its end.
  bool IsListed(const ObjectId& id);

 private:
  static constexpr std::size_t kFolders = 256;

  void WatchFolders(const std::string& objects_dir);
  // Folders that other processes have open.
  void FindOpenFolders(const std::string& objects_dir);
  void TakeEvents();

  FileDescriptor inotify_;
  std::array<int, kFolders> watches_;  // of each folder; -1: none
  std::array<int, kFolders> begun_{};  // and not ended
  std::bitset<kFolders> listed_;       // by whoever was at it in the beginning
};

}  // namespace concordfs::vcs::git
