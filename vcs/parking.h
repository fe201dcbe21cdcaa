// Parking: keeping refused content under a ref of its own (R7).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/mutex.h"
#include "vcs/repo_path.h"
#include "vcs/result.h"
#include "vcs/store.h"
#include "vcs/tree_diff.h"
#include "vcs/version.h"

namespace concordfs::vcs {

constexpr std::string_view kRejectedPrefix = "refs/concordfs/rejected/";
constexpr std::string_view kRecoveredPrefix = "refs/concordfs/recovered/";

// A change that was refused, or found after a crash.
struct ParkRequest {
  std::string agent;
  std::string process;  // "1234 python3"; empty if unknown
  RepoPath path;
  Base base;                // its commit becomes the parked commit's parent
  MaybeVersion content;     // what the agent wanted there; its blob is stored
  MaybeVersion head;        // the version that won
  ObjectId head_commit;     // where it was at that time
  std::string reason;       // one sentence for people
  std::int64_t time_s = 0;  // seconds since 1970
};

// A commit that was made, and has lost its place in the branch since.
struct ParkedCommit {
  ObjectId commit;
  std::vector<PathChange> changes;  // all that it did; that of the request's path among them
};

// A parked change as it can be read back from its ref.
struct Parked {
  std::string id;   // 12 hex digits: `concordfs rejected show ID`
  std::string ref;  // full name
  std::string agent;
  std::string path;  // bytes
  std::string base;  // as ToString(MaybeVersion)
  std::string head;
  std::string winner;  // the agent or author whose version won; may be empty
  std::string reason;
  std::string process;
  ObjectId commit;
  ObjectId parent;  // the commit that the base was read from
  std::int64_t time_s = 0;
};

// Threads: any; blocks on disk.
class Parking {
 public:
  Parking(Store& store, TreeReader& trees) : store_(store), trees_(trees) {}

  // Parks under `prefix`<agent>/<id> and returns what it is found by. The same refusal (same agent, path, content, base
  // and head) is parked once: the kernel repeats a refused operation, and agents retry blindly.
  Result<Parked> Park(const ParkRequest& request, std::string_view prefix = kRejectedPrefix) EXCLUDES(mutex_);

  // Parks a whole commit: what it did to other paths than the request's is in the parked commit, too. Under its own id, so once however
  // often it is done, and by however many. The request's process and time are the commit's.
  Result<Parked> ParkCommit(ParkRequest request, const ParkedCommit& lost);
  // Where that commit is parked; nothing if it isn't.
  static Result<std::optional<ObjectId>> FindCommit(Store& store, const std::string& agent, const ObjectId& commit);

  // Every parked change under the prefix, oldest first. One whose commit can't be read is left out.
  static Result<std::vector<Parked>> List(Store& store, std::string_view prefix = kRejectedPrefix);
  // The parked change whose id starts with `id` (rejected ones, then recovered ones).
  // Errors: kNotFound; kInvalidArgument (more than one).
  static Result<Parked> Find(Store& store, const std::string& id);

 private:
  struct Draft;
  struct Won {
    ObjectId tip;
    RepoPath path;
    MaybeVersion version;
    std::string author;  // of the version
  };
  std::string WinnerOf(const ParkRequest& request) EXCLUDES(mutex_);
  // Stores the parked commit and its ref, unless that is there already.
  Result<Parked> Publish(const ParkRequest& request, Draft draft) EXCLUDES(mutex_);

  // Constant after construction, with their own synchronisation.
  Store& store_;
  TreeReader& trees_;
  // Guarded by mutex_.
  Mutex mutex_;
  std::map<std::string, std::string> recent_ GUARDED_BY(mutex_);  // refusal -> ref
  std::optional<Won> won_ GUARDED_BY(mutex_);  // that was looked for last: many lose to the same
};

}  // namespace concordfs::vcs
