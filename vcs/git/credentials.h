// What a server that asks who we are is told.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string_view>

#include "vcs/git/remote_url.h"
#include "vcs/git/secret.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// The password in a file that nobody but its owner may read: all of it but white space at its end.
// Errors: kAccess (others may read it, or there is no such file, or no password in it). No message has anything of the file.
Result<Secret> ReadTokenFile(const std::filesystem::path& file);

// Nothing if it can be a password. Errors: kAccess (`what` names it), for one that is empty or has a line break or the like in it.
Result<void> CheckToken(const Secret& token, std::string_view what);

// First match wins: a file with a token, a token, git's credential helpers. Helpers are those of the user's and the system's
// configuration: the repository's own could have us run anything.
//
// Threads: one at a time. Blocks on the disk, and on helpers, each call for `patience` at most.
class Credentials {
 public:
  Credentials(RemoteUrl url, Secret token, std::filesystem::path token_file, std::chrono::milliseconds patience)
      : url_(std::move(url)), token_(std::move(token)), token_file_(std::move(token_file)), patience_(patience) {}

  // What is sent without being asked; nothing: a server that wants to know asks. Errors: those of ReadTokenFile.
  Result<std::optional<Login>> Offer();
  // The server asks, or has refused `sent`: what to say now. Errors: kAccess (there is nothing else), kUnreachable (a helper that hangs).
  Result<Login> AfterRefusal(const std::optional<Login>& sent);
  // The server took what it was sent last.
  void NoteAccepted();

 private:
  bool HasToken() const { return !token_file_.empty() || !token_.empty(); }
  Result<Secret> Token() const;
  Result<Login> AskHelpers();
  void TellHelpers(const char* verdict);

  const RemoteUrl url_;
  const Secret token_;
  const std::filesystem::path token_file_;
  const std::chrono::milliseconds patience_;
  // From helpers, until a server refuses it.
  std::optional<Login> login_;
  Secret description_;         // in their words, as they want to hear it again
  bool was_accepted_ = false;  // and the helpers know
};

}  // namespace concordfs::vcs::git
