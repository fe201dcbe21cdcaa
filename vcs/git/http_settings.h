// What git's configuration and environment say about HTTP.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "vcs/git/remote_url.h"

namespace concordfs::vcs::git {

// Source: git-config(1), http.*; git(1), GIT_SSL_*.
struct HttpSettings {
  std::filesystem::path ca_file;    // certificates of who may vouch for a server; empty: the system's
  std::filesystem::path ca_folder;  // the same, a file each
  bool verifies = true;             // asks a server for a certificate that somebody vouches for
  std::optional<std::string> proxy;  // nothing: what the environment says; empty: none
};

// `config`: what `git config --null --get-urlmatch http URL` prints.
HttpSettings ParseHttpSettings(std::string_view config);

// What counts for this URL: the environment, the configurations of the repository (none if empty), of the user and of the system, as git has
// it. Without git there is only the environment. Blocks, `patience` at most.
HttpSettings ReadHttpSettings(const RemoteUrl& url, const std::filesystem::path& git_dir, std::chrono::milliseconds patience);

}  // namespace concordfs::vcs::git
