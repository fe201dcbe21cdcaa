#include "tests/tools/program.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdexcept>

namespace concordfs::tools {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File TemporaryFile() {
  File file(std::tmpfile(), std::fclose);
  if (!file) throw std::runtime_error("a temporary file can't be made");
  return file;
}

std::string Content(std::FILE* file) {
  std::string text;
  char buffer[4096];
  std::rewind(file);
  while (const std::size_t size = std::fread(buffer, 1, sizeof(buffer), file)) text.append(buffer, size);
  return text;
}

}  // namespace

Outcome RunProgram(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                   const std::string& name) {
  const File out = TemporaryFile();
  const File err = TemporaryFile();
  std::vector<char*> argv = {const_cast<char*>(name.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    dup2(fileno(out.get()), STDOUT_FILENO);
    dup2(fileno(err.get()), STDERR_FILENO);
    unsetenv("CONCORDFS_AGENT");
    if (chdir(folder.c_str()) == 0) execv(CONCORDFS_BINARY, argv.data());
    _exit(99);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), Content(out.get()), Content(err.get())};
}

}  // namespace concordfs::tools
