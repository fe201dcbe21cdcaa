#include "tests/bench/client_report.h"

#include <sys/resource.h>

#include <cmath>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

namespace concordfs::bench {

double MicrosecondsBetween(Clock::time_point from, Clock::time_point to) {
  return std::round(std::chrono::duration<double, std::micro>(to - from).count() * 10) / 10;
}

void WaitForStart() {
  std::cout << "ready" << std::endl;
  std::string line;
  std::getline(std::cin, line);
}

double ProcessorSeconds() {
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void Print(const ClientReport& report) {
  const nlohmann::json json = {{"operations", report.operations},
                               {"seconds", report.seconds},
                               {"processor_s", report.processor_s},
                               {"failures", report.failures},
                               {"latencies_us", report.latencies_us}};
  std::cout << json.dump() << std::endl;
}

int RunClient(const char* name, const std::function<int()>& run) {
  try {
    return run();
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace concordfs::bench
