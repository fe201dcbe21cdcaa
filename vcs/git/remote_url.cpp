#include "vcs/git/remote_url.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

#include "vcs/git/git_error.h"
#include "vcs/git/handles.h"
#include "vcs/git/repository_pool.h"

namespace concordfs::vcs::git {
namespace {

namespace stdfs = std::filesystem;
using Transport = RemoteUrl::Transport;

// Never with what is in front of an '@', or behind a '?': that may be a password.
std::string WithoutSecrets(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) text = text.substr(0, text.find('?'));
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t at = text.substr(begin).rfind('@');  // the last one: a password may have a '/' in it
  if (at == std::string_view::npos) return std::string(text);
  return std::string(text.substr(0, begin)) + std::string(text.substr(begin + at + 1));
}

Error Bad(std::string_view text, const char* why) {
  return Error{Code::kInvalidArgument, "remote '" + WithoutSecrets(text) + "': " + why};
}

Result<RemoteUrl> ParseLocal(std::string_view text) {
  RemoteUrl url;
  std::error_code failed;
  url.path = stdfs::absolute(stdfs::path(text), failed).lexically_normal().string();
  if (failed || text.empty()) return Bad(text, "no path");
  return url;
}

// "user@host:port"; an IPv6 address stands in brackets.
Result<void> ParseAuthority(std::string_view authority, std::string_view text, RemoteUrl* url) {
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url->user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    if (url->user.find(':') != std::string::npos) return Bad(text, "a password in it would be everybody's to see");
  }
  std::size_t end = authority.find(':');
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return Bad(text, "a ] is missing");
    url->host = authority.substr(1, bracket - 1);
    end = bracket + 1 < authority.size() ? bracket + 1 : std::string_view::npos;
  } else {
    url->host = authority.substr(0, end);
  }
  if (end != std::string_view::npos) url->port = authority.substr(end + 1);
  // Both may become arguments of ssh: neither may be taken for an option.
  const bool bad_port = url->port.find_first_not_of("0123456789") != std::string::npos;
  if (url->host.empty() || url->host.starts_with('-') || url->user.starts_with('-') || bad_port) return Bad(text, "no host");
  return {};
}

// Nothing of a text with a wrong percent sign in it.
std::optional<std::string> WithoutPercentSigns(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      plain += text[at];
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = text.substr(at + 1, 2);
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (failed != std::errc() || digits.size() != 2 || end != digits.data() + 2) return std::nullopt;
    plain += static_cast<char>(value);
    at += 2;
  }
  return plain;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// What only an address of HTTP has to be.
Result<void> CheckHttp(std::string_view text, RemoteUrl* url) {
  const auto user = WithoutPercentSigns(url->user);
  if (!user || std::any_of(user->begin(), user->end(), IsControl)) return Bad(text, "no user's name");
  if (user->find(':') != std::string::npos) return Bad(text, "a password in it would be everybody's to see");
  url->user = *user;
  // What is behind a password with a '/' in it looks like a path with an '@' in it.
  if (url->path.find('@') != std::string::npos) return Bad(text, "an @ in its path is written as %40");
  if (url->path.find_first_of("?# ") != std::string::npos || std::any_of(url->path.begin(), url->path.end(), IsControl)) {
    return Bad(text, "no path");
  }
  return {};
}

const char* SchemeOf(Transport transport) {
  switch (transport) {
    case Transport::kLocal: return "file://";
    case Transport::kGit: return "git://";
    case Transport::kSsh: return "ssh://";
    case Transport::kHttp: return "http://";
    case Transport::kHttps: return "https://";
  }
  return "";
}

std::optional<Transport> TransportOf(std::string_view scheme) {
  if (scheme == "git") return Transport::kGit;
  if (scheme == "ssh" || scheme == "git+ssh" || scheme == "ssh+git") return Transport::kSsh;
  if (scheme == "http") return Transport::kHttp;
  if (scheme == "https") return Transport::kHttps;
  return std::nullopt;
}

}  // namespace

std::string RemoteUrl::Shown() const {
  if (transport == Transport::kLocal) return path;
  const std::string name = host.find(':') == std::string::npos ? host : '[' + host + ']';
  return SchemeOf(transport) + name + (port.empty() ? "" : ":" + port) + (path.starts_with('/') ? "" : "/") + path;
}

Result<RemoteUrl> ParseRemoteUrl(std::string_view text) {
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) {
    const std::size_t colon = text.find(':');
    const bool is_path = colon == std::string_view::npos || text.substr(0, colon).find('/') != std::string_view::npos;
    if (is_path) return ParseLocal(text);
    if (text.substr(colon).starts_with("::")) return Bad(text, "git's helpers for other transports aren't used");
    RemoteUrl url;  // as scp has it: user@host:path
    url.transport = Transport::kSsh;
    if (auto parsed = ParseAuthority(text.substr(0, colon), text, &url); !parsed) return parsed.error();
    url.path = text.substr(colon + 1);
    if (url.path.find('@') != std::string::npos) return Bad(text, "a password in it would be everybody's to see");
    if (url.path.empty() || url.path.starts_with('-')) return Bad(text, "no path");
    return url;
  }
  const std::string_view scheme = text.substr(0, scheme_end);
  const std::string_view rest = text.substr(scheme_end + 3);
  if (scheme == "file") return ParseLocal(rest);
  RemoteUrl url;
  const auto transport = TransportOf(scheme);
  if (!transport) return Bad(text, "neither a path nor file://, git://, ssh://, http:// or https://");
  url.transport = *transport;
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return Bad(text, "no path");
  if (auto parsed = ParseAuthority(rest.substr(0, slash), text, &url); !parsed) return parsed.error();
  url.path = rest.substr(slash);
  if (url.path.find_first_of(std::string_view("\0\n", 2)) != std::string::npos) return Bad(text, "no path");
  if (url.transport == Transport::kSsh && url.path.starts_with("/~")) url.path.erase(0, 1);
  if (url.IsHttp()) {
    if (auto checked = CheckHttp(text, &url); !checked) return checked.error();
  }
  return url;
}

Result<RemoteUrl> ResolveRemote(const stdfs::path& repository, const std::string& remote) {
  InitLibrary();
  RepositoryHandle handle;
  if (git_repository_open_ext(Receive(handle), repository.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr) != 0) {
    return ParseRemoteUrl(remote);
  }
  using RemoteHandle = std::unique_ptr<git_remote, FreeWith<git_remote_free>>;
  RemoteHandle found;
  if (git_remote_lookup(Receive(found), handle.get(), remote.c_str()) != 0) return ParseRemoteUrl(remote);
  const char* url = git_remote_url(found.get());
  if (url == nullptr) return Error{Code::kInvalidArgument, "remote '" + remote + "': the repository's configuration has no url for it"};
  return ParseRemoteUrl(url);
}

}  // namespace concordfs::vcs::git
