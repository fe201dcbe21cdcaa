// A branch as the outside world sees and moves it: by reading and writing the store, with none of the code under test.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vcs/commit.h"
#include "vcs/store.h"
#include "vcs/tree_reader.h"
#include "vcs/version.h"

namespace concordfs::testing {

using Files = std::map<std::string, vcs::Version>;         // by path
using Changes = std::map<std::string, vcs::MaybeVersion>;  // absent: deleted

struct PastCommit {
  vcs::ObjectId id;
  vcs::Commit commit;
  Changes before;  // what it changed, as it was
  Changes after;   // and as it became
};

// Whatever goes wrong in the store is a std::runtime_error. Threads: one at a time, unless it says otherwise.
class Branch {
 public:
  explicit Branch(vcs::Store& store, std::string ref = "refs/heads/main") : store_(store), ref_(std::move(ref)) {}

  // Stores a blob and gives its version.
  vcs::Version Blob(const std::string& content, vcs::FileMode mode = vcs::FileMode::kRegular);
  // Moves the branch to a new commit on its tip that makes these changes, as `git commit` or `git push` would. Makes
  // the branch where it is missing. Threads: any.
  vcs::Head Commit(const Changes& changes, const std::string& author = "outside");
  // A commit with exactly these files and that parent, which no ref names yet.
  vcs::Head AddCommit(const Files& files, const std::vector<vcs::ObjectId>& parents, const std::string& author);

  vcs::Head Tip();
  vcs::MaybeVersion At(const std::string& path);
  std::string Content(const vcs::MaybeVersion& version);
  Files FilesOf(const vcs::ObjectId& commit);
  // From the branch's first commit to its tip, by first parents.
  std::vector<PastCommit> History();

 private:
  vcs::Commit ReadCommit(const vcs::ObjectId& id);
  void AddFiles(const vcs::ObjectId& tree, const std::string& folder, Files* files);
  vcs::ObjectId AddTree(const Files& files, std::vector<vcs::NewObject>* objects);
  vcs::ObjectId AddObject(vcs::ObjectKind kind, std::string bytes, std::vector<vcs::NewObject>* objects);

  vcs::Store& store_;
  const std::string ref_;
};

}  // namespace concordfs::testing
