// Machines as far as the network goes: namespaces joined by a bridge, whose links can be cut so that nobody is told.
#pragma once

#include <string>
#include <vector>

namespace concordfs::mounttest {

// Why there can be none here, in one sentence; empty if there can.
std::string WhyNoNetwork();

// A server and machines 0, 1, ...: nothing of it is seen in the network that the test runs in. Names have the test's pid; those
// of a test that is dead are removed. Threads: one.
class Network {
 public:
  explicit Network(int machines);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // What a command begins with to run there: in the machine's network, and with the files that all see.
  std::vector<std::string> OnServer() const { return On("server"); }
  std::vector<std::string> OnMachine(int machine) const { return On(std::to_string(machine)); }
  static std::string ServerAddress() { return "10.99.0.1"; }
  // Takes the link between the machine and the bridge down: what was sent is lost, and nobody hears of it.
  void Cut(int machine) { SetLink(machine, "down"); }
  void Join(int machine) { SetLink(machine, "up"); }

 private:
  static std::string Name(const std::string& place);
  static std::vector<std::string> On(const std::string& place);
  static void SetLink(int machine, const std::string& state);

  std::vector<std::string> places_;
};

}  // namespace concordfs::mounttest
