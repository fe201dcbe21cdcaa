// The seed of a random test.
#pragma once

#include <cstdint>

namespace concordfs::testing {

// What the environment variable CONCORDFS_SEED says, else a new one. Prints it, so that a failure can be repeated.
std::uint64_t Seed();

}  // namespace concordfs::testing
