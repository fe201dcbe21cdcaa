#include "vcs/git/process_connection.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "vcs/git/descriptor_connection.h"
#include "vcs/git/pkt_line.h"
#include "vcs/mutex.h"

namespace concordfs::vcs::git {
namespace {

constexpr int kSshFailed = 255;  // ssh's own exit status, when it is not the other end's
constexpr std::chrono::milliseconds kEndingTime{1000};

const char* ProgramOf(Service service) {
  return service == Service::kUploadPack ? "git-upload-pack" : "git-receive-pack";
}

// What a shell takes for exactly this text.
std::string ShellQuoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

// Without the variables that would lead git to another repository than the one that it is told, and without what is nobody's to know.
std::vector<std::string> CleanEnvironment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const bool is_gits = text.starts_with("GIT_") && !text.starts_with("GIT_SSH") && !text.starts_with("GIT_CONFIG_NOSYSTEM") &&
                         !text.starts_with("GIT_CONFIG_GLOBAL") && !text.starts_with("GIT_TRACE");
    if (!is_gits && !text.starts_with("CONCORDFS_REMOTE_TOKEN=")) variables.emplace_back(text);
  }
  return variables;
}

// Programs that were started and not waited for, until they have ended. Threads: any.
class Children {
 public:
  void Add(pid_t pid) EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      pids_.push_back(pid);
    }
    Reap();
  }
  void Reap() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    std::erase_if(pids_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
  }

 private:
  Mutex mutex_;
  std::vector<pid_t> pids_ GUARDED_BY(mutex_);
};

Children& LeftBehind() {
  static Children children;
  return children;
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

class ProcessConnection : public DescriptorConnection {
 public:
  ProcessConnection(std::string name, std::chrono::milliseconds silence) : DescriptorConnection(std::move(name), silence) {}

  // The program ends when nobody talks to it any more. What it still does for itself then, a hook after the push, is not waited for.
  ~ProcessConnection() override {
    in_ = FileDescriptor();
    errors_ = FileDescriptor();
    if (pid_ <= 0) return;
    if (is_gone_) ::kill(-pid_, SIGKILL);
    LeftBehind().Add(pid_);
  }

  Result<void> Start(std::vector<std::string> argv, const std::vector<std::string>& variables = {}) {
    int conversation[2];
    int complaints[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, conversation) != 0) return SystemError("socketpair", errno);
    in_ = FileDescriptor(conversation[0]);
    const FileDescriptor theirs(conversation[1]);
    if (::pipe2(complaints, O_CLOEXEC) != 0) return SystemError("pipe", errno);
    errors_ = FileDescriptor(complaints[0]);
    const FileDescriptor their_errors(complaints[1]);
    ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(errors_.get(), F_SETFL, O_NONBLOCK);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, their_errors.get(), STDERR_FILENO);
    // In a group of its own, so that all of it can be ended, and with the signals that the daemon blocks for itself.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigaddset(&signals, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    std::vector<std::string> environment = CleanEnvironment();
    environment.insert(environment.begin(), variables.begin(), variables.end());  // the first one of a name is what counts
    const int failed =
        posix_spawnp(&pid_, argv[0].c_str(), &actions, &attributes, Pointers(argv).data(), Pointers(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    LeftBehind().Reap();
    if (failed == 0) return {};
    pid_ = -1;
    return Error{Code::kUnreachable, "run " + argv[0] + ": " + std::strerror(failed)};
  }

  Error WhyItEnded() override {
    in_ = FileDescriptor();
    const int status = pid_ > 0 ? WaitForEnd() : 0;
    std::string words = complaint_;
    while (!words.empty() && words.back() == '\n') words.pop_back();
    std::replace(words.begin(), words.end(), '\n', ' ');
    words = Printable(words);
    Error error = Gone(words.empty() ? "the connection was closed" : words);
    if (IsNoAccess(words) || (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != kSshFailed && IsNoRepository(words))) {
      error.code = Code::kAccess;
    }
    return error;
  }

 private:
  static bool IsNoAccess(const std::string& words) {
    for (const char* sign : {"Permission denied", "Host key verification failed", "Too many authentication failures",
                             "no matching host key", "detected dubious ownership"}) {
      if (words.find(sign) != std::string::npos) return true;
    }
    return false;
  }
  static bool IsNoRepository(const std::string& words) {
    return words.find("not appear to be a git repository") != std::string::npos || words.find("not found") != std::string::npos;
  }

  // The program's wait status; 0 of one that doesn't end even when it is killed: a disk or a network may hold it.
  int WaitForEnd() {
    int status = 0;
    const auto end = std::chrono::steady_clock::now() + kEndingTime;
    std::chrono::microseconds pause{200};
    for (;;) {
      if (errors_.ok()) TakeErrors();
      const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == pid_ || (ended < 0 && errno != EINTR)) break;
      const auto late = std::chrono::steady_clock::now() - end;
      if (late > kEndingTime) {
        LeftBehind().Add(std::exchange(pid_, -1));
        return 0;
      }
      if (late.count() > 0) ::kill(-pid_, SIGKILL);
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, std::chrono::microseconds(20'000));
    }
    if (errors_.ok()) TakeErrors();
    pid_ = -1;
    return status;
  }

  pid_t pid_ = -1;
};

Result<std::unique_ptr<Connection>> Run(const RemoteUrl& url, const ConnectOptions& options, std::vector<std::string> argv) {
  auto connection = std::make_unique<ProcessConnection>(url.Shown(), options.silence);
  if (auto started = connection->Start(std::move(argv)); !started) return started.error();
  return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace

Result<std::unique_ptr<Connection>> ConnectLocally(const RemoteUrl& url, Service service, const ConnectOptions& options) {
  return Run(url, options, {ProgramOf(service), url.path});
}

Result<std::unique_ptr<Connection>> ConnectSsh(const RemoteUrl& url, Service service, const ConnectOptions& options) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.silence).count();
  std::vector<std::string> words = {"-o", "BatchMode=yes", "-o", "ConnectTimeout=" + std::to_string(seconds)};
  if (!options.ssh_key.empty()) {
    words.insert(words.end(), {"-i", options.ssh_key.string(), "-o", "IdentitiesOnly=yes"});
  }
  if (!url.port.empty()) words.insert(words.end(), {"-p", url.port});
  words.push_back(url.user.empty() ? url.host : url.user + "@" + url.host);
  words.push_back(std::string(ProgramOf(service)) + ' ' + ShellQuoted(url.path));
  if (options.ssh_command.empty()) {
    words.insert(words.begin(), "ssh");
  } else {
    words.insert(words.begin(), {"sh", "-c", options.ssh_command + " \"$@\"", "ssh"});
  }
  return Run(url, options, std::move(words));
}

Result<std::unique_ptr<Connection>> RunProgram(std::vector<std::string> argv, const std::vector<std::string>& variables,
                                               std::chrono::milliseconds silence) {
  auto connection = std::make_unique<ProcessConnection>(argv[0], silence);
  if (auto started = connection->Start(std::move(argv), variables); !started) return started.error();
  return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace concordfs::vcs::git
