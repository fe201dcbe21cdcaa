#include "tests/bench/engine_way.h"

#include <iostream>
#include <stdexcept>
#include <utility>

namespace concordfs::bench {

EngineWay::EngineWay(const std::filesystem::path& repository, vcs::git::Durability durability) {
  auto opened = vcs::git::OpenRepository(repository, durability);
  if (!opened) throw std::runtime_error(opened.error().message);
  repository_ = *std::move(opened);
  vcs::git::StartMaintenance(repository_, "refs/heads/main", [](const std::string& line) { std::cerr << line << '\n'; });
  trees_ = std::make_unique<vcs::TreeReader>(*repository_.store);
  committer_ = std::make_unique<vcs::Committer>(*repository_.store, *trees_,
                                                vcs::CommitterOptions{.ref = "refs/heads/main", .now_s = {}});
  const auto head = committer_->ReadBranch();
  if (!head) throw std::runtime_error(head.error().message);
  committer_->Start(*head, &observer_);
}

void EngineWay::Read(const std::string& path) {
  if (known_.contains(path)) return;
  const auto head = committer_->ReadBranch();
  if (!head) throw std::runtime_error(head.error().message);
  const auto entry = trees_->Find(head->root, *vcs::RepoPath::Parse(path));
  if (!entry) throw std::runtime_error(entry.error().message);
  known_[path] = *entry ? vcs::MaybeVersion((*entry)->AsVersion()) : std::nullopt;
}

std::future<vcs::Outcome> EngineWay::Submit(const std::string& path, const std::string& content) {
  const auto blob = repository_.store->PrepareBlob(content);
  if (!blob) throw std::runtime_error(blob.error().message);
  vcs::PublishChange publish;
  publish.path = *vcs::RepoPath::Parse(path);
  publish.base.version = known_.at(path);
  publish.content = vcs::Version{blob->id, vcs::FileMode::kRegular};
  publish.bytes = blob->bytes;
  known_[path] = publish.content;
  return committer_->Enqueue({publish, "bench", "1 bench", "", nullptr});
}

void EngineWay::Wait(std::future<vcs::Outcome> outcome) {
  const vcs::Outcome got = committer_->Serve(std::move(outcome));
  if (got.kind == vcs::Outcome::Kind::kRefused) throw std::runtime_error("refused");
  if (got.kind == vcs::Outcome::Kind::kFailed) throw std::runtime_error(got.error.message);
}

}  // namespace concordfs::bench
