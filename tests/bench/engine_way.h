// A commit as the file system makes it between an agent's close and its return: the engine without a mount.
#pragma once

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <unordered_map>

#include "vcs/committer.h"
#include "vcs/git/git_store.h"
#include "vcs/tree_reader.h"

namespace concordfs::bench {

// Threads: one. Errors: std::runtime_error.
class EngineWay {
 public:
  EngineWay(const std::filesystem::path& repository, vcs::git::Durability durability);

  // What an agent's read of the path does: its version becomes the base of the next change.
  void Read(const std::string& path);
  // Stores the content and queues the change of a path that was read. Changes that are submitted before the first of
  // them is done may share a batch.
  std::future<vcs::Outcome> Submit(const std::string& path, const std::string& content);
  void Wait(std::future<vcs::Outcome> outcome);

 private:
  class Ignores final : public vcs::HeadObserver {
    void OnHeadMoved(const vcs::HeadMove& /*move*/) override {}
    void OnBranchUnreadable(const Error& /*error*/) override {}
  };

  Ignores observer_;
  vcs::git::Repository repository_;
  std::unique_ptr<vcs::TreeReader> trees_;
  std::unordered_map<std::string, vcs::MaybeVersion> known_;
  std::unique_ptr<vcs::Committer> committer_;  // ends before what it uses
};

}  // namespace concordfs::bench
