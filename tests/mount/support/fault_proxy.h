// The way to a git server, made to fail on purpose: a relay on loopback, in the test's own process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace concordfs::mounttest {

enum class Way { kToServer, kToClient };

enum class Fault {
  kReset,      // both ends get an RST
  kClose,      // both ends get a FIN, and nothing more
  kHalfClose,  // who is written to in that direction gets a FIN; the other direction goes on
  kSilence,    // nothing moves any more, and nobody is told, until Release()
};

// What happens to a conversation when so many bytes of one direction have passed: at once, whether more were to come or not.
struct Strike {
  Way way = Way::kToServer;
  std::uint64_t after_bytes = 0;
  Fault fault = Fault::kReset;
};

struct Course {
  std::optional<Strike> strike;
  std::chrono::milliseconds delay{0};  // of all that passes, in each direction
};

// "git-receive-pack" (a push) or "git-upload-pack" (a fetch): decides what becomes of a conversation when it begins.
using Plan = std::function<Course(const std::string& service)>;

// What passed in one conversation: how many bytes of a direction had when a message ended. Messages are packets
// (gitprotocol-common(5)), a flush packet included; what is none, a pack that is pushed, is one message.
struct PassedMessages {
  std::string service;
  std::vector<std::uint64_t> to_server;
  std::vector<std::uint64_t> to_client;
};

// Threads: any. The plan is called on the relay's own thread.
class FaultProxy {
 public:
  explicit FaultProxy(int server_port);
  // Cuts what is under way.
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  // "git://127.0.0.1:<port>/<name>"
  std::string Url(const std::string& name) const;
  // For conversations that begin from now on; without one they go their way.
  void Follow(Plan plan);
  // What was silent goes on from where it stopped. Returns when it has been told so.
  void Release();
  // Of the conversations that were over since the last call, in the order in which they ended.
  std::vector<PassedMessages> TakePassed();

 private:
  class Relay;
  std::unique_ptr<Relay> relay_;
};

}  // namespace concordfs::mounttest
