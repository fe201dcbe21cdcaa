// Who is calling: the agent, its process, and its own words for the history.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "fs/descriptor.h"
#include "fs/types.h"
#include "vcs/base_tracker.h"
#include "vcs/mutex.h"

namespace concordfs::fs {

struct Identity {
  std::string agent;        // 1 to 64 of A-Za-z0-9._-
  vcs::ProcessKey process;  // pid 0 if the caller is in another pid namespace
  std::string description;  // "1234 python3"
  std::string message;      // CONCORDFS_MESSAGE
  uid_t uid = 0;            // the owner of what it makes
  gid_t gid = 0;
};

// Threads: any, concurrently.
class AgentSource {
 public:
  virtual ~AgentSource() = default;
  // Reads the caller's environment and more of /proc: for opens and name operations only, never while a descriptor is
  // being closed (on execve the kernel holds what /proc waits for).
  virtual Identity Identify(const Caller& caller) = 0;
  // The process that the thread belongs to; 0 if it is gone. Reads /proc/<tid>/status only: safe at close.
  virtual pid_t ProcessOf(pid_t tid) = 0;
  // Is this run of the process over?
  virtual bool IsGone(const vcs::ProcessKey& process) = 0;
};

// The contract's order: the mount's fixed agent, CONCORDFS_AGENT of the process, the login session.
class ProcAgentSource : public AgentSource {
 public:
  explicit ProcAgentSource(const std::string& fixed_agent);

  Identity Identify(const Caller& caller) override;
  pid_t ProcessOf(pid_t tid) override;
  bool IsGone(const vcs::ProcessKey& process) override;

 private:
  // What a thread was found to be. An open /proc/<pid>/environ is that of the memory which the process had then: it reads
  // as empty once an exec, or the end of the process, has taken that away.
  struct Known {
    Descriptor environment;
    Identity identity;
    std::chrono::steady_clock::time_point until;
  };
  static constexpr std::size_t kMaxKnown = 256;  // threads
  // No number of a thread is used again so soon.
  static constexpr std::chrono::milliseconds kKnownFor{500};

  std::optional<Identity> FindKnown(const Caller& caller) EXCLUDES(mutex_);
  void Remember(pid_t tid, Descriptor environment, const Identity& identity) EXCLUDES(mutex_);

  // Constant after construction.
  const std::string fixed_agent_;
  // Guarded by mutex_.
  Mutex mutex_;
  std::unordered_map<pid_t, std::shared_ptr<const Known>> known_ GUARDED_BY(mutex_);
};

}  // namespace concordfs::fs
