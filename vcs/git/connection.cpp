// Which connection it is, and those to git's own server, over TCP.
#include "vcs/git/connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "vcs/git/descriptor_connection.h"
#include "vcs/git/http_connection.h"
#include "vcs/git/pkt_line.h"
#include "vcs/git/process_connection.h"

namespace concordfs::vcs::git {
namespace {

constexpr char kGitPort[] = "9418";

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

class TcpConnection : public DescriptorConnection {
 public:
  TcpConnection(const RemoteUrl& url, std::chrono::milliseconds silence) : DescriptorConnection(url.Shown(), silence) {}

  Result<void> Open(const RemoteUrl& url) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int failed = getaddrinfo(url.host.c_str(), url.port.empty() ? kGitPort : url.port.c_str(), &hints, &list);
    if (failed != 0) return Gone(gai_strerror(failed));
    const Addresses addresses(list);
    Result<void> opened = Gone("no address");
    for (const addrinfo* address = list; address != nullptr; address = address->ai_next) {
      opened = OpenAt(*address);
      if (opened) return opened;
    }
    return opened;
  }

  Error WhyItEnded() override { return Gone("the connection was closed"); }

 private:
  Result<void> OpenAt(const addrinfo& address) {
    in_ = FileDescriptor(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
    if (!in_.ok()) return Gone(std::strerror(errno));
    const int on = 1;
    ::setsockopt(in_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (::connect(in_.get(), address.ai_addr, address.ai_addrlen) == 0) return {};
    if (errno != EINPROGRESS) return Gone(std::strerror(errno));
    if (auto ready = Await(in_.get(), POLLOUT); !ready) return ready;
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(in_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return Gone(std::strerror(error));
    return {};
  }
};

Result<std::unique_ptr<Connection>> ConnectTcp(const RemoteUrl& url, Service service, const ConnectOptions& options) {
  auto connection = std::make_unique<TcpConnection>(url, options.silence);
  if (auto opened = connection->Open(url); !opened) return opened.error();
  // Source: gitprotocol-pack(5), "Git Transport".
  std::string request = service == Service::kUploadPack ? "git-upload-pack " : "git-receive-pack ";
  request += url.path + '\0' + "host=" + url.host + (url.port.empty() ? "" : ":" + url.port) + '\0';
  if (auto asked = connection->Write(EncodePacket(request)); !asked) return asked.error();
  return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace

Result<std::unique_ptr<Connection>> Connect(const RemoteUrl& url, Service service, const ConnectOptions& options) {
  switch (url.transport) {
    case RemoteUrl::Transport::kGit: return ConnectTcp(url, service, options);
    case RemoteUrl::Transport::kSsh: return ConnectSsh(url, service, options);
    case RemoteUrl::Transport::kHttp:
    case RemoteUrl::Transport::kHttps: return ConnectHttp(url, service, options);
    case RemoteUrl::Transport::kLocal: break;
  }
  return ConnectLocally(url, service, options);
}

}  // namespace concordfs::vcs::git
