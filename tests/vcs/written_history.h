// A history for tests of the maintenance: each commit's objects, as the store would tell of them.
#pragma once

#include <string>
#include <vector>

#include "tests/vcs/git_repo.h"
#include "vcs/git/pack_keeper.h"

namespace concordfs::vcs::git {

// Commits versions of the file "f", each a little different from the one before. Threads: one at a time.
class WrittenHistory {
 public:
  explicit WrittenHistory(Repo& repo) : repo_(repo) {}

  // One more commit. Returns what was written.
  std::vector<WrittenObject> Commit() {
    text_ += "line " + std::to_string(count_++) + " of a file that grows and grows, as a log does\n";
    if (text_.size() > kMaxSize) text_ = text_.substr(text_.size() / 2);
    auto blob = repo_.store().AddBlob(text_);
    if (!blob) throw std::runtime_error(blob.error().message);
    const Publication publication = repo_.CommitOf(*blob, repo_.Head(), "commit " + std::to_string(count_));
    if (auto done = repo_.store().Publish(publication); !done) throw std::runtime_error(done.error().message);
    std::vector<WrittenObject> written;
    written.push_back({*blob, ObjectKind::kBlob, last_blob_});
    written.push_back({publication.objects[0].id, ObjectKind::kTree, last_tree_});
    written.push_back({publication.objects[1].id, ObjectKind::kCommit, std::nullopt});
    last_blob_ = written[0].id;
    last_tree_ = written[1].id;
    return written;
  }
  std::vector<WrittenObject> Commits(int count) {
    std::vector<WrittenObject> all;
    for (int i = 0; i < count; ++i) {
      for (const WrittenObject& object : Commit()) all.push_back(object);
    }
    return all;
  }
  int count() const { return count_; }

 private:
  static constexpr std::size_t kMaxSize = 20'000;

  Repo& repo_;
  int count_ = 0;
  std::string text_;
  std::optional<ObjectId> last_blob_;
  std::optional<ObjectId> last_tree_;
};

// How many loose objects, packs or bytes of garbage git counts: a line of `git count-objects -v`.
inline int CountOf(Repo& repo, const std::string& what) {
  std::istringstream lines(repo.Git("count-objects -v").output);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with(what + ": ")) return std::stoi(line.substr(what.size() + 2));
  }
  return -1;
}

}  // namespace concordfs::vcs::git
