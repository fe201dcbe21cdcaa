#include "tests/mount/support/git_server.h"

#include <gtest/gtest.h>

#include <csignal>

#include "tests/mount/support/loopback.h"
#include "tests/mount/support/repository.h"

namespace concordfs::mounttest {
GitServer::GitServer(std::filesystem::path folder) : folder_(std::move(folder)), port_(FreePort()) { Start(); }

std::string GitServer::Url(const std::string& name) const {
  return "git://127.0.0.1:" + std::to_string(port_) + "/" + name;
}

void GitServer::Start() {
  // Not by `git daemon`, which would stand between us and the server.
  const std::string programs = Lines(Git("/", {"--exec-path"}).out).at(0);
  process_ = std::make_unique<Process>(ProcessSpec{
      .argv = {programs + "/git-daemon", "--reuseaddr", "--listen=127.0.0.1", "--port=" + std::to_string(port_), "--max-connections=0",
               "--base-path=" + folder_.string(), "--export-all", "--enable=receive-pack", folder_},
      .environment = {},
      .output_file = folder_ / "git-daemon.log"});
  EXPECT_TRUE(Eventually([this] { return Listens(port_); })) << "git daemon doesn't listen";
}

void GitServer::Kill9() {
  const pid_t group = process_->pid();
  process_.reset();
  // What served a client isn't waited for by anybody of ours, and may be about to make a lock.
  EXPECT_TRUE(Eventually([&] { return kill(-group, 0) != 0; })) << "git daemon's children don't end";
}

}  // namespace concordfs::mounttest
