// A branch of a git repository elsewhere, spoken to in git's own protocol.
//
// Why not libgit2's push and fetch: its sockets wait for ever for a peer that is silent, its push on a local path compares without
// swapping, and both walk history to find out what to send. Here every wait ends, the server makes the swap whatever the
// transport, and what is sent are the publication's objects.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "vcs/git/connection.h"
#include "vcs/git/remote_url.h"
#include "vcs/remote.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

struct GitRemoteOptions {
  RemoteUrl url;
  std::string ref;                // the branch there, full name
  std::filesystem::path git_dir;  // of the repository that is fetched into
  ConnectOptions connect;
  bool durable = false;                                   // what is fetched survives a power cut when Fetch returns (V13)
  std::function<void()> on_pack;                          // a pack was added to the repository; may be empty
  std::function<void(const std::string&)> progress;       // what the remote says while it sends, a line each; may be empty
};

// `store` is the repository's own. Threads: as Remote.
std::unique_ptr<Remote> MakeGitRemote(Store& store, GitRemoteOptions options);

// All refs there; `ref` is not used. `store` is the repository's own. Threads: as RemoteRefs.
std::unique_ptr<RemoteRefs> MakeGitRemoteRefs(Store& store, GitRemoteOptions options);

// What a repository elsewhere says of itself.
struct RemoteRepository {
  std::optional<std::string> default_branch;  // what its HEAD names, full name
  bool has_refs = false;
};
// Errors: as Remote.
Result<RemoteRepository> LookAtRemote(const RemoteUrl& url, const ConnectOptions& options);

}  // namespace concordfs::vcs::git
