// The commit engine against libgit2's ordinary way, on the same changes of the same repositories.
//
//   concordfs_engine_bench --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true
//
// An iteration of Ordinary/* and Engine/* is one commit; one of Batch/* is 64 that wait together. Time is the wall
// clock's. SHAPE is as in tests/bench/workload.h; */sync survives a power cut.
#include <benchmark/benchmark.h>

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/engine_way.h"
#include "tests/bench/ordinary_way.h"
#include "tests/bench/workload.h"

namespace concordfs::bench {
namespace {

using vcs::git::Durability;

constexpr Shape kShapes[] = {Shape::kSmall, Shape::kMedium, Shape::kLarge, Shape::kWide, Shape::kAppend, Shape::kMiB};
constexpr int kBatch = 64;

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
  EngineWay engine(repository.path(), durability);
  for (auto _ : state) {
    state.PauseTiming();
    const auto change = repository.NextChange();
    engine.Read(change.path);
    state.ResumeTiming();
    engine.Wait(engine.Submit(change.path, change.content));
  }
  state.SetItemsProcessed(state.iterations());
}

void Batch(benchmark::State& state, Shape shape, Durability durability) {
  BenchRepository repository(shape);
  EngineWay engine(repository.path(), durability);
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<BenchRepository::Change> changes;
    for (int i = 0; i < kBatch; ++i) engine.Read(changes.emplace_back(repository.NextChange()).path);
    state.ResumeTiming();
    std::vector<std::future<vcs::Outcome>> waiting;
    for (const auto& change : changes) waiting.push_back(engine.Submit(change.path, change.content));
    for (auto& each : waiting) engine.Wait(std::move(each));
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
