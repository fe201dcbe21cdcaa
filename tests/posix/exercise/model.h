// What every call of the exerciser has to answer, one call at a time: POSIX on plain files, the contract's R1 to R9 on
// versioned ones. Each agent is one process.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace concordfs::exercise {

class Model {
 public:
  using Content = std::optional<std::string>;  // nothing: absent
  using Change = std::function<void(std::string&)>;

  // The versioned paths begin with `versioned_prefix`; all others are plain.
  explicit Model(std::string versioned_prefix) : versioned_prefix_(std::move(versioned_prefix)) {}

  // Each gives the errno, 0 for success. A handle's number is the caller's.
  int Open(int handle, int agent, const std::string& path, int flags);
  int Close(int handle);
  int Write(int handle, const Change& change);
  int Sync(int handle);
  int Truncate(int agent, const std::string& path, std::size_t size);
  int Unlink(int agent, const std::string& path);
  int Rename(int agent, const std::string& from, const std::string& to);

  // Whether it is certain that a read through the handle is one of the path (R2): who reads back pages that its agent
  // filled reads them from the kernel's cache, and learns nothing of what others wrote.
  bool ReadsForCertain(int handle) const;
  // Something was read through the handle.
  void WasRead(int handle);
  // What the handle sees; nothing where a refusal has left that open.
  const std::string* Seen(int handle) const;
  // What an agent that opened the path now would see; nothing if there is no such name.
  Content SeenAt(int agent, const std::string& path) const;
  // Whether a write through the handle would be accepted now.
  bool WouldAccept(int handle) const;
  // How many handles of its agent have the handle's file open.
  int OpenHandles(int agent, const std::string& path) const;
  int OpenWriters(int handle) const;
  // Handles of the agent on working copies.
  int HandlesOnCopies(int agent) const;
  bool IsPublished(const std::string& path) const;

  std::vector<std::string> Names(const std::string& folder) const;
  std::map<std::string, std::string> Published() const;  // versioned files at head
  std::map<std::string, std::string> Plain() const;
  // A new mount knows nothing of who read what. Call with all handles closed.
  void ForgetBases() { known_.clear(); }

 private:
  struct Copy;
  struct File {
    std::string path;  // also once it is unlinked
    bool linked = true;
    bool versioned = false;
    Content head;                                 // of a versioned file; absent while it was only created
    std::string plain;                            // of a plain one
    std::map<int, std::shared_ptr<Copy>> copies;  // by agent
  };
  // An agent's uncommitted content.
  struct Copy {
    int agent = 0;
    std::shared_ptr<File> file;
    Content origin;
    std::string content;
    int handles = 0;
    int writers = 0;
    bool dirty = false;
    bool whole = false;    // written from nothing
    bool touched = false;  // written to, if only once
    bool stale = false;
    bool refused = false;
    bool discarded = false;
  };
  struct Handle {
    int agent = 0;
    std::shared_ptr<File> file;
    std::shared_ptr<Copy> copy;
    std::string snapshot;
    bool writes = false;
    bool read = false;  // what it stands on is settled
    bool wrote = false;
    bool refused = false;  // stands on something older than the copy
  };
  struct Base {
    Content version;
    bool moved_newer_away = false;
  };

  std::shared_ptr<File> Find(const std::string& path) const;
  std::shared_ptr<File> Make(const std::string& path);
  const Base* Known(int agent, const std::string& path) const;
  Content BaseOf(int agent, const std::string& path, const Content& otherwise) const;
  // What the agent's change of the name itself stands on (R9).
  Content NameBaseOf(int agent, const std::string& path, const std::shared_ptr<File>& file) const;
  std::shared_ptr<Copy> CopyOf(const std::shared_ptr<File>& file, int agent) const;
  std::shared_ptr<Copy> MakeCopy(const std::shared_ptr<File>& file, int agent);
  int OpenVersioned(Handle& handle, const std::string& path, int flags);
  bool Refuses(const Handle& handle) const;
  int Flush(Handle& handle);
  bool Publish(const std::shared_ptr<Copy>& copy);
  void SetHead(const std::shared_ptr<File>& file, const Content& now, int agent);
  void RemoveName(const std::shared_ptr<File>& file, int agent);
  void Replaced(int agent, const std::string& path, const Content& before, const Content& now, bool knew);
  static void MarkStale(const std::shared_ptr<Copy>& copy);

  const std::string versioned_prefix_;
  std::map<std::string, std::shared_ptr<File>> names_;
  std::map<int, Handle> handles_;
  std::map<int, std::map<std::string, Base>> known_;  // by agent and path
};

}  // namespace concordfs::exercise
