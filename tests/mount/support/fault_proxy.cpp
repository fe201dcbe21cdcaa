#include "tests/mount/support/fault_proxy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "tests/mount/support/loopback.h"
#include "tests/mount/support/process.h"

namespace concordfs::mounttest {
namespace {

constexpr std::size_t kPieceSize = 64 << 10;  // bytes
constexpr std::size_t kMaxPieces = 16;        // that wait in one direction
constexpr std::size_t kLengthSize = 4;        // of a packet, in hexadecimal digits which count themselves

// Finds where messages end in a stream that comes in pieces.
class MessageEnds {
 public:
  void Pass(std::string_view bytes) {
    for (const char c : bytes) PassByte(c);
  }
  std::vector<std::uint64_t> Finish() {
    if (passed_ != 0 && (ends_.empty() || ends_.back() != passed_)) ends_.push_back(passed_);
    return ends_;
  }
  std::uint64_t passed() const { return passed_; }

 private:
  void PassByte(char c) {
    ++passed_;
    if (is_raw_) return;
    if (left_ > 0) {
      if (--left_ == 0) ends_.push_back(passed_);
      return;
    }
    length_ += c;
    is_raw_ = std::isxdigit(static_cast<unsigned char>(c)) == 0;
    if (is_raw_ || length_.size() < kLengthSize) return;
    const std::size_t length = std::strtoul(std::exchange(length_, {}).c_str(), nullptr, 16);
    left_ = length > kLengthSize ? length - kLengthSize : 0;
    if (left_ == 0) ends_.push_back(passed_);
  }

  std::uint64_t passed_ = 0;
  std::uint64_t left_ = 0;  // of the packet that passes
  std::string length_;      // its first digits
  bool is_raw_ = false;     // no packets any more
  std::vector<std::uint64_t> ends_;
};

struct Socket {
  int fd = -1;
  Socket() = default;
  explicit Socket(int opened) : fd(opened) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  ~Socket() { Close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Adopt(int opened) {
    Socket made(opened);
    fd = std::exchange(made.fd, -1);
  }
  void Close() {
    if (fd >= 0) close(std::exchange(fd, -1));
  }
  void Reset() {
    const linger at_once{1, 0};
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    Close();
  }
};

struct Piece {
  Clock::time_point due;
  std::string bytes;  // empty: the end
};

struct Direction {
  Socket* from = nullptr;
  Socket* to = nullptr;
  std::deque<Piece> pieces;
  bool ended = false;   // `from` has said everything
  bool closed = false;  // `to` was told so
  MessageEnds messages;

  bool Takes() const { return !ended && pieces.size() < kMaxPieces; }
  bool IsDue(Clock::time_point now) const { return !pieces.empty() && pieces.front().due <= now; }
};

struct Conversation {
  Socket client;
  Socket server;
  std::array<Direction, 2> directions;  // by Way
  std::string service;
  std::optional<Strike> strike;
  Milliseconds delay{0};
  bool is_silent = false;
  bool is_over = false;

  explicit Conversation(int accepted) : client(accepted) {
    directions[0].from = directions[1].to = &client;
    directions[0].to = directions[1].from = &server;
  }
  Direction& Of(Way way) { return directions[static_cast<std::size_t>(way)]; }
};

}  // namespace

class FaultProxy::Relay {
 public:
  explicit Relay(int server_port) : server_port_(server_port) {
    listener_.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_.fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(listener_.fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(listen(listener_.fd, SOMAXCONN), 0);
    port_ = ntohs(address.sin_port);
    wake_.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    thread_ = std::thread([this] { Run(); });
  }
  ~Relay() {
    stopping_ = true;
    Wake();
    thread_.join();
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  int port() const { return port_; }
  void Follow(Plan plan) {
    const std::lock_guard lock(mutex_);
    plan_ = std::move(plan);
  }
  void Release() {
    releasing_ = true;
    Wake();
    EXPECT_TRUE(Eventually([this] { return !releasing_; }));
  }
  std::vector<PassedMessages> TakePassed() {
    const std::lock_guard lock(mutex_);
    return std::exchange(passed_, {});
  }

 private:
  void Wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_.fd, &one, sizeof(one));
  }

  void Run() {
    while (!stopping_) {
      Wait();
      if (releasing_) {
        for (Conversation& conversation : conversations_) conversation.is_silent = false;
        releasing_ = false;
      }
      for (int fd = accept4(listener_.fd, nullptr, nullptr, SOCK_CLOEXEC); fd >= 0;
           fd = accept4(listener_.fd, nullptr, nullptr, SOCK_CLOEXEC)) {
        conversations_.emplace_back(fd);
      }
      for (Conversation& conversation : conversations_) Advance(conversation);
      conversations_.remove_if([](const Conversation& conversation) { return conversation.is_over; });
    }
  }

  // Until something can be done.
  void Wait() {
    std::vector<pollfd> fds{{listener_.fd, POLLIN, 0}, {wake_.fd, POLLIN, 0}};
    Milliseconds limit{1000};
    const auto now = Clock::now();
    for (const Conversation& conversation : conversations_) {
      if (conversation.is_silent) continue;
      for (const Direction& direction : conversation.directions) {
        if (direction.Takes() && direction.from->fd >= 0) fds.push_back({direction.from->fd, POLLIN, 0});
        if (direction.IsDue(now)) {
          fds.push_back({direction.to->fd, POLLOUT, 0});
        } else if (!direction.pieces.empty()) {
          limit = std::min(limit, std::chrono::ceil<Milliseconds>(direction.pieces.front().due - now));
        }
      }
    }
    poll(fds.data(), fds.size(), static_cast<int>(limit.count()));
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t count = read(wake_.fd, &ignored, sizeof(ignored));
  }

  void Advance(Conversation& conversation) {
    for (const Way way : {Way::kToServer, Way::kToClient}) {
      if (conversation.is_silent || conversation.is_over) return;
      Direction& direction = conversation.Of(way);
      if (!Take(conversation, direction)) return End(conversation, Fault::kReset);
      if (conversation.service.empty()) return;
      if (!Deliver(conversation, way)) return End(conversation, Fault::kReset);
    }
    const auto& [up, down] = conversation.directions;
    if (!conversation.is_over && up.closed && down.closed) End(conversation, Fault::kClose);
  }

  // False if an end is gone.
  bool Take(Conversation& conversation, Direction& direction) {
    while (direction.Takes() && direction.from->fd >= 0) {
      std::string bytes(kPieceSize, '\0');
      const ssize_t count = read(direction.from->fd, bytes.data(), bytes.size());
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      bytes.resize(static_cast<std::size_t>(count));
      direction.ended = count == 0;
      if (conversation.service.empty() && !Begin(conversation, bytes)) return false;
      direction.pieces.push_back({Clock::now() + conversation.delay, std::move(bytes)});
    }
    return true;
  }

  // The first words of a client are what it wants.
  bool Begin(Conversation& conversation, const std::string& words) {
    if (words.size() <= kLengthSize) return false;
    conversation.service = words.substr(kLengthSize, words.find(' ') - kLengthSize);
    {
      const std::lock_guard lock(mutex_);
      const Course course = plan_ ? plan_(conversation.service) : Course{};
      conversation.strike = course.strike;
      conversation.delay = course.delay;
    }
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(server_port_);
    const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    conversation.server.Adopt(fd);
    return connected;
  }

  // False if an end is gone.
  bool Deliver(Conversation& conversation, Way way) {
    Direction& direction = conversation.Of(way);
    for (;;) {
      std::size_t most = kPieceSize;
      if (conversation.strike && conversation.strike->way == way) {
        most = conversation.strike->after_bytes - direction.messages.passed();
        if (most == 0) return Hit(conversation, *std::exchange(conversation.strike, std::nullopt)), true;
      }
      if (!direction.IsDue(Clock::now())) return true;
      std::string& bytes = direction.pieces.front().bytes;
      if (bytes.empty()) {
        if (!direction.closed) shutdown(direction.to->fd, SHUT_WR);
        direction.closed = true;
        direction.pieces.pop_front();
        continue;
      }
      if (!direction.closed) {
        const ssize_t count = write(direction.to->fd, bytes.data(), std::min(bytes.size(), most));
        if (count < 0) return errno == EAGAIN || errno == EINTR;
        direction.messages.Pass(std::string_view(bytes).substr(0, static_cast<std::size_t>(count)));
        bytes.erase(0, static_cast<std::size_t>(count));
      } else {
        bytes.clear();  // what comes after a FIN
      }
      if (bytes.empty()) direction.pieces.pop_front();
    }
  }

  void Hit(Conversation& conversation, const Strike& strike) {
    switch (strike.fault) {
      case Fault::kReset:
      case Fault::kClose: return End(conversation, strike.fault);
      case Fault::kSilence: conversation.is_silent = true; return;
      case Fault::kHalfClose: break;
    }
    Direction& direction = conversation.Of(strike.way);
    shutdown(direction.to->fd, SHUT_WR);
    direction.closed = true;
  }

  void End(Conversation& conversation, Fault how) {
    for (Socket* end : {&conversation.client, &conversation.server}) {
      if (how == Fault::kReset) end->Reset();
      end->Close();
    }
    conversation.is_over = true;
    const std::lock_guard lock(mutex_);
    passed_.push_back({conversation.service, conversation.Of(Way::kToServer).messages.Finish(),
                       conversation.Of(Way::kToClient).messages.Finish()});
  }

  // Constant after construction.
  const int server_port_;
  Socket listener_;
  Socket wake_;
  int port_ = 0;
  // The thread's own.
  std::list<Conversation> conversations_;
  // Own synchronisation.
  std::atomic<bool> stopping_{false};
  std::atomic<bool> releasing_{false};
  // Guarded by mutex_.
  std::mutex mutex_;
  Plan plan_;
  std::vector<PassedMessages> passed_;
  std::thread thread_;
};

FaultProxy::FaultProxy(int server_port) : relay_(std::make_unique<Relay>(server_port)) {}

FaultProxy::~FaultProxy() = default;

std::string FaultProxy::Url(const std::string& name) const {
  return "git://127.0.0.1:" + std::to_string(relay_->port()) + "/" + name;
}

void FaultProxy::Follow(Plan plan) { relay_->Follow(std::move(plan)); }

void FaultProxy::Release() { relay_->Release(); }

std::vector<PassedMessages> FaultProxy::TakePassed() { return relay_->TakePassed(); }

}  // namespace concordfs::mounttest
