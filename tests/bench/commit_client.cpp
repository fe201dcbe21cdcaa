// Commits changes to a repository without a mount, and says how long each commit took. tests/bench/compare runs it.
//
//   concordfs_commit_client --way engine --repository REPO --paths FILE --size 4096 --seconds 2
//
// --way ordinary: libgit2 as its manual says. --way engine: what the file system has behind a close; with --batch N, N
// commits wait together, and a commit's latency is an N-th of theirs.
#include <CLI/CLI.hpp>
#include <future>
#include <limits>
#include <memory>

#include "tests/bench/changes.h"
#include "tests/bench/client_report.h"
#include "tests/bench/engine_way.h"
#include "tests/bench/ordinary_way.h"

namespace concordfs::bench {
namespace {

struct Options {
  std::string way = "engine";
  std::string repository;
  std::string paths;
  Changes::Options changes;
  bool sync = false;
  std::uint64_t batch = 1;
  double seconds = 1;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t warmup = 0;
};

// One of the two ways, and the changes that it commits.
class Way {
 public:
  explicit Way(const Options& options) : changes_(options.changes), batch_(options.batch) {
    using vcs::git::Durability;
    if (options.way == "engine") {
      engine_ =
          std::make_unique<EngineWay>(options.repository, options.sync ? Durability::kPower : Durability::kProcess);
    } else {
      ordinary_ = std::make_unique<OrdinaryWay>(options.repository,
                                                options.sync ? OrdinaryWay::Sync::kYes : OrdinaryWay::Sync::kNo);
    }
  }

  // Commits a batch. Returns the microseconds that a commit of it took.
  double Commit() {
    std::vector<Changes::Change> changes;
    for (std::uint64_t n = 0; n < batch_; ++n) changes.push_back(changes_.Next());
    if (engine_) {
      for (const auto& change : changes) engine_->Read(change.path);
    }
    const auto began = Clock::now();
    if (ordinary_) {
      for (const auto& change : changes) ordinary_->Commit(change.path, change.content);
    } else {
      std::vector<std::future<vcs::Outcome>> waiting;
      for (const auto& change : changes) waiting.push_back(engine_->Submit(change.path, change.content));
      for (auto& each : waiting) engine_->Wait(std::move(each));
    }
    return MicrosecondsBetween(began, Clock::now()) / static_cast<double>(batch_);
  }

 private:
  Changes changes_;
  const std::uint64_t batch_;
  std::unique_ptr<EngineWay> engine_;
  std::unique_ptr<OrdinaryWay> ordinary_;
};

int Run(const Options& options) {
  Way way(options);
  for (std::uint64_t n = 0; n < options.warmup; ++n) way.Commit();
  WaitForStart();
  const double processor_before_s = ProcessorSeconds();
  ClientReport report;
  auto& saves_us = report.latencies_us["save"];
  const auto began = Clock::now();
  const auto end = began + std::chrono::duration<double>(options.seconds);
  while (report.operations < options.most && Clock::now() < end) {
    saves_us.push_back(way.Commit());
    report.operations += options.batch;
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
  CLI::App app("Commits to a repository and says how long each commit took");
  app.add_option("--way", options.way, "Who commits")->check(CLI::IsMember({"engine", "ordinary"}));
  app.add_option("--repository", options.repository, "A bare repository whose branch main is to grow")->required();
  app.add_option("--paths", options.paths, "A file that lists the files to change, one in a line")->required();
  app.add_option("--size", options.changes.size, "Bytes of a whole file")->required();
  app.add_option("--appended", options.changes.appended, "Bytes that a file grows by each time, up to twice its size");
  app.add_option("--seed", options.changes.seed, "Which files and contents come");
  app.add_option("--batch", options.batch, "How many commits wait together")->check(CLI::PositiveNumber);
  app.add_flag("--sync", options.sync, "Each commit survives a loss of power");
  app.add_option("--seconds", options.seconds, "How long to go on");
  app.add_option("--most", options.most, "The most commits");
  app.add_option("--warmup", options.warmup, "Batches before the start, not counted");
  CLI11_PARSE(app, argc, argv);
  return concordfs::bench::RunClient("commit_client", [&] {
    options.changes.paths = concordfs::bench::ReadPaths(options.paths);
    return concordfs::bench::Run(options);
  });
}
