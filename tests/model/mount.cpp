#include "tests/model/mount.h"

#include <spdlog/spdlog.h>

#include <stdexcept>

namespace concordfs::testing {

Mount::Mount(const std::map<std::string, std::string>& files, std::uint64_t cache_memory) {
  spdlog::set_level(spdlog::level::off);  // refusals are what the tests are about
  Changes changes;
  for (const auto& [path, content] : files) changes[path] = branch.Blob(content);
  branch.Commit(changes);
  fs::FilesystemOptions options;
  options.store = &store;
  options.git_dir = folder.path();
  options.ref = "refs/heads/main";
  options.agents = &agents;
  options.cache_memory = cache_memory;
  auto opened = fs::Filesystem::Open(options);
  if (!opened) throw std::runtime_error(opened.error().message);
  filesystem = *std::move(opened);
  kernel = std::make_unique<Kernel>(*filesystem);
  filesystem->Start(kernel.get());
}

Mount::~Mount() {
  memory.SetBeforeSwap({});
  filesystem->Stop();
}

std::vector<PastCommit> Mount::NewHistory() {
  std::vector<PastCommit> history = branch.History();
  history.erase(history.begin());
  return history;
}

std::vector<std::string> Mount::ParkedOf(const std::string& agent, const std::string& path) {
  std::vector<std::string> contents;
  const auto list = vcs::Parking::List(memory);
  if (!list) throw std::runtime_error(list.error().message);
  for (const vcs::Parked& parked : *list) {
    if (parked.agent != agent || parked.path != path) continue;
    const Files files = branch.FilesOf(parked.commit);
    contents.push_back(branch.Content(files.at(path)));
  }
  return contents;
}

void Mount::Synchronize() {
  const auto caller = NumberedAgents::CallerOf(kProber, 1);
  if (const auto done = kernel->Echo(caller, kProbe, std::to_string(++probes_)); !done)
    throw std::runtime_error("probe: " + done.error().message);
}

}  // namespace concordfs::testing
