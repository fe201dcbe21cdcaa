// Git's own server on loopback, for what two machines share.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tests/mount/support/process.h"

namespace concordfs::mounttest {

// `git daemon`, which serves the repositories in a folder, and takes pushes. Ended with its owner, by its pid. Threads: one.
class GitServer {
 public:
  explicit GitServer(std::filesystem::path folder);

  // "git://127.0.0.1:<port>/<name>"
  std::string Url(const std::string& name) const;
  int port() const { return port_; }
  void Start();
  // Ends it, and what it does for its clients, at once.
  void Kill9();

 private:
  const std::filesystem::path folder_;
  const int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace concordfs::mounttest
