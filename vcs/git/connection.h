// A conversation with git on the other end: bytes both ways, and no wait without an end.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "vcs/git/remote_url.h"
#include "vcs/git/secret.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

class HttpSession;

// What is talked to: the program that stock git runs on the other end.
enum class Service { kUploadPack, kReceivePack };

struct ConnectOptions {
  // How long the other end may be silent, in a connect, a read or a write, before it counts as gone. Git's own servers say
  // something every 5 s.
  std::chrono::milliseconds silence{10'000};
  std::filesystem::path ssh_key;  // for ssh, and no other key then; empty: what ssh itself finds, and the agent
  std::string ssh_command;        // a shell's words in place of "ssh", as GIT_SSH_COMMAND; empty: ssh
  Secret token;                   // for HTTP: the password
  std::filesystem::path token_file;  // for HTTP: where the password is, read whenever it is needed; counts more than `token`
  // For HTTP: the repository whose configuration counts, and in which a large request waits until it is whole. Empty: none.
  std::filesystem::path git_dir;
  std::shared_ptr<HttpSession> http;  // what conversations by HTTP have in common; null: nothing. For one of them at a time
};

// Threads: one. Ends what it started (ssh, git on a local path) when it ends itself.
class Connection {
 public:
  virtual ~Connection() = default;

  // Errors: kUnreachable (cut, or silent for too long); those of the disk, where a large request waits.
  virtual Result<void> Write(std::string_view bytes) = 0;
  // Says that all was written that the other end needs for its answer: over HTTP it is sent now. Need not be called before Read.
  // Errors: as Write, before anything was sent. kAccess: it was turned away. And of a push: kDeclined (turned away as well, by a rule of
  // its own), kInDoubt (it was sent, and not answered as git does).
  virtual Result<void> EndRequest() { return {}; }
  // Bytes read; 0 when the other end has said everything. Errors: as Write.
  virtual Result<std::size_t> Read(char* out, std::size_t size) = 0;
  // The other end has said nothing that was not read yet, not even that it is gone. Never blocks.
  virtual bool IsQuiet() = 0;
  // Why the other end stopped where it should not have: its own words, where there are any. kAccess if it didn't let us in, or
  // has no such repository; else kUnreachable. Call when Read returned 0 or failed; waits for its end.
  virtual Error WhyItEnded() = 0;
};

// Starts the service for the remote's repository. Errors: kUnreachable; kNotFound (no such program here: ssh, git).
Result<std::unique_ptr<Connection>> Connect(const RemoteUrl& url, Service service, const ConnectOptions& options);

}  // namespace concordfs::vcs::git
