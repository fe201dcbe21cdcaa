// Programs that the tests start: with a time limit, and never left behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace concordfs::mounttest {

using Milliseconds = std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Environment = std::map<std::string, std::string>;

constexpr Milliseconds kTimeLimit{60'000};

struct Outcome {
  int status = -1;  // exit status; 128 + n if signal n ended it
  std::string out;
  std::string err;
};
std::ostream& operator<<(std::ostream& stream, const Outcome& outcome);

struct ProcessSpec {
  std::vector<std::string> argv;
  std::filesystem::path cwd = "/";
  Environment environment;            // on top of TestEnvironment()
  std::filesystem::path output_file;  // takes stdout and stderr; empty: both are collected in memory
};

// What every program of a test sees: ours, without the user's git configuration and language, and with PYTHON and NODE.
Environment TestEnvironment();

// One running program and what it prints. Threads: one.
class Process {
 public:
  explicit Process(const ProcessSpec& spec);
  // Kills it and all that it started, if it runs still.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  // Gives it text on its standard input.
  void Send(std::string_view text);
  void CloseInput();
  // What it printed so far and was not taken yet.
  std::string& out() { return out_; }
  std::string& err() { return err_; }
  // Waits for `met` after each piece of output, until the program ends or `limit` is over. Returns what `met` says.
  bool WaitFor(const std::function<bool()>& met, Milliseconds limit = kTimeLimit);
  // Waits until it ends. A program that takes longer than `limit` is killed and fails the test.
  Outcome Wait(Milliseconds limit = kTimeLimit);
  void Kill(int signal);

 private:
  void Collect(Milliseconds wait);
  void Reap();

  pid_t pid_ = -1;
  int pidfd_ = -1;
  int in_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  bool reaped_ = false;
  int status_ = -1;
  std::string name_;
  std::string out_;
  std::string err_;
};

// Runs a program to its end.
Outcome Run(const ProcessSpec& spec, Milliseconds limit = kTimeLimit);
// Runs `bash -c command` as an agent.
Outcome RunAs(const std::string& agent, const std::string& command, const std::filesystem::path& cwd,
              const Environment& environment = {}, Milliseconds limit = kTimeLimit);
// Runs `concordfs` with these arguments.
Outcome Concordfs(const std::vector<std::string>& arguments, const std::filesystem::path& cwd = "/",
                  const Environment& environment = {});

// CONCORDFS_PATIENCE, 1 if it isn't set: all limits are so many times as long, for programs that a sanitizer slows down.
int Patience();

// Asks again, a few milliseconds apart, until `met` or the limit is over: for states that nothing announces.
bool Eventually(const std::function<bool()>& met, Milliseconds limit = Milliseconds(20'000));

}  // namespace concordfs::mounttest
