// What the kernel does between a program and a Filesystem, as far as it matters for the concurrency model.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fs/agent.h"
#include "fs/filesystem.h"
#include "fs/kernel_cache.h"
#include "vcs/mutex.h"

namespace concordfs::testing {

// "ok", or the name of the code.
template <class T>
std::string Said(const Result<T>& result) {
  return result ? "ok" : CodeName(result.code());
}

// Callers whose identity their thread id tells: 1000 * agent + 10 * process + thread. Threads: any.
class NumberedAgents : public fs::AgentSource {
 public:
  static fs::Caller CallerOf(int agent, int process, int thread = 0) {
    return fs::Caller{1000 * agent + 10 * process + thread, 0, 0};
  }
  static std::string NameOf(int agent) { return "agent" + std::to_string(agent); }

  fs::Identity Identify(const fs::Caller& caller) override;
  pid_t ProcessOf(pid_t tid) override { return tid - tid % 10; }
  bool IsGone(const vcs::ProcessKey& /*process*/) override { return false; }
};

inline const fs::Caller kAndrew = NumberedAgents::CallerOf(1, 1);
inline const fs::Caller kBenson = NumberedAgents::CallerOf(2, 1);

// A path operation as the kernel's VFS does it: it walks the path with the names it has cached, and once more without
// them if the answer is ESTALE. Counts lookups, as the file system has to, and checks that the content behind a
// version's nodeid never changes (F2). Threads: any.
class Kernel : public fs::KernelCache {
 public:
  explicit Kernel(fs::Filesystem& filesystem) : fs_(filesystem) {}

  // An open descriptor.
  struct File {
    fs::NodeId node = 0;
    fs::Opened opened;
    int flags = 0;
    std::uint64_t position = 0;
  };

  // Errors: those that the program would see.
  Result<File> Open(const fs::Caller& caller, const std::string& path, int flags, mode_t mode = 0644);
  // Writes at the position, or at the end with O_APPEND; one call.
  Result<void> Write(File& file, std::string_view data);
  // All of it, from the start. With keep_cache the pages of the node stay, and have to be right.
  Result<std::string> ReadAll(File& file);
  // Closes one of several descriptors of it.
  Result<void> Flush(const fs::Caller& caller, const File& file);
  // The last descriptor is gone. Nobody hears of what happens then.
  void Release(const File& file);
  // Both: what flush answered.
  Result<void> Close(const fs::Caller& caller, const File& file);
  Result<fs::Attr> Stat(const fs::Caller& caller, const std::string& path);
  Result<void> Truncate(const fs::Caller& caller, const std::string& path, std::uint64_t size);
  Result<void> Chmod(const fs::Caller& caller, const std::string& path, mode_t mode);
  Result<void> Unlink(const fs::Caller& caller, const std::string& path);
  Result<void> Rename(const fs::Caller& caller, const std::string& from, const std::string& to, unsigned flags = 0);
  Result<void> MakeDirectory(const fs::Caller& caller, const std::string& path);
  Result<void> RemoveDirectory(const fs::Caller& caller, const std::string& path);
  Result<std::vector<std::string>> List(const fs::Caller& caller, const std::string& path);
  Result<std::string> GetXattr(const fs::Caller& caller, const std::string& path, const std::string& name);
  Result<void> SetXattr(const fs::Caller& caller, const std::string& path, const std::string& name,
                        const std::string& value);

  // Programs.
  Result<std::string> Cat(const fs::Caller& caller, const std::string& path);
  Result<void> Echo(const fs::Caller& caller, const std::string& path, std::string_view content);    // > path
  Result<void> Append(const fs::Caller& caller, const std::string& path, std::string_view content);  // >> path

  // Memory is short: forgets all names that it has cached, and all nodes that are not open. Threads: nobody walks a
  // path meanwhile.
  void DropCaches();

  void ExpireEntry(fs::NodeId parent, const std::string& name) override EXCLUDES(mutex_);
  void ExpireAttributes(fs::NodeId /*node*/) override {}
  void Prune(std::vector<fs::NodeId> /*nodes*/) override {}  // as an older kernel
  void AfterExpiries(std::function<void()> then) override { then(); }
  void SoonAfterExpiries(std::function<void()> then) override { then(); }

 private:
  enum class Names { kCached, kFresh };
  struct Place {
    fs::NodeId parent = fs::kRootNode;
    std::string name;
  };
  template <class T, class Operation>
  Result<T> Retrying(Operation operation);
  Result<fs::NodeId> LookUp(const fs::Caller& caller, fs::NodeId parent, const std::string& name, Names names)
      EXCLUDES(mutex_);
  // The folder that the path is in, and its name there.
  Result<Place> Find(const fs::Caller& caller, const std::string& path, Names names);
  Result<fs::NodeId> Walk(const fs::Caller& caller, const std::string& path, Names names);
  void Remember(fs::NodeId parent, const std::string& name, const fs::Entry& entry) EXCLUDES(mutex_);
  void Drop(fs::NodeId parent, const std::string& name) EXCLUDES(mutex_) { ExpireEntry(parent, name); }

  fs::Filesystem& fs_;
  Mutex mutex_;
  std::map<std::pair<fs::NodeId, std::string>, fs::NodeId> names_ GUARDED_BY(mutex_);
  std::map<fs::NodeId, std::uint64_t> lookups_ GUARDED_BY(mutex_);
  std::map<fs::NodeId, int> open_ GUARDED_BY(mutex_);
  std::map<fs::NodeId, std::string> pages_ GUARDED_BY(mutex_);  // of nodes that were opened with keep_cache
};

}  // namespace concordfs::testing
