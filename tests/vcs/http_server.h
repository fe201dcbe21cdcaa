// A web server in the test's own process, for faults that no real one has at a known moment.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace concordfs::vcs::git {

struct WebRequest {
  std::string method;
  std::string target;                          // "/path?query"
  std::map<std::string, std::string> headers;  // names in small letters
  std::string body;

  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// What is sent, byte by byte, and what becomes of the connection then.
struct WebReply {
  enum class Then { kKeep, kClose, kSaysNoMore };
  std::string bytes;
  Then then = Then::kKeep;
};

inline WebReply Answer(const std::string& status, const std::string& type, const std::string& body, const std::string& headers = "") {
  return {"HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body,
          WebReply::Then::kKeep};
}

// Threads: `answer` is called in a thread of each connection, one at a time; StopListening also there; all else in the test's.
class WebServer {
 public:
  explicit WebServer(std::function<WebReply(const WebRequest&)> answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no socket");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~WebServer() {
    StopListening();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const int fd : connections_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    for (const int fd : connections_) ::close(fd);
  }
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<WebRequest> Requests() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }
  std::size_t Connections() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return connections_.size();
  }
  // Nobody gets a connection from now on.
  void StopListening() {
    const std::lock_guard<std::mutex> lock(stopping_);
    if (!acceptor_.joinable()) return;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
  }

 private:
  void Accept() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::lock_guard<std::mutex> lock(mutex_);
      connections_.push_back(fd);
      threads_.emplace_back([this, fd] { Serve(fd); });
    }
  }
  void Serve(int fd) {
    std::string text;
    WebRequest request;
    while (ReadRequest(fd, &text, &request)) {
      WebReply reply;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        requests_.push_back(request);
      }
      {
        const std::lock_guard<std::mutex> lock(answering_);
        reply = answer_(request);
      }
      for (std::size_t sent = 0; sent < reply.bytes.size();) {
        const ssize_t count = ::send(fd, reply.bytes.data() + sent, reply.bytes.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) return;
        sent += static_cast<std::size_t>(count);
      }
      if (reply.then == WebReply::Then::kClose) ::shutdown(fd, SHUT_RDWR);
      if (reply.then == WebReply::Then::kSaysNoMore) WaitForItsEnd(fd);
    }
  }
  static bool More(int fd, std::string* text) {
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (count > 0) text->append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
  }
  static void WaitForItsEnd(int fd) {
    std::string ignored;
    while (More(fd, &ignored)) ignored.clear();
  }
  static bool ReadRequest(int fd, std::string* text, WebRequest* request) {
    std::size_t end = 0;
    while ((end = text->find("\r\n\r\n")) == std::string::npos) {
      if (!More(fd, text)) return false;
    }
    *request = WebRequest();
    request->method = text->substr(0, text->find(' '));
    const std::size_t target = request->method.size() + 1;
    request->target = text->substr(target, text->find(' ', target) - target);
    for (std::size_t at = text->find("\r\n") + 2; at < end;) {
      const std::string line = text->substr(at, text->find("\r\n", at) - at);
      std::string name = line.substr(0, line.find(':'));
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      request->headers[name] = line.substr(std::min(line.size(), line.find(':') + 2));
      at += line.size() + 2;
    }
    const std::string length = request->Header("content-length");
    const std::size_t size = length.empty() ? 0 : std::stoul(length);
    while (text->size() < end + 4 + size) {
      if (!More(fd, text)) return false;
    }
    request->body = text->substr(end + 4, size);
    text->erase(0, end + 4 + size);
    return true;
  }

  const std::function<WebReply(const WebRequest&)> answer_;
  int listener_ = -1;
  int port_ = 0;
  std::thread acceptor_;
  std::mutex stopping_;
  std::mutex answering_;
  std::mutex mutex_;
  std::vector<int> connections_;
  std::vector<std::thread> threads_;
  std::vector<WebRequest> requests_;
};

}  // namespace concordfs::vcs::git
