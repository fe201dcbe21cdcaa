#include "vcs/parking.h"

#include <algorithm>

#include "vcs/commit.h"
#include "vcs/tree_editor.h"
#include "vcs/tree_reader.h"

namespace concordfs::vcs {
namespace {

constexpr std::size_t kIdSize = 12;    // hex digits
constexpr int kMaxWinnerSearch = 500;  // commits
constexpr std::size_t kMaxRecent = 4096;

// Who put `version` at `path`: the author of the newest commit on the first-parent line from `tip` that brought it, as
// far as one is found within a bound. Empty otherwise.
std::string FindWinner(TreeReader& trees, const ObjectId& tip, const RepoPath& path, const MaybeVersion& version) {
  ObjectId at = tip;
  std::string author;
  for (int i = 0; i < kMaxWinnerSearch; ++i) {
    const auto bytes = trees.store().Read(at, ObjectKind::kCommit);
    if (!bytes) return "";
    const auto commit = Commit::Parse(*bytes);
    if (!commit) return "";
    const auto entry = trees.Find(commit->tree, path);
    if (!entry) return "";
    const MaybeVersion found =
        *entry && !(*entry)->IsDirectory() ? MaybeVersion((*entry)->AsVersion()) : MaybeVersion();
    if (found != version) return author;
    author = commit->author.name;
    if (commit->parents.empty()) return author;
    at = commit->parents.front();
  }
  return "";
}

// The tree of the parked commit: the base's, with the refused content at the path. A file in the way of the path, or a
// directory at it, goes: this is what the agent wanted to see there.
Result<void> PutContent(TreeEditor& editor, const ParkRequest& request) {
  if (!request.content) return editor.Remove(request.path);
  const auto put = editor.Put(request.path, request.content->mode, request.content->blob);
  if (put || (put.code() != Code::kIsDirectory && put.code() != Code::kNotDirectory)) return put;
  RepoPath blocked = request.path;
  for (RepoPath at = request.path; !at.IsRoot(); at = at.Parent()) {
    const auto entry = editor.Find(at);
    if (!entry) return entry.error();
    if (*entry) {
      blocked = at;
      break;
    }
  }
  if (auto removed = editor.Remove(blocked); !removed) return removed;
  return editor.Put(request.path, request.content->mode, request.content->blob);
}

Parked ReadParked(const Ref& ref, const Commit& commit) {
  Parked parked;
  parked.ref = ref.name;
  parked.commit = ref.target;
  parked.id = ref.name.substr(ref.name.rfind('/') + 1);
  parked.agent = FindTrailer(commit.message, "Concord-Agent");
  parked.path = Unquoted(FindTrailer(commit.message, "Concord-Path"));
  parked.base = FindTrailer(commit.message, "Concord-Base");
  parked.head = FindTrailer(commit.message, "Concord-Head");
  parked.winner = FindTrailer(commit.message, "Concord-Winner");
  parked.reason = FindTrailer(commit.message, "Concord-Reason");
  parked.process = FindTrailer(commit.message, "Concord-Process");
  if (!commit.parents.empty()) parked.parent = commit.parents.front();
  parked.time_s = commit.author.time_s;
  return parked;
}

}  // namespace

Result<Parked> Parking::Park(const ParkRequest& request, std::string_view prefix) {
  const std::string ref_folder = std::string(prefix) + request.agent + "/";
  const std::string refusal = ref_folder + request.path.text() + '\0' + ToString(request.base.version) +
                              request.base.commit.Hex() + ToString(request.content) + ToString(request.head);
  std::string known;
  {
    const MutexLock lock(mutex_);
    if (const auto found = recent_.find(refusal); found != recent_.end()) known = found->second;
  }
  if (!known.empty()) {
    const auto target = store_.ReadRef(known);
    if (target && *target) {
      const auto bytes = store_.Read(**target, ObjectKind::kCommit);
      const auto commit = bytes ? Commit::Parse(*bytes) : Result<Commit>(bytes.error());
      if (commit) return ReadParked(Ref{known, **target}, *commit);
    }
  }

  const auto base = trees_.ReadHead(request.base.commit);
  if (!base) return base.error();
  TreeEditor editor(trees_, base->root);
  if (auto put = PutContent(editor, request); !put) return put.error();
  Publication publication;
  editor.TakeNewTrees(&publication.objects);
  Commit commit;
  commit.tree = editor.root();
  commit.parents = {request.base.commit};
  commit.author = AgentSignature(request.agent, request.time_s);
  commit.committer = CommitterSignature(request.time_s);
  Trailers trailers = {{"Concord-Agent", request.agent},
                       {"Concord-Path", Quoted(request.path.text())},
                       {"Concord-Base", ToString(request.base.version)},
                       {"Concord-Head", ToString(request.head)},
                       {"Concord-Head-Commit", request.head_commit.Hex()},
                       {"Concord-Reason", request.reason}};
  const bool rejected = prefix == kRejectedPrefix;
  const std::string winner = rejected ? FindWinner(trees_, request.head_commit, request.path, request.head) : "";
  if (!winner.empty()) trailers.emplace_back("Concord-Winner", winner);
  if (!request.process.empty()) trailers.emplace_back("Concord-Process", request.process);
  commit.message = ComposeMessage((rejected ? "Refused: " : "Recovered: ") + Quoted(request.path.text()), "", trailers);

  NewObject object{{}, ObjectKind::kCommit, commit.Encode()};
  object.id = store_.Hash(object.kind, object.bytes);
  const Ref ref{ref_folder + object.id.Hex().substr(0, kIdSize), object.id};
  publication.objects.push_back(std::move(object));
  publication.ref = ref.name;
  publication.tip = ref.target;
  publication.reason = "concordfs: park";
  if (auto published = store_.Publish(publication); !published) {
    // The same content, at the same second: it is parked there already.
    const auto there = store_.ReadRef(ref.name);
    if (!there || *there != std::optional(ref.target)) return published.error();
  }
  {
    const MutexLock lock(mutex_);
    if (recent_.size() >= kMaxRecent) recent_.clear();
    recent_[refusal] = ref.name;
  }
  return ReadParked(ref, commit);
}

Result<std::vector<Parked>> Parking::List(Store& store, std::string_view prefix) {
  const auto refs = store.ListRefs(std::string(prefix));
  if (!refs) return refs.error();
  std::vector<Parked> list;
  for (const Ref& ref : *refs) {
    const auto bytes = store.Read(ref.target, ObjectKind::kCommit);
    if (!bytes) continue;
    if (const auto commit = Commit::Parse(*bytes)) list.push_back(ReadParked(ref, *commit));
  }
  std::stable_sort(list.begin(), list.end(), [](const Parked& a, const Parked& b) { return a.time_s < b.time_s; });
  return list;
}

Result<Parked> Parking::Find(Store& store, const std::string& id) {
  std::vector<Parked> matches;
  for (const std::string_view prefix : {kRejectedPrefix, kRecoveredPrefix}) {
    auto list = List(store, prefix);
    if (!list) return list.error();
    for (Parked& parked : *list) {
      if (!id.empty() && parked.id.starts_with(id)) matches.push_back(std::move(parked));
    }
  }
  if (matches.empty()) return Error{Code::kNotFound, id + ": no parked change has this id"};
  if (matches.size() > 1) return Error{Code::kInvalidArgument, id + ": more than one parked change starts so"};
  return std::move(matches.front());
}

}  // namespace concordfs::vcs
