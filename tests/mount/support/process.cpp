#include "tests/mount/support/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ostream>

extern char** environ;

namespace concordfs::mounttest {
namespace {

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe MakePipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) ADD_FAILURE() << "pipe2: " << std::strerror(errno);
  return {ends[0], ends[1]};
}

void CloseIfOpen(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

// Appends what can be read at once; closes the descriptor at the end of file.
void Drain(int& fd, std::string& into) {
  std::array<char, 65536> buffer;
  while (fd >= 0) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && errno == EAGAIN) {
      return;
    } else {
      CloseIfOpen(fd);
    }
  }
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Milliseconds Left(Clock::time_point deadline) {
  return std::max(Milliseconds(0), std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()));
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << "status " << outcome.status << "\n--- stdout\n" << outcome.out << "--- stderr\n" << outcome.err;
}

Environment TestEnvironment() {
  Environment made;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (text.rfind("GIT_", 0) == 0 || text.rfind("CONCORDFS_", 0) == 0 || equals == std::string::npos) continue;
    made[text.substr(0, equals)] = text.substr(equals + 1);
  }
  made["LC_ALL"] = "C.UTF-8";
  made["HOME"] = "/nonexistent";
  made["GIT_CONFIG_GLOBAL"] = "/dev/null";
  made["GIT_CONFIG_NOSYSTEM"] = "1";
  made["no_proxy"] = "localhost";  // where the servers of tests are
  made["PYTHON"] = CONCORDFS_PYTHON;
#ifdef CONCORDFS_NODE
  made["NODE"] = CONCORDFS_NODE;
#endif
  return made;
}

Process::Process(const ProcessSpec& spec) : name_(spec.argv.at(0)) {
  for (std::size_t i = 1; i < spec.argv.size(); ++i) name_ += " " + spec.argv[i];
  Environment environment = TestEnvironment();
  for (const auto& [key, value] : spec.environment) environment[key] = value;
  std::vector<std::string> env_strings;
  for (const auto& [key, value] : environment) env_strings.push_back(key + "=" + value);
  std::vector<std::string> arg_strings = spec.argv;
  std::vector<char*> envp = Pointers(env_strings);
  std::vector<char*> argv = Pointers(arg_strings);

  Pipe in = MakePipe();
  Pipe out = MakePipe();
  Pipe err = MakePipe();
  int file = -1;
  if (!spec.output_file.empty()) {
    file = open(spec.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    setpgid(0, 0);
    // A test that is killed leaves nothing behind: TERM, so that a daemon unmounts.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    signal(SIGALRM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    dup2(in.read_end, STDIN_FILENO);
    dup2(file >= 0 ? file : out.write_end, STDOUT_FILENO);
    dup2(file >= 0 ? file : err.write_end, STDERR_FILENO);
    if (chdir(spec.cwd.c_str()) != 0) _exit(126);
    execvpe(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  if (pid_ < 0) ADD_FAILURE() << "fork: " << std::strerror(errno);
  setpgid(pid_, pid_);
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  CloseIfOpen(in.read_end);
  CloseIfOpen(out.write_end);
  CloseIfOpen(err.write_end);
  CloseIfOpen(file);
  in_ = in.write_end;
  out_fd_ = out.read_end;
  err_fd_ = err.read_end;
  fcntl(out_fd_, F_SETFL, O_NONBLOCK);
  fcntl(err_fd_, F_SETFL, O_NONBLOCK);
}

Process::~Process() {
  if (!reaped_ && pid_ > 0) {
    kill(-pid_, SIGKILL);
    Reap();
  }
  CloseIfOpen(in_);
  CloseIfOpen(out_fd_);
  CloseIfOpen(err_fd_);
  CloseIfOpen(pidfd_);
}

void Process::Reap() {
  int raw = 0;
  while (waitpid(pid_, &raw, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  status_ = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
}

bool Process::Running() {
  Collect(Milliseconds(0));
  return !reaped_;
}

void Process::Send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = write(in_, text.data(), text.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      ADD_FAILURE() << name_ << " takes no input: " << std::strerror(errno);
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Process::CloseInput() {
  CloseIfOpen(in_);
}

void Process::Kill(int signal) {
  if (!reaped_) kill(pid_, signal);
}

void Process::Collect(Milliseconds wait) {
  if (reaped_) return;
  std::array<pollfd, 3> watched{{{out_fd_, POLLIN, 0}, {err_fd_, POLLIN, 0}, {pidfd_, POLLIN, 0}}};
  poll(watched.data(), watched.size(), static_cast<int>(wait.count()));
  const bool ended = (watched[2].revents & POLLIN) != 0;
  Drain(out_fd_, out_);
  Drain(err_fd_, err_);
  if (ended) Reap();
}

bool Process::WaitFor(const std::function<bool()>& met, Milliseconds limit) {
  const Clock::time_point deadline = Clock::now() + limit * Patience();
  while (!met()) {
    if (reaped_ || Clock::now() >= deadline) return met();
    Collect(Left(deadline));
  }
  return true;
}

Outcome Process::Wait(Milliseconds limit) {
  CloseInput();
  if (!WaitFor([this] { return reaped_; }, limit)) {
    ADD_FAILURE() << "killed after " << (limit * Patience()).count() << " ms: " << name_ << "\n" << out_ << err_;
    kill(-pid_, SIGKILL);
    Reap();
    Drain(out_fd_, out_);
    Drain(err_fd_, err_);
  }
  return {status_, out_, err_};
}

Outcome Run(const ProcessSpec& spec, Milliseconds limit) {
  Process process(spec);
  return process.Wait(limit);
}

Outcome RunAs(const std::string& agent, const std::string& command, const std::filesystem::path& cwd,
              const Environment& environment, Milliseconds limit) {
  Environment all = environment;
  if (!agent.empty()) all["CONCORDFS_AGENT"] = agent;
  return Run({.argv = {"bash", "-c", command}, .cwd = cwd, .environment = all, .output_file = {}}, limit);
}

Outcome Concordfs(const std::vector<std::string>& arguments, const std::filesystem::path& cwd,
                  const Environment& environment) {
  std::vector<std::string> argv{CONCORDFS_BINARY};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return Run({.argv = argv, .cwd = cwd, .environment = environment, .output_file = {}});
}

int Patience() {
  static const int patience = [] {
    const char* const given = std::getenv("CONCORDFS_PATIENCE");
    return given != nullptr ? std::max(1, std::atoi(given)) : 1;
  }();
  return patience;
}

bool Eventually(const std::function<bool()>& met, Milliseconds limit) {
  const Clock::time_point deadline = Clock::now() + limit * Patience();
  while (!met()) {
    if (Clock::now() >= deadline) return met();
    poll(nullptr, 0, 2);
  }
  return true;
}

}  // namespace concordfs::mounttest
