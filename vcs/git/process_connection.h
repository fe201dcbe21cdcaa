// Connections to a program that we start: ssh, or git itself.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "vcs/git/connection.h"

namespace concordfs::vcs::git {

// Runs `git-receive-pack PATH` or `git-upload-pack PATH`, as stock git does for a path: what moves the branch there is the same
// program as behind any server, with its compare-and-swap and its hooks.
Result<std::unique_ptr<Connection>> ConnectLocally(const RemoteUrl& url, Service service, const ConnectOptions& options);

// Runs ssh, which knows the user's configuration, agent, keys and known hosts. It asks nobody anything (BatchMode).
Result<std::unique_ptr<Connection>> ConnectSsh(const RemoteUrl& url, Service service, const ConnectOptions& options);

// Runs a program of this machine. `variables`: "NAME=value" each, on top of our own environment, which goes to it without what would lead git
// elsewhere and without secrets. Errors: kUnreachable (no such program).
Result<std::unique_ptr<Connection>> RunProgram(std::vector<std::string> argv, const std::vector<std::string>& variables,
                                               std::chrono::milliseconds silence);

}  // namespace concordfs::vcs::git
