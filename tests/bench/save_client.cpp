// Saves files as an agent's editor does, and says how long each took. tests/bench/compare runs it, once for each agent.
//
//   concordfs_save_client --directory DIR --paths FILE --size 4096 --seconds 2
//
// One save is open, write, close: O_TRUNC and the whole file, or O_APPEND and what is new. A save that fails is
// counted, not repeated.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <limits>

#include "tests/bench/changes.h"
#include "tests/bench/client_report.h"

namespace concordfs::bench {
namespace {

struct Options {
  std::string directory;
  std::string paths;
  Changes::Options changes;
  double seconds = 1;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t warmup = 0;
};

struct Save {
  int error = 0;  // errno of the first call that failed; 0: saved
  double save_us = 0;
  double close_us = 0;
};

bool WriteAll(int descriptor, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = write(descriptor, bytes, size);
    if (written < 0) return false;
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

Save Perform(const std::string& directory, const Changes::Change& change) {
  const std::string path = directory + "/" + change.path;
  const std::size_t size = change.appended != 0 ? change.appended : change.content.size();
  const char* const bytes = change.content.data() + change.content.size() - size;
  Save save;
  const auto began = Clock::now();
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | (change.appended != 0 ? O_APPEND : O_TRUNC), 0644);
  if (descriptor < 0) return {errno, 0, 0};
  if (!WriteAll(descriptor, bytes, size)) save.error = errno;
  const auto closing = Clock::now();
  if (close(descriptor) != 0 && save.error == 0) save.error = errno;
  const auto ended = Clock::now();
  save.save_us = MicrosecondsBetween(began, ended);
  save.close_us = MicrosecondsBetween(closing, ended);
  return save;
}

int Run(const Options& options) {
  Changes changes(options.changes);
  for (std::uint64_t n = 0; n < options.warmup; ++n) Perform(options.directory, changes.Next());
  WaitForStart();
  const double processor_before_s = ProcessorSeconds();
  ClientReport report;
  auto& saves_us = report.latencies_us["save"];
  auto& closes_us = report.latencies_us["close"];
  const auto began = Clock::now();
  const auto end = began + std::chrono::duration<double>(options.seconds);
  for (std::uint64_t n = 0; n < options.most && Clock::now() < end; ++n) {
    const Save save = Perform(options.directory, changes.Next());
    if (save.error != 0) {
      ++report.failures[std::strerror(save.error)];
      continue;
    }
    ++report.operations;
    saves_us.push_back(save.save_us);
    closes_us.push_back(save.close_us);
  }
  report.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  report.processor_s = ProcessorSeconds() - processor_before_s;
  Print(report);
  return 0;
}

}  // namespace
}  // namespace concordfs::bench

int main(int argc, char** argv) {
  concordfs::bench::Options options;
  CLI::App app("Saves files and says how long each save took");
  app.add_option("--directory", options.directory, "Where the files are")->required();
  app.add_option("--paths", options.paths, "A file that lists the files to save, one in a line")->required();
  app.add_option("--size", options.changes.size, "Bytes of a whole file")->required();
  app.add_option("--appended", options.changes.appended, "Bytes to append in a save; a file grows to twice its size");
  app.add_option("--seed", options.changes.seed, "Which files and contents come");
  app.add_option("--seconds", options.seconds, "How long to go on");
  app.add_option("--most", options.most, "The most saves, those that fail too");
  app.add_option("--warmup", options.warmup, "Saves before the start, not counted");
  CLI11_PARSE(app, argc, argv);
  return concordfs::bench::RunClient("save_client", [&] {
    options.changes.paths = concordfs::bench::ReadPaths(options.paths);
    return concordfs::bench::Run(options);
  });
}
