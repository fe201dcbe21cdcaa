#include "tools/child_process.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

volatile sig_atomic_t g_child = 0;  // for the signal handler

void HandOn(int signal_number) {
  if (g_child > 0) kill(g_child, signal_number);
}

// What system(3) does with the signals, and hands on those that ask for an end. The former state returns with the
// scope.
class SignalsOfAWaitingParent {
 public:
  SignalsOfAWaitingParent() {
    struct sigaction action {};
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_IGN;
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGQUIT, &action, &quit_);
    action.sa_handler = HandOn;
    sigaction(SIGTERM, &action, &terminate_);
    sigaction(SIGHUP, nullptr, &hang_up_);
    if (hang_up_.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // nohup stays nohup
  }
  ~SignalsOfAWaitingParent() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGQUIT, &quit_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
    sigaction(SIGHUP, &hang_up_, nullptr);
  }
  SignalsOfAWaitingParent(const SignalsOfAWaitingParent&) = delete;
  SignalsOfAWaitingParent& operator=(const SignalsOfAWaitingParent&) = delete;

  // Those that are ignored only because of the waiting; handlers don't survive an exec anyway.
  sigset_t ChildsDefaults() const {
    sigset_t defaults;
    sigemptyset(&defaults);
    if (interrupt_.sa_handler != SIG_IGN) sigaddset(&defaults, SIGINT);
    if (quit_.sa_handler != SIG_IGN) sigaddset(&defaults, SIGQUIT);
    return defaults;
  }

 private:
  struct sigaction interrupt_ {};
  struct sigaction quit_ {};
  struct sigaction terminate_ {};
  struct sigaction hang_up_ {};
};

}  // namespace

ChildEnd RunAndWait(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);

  const SignalsOfAWaitingParent signals;
  const sigset_t defaults = signals.ChildsDefaults();
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, words[0], nullptr, &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    Complain(SystemError(vcs::Quoted(argv[0]), failed).message);
    return {failed == ENOENT ? kExitNotFound : kExitNotExecutable, false, true};
  }
  g_child = child;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  g_child = 0;
  if (WIFSIGNALED(status)) return {kExitSignalBase + WTERMSIG(status), true, false};
  return {WEXITSTATUS(status), false, false};
}

}  // namespace concordfs::tools
