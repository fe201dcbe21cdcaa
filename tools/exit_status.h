// What the process returns, for scripts.
#pragma once

namespace concordfs::tools {

constexpr int kExitOk = 0;
constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr int kExitRefused = 75;         // EX_TEMPFAIL of sysexits.h: refused still, try again later
constexpr int kExitNotExecutable = 126;  // as shells have it: found, and can't be run
constexpr int kExitNotFound = 127;       // as shells have it: no such command
constexpr int kExitSignalBase = 128;     // as shells have it: ended by signal n is 128 + n

}  // namespace concordfs::tools
