// The names and nodes that the kernel knows, and the agents' working copies behind them.
//
// Plain data structures without a lock of their own: the file system's mutex guards them, and nothing here blocks.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "fs/agent.h"
#include "fs/lock_table.h"
#include "fs/metadata.h"
#include "fs/scratch_area.h"
#include "fs/types.h"
#include "fs/working_file.h"
#include "vcs/parking.h"
#include "vcs/repo_path.h"
#include "vcs/version.h"

namespace concordfs::fs {

struct Directory;
struct File;

// One agent's private, uncommitted content of one file, from open-for-write to last close.
struct WorkingCopy {
  WorkingCopy(std::string owner, std::shared_ptr<File> of, vcs::Base base, std::unique_ptr<WorkingFile> bytes)
      : agent(std::move(owner)),
        file(std::move(of)),
        origin(base),
        mode(base.version ? base.version->mode : vcs::FileMode::kRegular),
        content(std::move(bytes)),
        settled_mode(mode) {}

  const std::string agent;
  const std::shared_ptr<File> file;
  NodeId node = 0;   // 0: none of its own (a refused handle's copy)
  NodeId ino = 0;    // st_ino: that of the version it was made of, because editors compare before and after open
  vcs::Base origin;  // the version that it was made of, or last published; all that it holds stands on this
  vcs::FileMode mode;
  const std::unique_ptr<WorkingFile> content;

  int handles = 0;              // open on it
  int writers = 0;              // of these, opened for writing
  int pins = 0;                 // callers that were sent to it and have not come yet
  bool publishing = false;      // one publish at a time
  bool created = false;         // the name is to be published even if nothing is written
  bool written_whole = false;   // created or truncated to nothing since: its writer knows all of the content
  bool stale = false;           // somebody else's version won: it is out of the namespace, and can only be parked
  bool refused = false;         // a write was answered ESTALE: every close of it is, too
  bool discarded = false;       // its own agent removed the file: nothing is published any more
  bool other_nodes = false;     // it was also changed through a node that isn't its own: the kernel may have old pages of that
  std::uint64_t settled_changes = 0;  // content->Changes() and mode when it last was in history or parked
  vcs::FileMode settled_mode;
  std::optional<std::uint64_t> failed_changes;  // content->Changes() that could not be published: who wrote was told
  std::optional<vcs::Parked> parked;  // what it was last parked as
  vcs::MaybeVersion parked_version;
  Identity last_writer;
  Times times;
  std::uint64_t rest = 0;  // its number among those that rest
  std::chrono::steady_clock::time_point rests_since;
  std::optional<Metadata> made_again;  // its agent moved the file aside and made it again: what it is to be when it is published

  bool IsChanged() const {
    return created || content->Changes() != settled_changes || mode != settled_mode;
  }
  void Settle(std::uint64_t changes, vcs::FileMode mode_then) {
    created = false;
    settled_changes = changes;
    settled_mode = mode_then;
  }
};

// Its agent has moved the file's content to a temporary's name, and is expected to make the file again.
struct MovedAside {
  std::string agent;
  Identity who;
  std::chrono::steady_clock::time_point since;
};

// A name that holds a file or symlink, or held one as long as the kernel remembers.
struct File {
  std::shared_ptr<Directory> parent;  // also once unlinked: for the path that it had
  std::string name;
  bool linked = true;               // false: the name is gone, or another file's
  bool reserved = false;            // created and not published yet: reads as empty to others (R10)
  vcs::FileMode reserved_mode = vcs::FileMode::kRegular;  // meanwhile
  vcs::MaybeVersion head;           // the version at head; absent while only reserved
  std::optional<std::uint64_t> head_size;  // bytes, once known
  Metadata meta;                    // of the newest version; permissions and owner are its working copies', too
  NodeId current = 0;               // the node of the newest version, once it was looked up
  NodeId head_ino = 0;              // st_ino of the newest version, once it has one
  int nodes = 0;                    // how many nodes, old versions included, belong to it
  int publishing = 0;               // publishes under way: name operations wait
  bool remembered = false;          // the kernel may have the name's entry, and use it without asking
  std::shared_ptr<const MovedAside> aside;  // not there for that agent, and soon for nobody
  std::map<std::string, std::shared_ptr<WorkingCopy>> copies;  // by agent; none is stale or discarded
  // Working copies that are over, by agent: each equals the version at head, and its node is kept for the agent's next save.
  std::map<std::string, std::shared_ptr<WorkingCopy>> resting;
  std::shared_ptr<LockTable> locks;  // once somebody locked; shared with the files whose place it took by a rename

  std::shared_ptr<WorkingCopy> CopyOf(const std::string& agent) const {
    const auto found = copies.find(agent);
    return found == copies.end() ? nullptr : found->second;
  }
  std::shared_ptr<WorkingCopy> RestingOf(const std::string& agent) const {
    const auto found = resting.find(agent);
    return found == resting.end() ? nullptr : found->second;
  }
};

using Child = std::variant<std::shared_ptr<Directory>, std::shared_ptr<File>>;

struct Directory {
  NodeId node = 0;
  std::shared_ptr<Directory> parent;  // null: the root
  std::string name;
  bool linked = true;
  bool kept = false;    // exists also while git holds nothing in it (R12)
  bool opaque = false;  // a submodule: an empty directory that nothing can be put in
  bool plain = false;   // a folder of the scratch area and nothing else: neither head nor an agent has anything in it
  bool forbidden = false;  // git can't hold the name: whatever is below is scratch
  std::shared_ptr<const ScratchFolder> scratch;  // its folder in the scratch area, once that was found or made
  int handles = 0;
  Metadata meta;
  std::map<std::string, Child, std::less<>> children;  // those that are known
};

// What a nodeid is. F1: an id is never used again.
struct Node {
  NodeId id = 0;
  std::uint64_t lookups = 0;  // as the kernel counts them
  // One of: a directory, ...
  std::shared_ptr<Directory> directory;
  // ... or a file's working copy (copy is set), or immutable version.
  std::shared_ptr<File> file;
  std::shared_ptr<WorkingCopy> copy;
  vcs::Base version;
  NodeId ino = 0;  // st_ino of a version
  std::uint64_t size = 0;
  vcs::FileMode mode = vcs::FileMode::kRegular;
  bool used = false;    // opened since TakeUnused() came by
  bool opened = false;  // a version that was opened for reading: the kernel may have its bytes
  Metadata meta;  // once it is not the file's newest version any more
};

class Namespace {
 public:
  Namespace();
  ~Namespace();  // parents and children, files and working copies hold each other: takes them apart
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  Node* Find(NodeId id);  // null if unknown
  const std::shared_ptr<Directory>& root() const { return root_; }

  // The child of that name, if it is known.
  static std::optional<Child> FindChild(const Directory& directory, std::string_view name);
  std::shared_ptr<Directory> AddDirectory(const std::shared_ptr<Directory>& parent, std::string_view name,
                                          const Metadata& meta);
  static std::shared_ptr<File> AddFile(const std::shared_ptr<Directory>& parent, std::string_view name);
  // The node of the file's newest version, which is this one; `version` is absent while the name is only reserved.
  Node& AddVersionNode(const std::shared_ptr<File>& file, const vcs::Base& version, std::uint64_t size);
  // The file's newest version is another from now on: the old one's node, if it has one, keeps what it is.
  void RetireVersion(File& file);
  Node& AddCopyNode(const std::shared_ptr<WorkingCopy>& copy);
  // The copy is over, and equals the file's newest version, which has no node: the copy's becomes that.
  void BecomeVersion(WorkingCopy& copy);
  // A st_ino that no node has.
  NodeId NewInode() { return next_node_++; }

  // Takes the child out of its parent: the name is free. Nodes, handles and working copies of it live on.
  static void Unlink(const std::shared_ptr<File>& file);
  static void Unlink(const std::shared_ptr<Directory>& directory);
  // Moves a child to a free name.
  static void Move(Child child, const std::shared_ptr<Directory>& parent, std::string_view name);
  // Swaps two children's names.
  static void Exchange(const Child& a, const Child& b);

  // Is it, or anything that it is in, of a name that git can't hold?
  static bool IsForbidden(const Directory& directory);
  // Git will have something in it: it is no plain folder any more, nor is any directory above it.
  static void MakeVersioned(Directory& directory);

  // The path of what is linked below the root; nothing for what isn't, or what git can't hold.
  static std::optional<vcs::RepoPath> PathOf(const Directory& directory);
  static std::optional<vcs::RepoPath> PathOf(const File& file);
  // The same for what is gone: the path that it had last.
  static vcs::RepoPath LastPathOf(const File& file);

  // The kernel forgot so many lookups of the node; forgets what nobody needs any more.
  void Forget(NodeId id, std::uint64_t lookups);
  // Drops nodes and names that neither the kernel nor a working copy needs.
  void Prune(NodeId id);
  static void Prune(const std::shared_ptr<File>& file);
  void Prune(const std::shared_ptr<Directory>& directory);

  // Every known directory, parents before children; every working copy that is in the namespace.
  std::vector<std::shared_ptr<Directory>> Directories() const;
  std::vector<std::shared_ptr<WorkingCopy>> Copies() const;
  std::size_t NodeCount() const { return nodes_.size(); }
  // At most `count` nodes of directories and versions, those first that were known first; without those that were used since
  // the last call.
  std::vector<NodeId> TakeUnused(std::size_t count);

 private:
  Node& AddNode();

  std::unordered_map<NodeId, Node> nodes_;
  NodeId next_node_ = kRootNode;
  std::shared_ptr<Directory> root_;
};

}  // namespace concordfs::fs
