// The fixture of tests with several "machines": a server, and repositories of their own that are mounts of its branch.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/mount/support/git_server.h"
#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {

class MachinesTest : public MountlessTest {
 protected:
  void SetUp() override {
    MountlessTest::SetUp();
    if (HasFatalFailure()) return;
    origin_ = std::make_unique<Repository>(temp().MakeDirectory("server") / "origin.git");
    server_ = std::make_unique<GitServer>(temp().path() / "server");
  }

  // A fresh machine: its repository is made by the mount.
  std::unique_ptr<Mount> Machine(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--remote", Url()});
    return std::make_unique<Mount>(temp().path() / (name + ".git"), temp().path() / name, more);
  }
  std::string Url() const { return server_->Url("origin.git"); }
  Repository& origin() { return *origin_; }  // as the server has it
  GitServer& server() { return *server_; }

  // Kills the server with all that it does, and clears up as an admin has to after such a death.
  void KillServer() {
    server_->Kill9();
    for (const char* lock : {"refs/heads/main.lock", "HEAD.lock"}) std::filesystem::remove(origin_->path() / lock);
  }
  void KillAndRestartServer() {
    KillServer();
    server_->Start();
  }

  static nlohmann::json RemoteStatus(const Mount& mount) {
    const Outcome status = Concordfs({"status", mount.path(), "--json"});
    const auto json = nlohmann::json::parse(status.out, nullptr, false);
    EXPECT_TRUE(json.is_object()) << status;
    return json.is_object() ? json.value("remote", nlohmann::json::object()) : nlohmann::json::object();
  }
  static std::string State(const Mount& mount) { return RemoteStatus(mount).value("state", ""); }

  // Writes by one system call each, and prints the name of the error that the first one gave, or "ok".
  static std::string Write(const std::string& agent, const std::filesystem::path& file, const std::string& content) {
    static constexpr char kWrite[] = R"(
import errno, os, sys
try:
    fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(fd, sys.argv[2].encode())
    os.close(fd)
    print("ok")
except OSError as error:
    print(errno.errorcode[error.errno])
)";
    const Outcome outcome = mounttest::Run({.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kWrite, file, content},
                                 .environment = {{"CONCORDFS_AGENT", agent}},
                                 .output_file = {}});
    EXPECT_EQ(outcome.status, 0) << outcome;
    return outcome.out.substr(0, outcome.out.find('\n'));
  }

  // A hook of the server's repository.
  void InstallHook(const std::string& name, const std::string& script) {
    const auto hook = origin_->path() / "hooks" / name;
    std::filesystem::create_directories(hook.parent_path());
    WriteFile(hook, "#!/bin/sh\n" + script);
    std::filesystem::permissions(hook, std::filesystem::perms::owner_all);
  }

  void ExpectAllSound(const std::vector<const Mount*>& machines) {
    EXPECT_EQ(origin_->Fsck(), "");
    for (const Mount* machine : machines) {
      const Outcome fsck = Git(machine->path().string() + ".git", {"fsck", "--strict", "--no-dangling", "--no-progress"});
      EXPECT_EQ(fsck.status, 0) << fsck;
    }
  }

 private:
  std::unique_ptr<Repository> origin_;
  std::unique_ptr<GitServer> server_;
};

}  // namespace concordfs::mounttest
