#include "tests/mount/support/ssh_server.h"

#include <gtest/gtest.h>

#include "tests/mount/support/loopback.h"
#include "tests/mount/support/temp_dir.h"

namespace concordfs::mounttest {

SshServer::SshServer(const std::filesystem::path& folder) : folder_(folder), port_(FreePort()) {
  std::filesystem::create_directories(folder_);
  std::filesystem::create_directories("/run/sshd");  // where it locks itself in
  for (const char* name : {"host", "key", "strange"}) {
    const Outcome made = Run({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder_ / name}, .environment = {}, .output_file = {}});
    EXPECT_EQ(made.status, 0) << made;
  }
  WriteFile(folder_ / "config", "Port " + std::to_string(port_) + "\nListenAddress 127.0.0.1\nHostKey " + (folder_ / "host").string() +
                                    "\nAuthorizedKeysFile " + (folder_ / "key.pub").string() +
                                    "\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nPidFile none\n");
  process_ = std::make_unique<Process>(
      ProcessSpec{.argv = {"/usr/sbin/sshd", "-D", "-e", "-f", folder_ / "config"}, .environment = {}, .output_file = folder_ / "log"});
  EXPECT_TRUE(Eventually([this] { return Listens(port_); })) << "sshd doesn't listen";
}

std::string SshServer::Url(const std::filesystem::path& path) const {
  return "ssh://root@127.0.0.1:" + std::to_string(port_) + path.string();
}

std::string SshServer::Command() const {
  return "ssh -o UserKnownHostsFile=" + (folder_ / "known").string() + " -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=accept-new -F none";
}

}  // namespace concordfs::mounttest
