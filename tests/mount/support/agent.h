// Agents that live on from one command to the next, so that what a *process* knows can be played.
#pragma once

#include <filesystem>
#include <string>

#include "tests/mount/support/process.h"

namespace concordfs::mounttest {

// A bash that is fed line by line. Threads: one.
class AgentShell {
 public:
  AgentShell(const std::string& agent, const std::filesystem::path& cwd, const Environment& environment = {});

  // Runs one command in the shell itself (so `exec 3<>f` stays) and waits for its end.
  Outcome Do(const std::string& command);
  pid_t pid() const { return process_.pid(); }

 private:
  Process process_;
};

// A Python that is fed statement by statement; `os`, `mmap` and `fcntl` are there. Threads: one.
class AgentPython {
 public:
  AgentPython(const std::string& agent, const std::filesystem::path& cwd);

  // Runs statements. Returns "ok", the name of the error ("ESTALE"), or another exception's text.
  std::string Do(const std::string& statements);
  // The text of an expression's value, or as Do() after an error.
  std::string Get(const std::string& expression);

 private:
  std::string Answer();
  Process process_;
};

}  // namespace concordfs::mounttest
