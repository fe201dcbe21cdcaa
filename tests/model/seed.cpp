#include "tests/model/seed.h"

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace concordfs::testing {

std::uint64_t Seed() {
  const char* wanted = std::getenv("CONCORDFS_SEED");
  const std::uint64_t seed = wanted != nullptr ? std::stoull(wanted) : std::random_device()();
  std::cout << "CONCORDFS_SEED=" << seed << std::endl;
  return seed;
}

}  // namespace concordfs::testing
