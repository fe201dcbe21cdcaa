// The reference model: what R1 to R11 say of every step, for one step at a time and without a thread, a disk or git.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace concordfs::testing {

class Reference {
 public:
  using Version = std::optional<std::string>;  // content; nothing: absent
  using Agent = int;
  using Process = int;

  // What a step answers: "ok" or the name of the error, and the bytes that were read.
  struct Answer {
    std::string code = "ok";
    std::string content;
    bool operator==(const Answer&) const = default;
  };
  // A commit, and a piece of refused content.
  struct Commit {
    std::string author;
    std::map<std::string, Version> changes;
    bool operator==(const Commit&) const = default;
  };
  struct Parked {
    Agent agent;
    std::string path;
    std::string content;
    auto operator<=>(const Parked&) const = default;
  };
  struct OpenMode {
    bool read = false;
    bool write = false;
    bool append = false;
    bool truncate = false;
    bool create = false;
    bool exclusive = false;
  };

  explicit Reference(const std::map<std::string, std::string>& files);
  ~Reference();
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  // A handle's number counts from 0 and is given in the order of successful opens.
  Answer Open(Agent agent, Process process, const std::string& path, const OpenMode& mode);
  Answer Read(std::size_t handle);
  Answer Write(std::size_t handle, const std::string& data);
  Answer Flush(std::size_t handle, Process process);
  void Release(std::size_t handle);
  Answer Unlink(Agent agent, Process process, const std::string& path);
  Answer Rename(Agent agent, Process process, const std::string& from, const std::string& to);
  Answer RenameDirectory(Agent agent, const std::string& from, const std::string& to);
  Answer Refresh(Agent agent, const std::string& path);
  void Outside(const std::string& author, const std::string& path, const Version& content);

  Version Head(const std::string& path) const;
  std::map<std::string, std::string> Heads() const;
  std::vector<std::string> Names(const std::string& directory) const;  // sorted; also those not published yet
  bool HasDirectory(const std::string& path) const { return directories_.contains(path); }
  const std::vector<Commit>& history() const { return history_; }
  // The last refused content of each working copy, and of each refused rename.
  std::set<Parked> MustBeParked() const;

 private:
  struct Copy;
  struct File;
  struct Handle;
  using CopyPointer = std::shared_ptr<Copy>;
  using FilePointer = std::shared_ptr<File>;
  struct Base {
    Version version;
    bool moved_newer_away = false;  // its agent gave a newer version of the path another name
  };
  struct Known {
    std::optional<Base> agent;
    std::map<Process, Base> processes;
  };

  FilePointer Linked(const std::string& path) const;
  std::optional<Base> Knows(Agent agent, Process process, const std::string& path) const;
  Version BaseOf(Agent agent, Process process, const std::string& path, const Version& now) const;
  // What the agent's change of the name itself stands on (R9).
  Version NameBaseOf(Agent agent, Process process, const std::string& path, const FilePointer& file) const;
  void Learn(Agent agent, Process process, const std::string& path, const Version& version);
  void MoveAlong(Agent agent, Process process, const std::string& path, const Version& replaced, const Version& now,
                 bool knew);
  CopyPointer CopyOf(const FilePointer& file, Agent agent) const;
  CopyPointer MakeCopy(const FilePointer& file, Agent agent, Process process);
  bool Publish(const CopyPointer& copy, Process process);
  void Park(const CopyPointer& copy);
  void SetHead(const FilePointer& file, const Version& now, Agent agent);
  void RemoveName(const FilePointer& file, Agent agent);
  static void MarkStale(const CopyPointer& copy);
  static std::string NameOf(Agent agent);

  std::set<std::string> directories_;
  std::map<std::string, FilePointer> names_;
  std::vector<FilePointer> files_;  // all there ever were
  std::vector<std::shared_ptr<Handle>> handles_;
  std::map<Agent, std::map<std::string, Known>> knowledge_;
  std::vector<Commit> history_;
  std::vector<CopyPointer> refused_copies_;
  std::set<Parked> refused_renames_;
};

}  // namespace concordfs::testing
