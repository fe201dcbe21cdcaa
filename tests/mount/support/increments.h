// Agents that count in a file, and what must be true of its history afterwards, whatever failed meanwhile.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "tests/mount/support/process.h"
#include "tests/mount/support/repository.h"

namespace concordfs::mounttest {

// What the file holds is "<value> <token>", padded to one size: each attempt to write the next value has a token of its own, so
// that history tells which attempts landed. An attempt that fails with EHOSTUNREACH writes the same again until it is told
// something else.
struct Increments {
  std::set<std::string> acknowledged;  // close returned 0, and the same daemon answered once more
  std::set<std::string> refused;       // close said ESTALE to the first writing of it: it did not land, and is parked
  std::set<std::string> stale;         // ESTALE before it was written
  std::set<std::string> in_doubt;      // EHOSTUNREACH, and then ESTALE: it landed and was overwritten, or it is parked
  std::set<std::string> orphaned;      // the daemon was gone: anything may have become of it
};

// A process that counts in `folder`/`name` until the file `calm` is there, and once more then. Threads: one.
class Incrementer {
 public:
  Incrementer(const std::string& agent, const std::filesystem::path& folder, const std::string& name, const std::filesystem::path& calm);
  Increments Finish();

 private:
  Process process_;
};

// The content with which counting begins.
std::string CounterAtZero();

// The file's history counts from 0 without a gap, each token once; all that was acknowledged is in it and nothing that was refused. So
// its last value is the number of acknowledged increments and of those in doubt or orphaned whose token is there.
void ExpectCounted(const Repository& origin, const std::string& name, const std::vector<Increments>& all);
// A machine's repository has parked what its agents were refused; what was in doubt and isn't in the history of `origin`, too.
void ExpectParked(const std::filesystem::path& repository, const Repository& origin, const std::string& name, const Increments& of);

}  // namespace concordfs::mounttest
