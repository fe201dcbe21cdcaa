// Reads a directory as programs do, and says how long an operation took in each pass. tests/bench/compare runs it.
//
//   concordfs_read_client --do stat --directory DIR --paths FILE --passes 5
//
// stat: lstat of each path. read: open, read to the end, close. walk: every directory's names and the lstat of each, as
// `git status` does; needs no paths.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "tests/bench/changes.h"
#include "tests/bench/client_report.h"

namespace concordfs::bench {
namespace {

[[noreturn]] void Fail(const std::string& path) {
  throw std::system_error(errno, std::generic_category(), path);
}

void Stat(const std::string& path) {
  struct stat found = {};
  if (lstat(path.c_str(), &found) != 0) Fail(path);
}

void ReadWhole(const std::string& path) {
  static std::array<char, 1 << 16> buffer;
  const int descriptor = open(path.c_str(), O_RDONLY);
  if (descriptor < 0) Fail(path);
  ssize_t count = 0;
  do {
    count = read(descriptor, buffer.data(), buffer.size());
  } while (count > 0);
  if (count < 0) Fail(path);
  close(descriptor);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// Returns how many names there are below `path`.
std::uint64_t Walk(const std::string& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  if (!directory) Fail(path);
  std::uint64_t names = 0;
  std::vector<std::string> below;
  while (const dirent* entry = readdir(directory.get())) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    struct stat found = {};
    if (fstatat(dirfd(directory.get()), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) Fail(path);
    if (S_ISDIR(found.st_mode)) below.push_back(path + "/" + entry->d_name);
    ++names;
  }
  for (const std::string& each : below) names += Walk(each);
  return names;
}

int Run(const std::string& what, const std::string& directory, std::vector<std::string> paths, int passes) {
  for (std::string& path : paths) path.insert(0, directory + "/");
  WaitForStart();
  const double processor_before_s = ProcessorSeconds();
  ClientReport report;
  auto& operations_us = report.latencies_us["operation"];
  for (int pass = 0; pass < passes; ++pass) {
    const auto began = Clock::now();
    std::uint64_t operations = paths.size();
    if (what == "walk") {
      operations = Walk(directory);
    } else {
      for (const std::string& path : paths) what == "stat" ? Stat(path) : ReadWhole(path);
    }
    const double took_us = MicrosecondsBetween(began, Clock::now());
    report.operations += operations;
    report.seconds += took_us / 1e6;
    operations_us.push_back(took_us / static_cast<double>(operations));
  }
  report.processor_s = ProcessorSeconds() - processor_before_s;
  Print(report);
  return 0;
}

}  // namespace
}  // namespace concordfs::bench

int main(int argc, char** argv) {
  std::string what;
  std::string directory;
  std::string paths;
  int passes = 1;
  CLI::App app("Reads a directory and says how long an operation took in each pass");
  app.add_option("--do", what, "What to do")->required()->check(CLI::IsMember({"stat", "read", "walk"}));
  app.add_option("--directory", directory, "Where the files are")->required();
  app.add_option("--paths", paths, "A file that lists the files, one in a line (not for walk)");
  app.add_option("--passes", passes, "How often")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return concordfs::bench::RunClient("read_client", [&] {
    const auto read = what == "walk" ? std::vector<std::string>() : concordfs::bench::ReadPaths(paths);
    return concordfs::bench::Run(what, directory, read, passes);
  });
}
