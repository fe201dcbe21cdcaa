#include "tests/mount/support/agent.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace concordfs::mounttest {
namespace {

constexpr char kMark[] = "=end-of-command=";

constexpr char kInterpreter[] = R"(
import errno, fcntl, mmap, os, sys
names = {"errno": errno, "fcntl": fcntl, "mmap": mmap, "os": os}
for line in sys.stdin:
    line = line.replace(chr(30), chr(10))
    try:
        if line.startswith("="):
            answer = str(eval(line[1:], names))
        else:
            exec(line, names)
            answer = "ok"
    except OSError as error:
        answer = errno.errorcode.get(error.errno, str(error.errno))
    except Exception as error:
        answer = "failed: %r" % error
    sys.stdout.write(answer.replace("\\", "\\\\").replace("\n", "\\n") + "\n")
    sys.stdout.flush()
)";

Environment With(const std::string& agent, Environment environment = {}) {
  environment["CONCORDFS_AGENT"] = agent;
  return environment;
}

// Takes the text before the mark and the rest of the mark's line out of `stream`.
std::string Take(std::string& stream, std::string& rest_of_line) {
  const std::size_t mark = stream.find(kMark);
  if (mark == std::string::npos) return std::exchange(stream, "");
  const std::size_t end = stream.find('\n', mark);
  std::string text = stream.substr(0, mark);
  rest_of_line = stream.substr(mark + sizeof(kMark) - 1, end - mark - sizeof(kMark) + 1);
  stream.erase(0, end + 1);
  return text;
}

bool HasMarkedLine(const std::string& stream) {
  const std::size_t mark = stream.find(kMark);
  return mark != std::string::npos && stream.find('\n', mark) != std::string::npos;
}

}  // namespace

AgentShell::AgentShell(const std::string& agent, const std::filesystem::path& cwd, const Environment& environment)
    : process_({.argv = {"bash", "--noprofile", "--norc", "-s"},
                .cwd = cwd,
                .environment = With(agent, environment),
                .output_file = {}}) {}

Outcome AgentShell::Do(const std::string& command) {
  // The braces keep the command from eating the script on standard input.
  const std::string mark = kMark;
  process_.Send("{ " + command + "\n} </dev/null; printf '" + mark + "%d\\n' \"$?\"; echo '" + mark + "' >&2\n");
  Outcome outcome;
  if (!process_.WaitFor([this] { return HasMarkedLine(process_.out()) && HasMarkedLine(process_.err()); })) {
    ADD_FAILURE() << "the shell did not come back from: " << command << "\n" << process_.out() << process_.err();
    return outcome;
  }
  std::string status;
  std::string nothing;
  outcome.out = Take(process_.out(), status);
  outcome.err = Take(process_.err(), nothing);
  outcome.status = std::stoi(status);
  return outcome;
}

AgentPython::AgentPython(const std::string& agent, const std::filesystem::path& cwd)
    : process_({.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kInterpreter},
                .cwd = cwd,
                .environment = With(agent),
                .output_file = {}}) {}

std::string AgentPython::Do(const std::string& statements) {
  // A newline ends the message, so those in it travel as record separators.
  std::string message = statements;
  std::replace(message.begin(), message.end(), '\n', '\x1e');
  process_.Send(message + "\n");
  return Answer();
}

std::string AgentPython::Get(const std::string& expression) {
  process_.Send("=" + expression + "\n");
  return Answer();
}

std::string AgentPython::Answer() {
  std::string& out = process_.out();
  if (!process_.WaitFor([&out] { return out.find('\n') != std::string::npos; })) {
    ADD_FAILURE() << "python did not answer: " << process_.err();
    return "no answer";
  }
  const std::string answer = out.substr(0, out.find('\n'));
  out.erase(0, answer.size() + 1);
  return answer;
}

}  // namespace concordfs::mounttest
