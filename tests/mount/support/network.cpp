#include "tests/mount/support/network.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "tests/mount/support/process.h"

namespace concordfs::mounttest {
namespace {

constexpr char kNames[] = "/run/netns";  // ip-netns(8)
constexpr char kOurs[] = "concordfs-test-";

void Ip(const std::string& arguments) {
  std::vector<std::string> argv{"ip"};
  std::istringstream words(arguments);
  for (std::string word; words >> word;) argv.push_back(word);
  const Outcome outcome = Run({.argv = argv, .environment = {}, .output_file = {}});
  EXPECT_EQ(outcome.status, 0) << "ip " << arguments << ": " << outcome;
}

void RemoveDeadOnes() {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(kNames, none)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kOurs)) continue;
    const std::string pid = name.substr(sizeof(kOurs) - 1, name.rfind('-') - sizeof(kOurs) + 1);
    if (!std::filesystem::exists("/proc/" + pid)) Ip("netns del " + name);
  }
}

}  // namespace

std::string WhyNoNetwork() {
  const Outcome tools = RunAs("", "command -v ip && command -v nsenter", "/");
  if (tools.status != 0) return "The network tests need ip (package iproute2) and nsenter (package util-linux).";
  const Outcome made = RunAs("", "unshare --net ip link add type veth", "/");
  return made.status == 0 ? "" : "The network tests need root and a kernel with network namespaces and veth: " + made.err;
}

Network::Network(int machines) {
  RemoveDeadOnes();
  const auto add = [this](const std::string& place) {
    places_.push_back(place);
    Ip("netns add " + Name(place));
    Ip("-n " + Name(place) + " link set lo up");
  };
  add("server");
  const std::string server = Name("server");
  Ip("-n " + server + " link add bridge type bridge");
  Ip("-n " + server + " addr add " + ServerAddress() + "/24 dev bridge");
  Ip("-n " + server + " link set bridge up");
  for (int machine = 0; machine < machines; ++machine) {
    const std::string number = std::to_string(machine);
    add(number);
    Ip("-n " + server + " link add to" + number + " type veth peer name eth0 netns " + Name(number));
    Ip("-n " + server + " link set to" + number + " master bridge up");
    Ip("-n " + Name(number) + " addr add 10.99.0." + std::to_string(machine + 2) + "/24 dev eth0");
    Ip("-n " + Name(number) + " link set eth0 up");
  }
}

Network::~Network() {
  for (const std::string& place : places_) Ip("netns del " + Name(place));
}

std::string Network::Name(const std::string& place) { return kOurs + std::to_string(getpid()) + "-" + place; }

// Not `ip netns exec`, in which nobody else would see a mount.
std::vector<std::string> Network::On(const std::string& place) {
  return {"nsenter", "--net=" + std::string(kNames) + "/" + Name(place)};
}

void Network::SetLink(int machine, const std::string& state) {
  Ip("-n " + Name("server") + " link set to" + std::to_string(machine) + " " + state);
}

}  // namespace concordfs::mounttest
