// A file system on the in-memory store, without a mount: the model's whole world.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fs/filesystem.h"
#include "tests/model/branch.h"
#include "tests/model/kernel.h"
#include "tests/support/memory_store.h"
#include "tests/support/temp_dir.h"
#include "vcs/parking.h"

namespace concordfs::testing {

struct Mount {
  // The branch's first commit has these files.
  explicit Mount(const std::map<std::string, std::string>& files = {},
                 std::uint64_t cache_memory = fs::kDefaultCacheMemory);
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  // What is at head; throws if nothing is.
  std::string Head(const std::string& path) { return branch.Content(branch.At(path)); }
  // Commits since the first one.
  std::vector<PastCommit> NewHistory();
  // The contents that this agent has parked for that path.
  std::vector<std::string> ParkedOf(const std::string& agent, const std::string& path);
  // Returns when the file system has seen where the branch is: publishes something at `.probe`, by an agent of its own.
  void Synchronize();

  TempDir folder;
  vcs::MemoryStore memory;
  vcs::FailingStore store{memory};
  Branch branch{memory};
  NumberedAgents agents;
  std::unique_ptr<fs::Filesystem> filesystem;
  std::unique_ptr<Kernel> kernel;

 private:
  int probes_ = 0;
};

constexpr char kProbe[] = ".probe";
constexpr int kProber = 30;  // an agent

}  // namespace concordfs::testing
