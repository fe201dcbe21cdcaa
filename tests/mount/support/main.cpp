#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "tests/mount/support/mount.h"
#include "tests/mount/support/process.h"

namespace concordfs::mounttest {
namespace {

// Less than ctest's own limit, which a program with long tests raises together with this one.
unsigned SecondsPerTest() {
  constexpr int kMost = 280;
  const char* told = std::getenv("CONCORDFS_SECONDS_PER_TEST");
  return told != nullptr ? static_cast<unsigned>(std::strtoul(told, nullptr, 10))
                         : static_cast<unsigned>(std::min(110 * Patience(), kMost));
}

// A test that hangs on a mount comes back with an error when the mount's daemon is gone, and cleans up.
class Watchdog : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo&) override { alarm(SecondsPerTest()); }
  void OnTestEnd(const ::testing::TestInfo&) override { alarm(0); }
};

}  // namespace
}  // namespace concordfs::mounttest

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  signal(SIGPIPE, SIG_IGN);
  struct sigaction action {};
  action.sa_handler = [](int) { concordfs::mounttest::AbortAllMounts(); };
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  ::testing::UnitTest::GetInstance()->listeners().Append(new concordfs::mounttest::Watchdog);
  return RUN_ALL_TESTS();
}
