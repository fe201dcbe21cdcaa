// What the comparison's clients have in common: they wait for the word to start, work for a time, and print what it
// took.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace concordfs::bench {

using Clock = std::chrono::steady_clock;

// Microseconds between two moments, to a tenth.
double MicrosecondsBetween(Clock::time_point from, Clock::time_point to);

// Says "ready" on standard output and returns when a line, or the end, comes on standard input: so that the clients of
// one measurement begin together.
void WaitForStart();

// The processor time that this process has had, in seconds.
double ProcessorSeconds();

// Printed as one JSON object on one line: operations, seconds, processor_s (the process's, of that time), failures (by
// what strerror(3) says), and a list for each kind of latency, in microseconds.
struct ClientReport {
  std::uint64_t operations = 0;
  double seconds = 0;
  double processor_s = 0;
  std::map<std::string, std::uint64_t> failures;
  std::map<std::string, std::vector<double>> latencies_us;
};
void Print(const ClientReport& report);

// A client's main: what it returns, or 1 when it throws, which is said on standard error.
int RunClient(const char* name, const std::function<int()>& run);

}  // namespace concordfs::bench
