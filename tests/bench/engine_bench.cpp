// The commit engine against libgit2's ordinary way, on the same changes of the same repositories.
//
//   concordfs_engine_bench --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true
//
// An iteration of Ordinary/* and Engine/* is one commit; one of Batch/* is 64 that wait together. Time is the wall
// clock's. SHAPE is as in tests/bench/workload.h; */sync survives a power cut.
#include <benchmark/benchmark.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tests/bench/ordinary_way.h"
#include "tests/bench/workload.h"
#include "vcs/committer.h"
#include "vcs/git/git_store.h"
#include "vcs/tree_reader.h"

namespace concordfs::bench {
namespace {

using vcs::git::Durability;

constexpr Shape kShapes[] = {Shape::kSmall, Shape::kMedium, Shape::kLarge, Shape::kWide, Shape::kAppend, Shape::kMiB};
constexpr int kBatch = 64;

class Ignores final : public vcs::HeadObserver {
  void OnHeadMoved(const vcs::HeadMove& /*move*/) override {}
  void OnBranchUnreadable(const Error& /*error*/) override {}
};

// What the file system has between an agent's close and its commit.
class Engine {
 public:
  Engine(const std::filesystem::path& path, Durability durability) {
    auto opened = vcs::git::OpenRepository(path, durability);
    if (!opened) throw std::runtime_error(opened.error().message);
    repository_ = *std::move(opened);
    trees_ = std::make_unique<vcs::TreeReader>(*repository_.store);
    committer_ = std::make_unique<vcs::Committer>(*repository_.store, *trees_,
                                                  vcs::CommitterOptions{.ref = "refs/heads/main", .now_s = {}});
    const auto head = committer_->ReadBranch();
    if (!head) throw std::runtime_error(head.error().message);
    committer_->Start(*head, &observer_);
  }

  // As an agent does that has just read the path.
  std::future<vcs::Outcome> Submit(const BenchRepository::Change& change) {
    const auto blob = repository_.store->AddBlob(change.content);
    if (!blob) throw std::runtime_error(blob.error().message);
    vcs::PublishChange publish;
    publish.path = *vcs::RepoPath::Parse(change.path);
    publish.base.version = Known(change.path);
    publish.content = vcs::Version{*blob, vcs::FileMode::kRegular};
    known_[change.path] = *publish.content;
    return committer_->Submit({publish, "bench", "1 bench", "", nullptr});
  }
  static void Wait(std::future<vcs::Outcome> outcome) {
    const vcs::Outcome got = outcome.get();
    if (got.kind == vcs::Outcome::Kind::kRefused) throw std::runtime_error("refused");
    if (got.kind == vcs::Outcome::Kind::kFailed) throw std::runtime_error(got.error.message);
  }

 private:
  vcs::MaybeVersion Known(const std::string& path) {
    if (const auto found = known_.find(path); found != known_.end()) return found->second;
    const auto head = committer_->ReadBranch();
    const auto entry = trees_->Find(head->root, *vcs::RepoPath::Parse(path));
    return entry && *entry ? vcs::MaybeVersion((*entry)->AsVersion()) : std::nullopt;
  }

  Ignores observer_;
  vcs::git::Repository repository_;
  std::unique_ptr<vcs::TreeReader> trees_;
  std::unordered_map<std::string, vcs::Version> known_;
  std::unique_ptr<vcs::Committer> committer_;  // ends before what it uses
};

void Ordinary(benchmark::State& state, Shape shape, OrdinaryWay::Sync sync) {
  BenchRepository repository(shape);
  OrdinaryWay way(repository.path(), sync);
  for (auto _ : state) {
    state.PauseTiming();
    const auto change = repository.NextChange();
    state.ResumeTiming();
    way.Commit(change.path, change.content);
  }
  state.SetItemsProcessed(state.iterations());
}

void Single(benchmark::State& state, Shape shape, Durability durability) {
  BenchRepository repository(shape);
  Engine engine(repository.path(), durability);
  for (auto _ : state) {
    state.PauseTiming();
    const auto change = repository.NextChange();
    state.ResumeTiming();
    Engine::Wait(engine.Submit(change));
  }
  state.SetItemsProcessed(state.iterations());
}

void Batch(benchmark::State& state, Shape shape, Durability durability) {
  BenchRepository repository(shape);
  Engine engine(repository.path(), durability);
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<BenchRepository::Change> changes;
    for (int i = 0; i < kBatch; ++i) changes.push_back(repository.NextChange());
    state.ResumeTiming();
    std::vector<std::future<vcs::Outcome>> waiting;
    for (const auto& change : changes) waiting.push_back(engine.Submit(change));
    for (auto& each : waiting) Engine::Wait(std::move(each));
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void Register() {
  const auto add = [](const std::string& name, auto function) {
    benchmark::RegisterBenchmark(name.c_str(), function)->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  for (const Shape shape : kShapes) {
    for (const bool sync : {false, true}) {
      const std::string suffix = std::string("/") + NameOf(shape) + (sync ? "/sync" : "");
      const auto durability = sync ? Durability::kPower : Durability::kProcess;
      add("Ordinary" + suffix, [=](benchmark::State& state) {
        Ordinary(state, shape, sync ? OrdinaryWay::Sync::kYes : OrdinaryWay::Sync::kNo);
      });
      add("Engine" + suffix, [=](benchmark::State& state) { Single(state, shape, durability); });
      add("Batch64" + suffix, [=](benchmark::State& state) { Batch(state, shape, durability); });
    }
  }
}

}  // namespace
}  // namespace concordfs::bench

int main(int argc, char** argv) {
  concordfs::bench::Register();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
