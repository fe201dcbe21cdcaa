// A command that is run and waited for, as a shell does it.
#pragma once

#include <string>
#include <vector>

namespace concordfs::tools {

struct ChildEnd {
  int exit_status = 0;       // as a shell's $?: the command's own, 128 + signal, 127 not found, 126 not executable
  bool by_signal = false;    // it was killed by one
  bool not_started = false;  // it could not be run at all; this has been complained of
};

// Runs `argv` (looked for in PATH) and waits for its end. Until then the keyboard's signals are the child's alone, and
// SIGTERM and SIGHUP are handed on to it. Call it in a process with one thread.
ChildEnd RunAndWait(const std::vector<std::string>& argv);

}  // namespace concordfs::tools
