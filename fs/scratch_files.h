// The scratch files that the kernel knows: nodes of plain files, and what is open on them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fs/agent.h"
#include "fs/scratch_area.h"
#include "vcs/mutex.h"
#include "vcs/repo_path.h"
#include "vcs/version.h"

namespace concordfs::fs {

// How long the kernel may keep names and attributes: long enough that a build doesn't ask for a file twice, short
// enough that what another mount of the branch or an admin does is soon seen.
constexpr double kScratchTimeout_s = 1;

// What of a plain file was published when it was renamed to a versioned path: who still has it open goes on writing the
// file of that name, as POSIX has it (R9).
struct PublishedAs {
  Identity who;
  vcs::RepoPath path;
  vcs::Base base;          // the version that was published
  struct statx status {};  // the file as it was published: what differs now was written since
};

// A node is one file, whatever its names: hard links share it. Names are not known here. Nothing is checked and nothing
// is anybody's own: what one agent writes the others see at once, as in any directory.
//
// Threads: any; methods may block on disk. Errors are the disk's.
class ScratchFiles {
 public:
  ScratchFiles() = default;
  ScratchFiles(const ScratchFiles&) = delete;
  ScratchFiles& operator=(const ScratchFiles&) = delete;

  // The answer to a lookup of what was found: not a directory.
  Entry Enter(const ScratchEntry& entry, const std::shared_ptr<const FileHandles>& handles) EXCLUDES(mutex_);
  void Forget(NodeId node, std::uint64_t lookups) EXCLUDES(mutex_);
  // The node of a file, if the kernel knows it.
  std::optional<NodeId> Find(const PlainFileKey& key) EXCLUDES(mutex_);

  Result<Attr> GetAttr(NodeId node);
  Result<Attr> SetAttr(const Caller& caller, NodeId node, const AttrChange& change, std::optional<HandleId> handle);
  Result<std::string> ReadSymlink(NodeId node);
  Result<Entry> MakeLink(NodeId node, const ScratchFolder& folder, const std::string& name);

  Result<std::string> GetXattr(NodeId node, const std::string& name);
  Result<void> SetXattr(NodeId node, const std::string& name, std::string_view value, int flags);
  Result<void> RemoveXattr(NodeId node, const std::string& name);
  Result<std::vector<std::string>> ListXattr(NodeId node);

  // kStale, once, for a file that has become a version: the kernel looks the path up again and finds that.
  Result<Opened> Open(const Caller& caller, NodeId node, int flags);
  Result<Created> Create(const Caller& caller, const ScratchFolder& folder, const std::string& name, mode_t mode,
                         int flags);
  Result<std::size_t> Read(HandleId handle, std::uint64_t offset, std::span<char> out);
  Result<void> Write(HandleId handle, std::uint64_t offset, std::string_view data);
  Result<void> Allocate(HandleId handle, int mode, std::uint64_t offset, std::uint64_t length);
  Result<std::uint64_t> Seek(HandleId handle, std::uint64_t offset, int whence);
  Result<void> Sync(HandleId handle);
  void Release(HandleId handle) EXCLUDES(mutex_);

  // The node's file was renamed to a versioned path: what it holds is the version now that `as` says, and who has it
  // open writes that path. Who opens it later, by another link, writes a scratch file.
  void MarkPublished(NodeId node, PublishedAs as) EXCLUDES(mutex_);
  // What they wrote since is published, or parked, too.
  void MarkPublishedAgain(NodeId node, PublishedAs as) EXCLUDES(mutex_);
  // What was written through this handle since the file was published, and isn't published yet: as what, and a
  // descriptor to read it from, which the handle keeps open.
  struct Unpublished {
    NodeId node = 0;
    int fd = -1;
    PublishedAs as;
  };
  std::optional<Unpublished> FindUnpublished(HandleId handle) EXCLUDES(mutex_);
  // The node that a handle which can write is open on: what the kernel knows of its times may be old, because a mapping
  // writes without a request. Nothing for one that only reads.
  std::optional<NodeId> WrittenNode(HandleId handle) EXCLUDES(mutex_);

  struct Counters {
    std::uint64_t nodes = 0;
    std::uint64_t open_files = 0;
    std::uint64_t reads = 0;  // requests: none where the kernel passes through
    std::uint64_t writes = 0;
  };
  Counters counters() const EXCLUDES(mutex_);

 private:
  struct Node {
    explicit Node(std::shared_ptr<const PlainFile> what) : file(std::move(what)) {}

    const std::shared_ptr<const PlainFile> file;
    std::uint64_t lookups = 0;
    int handles = 0;
    std::optional<PublishedAs> published;
    HandleId published_before = 0;  // handles below this one were open then
    std::set<pid_t> sent_away;      // threads that were sent to look again
  };
  struct Handle {
    NodeId node = 0;
    DescriptorPtr file;
    bool writable = false;
    int fd() const { return file->fd(); }
  };

  Node* FindLocked(NodeId node) REQUIRES(mutex_);
  void PruneLocked(NodeId node) REQUIRES(mutex_);
  // A descriptor of the node's file, by O_PATH. Errors: kNotFound (it is gone); kStale (it has become a version, and is
  // gone).
  Result<DescriptorPtr> Hold(NodeId node) EXCLUDES(mutex_);
  std::shared_ptr<const Handle> FindHandle(HandleId handle) EXCLUDES(mutex_);
  Opened AddHandle(NodeId node, DescriptorPtr file, int flags) EXCLUDES(mutex_);

  // Own synchronisation.
  std::atomic<std::uint64_t> reads_{0};
  std::atomic<std::uint64_t> writes_{0};
  // Guarded by mutex_.
  mutable Mutex mutex_;
  std::unordered_map<NodeId, std::unique_ptr<Node>> nodes_ GUARDED_BY(mutex_);
  std::map<PlainFileKey, NodeId> by_key_ GUARDED_BY(mutex_);
  std::unordered_map<HandleId, std::shared_ptr<const Handle>> handles_ GUARDED_BY(mutex_);
  std::uint64_t next_ GUARDED_BY(mutex_) = 1;
};

}  // namespace concordfs::fs
