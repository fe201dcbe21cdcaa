// An sshd on loopback that lets one key in, as who runs the tests.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tests/mount/support/process.h"

namespace concordfs::mounttest {

// Ended with its owner, by its pid. Threads: one.
class SshServer {
 public:
  // Its keys and configuration are in `folder`, which is made.
  explicit SshServer(const std::filesystem::path& folder);

  // "ssh://root@127.0.0.1:<port><path>"
  std::string Url(const std::filesystem::path& path) const;
  // The key that it lets in, and one that it doesn't.
  std::filesystem::path key() const { return folder_ / "key"; }
  std::filesystem::path strange_key() const { return folder_ / "strange"; }
  // What GIT_SSH_COMMAND has to be, so that nobody's own known hosts are used.
  std::string Command() const;

 private:
  const std::filesystem::path folder_;
  const int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace concordfs::mounttest
