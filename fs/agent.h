// Who is calling: the agent, its process, and its own words for the history.
#pragma once

#include <string>
#include <string_view>

#include "fs/types.h"
#include "vcs/base_tracker.h"

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
  const std::string fixed_agent_;
};

// The name with everything but A-Za-z0-9._- turned into '-', cut to 64 bytes, and made a valid part of a ref's name
// (no "..", no leading or trailing '.', no ".lock" at the end). Never empty.
std::string SanitizedAgentName(std::string_view name);

}  // namespace concordfs::fs
