// A pack from a remote on its way into the repository.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "vcs/result.h"

namespace concordfs::vcs::git {

// Its objects are hashed and its deltas resolved as it comes in. Nobody sees any of it before Finish(). Threads: one.
class IncomingPack {
 public:
  // For the repository in `git_dir`, in a folder of its own that `git prune` removes if we don't.
  static Result<IncomingPack> Begin(const std::filesystem::path& git_dir);
  ~IncomingPack();
  IncomingPack(IncomingPack&&) noexcept;
  IncomingPack& operator=(IncomingPack&&) = delete;

  // Errors: kCorrupt (no pack, or damaged), kNoSpace and other errors of writing.
  Result<void> Append(std::string_view bytes);
  // Puts the pack among the repository's; durable if that is asked for. Errors: as Append.
  Result<void> Finish(bool durable);

 private:
  struct Indexer;
  IncomingPack(std::filesystem::path git_dir, std::filesystem::path folder, std::unique_ptr<Indexer> indexer);

  std::filesystem::path git_dir_;
  std::filesystem::path folder_;  // empty: moved from
  std::unique_ptr<Indexer> indexer_;
};

}  // namespace concordfs::vcs::git
