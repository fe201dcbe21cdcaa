// Where a git remote is: the text that stock git takes, taken apart.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "vcs/result.h"

namespace concordfs::vcs::git {

struct RemoteUrl {
  enum class Transport { kLocal, kGit, kSsh, kHttp, kHttps };
  Transport transport = Transport::kLocal;
  std::string user;  // empty: whatever the transport takes for it; of kHttp and kHttps: without its percent signs
  std::string host;  // of all but kLocal
  std::string port;  // empty: the transport's own
  std::string path;  // as the other end is to see it; of kLocal: absolute

  bool IsHttp() const { return transport == Transport::kHttp || transport == Transport::kHttps; }
  // For messages and status, and what is asked for by HTTP: no user, no password.
  std::string Shown() const;
};

// A path, file://, git://, ssh://, http://, https:// or host:path. Relative paths are made absolute. Errors: kInvalidArgument (nothing of these, or it
// has a password in it: on a command line it would be everybody's to see); no message has what is in front of the host.
Result<RemoteUrl> ParseRemoteUrl(std::string_view text);

// What `remote` is in the repository's configuration (remote.NAME.url), or, where it has no such name, the text itself, parsed.
Result<RemoteUrl> ResolveRemote(const std::filesystem::path& repository, const std::string& remote);

}  // namespace concordfs::vcs::git
