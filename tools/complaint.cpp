#include "tools/complaint.h"

#include <unistd.h>

#include <utility>

#include "tools/exit_status.h"

namespace concordfs::tools {
void Complain(std::string_view message) {
  std::string line = "concordfs: ";
  line.append(message).push_back('\n');
  // Nothing can be done for a stderr that takes nothing.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

int Fail(const Error& error) {
  Complain(error.message);
  return kExitFailure;
}

Error MakeError(Code code, std::string_view what, std::string_view why) {
  std::string message(what);
  message.append(": ").append(why);
  return Error{code, std::move(message)};
}

}  // namespace concordfs::tools
