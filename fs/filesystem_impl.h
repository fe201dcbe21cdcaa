// The state behind Filesystem, private to fs/filesystem_*.cpp.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "fs/agent.h"
#include "fs/attribute_store.h"
#include "fs/content.h"
#include "fs/file_times.h"
#include "fs/filesystem.h"
#include "fs/kernel_cache.h"
#include "fs/locks.h"
#include "fs/loss_notices.h"
#include "fs/namespace.h"
#include "fs/redirects.h"
#include "fs/scratch_files.h"
#include "fs/working_area.h"
#include "fs/write_habits.h"
#include "vcs/base_tracker.h"
#include "vcs/committer.h"
#include "vcs/ignore_rules.h"
#include "vcs/mutex.h"
#include "vcs/parking.h"
#include "vcs/tree_reader.h"

namespace concordfs::fs {

// Seconds that the kernel may keep what can't change without our telling it.
constexpr double kLongTimeout_s = 3600;

// An open file. `node`, `who`, `writable`, `version` and `copy` don't change; the rest is guarded by the file system's
// mutex.
struct Handle {
  NodeId node = 0;
  Identity who;
  bool writable = false;
  vcs::MaybeVersion version;               // that is read; nothing: an empty file
  std::shared_ptr<WorkingCopy> copy;       // or this
  std::shared_ptr<const Content> content;  // the version's bytes, once they were needed
  bool read = false;                       // something was read through it: it knows what the copy stands on
  bool wrote = false;                      // something was written through it since it was opened or published
  std::shared_ptr<WorkingCopy> refused;    // what was written through it on a base that the copy doesn't have
};

struct DirectoryHandle {
  std::shared_ptr<Directory> directory;
  std::string agent;              // who opened it, if that matters: some file is moved aside
  std::vector<DirEntry> entries;  // as they were at the first read
};

// What a commit request was for, found again when it is decided.
struct CopyContext : vcs::RequestContext {
  std::shared_ptr<WorkingCopy> copy;
  std::uint64_t changes = 0;  // WorkingFile::Changes() of what is published
  vcs::FileMode mode = vcs::FileMode::kRegular;
  std::uint64_t size = 0;  // bytes of it
  Identity who;
};
struct NameContext : vcs::RequestContext {
  std::shared_ptr<File> file;
  std::uint64_t size = 0;
  Identity who;
};
struct RenameContext : vcs::RequestContext {
  Child from;
  std::optional<Child> to;
  std::shared_ptr<Directory> new_parent;
  std::string new_name;
  Identity who;
  std::shared_ptr<WorkingCopy> published;  // whose content the rename publishes
  std::uint64_t changes = 0;
  std::uint64_t size = 0;
};
// A scratch file that was renamed to a versioned path.
struct ScratchContext : vcs::RequestContext {
  bool is_rename = true;       // else: written since, by who had it open then
  std::optional<NodeId> node;  // if the kernel knows it
  PublishedAs as;
  std::uint64_t size = 0;  // bytes
};

using MaybeEntry = std::optional<vcs::TreeEntryView>;

// A known directory's trees, if the branch was moved; null where it is no directory.
struct ChangedTrees {
  std::shared_ptr<const vcs::Tree> before;
  std::shared_ptr<const vcs::Tree> after;
};

class FilesystemImpl final : public Filesystem, private vcs::HeadObserver {
 public:
  FilesystemImpl(const FilesystemOptions& options, std::unique_ptr<WorkingArea> area);
  ~FilesystemImpl() override;
  Result<void> LoadHead();

  void Start(KernelCache* cache) override;
  DrainReport Drain() override;
  void Stop() override;
  std::string Status() override;

  Result<Entry> Lookup(const Caller& caller, NodeId parent, std::string_view name) override;
  std::optional<Entry> LookupListed(const Caller& caller, NodeId parent, std::string_view name) override;
  void Forget(NodeId node, std::uint64_t lookups) override;
  Result<Entry> MakeDirectory(const Caller& caller, NodeId parent, std::string_view name, mode_t mode) override;
  Result<void> RemoveDirectory(const Caller& caller, NodeId parent, std::string_view name) override;
  Result<Entry> MakeFile(const Caller& caller, NodeId parent, std::string_view name, const MakeMode& mode) override;
  Result<Entry> MakeSymlink(const Caller& caller, NodeId parent, std::string_view name,
                            std::string_view target) override;
  Result<Entry> MakeLink(NodeId id, NodeId new_parent, std::string_view new_name) override;
  Result<std::string> ReadSymlink(NodeId id) override;
  Result<void> Unlink(const Caller& caller, NodeId parent, std::string_view name) override;
  Result<void> Rename(const Caller& caller, NodeId parent, std::string_view name, NodeId new_parent,
                      std::string_view new_name, unsigned flags) override;

  Result<Attr> GetAttr(const Caller& caller, NodeId id) override;
  Result<Attr> SetAttr(const Caller& caller, NodeId id, const AttrChange& change,
                       std::optional<HandleId> handle) override;
  Result<std::string> GetXattr(const Caller& caller, NodeId id, std::string_view name) override;
  Result<void> SetXattr(const Caller& caller, NodeId id, std::string_view name, std::string_view value,
                        int flags) override;
  Result<void> RemoveXattr(NodeId id, std::string_view name) override;
  Result<std::vector<std::string>> ListXattr(NodeId id) override;
  Result<struct statvfs> StatFs() override;

  Result<Opened> Open(const Caller& caller, NodeId id, int flags) override;
  Result<Created> Create(const Caller& caller, NodeId parent, std::string_view name, mode_t mode, int flags) override;
  Result<std::size_t> Read(HandleId id, std::uint64_t offset, std::span<char> out) override;
  Result<void> Write(HandleId id, std::uint64_t offset, std::string_view data, WriteTo to) override;
  Result<void> Allocate(HandleId id, int mode, std::uint64_t offset, std::uint64_t length) override;
  Result<std::uint64_t> Seek(HandleId id, std::uint64_t offset, int whence) override;
  Result<void> Flush(HandleId id, pid_t tid) override;
  Result<void> Sync(HandleId id) override;
  void Release(HandleId id) override;

  LockTicket AnnounceLock() override;
  void SetLock(HandleId handle, NodeId node, const LockRequest& request,
               std::function<void(Result<void>)> done) override;
  void CancelLock(LockTicket ticket) override;
  std::optional<HeldLock> GetLock(NodeId node, const LockRequest& request) override;
  void DropLocks(NodeId node, LockOwner owner) override;

  Result<HandleId> OpenDirectory(const Caller& caller, NodeId id) override;
  Result<std::vector<DirEntry>> ReadDirectory(HandleId id, std::uint64_t cookie, std::size_t limit) override;
  Result<void> SyncDirectory(HandleId id) override;
  void ReleaseDirectory(HandleId id) override;
  void SetRequestCounts(std::function<RequestCounts()> counts) override { request_counts_ = std::move(counts); }
  void SetPassthrough(bool works) override { passthrough_ = works; }
  int OpenProbe() override;

 private:
  using Change = std::function<Result<void>(WorkingFile&, const Description&)>;

  // Names (filesystem_names.cpp). A name is learned without the lock, because that may read trees, and bound under it.
  struct Learned {
    bool known = false;  // the namespace has it already, with all that an answer needs
    vcs::Head head;
    std::optional<vcs::TreeEntry> entry;
    std::optional<std::uint64_t> size;
    timespec mtime{};  // of the entry
  };
  struct Bound {
    std::shared_ptr<Directory> parent;
    vcs::RepoPath path;
    std::optional<Child> child;
    std::shared_ptr<File> AsFile() const;           // null if it is none
    std::shared_ptr<Directory> AsDirectory() const;
  };
  Result<Learned> Learn(NodeId parent, std::string_view name) EXCLUDES(mutex_);
  // Nothing if what was learned is out of date: learn again.
  Result<std::optional<Bound>> Bind(NodeId parent, std::string_view name, const Learned& learned) REQUIRES(mutex_);
  // Learns the name and binds it, until both see the same head; then runs `body` under the lock. A body that returns
  // nothing wants to look again: it has waited for a publish to end.
  template <class T>
  Result<T> WithName(NodeId parent, std::string_view name,
                     const std::function<std::optional<Result<T>>(const Bound&)>& body) EXCLUDES(mutex_) {
    while (true) {
      const auto learned = Learn(parent, name);
      if (!learned) return learned.error();
      const MutexLock lock(mutex_);
      const auto bound = Bind(parent, name, *learned);
      if (!bound) return bound.error();
      if (!*bound) continue;
      if (auto result = body(**bound)) return *std::move(result);
    }
  }
  std::shared_ptr<File> AddFileLocked(const std::shared_ptr<Directory>& parent, std::string_view name,
                                      const Metadata& meta) REQUIRES(mutex_);
  // A name for new content that nobody has yet; free again if the content can't be published.
  Result<Entry> MakeWithContent(const Caller& caller, NodeId parent, std::string_view name, mode_t mode,
                                std::string_view content);
  // One rename, from the caller's question to what was submitted (filesystem_rename.cpp).
  struct RenameAttempt;
  enum class RenameStep { kLookAgain, kStoreContent, kSubmitted, kRefused };
  Result<void> TryRename(RenameAttempt& attempt) EXCLUDES(mutex_);  // also kRefMoved: try again
  Result<void> LearnRename(RenameAttempt& attempt) EXCLUDES(mutex_);
  Result<RenameStep> PlanRename(RenameAttempt& attempt) REQUIRES(mutex_);
  Result<RenameStep> SubmitRename(RenameAttempt& attempt, const Bound& from, const Bound& to) REQUIRES(mutex_);
  // What the agent's change of the name itself stands on: its removal, or another file in its place (R9).
  vcs::Base NameBase(const Identity& who, const Bound& bound) REQUIRES(mutex_);
  Error ParkRename(RenameAttempt& attempt) EXCLUDES(mutex_);
  Result<void> CheckWritable() const;
  Entry EntryOf(Node& node) REQUIRES(mutex_);
  Entry EntryOf(const std::shared_ptr<Directory>& directory) REQUIRES(mutex_);
  // The node of the file's newest version; made if there is none. The size must be known.
  Node& CurrentNode(const std::shared_ptr<File>& file) REQUIRES(mutex_);

  // What a directory holds now: the head's entries and the names that are not published.
  std::vector<DirEntry> ListDirectory(const DirectoryHandle& handle, const vcs::Tree& tree,
                                      const std::vector<DirEntry>& plain) REQUIRES(mutex_);
  Result<std::shared_ptr<const vcs::Tree>> LoadTree(const vcs::Head& head, const vcs::RepoPath& path);

  // Metadata (filesystem_metadata.cpp, filesystem_records.cpp). Records are changed in memory, in the order of what happens; SaveRecords()
  // writes them.
  Attr AttrOf(const Node& node) REQUIRES(mutex_);
  Attr AttrOf(const Directory& directory) REQUIRES(mutex_);
  // Of the newest version, or of a working copy of it.
  static Metadata MetadataShown(const File& file, const WorkingCopy* copy, vcs::FileMode mode);
  Metadata MetadataFrom(const std::optional<Attributes>& record, mode_t permissions, const timespec& mtime) const;
  // `mtime` where the record says nothing of it.
  Metadata MetadataOfFile(const vcs::RepoPath& path, const vcs::Version& version, const timespec& mtime) const;
  Metadata MetadataOfDirectory(const vcs::RepoPath& path, const timespec& mtime) const;
  // Of what head has there: this version, or a directory. May read trees.
  timespec MtimeOf(const vcs::Head& head, const vcs::RepoPath& path, const vcs::MaybeVersion& version) EXCLUDES(mutex_);
  // Of what is made now; `mode` with the type.
  static Metadata NewMetadata(const Directory& parent, uid_t uid, gid_t gid, mode_t mode);
  void RecordFile(const File& file) REQUIRES(mutex_);
  void RecordDirectory(const Directory& directory) REQUIRES(mutex_);
  // The st_ino of the newest version: tar(1) looks whether what it made is still the file that has the name, and the kernel
  // may have forgotten it in between.
  void KeepInode(File& file, NodeId ino) REQUIRES(mutex_);
  void Record(const Child& child) REQUIRES(mutex_);
  // A name in it came or went.
  void Touch(Directory& directory) REQUIRES(mutex_);
  void SetKept(Directory& directory, bool kept) REQUIRES(mutex_);
  void Keep(const std::shared_ptr<Directory>& directory) REQUIRES(mutex_);  // with all that it is in
  // Before the directory of that name is renamed: what is below has its times in records, because no epoch knows what
  // nobody touched by its new path.
  void RecordTimesBelow(NodeId parent, std::string_view name) EXCLUDES(mutex_);
  Result<std::vector<std::pair<vcs::RepoPath, Attributes>>> TimesBelow(const vcs::Head& head,
                                                                       const vcs::RepoPath& directory)
      EXCLUDES(mutex_);
  // It is removed: call while it still has its name.
  void ForgetRecords(const Child& child) REQUIRES(mutex_);
  Result<void> SaveRecords() EXCLUDES(mutex_);
  // After the first publication of a file: saves, if without its record it would be open to others, or somebody else's.
  void SaveIfPrivate(const File& file) EXCLUDES(mutex_);
  // The same, and directories' times hold over what was published here so far (FileTimes::FollowOwn).
  Result<void> SyncRecords() EXCLUDES(mutex_);
  void AdoptOthersRecords() EXCLUDES(mutex_);
  void AdoptRecords(const std::vector<vcs::RepoPath>& paths) EXCLUDES(mutex_);
  void MakeKeptDirectories() EXCLUDES(mutex_);
  // `newest`: it is the newest version, or was when the change began.
  void ChangeMetadata(Node& node, const AttrChange& change, bool newest) REQUIRES(mutex_);
  // Somebody else than root changed the content: the set-user-id and set-group-id bits go, as write(2) says.
  void TakePrivilegesAway(File& file) REQUIRES(mutex_);
  // The kernel asks again for the attributes of the file's nodes, but for this one.
  void ExpireOthers(const File& file, NodeId changed) REQUIRES(mutex_);

  // Bases.
  // What a write by this caller stands on (R2), for a path at `now` that it has no working copy of.
  vcs::Base BaseFor(const Identity& who, const vcs::RepoPath& path, const vcs::MaybeVersion& now) REQUIRES(mutex_);
  // Counts the refusal for the agent. The answer to a stale writer, everywhere.
  Error Refuse(const std::string& agent, const std::string& what) EXCLUDES(mutex_);
  Error RefuseLocked(const std::string& agent, const std::string& what) REQUIRES(mutex_);

  // What was published and lost to the remote since (filesystem_losses.cpp). Learns of it.
  void NoteLosses() REQUIRES(mutex_);
  // Is the agent to hear of a loss at the path now, by an operation that the kernel repeats?
  bool IsToldOfLoss(const Identity& who, const vcs::RepoPath& path) REQUIRES(mutex_);
  // The same by an open handle on the copy.
  bool IsToldOfLoss(const WorkingCopy& copy) REQUIRES(mutex_);
  // A name that isn't there: kStale if the caller's agent is to hear that it lost what it had there.
  Result<void> TellOfLossBehind(const Caller& caller, NodeId parent, std::string_view name) EXCLUDES(mutex_);
  Error LossLocked(const std::string& agent, const vcs::RepoPath& path) REQUIRES(mutex_);

  // Working copies (filesystem_files.cpp, filesystem_publish.cpp).
  enum class CopyOf { kHead, kNothing };
  std::shared_ptr<WorkingCopy> MakeCopy(const std::shared_ptr<File>& file, const Identity& who,
                                        CopyOf of = CopyOf::kHead) REQUIRES(mutex_);
  Description DescribeLocked(const WorkingCopy& copy) REQUIRES(mutex_);
  HandleId AddHandle(const std::shared_ptr<Handle>& handle) REQUIRES(mutex_);
  std::shared_ptr<Handle> FindHandle(HandleId id) EXCLUDES(mutex_);
  // Opens the copy under the node that the kernel asked with; O_TRUNC is left to the caller.
  std::shared_ptr<Handle> HandleOn(const std::shared_ptr<WorkingCopy>& copy, NodeId node, const Identity& who,
                                   int flags) REQUIRES(mutex_);
  Result<Opened> FinishOpen(const std::shared_ptr<Handle>& handle, int flags, bool direct_io) EXCLUDES(mutex_);
  // What an open is to do, decided under the lock.
  struct OpenPlan {
    std::shared_ptr<Handle> handle;
    bool direct_io = false;
    bool first = false;         // nobody has opened this version's node before
    bool size_unknown = false;  // learn the size of the file's newest version and plan again
  };
  Result<OpenPlan> PlanOpen(const Identity& who, pid_t tid, NodeId id, int flags) REQUIRES(mutex_);
  Result<OpenPlan> PlanWrite(const Identity& who, pid_t tid, Node& node, int flags, bool must_serve) REQUIRES(mutex_);
  Result<OpenPlan> PlanCopyOpen(const Identity& who, pid_t tid, Node& node, int flags, bool must_serve)
      REQUIRES(mutex_);
  Result<OpenPlan> PlanRead(const Identity& who, pid_t tid, Node& node, bool must_serve) REQUIRES(mutex_);
  // The bytes of the version that the handle reads; null for an empty file.
  Result<std::shared_ptr<const Content>> ContentOf(Handle& handle) EXCLUDES(mutex_);
  Error SendAway(pid_t tid, const std::shared_ptr<File>& file, const std::shared_ptr<WorkingCopy>& to,
                 Redirects::Intent intent) REQUIRES(mutex_);
  // Leads the thread's lookup of the file to `to` (null: to whatever it is answered), and serves its open there.
  void Expect(pid_t tid, const std::shared_ptr<File>& file, const std::shared_ptr<WorkingCopy>& to) REQUIRES(mutex_);
  // The thread was sent away, and what it comes back to is this file: if it is to write, to a working copy of its agent.
  void ExpectBack(pid_t tid, const std::shared_ptr<File>& file, Redirects::Intent intent, const Identity& who)
      REQUIRES(mutex_);
  void Unpin(const std::shared_ptr<WorkingCopy>& copy) REQUIRES(mutex_);
  Result<void> LearnSize(NodeId id) EXCLUDES(mutex_);
  // An existing file: its entry, and the working copy that is held for the open that follows.
  Result<Entry> PlanCreateExisting(const Bound& bound, const Identity& who, pid_t tid, int flags,
                                   std::shared_ptr<WorkingCopy>* pinned) REQUIRES(mutex_);
  Result<Created> CreateNew(const Bound& bound, const Identity& who, mode_t mode, int flags) REQUIRES(mutex_);
  // Every change of bytes through a handle: refused and parked if the handle's base is stale.
  Result<void> ChangeThrough(HandleId id, const Change& change) EXCLUDES(mutex_);
  Result<std::shared_ptr<WorkingCopy>> CopyForRefusal(Handle& handle, const vcs::Base& base) EXCLUDES(mutex_);
  // Truncates or changes the mode of a path without a handle (truncate(2), chmod(2)).
  Result<void> ChangePath(const Identity& who, NodeId id, const AttrChange& change) EXCLUDES(mutex_);
  // What it is made on: checked, and held as by a handle.
  struct PathChange {
    std::shared_ptr<WorkingCopy> copy;  // null: nobody can see the file any more
    Description description;
    bool publish = false;
    bool size_unknown = false;  // learn the size of the file's newest version and plan again
  };
  Result<PathChange> PlanPathChange(const Identity& who, const Node& node) REQUIRES(mutex_);

  // Publishes what the copy has that is not in history; parks it if that is refused (kStale). The kernel waits for no last
  // close: who has opened the copy for writing since has perhaps truncated it, and its own close publishes all of it.
  enum class Close { kOfDescriptor, kLast };
  Result<void> Publish(const std::shared_ptr<WorkingCopy>& copy, const Identity& who, Close close = Close::kOfDescriptor)
      EXCLUDES(mutex_);
  std::future<vcs::Outcome> EnqueuePublish(const std::shared_ptr<CopyContext>& context, WorkingFile::Prepared stored)
      REQUIRES(mutex_);
  // Parks what the copy holds, once per content.
  Result<void> Park(const std::shared_ptr<WorkingCopy>& copy, const std::string& reason) EXCLUDES(mutex_);
  // Parks, and answers: kStale, or why it could not be parked.
  Error ParkAndRefuse(const std::shared_ptr<WorkingCopy>& copy, const std::string& reason) EXCLUDES(mutex_);
  Result<vcs::Parked> ParkContent(const vcs::ParkRequest& refused) EXCLUDES(mutex_);
  // After a rename: the uncommitted content of what moved is described under its new path.
  void DescribeMoved(const Child& moved) EXCLUDES(mutex_);
  void MarkStale(const std::shared_ptr<WorkingCopy>& copy) REQUIRES(mutex_);
  // The copy has one handle less; forgets it if nobody needs it.
  void LetGo(const std::shared_ptr<WorkingCopy>& copy) REQUIRES(mutex_);
  void ForgetIfUnused(const std::shared_ptr<WorkingCopy>& copy) REQUIRES(mutex_);

  // Copies that rest (filesystem_rest.cpp).
  // Nobody has the copy open: keeps it for the agent's next save, if it equals the version at head. False: it doesn't.
  bool Rest(const std::shared_ptr<WorkingCopy>& copy) REQUIRES(mutex_);
  // A copy that rests already, for an agent that is about to save the file; null if it isn't to have one.
  std::shared_ptr<WorkingCopy> MakeResting(const std::shared_ptr<File>& file, const Identity& who) REQUIRES(mutex_);
  std::shared_ptr<WorkingCopy> NewCopy(const std::shared_ptr<File>& file, const Identity& who, CopyOf of)
      REQUIRES(mutex_);
  void StartRest(const std::shared_ptr<WorkingCopy>& copy) REQUIRES(mutex_);
  // Its agent opens the file for writing: the resting copy is a working copy of the newest version again.
  std::shared_ptr<WorkingCopy> TakeUp(const std::shared_ptr<WorkingCopy>& copy, const Identity& who) REQUIRES(mutex_);
  // The copy's node becomes the version's, if that has none.
  void EndRest(std::shared_ptr<WorkingCopy> copy) REQUIRES(mutex_);
  // Ends the rest of those that don't equal the version at head any more.
  void EndRests(const File& file) REQUIRES(mutex_);
  void EndOldRests() EXCLUDES(mutex_);

  // Advisory locks (filesystem_locks.cpp).
  // What was locked through an open handle. `table` keeps the table of a plain file.
  struct HandleLocks {
    HandleId handle = 0;
    NodeId node = 0;
    std::shared_ptr<LockTable> table;
    std::set<std::pair<LockKind, LockOwner>> owners;
  };
  // While it lives, the locks that were set through a handle are about to go, and then they go.
  class EndOfLocks {
   public:
    EndOfLocks(FilesystemImpl& filesystem, HandleId handle);
    ~EndOfLocks();
    EndOfLocks(const EndOfLocks&) = delete;
    EndOfLocks& operator=(const EndOfLocks&) = delete;

   private:
    FilesystemImpl& filesystem_;
    HandleLocks locks_;
  };
  HandleLocks TakeLocks(HandleId handle) EXCLUDES(mutex_);
  // The table of the node's file; null if it has none yet.
  std::shared_ptr<LockTable> TableOf(NodeId node) REQUIRES(mutex_);
  std::shared_ptr<LockTable> MakeTable(NodeId node) REQUIRES(mutex_);
  // `heir` took the name of `replaced` by a rename.
  void HandOverLocks(File& replaced, File& heir) REQUIRES(mutex_);

  // Following the head (filesystem_head.cpp).
  void OnHeadMoved(const vcs::HeadMove& move) override;
  void OnBranchUnreadable(const Error& error) override;
  void AdoptLanded(std::span<const vcs::Decided> landed) EXCLUDES(mutex_);
  void FollowOutside(const vcs::HeadMove& move) EXCLUDES(mutex_);
  void ApplyCopy(const vcs::Outcome& outcome, const vcs::CommitRequest& request, const CopyContext& context)
      REQUIRES(mutex_);
  void ApplyName(const vcs::Outcome& outcome, const vcs::CommitRequest& request, const NameContext& context)
      REQUIRES(mutex_);
  void ApplyRename(const vcs::Outcome& outcome, const vcs::CommitRequest& request, const RenameContext& context)
      REQUIRES(mutex_);
  void ApplyExchange(const vcs::Outcome& outcome, const vcs::PublishRename& rename, const Identity& who,
                     const std::optional<Child>& from, const std::optional<Child>& to) REQUIRES(mutex_);
  void MoveName(const vcs::PublishRename& rename, const std::optional<Child>& from) REQUIRES(mutex_);
  // The file's newest version is `now`, by `agent` (empty: from outside): others' working copies are stale.
  void SetHead(const std::shared_ptr<File>& file, const vcs::MaybeVersion& now, std::optional<std::uint64_t> size,
               const Metadata& meta, const std::string& agent) REQUIRES(mutex_);
  // The name is gone, by `agent` (empty: from outside).
  void RemoveName(const std::shared_ptr<File>& file, const std::string& agent) REQUIRES(mutex_);
  // Forgets a name that history has otherwise by now: the next lookup learns it.
  void DropName(const std::optional<Child>& child) REQUIRES(mutex_);
  // `seen`: when the move was. True: what it holds is an agent's business only, and it stays for that.
  bool ReconcileFile(const std::shared_ptr<File>& file, const MaybeEntry& entry, const timespec& seen)
      REQUIRES(mutex_);
  bool ReconcileBelow(const std::shared_ptr<Directory>& below, const MaybeEntry& entry, const timespec& seen)
      REQUIRES(mutex_);
  void ReconcileDirectory(const std::shared_ptr<Directory>& directory, const ChangedTrees& trees, const timespec& seen)
      REQUIRES(mutex_);
  void Expire(const Directory& parent, const std::string& name) REQUIRES(mutex_);

  // Scratch (filesystem_scratch.cpp, filesystem_scratch_rename.cpp): names of plain files beside the repository (R12).
  enum class Where { kNowhere, kVersioned, kScratch };
  struct Place {
    Where where = Where::kNowhere;
    bool is_directory = false;
  };
  Result<Place> FindPlace(NodeId parent, std::string_view name) EXCLUDES(mutex_);
  // Is a name that isn't there yet to be made as scratch?
  enum class NewName { kDirectory, kFile, kExclusiveFile, kMkstempFile };
  Result<bool> IsScratchName(NodeId parent, std::string_view name, NewName kind) EXCLUDES(mutex_);
  // Is this name scratch, or to be made as such?
  Result<bool> BelongsToScratch(NodeId parent, std::string_view name, NewName kind) EXCLUDES(mutex_);
  Result<std::shared_ptr<Directory>> FindDirectory(NodeId id) EXCLUDES(mutex_);
  // The directory's folder in the scratch area; null if there is none, and kLeave.
  using FolderPtr = std::shared_ptr<const ScratchFolder>;
  Result<FolderPtr> FolderOf(const std::shared_ptr<Directory>& directory, Missing missing)
      EXCLUDES(scratch_names_, mutex_);
  Result<FolderPtr> FolderOfLocked(const std::shared_ptr<Directory>& directory, Missing missing)
      REQUIRES(scratch_names_) EXCLUDES(mutex_);
  // The folder that a new scratch name goes to.
  Result<FolderPtr> FolderFor(NodeId parent) EXCLUDES(scratch_names_, mutex_);
  // Removes folders that are empty and behind directories that exist without them.
  void DropEmptyFolders(std::shared_ptr<Directory> directory) EXCLUDES(scratch_names_, mutex_);
  // What a lookup of the file's name is answered: `who` asks, where that matters, and `writes`, as far as can be told.
  Result<Entry> AnswerFile(pid_t tid, const std::shared_ptr<File>& file, const std::optional<Identity>& who, bool writes)
      REQUIRES(mutex_);
  Result<Entry> LookupVersioned(const Caller& caller, NodeId parent, std::string_view name);
  Result<Entry> LookupScratch(NodeId parent, std::string_view name);
  Result<Entry> EnterPlainDirectory(const std::shared_ptr<Directory>& parent, std::string_view name,
                                    const ScratchEntry& entry) EXCLUDES(mutex_);
  Result<Entry> MakeScratch(const Caller& caller, NodeId parent, std::string_view name, const MakeMode& mode,
                            std::string_view target);
  Result<Created> CreateScratch(const Caller& caller, NodeId parent, std::string_view name, mode_t mode, int flags);
  Result<void> RemoveScratch(NodeId parent, std::string_view name, bool is_directory);
  Result<void> RemoveFolderOf(NodeId parent, std::string_view name);
  // The folder of a plain directory, for its attributes; null for every other node, and for one that is gone.
  DescriptorPtr PlainFolder(NodeId id) EXCLUDES(mutex_);
  struct ScratchRename;
  Result<void> RenameScratch(const ScratchRename& rename);
  Result<void> PublishScratch(const ScratchRename& rename);
  Result<void> MoveToScratch(const ScratchRename& rename);
  Result<void> RenameAcross(const ScratchRename& rename) EXCLUDES(scratch_names_, mutex_);
  Result<void> RenameWithin(const ScratchRename& rename) EXCLUDES(scratch_names_, mutex_);
  Result<void> RenameVersionedDirectory(const ScratchRename& rename);
  Result<void> RenameVersioned(const Identity& who, NodeId parent, std::string_view name, NodeId new_parent,
                               std::string_view new_name, unsigned flags);
  Result<vcs::Outcome> SubmitScratch(const std::shared_ptr<ScratchContext>& context, const vcs::MaybeVersion& content,
                                     NodeId parent, std::string_view name, vcs::ParkRequest& park);
  Result<void> CopyOut(const std::shared_ptr<File>& file, const Identity& who, const std::string& path);
  Result<void> PublishLate(HandleId id);
  void ApplyScratch(const vcs::Outcome& outcome, const ScratchContext& context) REQUIRES(mutex_);
  // The directory at a path, if it is known.
  std::optional<Child> FindKnown(const vcs::RepoPath& path) REQUIRES(mutex_);
  std::shared_ptr<Directory> FindKnownDirectory(const vcs::RepoPath& path) REQUIRES(mutex_);
  Result<void> RemoveVersioned(const Identity& who, NodeId parent, std::string_view name);
  // Editors' saves: the file was moved to a temporary's name, and is soon made again.
  Result<bool> MoveAside(const Identity& who, NodeId parent, std::string_view name) EXCLUDES(mutex_);
  void PublishAsides(std::chrono::seconds older_than) EXCLUDES(mutex_);
  Created CreateAgain(const std::shared_ptr<File>& file, const Identity& who, mode_t mode, int flags) REQUIRES(mutex_);
  void ReadExclude();

  // Asks the remote for what is new, for `concordfs sync` (filesystem_attr.cpp).
  Result<void> SyncWithRemote() EXCLUDES(mutex_);

  // Housekeeping: forgets dead processes, abandoned copies; parks orphans (filesystem.cpp).
  void Sweep();
  // Has the kernel forget names, if it knows more than there is memory for.
  void Thin() EXCLUDES(mutex_);
  void RunSweeper();

  // Constant after construction or Start().
  const FilesystemOptions options_;
  const std::size_t max_nodes_;  // beyond it, the kernel is asked to forget
  vcs::Store& store_;
  std::unique_ptr<AgentSource> own_agents_;
  AgentSource* agents_;
  KernelCache* cache_ = nullptr;
  std::function<RequestCounts()> request_counts_;  // empty: nobody counts
  std::thread sweeper_;
  // Own synchronisation.
  std::unique_ptr<WorkingArea> area_;
  vcs::TreeReader trees_;
  ContentCache contents_;
  vcs::Parking parking_;
  vcs::Committer committer_;
  Locks locks_;
  FolderPtr scratch_root_;  // null: there is no scratch area. Set by LoadHead()
  ScratchFiles scratch_files_;
  const Temporaries temporaries_;
  vcs::IgnoreRules ignore_rules_;
  std::unique_ptr<AttributeStore> attributes_;  // set by LoadHead()
  std::unique_ptr<FileTimes> file_times_;       // the same
  std::atomic<bool> passthrough_{false};
  timespec exclude_time_{};  // of info/exclude when it was read; the sweeper's alone
  // Held while folders of the scratch area are found by path, made or moved together with their directory: so that no
  // folder is made at a path that its directory just leaves. Taken before mutex_; held during disk operations.
  Mutex scratch_names_ ACQUIRED_BEFORE(mutex_);
  // Guarded by mutex_. Lock order: mutex_, then the committer's, the content cache's, the tree reader's or that of locks_.
  mutable Mutex mutex_;
  CondVar settled_;  // a publish ended
  CondVar wake_sweeper_;
  vcs::Head head_ GUARDED_BY(mutex_);
  bool following_ GUARDED_BY(mutex_) = false;  // others moved the branch: the newest epoch may be ahead of head_
  Namespace names_ GUARDED_BY(mutex_);
  vcs::BaseTracker tracker_ GUARDED_BY(mutex_);
  LossNotices losses_ GUARDED_BY(mutex_);
  Redirects redirects_ GUARDED_BY(mutex_);
  WriteHabits habits_ GUARDED_BY(mutex_);
  std::unordered_map<HandleId, std::shared_ptr<Handle>> handles_ GUARDED_BY(mutex_);
  std::unordered_map<HandleId, std::shared_ptr<DirectoryHandle>> directories_ GUARDED_BY(mutex_);
  std::unordered_map<HandleId, HandleLocks> handle_locks_ GUARDED_BY(mutex_);  // of those that locked
  std::unordered_map<NodeId, std::weak_ptr<LockTable>> plain_tables_ GUARDED_BY(mutex_);  // of what isn't versioned
  HandleId next_handle_ GUARDED_BY(mutex_) = 1;
  std::vector<std::shared_ptr<File>> asides_ GUARDED_BY(mutex_);          // files that are, or were, moved aside
  std::map<std::uint64_t, std::shared_ptr<WorkingCopy>> resting_ GUARDED_BY(mutex_);  // the longest first
  std::uint64_t next_rest_ GUARDED_BY(mutex_) = 1;
  std::vector<std::shared_ptr<WorkingCopy>> over_ GUARDED_BY(mutex_);  // rest no more: to be dropped without the lock
  std::vector<std::shared_ptr<WorkingCopy>> orphans_ GUARDED_BY(mutex_);  // closed, stale, and not parked yet
  std::map<std::string, std::uint64_t> refusals_ GUARDED_BY(mutex_);      // by agent
  std::uint64_t parked_ GUARDED_BY(mutex_) = 0;
  DrainReport last_drain_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
};

timespec Now();
mode_t ModeOf(vcs::FileMode mode);
vcs::FileMode FileModeOf(mode_t mode);  // of a file's or symlink's type and permissions

}  // namespace concordfs::fs
