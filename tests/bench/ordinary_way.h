// A commit as a program makes it that uses libgit2 as its manual says: what the engine is compared with.
#pragma once

#include <memory>
#include <string>

namespace concordfs::bench {

// Threads: one. Errors: std::runtime_error.
class OrdinaryWay {
 public:
  enum class Sync { kNo, kYes };
  OrdinaryWay(const std::string& repository, Sync sync);
  ~OrdinaryWay();
  OrdinaryWay(const OrdinaryWay&) = delete;
  OrdinaryWay& operator=(const OrdinaryWay&) = delete;

  // A loose blob, trees by git_tree_create_updated, a commit, and the branch by a reference transaction.
  void Commit(const std::string& path, const std::string& content);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace concordfs::bench
