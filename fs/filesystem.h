// What a file system is here, without libfuse: the operations in terms of nodes, agents and versions.
//
// A nodeid is a directory, an immutable version of a file, or one agent's working copy of one. Invariants F1-F9 are in
// fs/README.md. The operations are in filesystem_*.cpp by family; their state is in Namespace (names and nodes),
// WorkingCopy (uncommitted content), BaseTracker (who knows what) and the Committer (the one writer).
#pragma once

#include <sys/statvfs.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fs/lock_table.h"
#include "fs/temporaries.h"
#include "fs/types.h"
#include "vcs/parked_push.h"
#include "vcs/remote_store.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::fs {

class AgentSource;
class KernelCache;

constexpr std::uint64_t kDefaultCacheMemory = 96 << 20;  // bytes

struct FilesystemOptions {
  vcs::Store* store = nullptr;         // not owned; outlives the file system
  vcs::RemoteStore* remote = nullptr;  // the same store, if the branch is a remote's as well
  std::string remote_url;              // for Status() only: without who logs in there
  const vcs::ParkedPush* parked_push = nullptr;  // for Status() only; null: parked work stays here
  std::filesystem::path git_dir;       // where concordfs/ (working copies) is kept
  std::string ref;                     // full name of the branch: "refs/heads/main"
  AgentSource* agents = nullptr;      // who calls; not owned. Null: ProcAgentSource(fixed_agent)
  std::string fixed_agent;            // mount --agent; empty: by caller
  std::string mountpoint;             // for Status() only
  std::string durability = "process";  // for Status() only
  bool read_only = false;
  std::uint64_t max_file_size = 0;  // bytes; 0: no limit of our own
  // Bytes of memory for what is kept to be faster the next time: trees, contents and sizes. And as much again, about, for names
  // and nodes; where the kernel knows more of them, it is asked to forget some.
  std::uint64_t cache_memory = kDefaultCacheMemory;
  uid_t uid = 0;                    // owner of everything that has no other
  gid_t gid = 0;
  // What is scratch (R12) besides what .gitignore files and info/exclude ignore: patterns as in a .gitignore, ...
  std::vector<std::string> scratch_patterns;
  // ... and names of editors' temporaries (fs/temporaries.h).
  std::vector<std::string> temporaries = DefaultTemporaries();
};

// What became of the working copies that were open when the file system was drained.
struct DrainReport {
  int published = 0;
  int parked = 0;
  int kept = 0;  // could be neither published nor parked: on disk until the next mount recovers them
  std::uint64_t unpushed = 0;  // commits that the remote doesn't have yet, where closes don't wait for it
};

// A piece of uncommitted content of a dead daemon that a mount found.
struct Recovered {
  std::string agent;
  std::string path;
  std::string ref;  // "refs/concordfs/recovered/<agent>/<id>"; empty: it had been published, nothing was lost
};

// Threads: every method from any thread, concurrently; all may block on disk. Errors are those of POSIX for the call
// (see fs/errno_map.h), kStale as R6 says, and kIo, kNoSpace, kQuota, kCorrupt, kReadOnly from the repository.
class Filesystem {
 public:
  // Reads the branch's head and makes the folder for working copies. Nothing is served before Start().
  // Errors: kNotFound (no such branch), kCorrupt (its head can't be read), kIo.
  static Result<std::unique_ptr<Filesystem>> Open(const FilesystemOptions& options);
  virtual ~Filesystem() = default;

  // Starts the committer and the watch on the branch (R11). `cache` hears of every change from then on and outlives
  // the file system's last operation. Call once.
  virtual void Start(KernelCache* cache) = 0;
  // Publishes or parks every working copy with changes (R13: an unmount loses nothing), and tries once to push what waits for that.
  // Operations go on meanwhile.
  virtual DrainReport Drain() = 0;
  // Ends the threads; who waits for a lock is answered kInterrupted. Implied by the destructor.
  virtual void Stop() = 0;
  // Agents, working copies, bases, counters: the JSON text that `concordfs status --json` prints.
  virtual std::string Status() = 0;

  // Names.
  virtual Result<Entry> Lookup(const Caller& caller, NodeId parent, std::string_view name) = 0;
  // As Lookup, of a name that was listed and may never be used. Nothing where that fails, and where the kernel knows so many
  // names that it should ask only for those that are used.
  virtual std::optional<Entry> LookupListed(const Caller& caller, NodeId parent, std::string_view name) = 0;
  virtual void Forget(NodeId node, std::uint64_t lookups) = 0;
  virtual Result<Entry> MakeDirectory(const Caller& caller, NodeId parent, std::string_view name, mode_t mode) = 0;
  virtual Result<void> RemoveDirectory(const Caller& caller, NodeId parent, std::string_view name) = 0;
  virtual Result<Entry> MakeFile(const Caller& caller, NodeId parent, std::string_view name, const MakeMode& mode) = 0;
  virtual Result<Entry> MakeSymlink(const Caller& caller, NodeId parent, std::string_view name,
                                    std::string_view target) = 0;
  // A hard link: of scratch files only, to scratch names only (kPermission).
  virtual Result<Entry> MakeLink(NodeId node, NodeId new_parent, std::string_view new_name) = 0;
  virtual Result<std::string> ReadSymlink(NodeId node) = 0;
  virtual Result<void> Unlink(const Caller& caller, NodeId parent, std::string_view name) = 0;
  // `flags`: RENAME_NOREPLACE or RENAME_EXCHANGE, as renameat2(2).
  virtual Result<void> Rename(const Caller& caller, NodeId parent, std::string_view name, NodeId new_parent,
                              std::string_view new_name, unsigned flags) = 0;

  // Attributes. `handle` is the open handle that the call came through, if it did.
  virtual Result<Attr> GetAttr(const Caller& caller, NodeId node) = 0;
  virtual Result<Attr> SetAttr(const Caller& caller, NodeId node, const AttrChange& change,
                               std::optional<HandleId> handle) = 0;
  virtual Result<std::string> GetXattr(const Caller& caller, NodeId node, std::string_view name) = 0;
  // `flags`: XATTR_CREATE or XATTR_REPLACE, as setxattr(2).
  virtual Result<void> SetXattr(const Caller& caller, NodeId node, std::string_view name, std::string_view value,
                                int flags) = 0;
  virtual Result<void> RemoveXattr(NodeId node, std::string_view name) = 0;
  virtual Result<std::vector<std::string>> ListXattr(NodeId node) = 0;
  virtual Result<struct statvfs> StatFs() = 0;

  // Files. `flags` as open(2).
  virtual Result<Opened> Open(const Caller& caller, NodeId node, int flags) = 0;
  virtual Result<Created> Create(const Caller& caller, NodeId parent, std::string_view name, mode_t mode,
                                 int flags) = 0;
  // Bytes read; fewer than asked for at the end of the file only.
  virtual Result<std::size_t> Read(HandleId handle, std::uint64_t offset, std::span<char> out) = 0;
  virtual Result<void> Write(HandleId handle, std::uint64_t offset, std::string_view data, WriteTo to) = 0;
  virtual Result<void> Allocate(HandleId handle, int mode, std::uint64_t offset, std::uint64_t length) = 0;
  // Where the next data or hole is: `whence` is SEEK_DATA or SEEK_HOLE, as lseek(2). Errors: kNoData.
  virtual Result<std::uint64_t> Seek(HandleId handle, std::uint64_t offset, int whence) = 0;
  // A close of one descriptor by `tid` (R4). Reads nothing of /proc but the thread's own status.
  virtual Result<void> Flush(HandleId handle, pid_t tid) = 0;
  virtual Result<void> Sync(HandleId handle) = 0;
  // The last close: publishes or parks what is left.
  virtual void Release(HandleId handle) = 0;

  // Advisory locks, by fcntl(2) and flock(2). They are on the file at a path, across its versions and all agents' working
  // copies; a file that takes another one's place by a rename takes over its locks. Nothing here blocks.
  // A number for the request that follows, so that CancelLock() can name it from now on.
  virtual LockTicket AnnounceLock() = 0;
  // Sets or removes a lock through an open handle of the node. `done` is called once, by any thread, without locks held.
  // Errors: kWouldBlock, kDeadlock, kInterrupted, kNoLocks (fs/locks.h says when).
  virtual void SetLock(HandleId handle, NodeId node, const LockRequest& request,
                       std::function<void(Result<void>)> done) = 0;
  // Who waits by that ticket is answered kInterrupted.
  virtual void CancelLock(LockTicket ticket) = 0;
  // What stands in the request's way, if anything does.
  virtual std::optional<HeldLock> GetLock(NodeId node, const LockRequest& request) = 0;
  // The owner closed a descriptor of the file: its record locks on it go, whichever descriptor they were set through. Call
  // after Flush(), which publishes. Where a close doesn't come here (Opened::no_flush), and for all other kinds, Release()
  // drops what was set through its handle. A flock's owner is its handle.
  virtual void DropLocks(NodeId node, LockOwner owner) = 0;

  // Directories.
  virtual Result<HandleId> OpenDirectory(const Caller& caller, NodeId node) = 0;
  // The entries from `cookie` on (0: the first), at most `limit`. Cookies stay good while the handle is open.
  virtual Result<std::vector<DirEntry>> ReadDirectory(HandleId handle, std::uint64_t cookie, std::size_t limit) = 0;
  // Makes the names in it survive a power cut, where they aren't in history.
  virtual Result<void> SyncDirectory(HandleId handle) = 0;
  virtual void ReleaseDirectory(HandleId handle) = 0;

  // Where the requests are counted; for Status(). Call before Start().
  virtual void SetRequestCounts(std::function<RequestCounts()> counts) = 0;
  // Whether the kernel reads and writes plain files by itself; for Status().
  virtual void SetPassthrough(bool works) = 0;
  // A plain file in the scratch area, unnamed, to try that with; -1 if there is no scratch area. The caller closes it.
  virtual int OpenProbe() = 0;
};

// Parks what daemons that died on this repository had written and not published (R13), and removes their folders.
// Call before Filesystem::Open. Working copies of daemons that live are left alone.
Result<std::vector<Recovered>> RecoverWorkingCopies(vcs::Store& store, const std::filesystem::path& git_dir);

}  // namespace concordfs::fs
