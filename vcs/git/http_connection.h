// Conversations by git's "smart" HTTP: what a server has is one request, and what it is asked then another one.
// Source: gitprotocol-http(5).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "vcs/git/connection.h"

namespace concordfs::vcs::git {

// What conversations with one repository have in common: the connection, where it can be kept, and what lets us in there. For one
// conversation at a time. It ends last.
std::shared_ptr<HttpSession> MakeHttpSession(const RemoteUrl& url, const ConnectOptions& options);

// Asks what the repository has. What is written then is sent by EndRequest or the first Read; a conversation that writes and doesn't
// read sends nothing. Without a session in the options it makes one.
// Errors: kUnreachable; kAccess (it doesn't let us in, there is no such repository, or nobody vouches for its certificate).
Result<std::unique_ptr<Connection>> ConnectHttp(const RemoteUrl& url, Service service, const ConnectOptions& options);

// The repository that an answer sends us to which redirects `from` + `tail` to `location`. As git has it: only the whole address may be
// another one, and nothing that was asked for in secret is asked for openly. Errors: kAccess.
Result<RemoteUrl> FollowRedirect(const RemoteUrl& from, std::string_view location, std::string_view tail);

// May `other` hear what lets us in at `url`? The same host and port, or that host's usual port for https instead of the one for http.
bool IsSameServer(const RemoteUrl& url, const RemoteUrl& other);

}  // namespace concordfs::vcs::git
