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
    const auto commit = ReadCommit(trees.store(), at);
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

// What blocks the path, a file in its way or a directory at it, goes.
Result<void> Unblock(TreeEditor& editor, const RepoPath& path) {
  for (RepoPath at = path; !at.IsRoot(); at = at.Parent()) {
    const auto entry = editor.Find(at);
    if (!entry) return entry.error();
    if (*entry) return editor.Remove(at);
  }
  return {};
}

// The tree of the parked commit: the base's, with the refused content at the path: this is what the agent wanted to see there.
Result<void> PutContent(TreeEditor& editor, const RepoPath& path, FileMode mode, const ObjectId& id) {
  const auto put = editor.Put(path, mode, id);
  if (put || (put.code() != Code::kIsDirectory && put.code() != Code::kNotDirectory)) return put;
  if (auto unblocked = Unblock(editor, path); !unblocked) return unblocked;
  return editor.Put(path, mode, id);
}

Result<void> PutChanges(TreeEditor& editor, const std::vector<PathChange>& changes) {
  for (const PathChange& change : changes) {
    if (change.after) continue;
    if (auto removed = editor.Remove(change.path); !removed) return removed;
  }
  for (const PathChange& change : changes) {
    if (!change.after) continue;
    if (auto put = PutContent(editor, change.path, change.after->mode, change.after->id); !put) return put;
  }
  return {};
}

std::string RefOf(std::string_view prefix, const std::string& agent, const ObjectId& id) {
  return std::string(prefix) + agent + '/' + id.Hex().substr(0, kIdSize);
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

// What is parked, before it has a name.
struct Parking::Draft {
  TreeEditor* editor = nullptr;  // holds the tree
  std::string_view prefix;
  Signature author{};
  std::string words{};            // more of the message; may be empty
  std::optional<ObjectId> lost{};  // names the ref; else the parked commit does
};

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
      const auto commit = ReadCommit(store_, **target);
      if (commit) return ReadParked(Ref{known, **target}, *commit);
    }
  }

  const auto base = trees_.ReadHead(request.base.commit);
  if (!base) return base.error();
  TreeEditor editor(trees_, base->root);
  const auto put = request.content ? PutContent(editor, request.path, request.content->mode, request.content->blob)
                                   : editor.Remove(request.path);
  if (!put) return put.error();
  Draft draft{.editor = &editor, .prefix = prefix};
  draft.author = AgentSignature(request.agent, request.time_s);
  auto parked = Publish(request, std::move(draft));
  if (!parked) return parked;
  const MutexLock lock(mutex_);
  if (recent_.size() >= kMaxRecent) recent_.clear();
  recent_[refusal] = parked->ref;
  return parked;
}

Result<Parked> Parking::ParkCommit(ParkRequest request, const ParkedCommit& lost) {
  const auto commit = ReadCommit(store_, lost.commit);
  if (!commit) return commit.error();
  request.process = FindTrailer(commit->message, "Concord-Process");
  request.time_s = commit->committer.time_s;
  const auto base = trees_.ReadHead(request.base.commit);
  if (!base) return base.error();
  TreeEditor editor(trees_, base->root);
  if (auto put = PutChanges(editor, lost.changes); !put) return put.error();
  Draft draft{.editor = &editor, .prefix = kRejectedPrefix};
  draft.author = commit->author;
  draft.words = WithoutTrailers(commit->message);
  draft.lost = lost.commit;
  return Publish(request, std::move(draft));
}

Result<std::optional<ObjectId>> Parking::FindCommit(Store& store, const std::string& agent, const ObjectId& commit) {
  return store.ReadRef(RefOf(kRejectedPrefix, agent, commit));
}

std::string Parking::WinnerOf(const ParkRequest& request) {
  {
    const MutexLock lock(mutex_);
    if (won_ && won_->tip == request.head_commit && won_->path == request.path && won_->version == request.head) return won_->author;
  }
  Won won{request.head_commit, request.path, request.head, FindWinner(trees_, request.head_commit, request.path, request.head)};
  const MutexLock lock(mutex_);
  won_ = std::move(won);
  return won_->author;
}

Result<Parked> Parking::Publish(const ParkRequest& request, Draft draft) {
  const bool rejected = draft.prefix == kRejectedPrefix;
  Publication publication;
  draft.editor->TakeNewTrees(&publication.objects);
  Commit commit;
  commit.tree = draft.editor->root();
  commit.parents = {request.base.commit};
  commit.author = draft.author;
  commit.committer = CommitterSignature(request.time_s);
  Trailers trailers = {{"Concord-Agent", request.agent},
                       {"Concord-Path", Quoted(request.path.text())},
                       {"Concord-Base", ToString(request.base.version)},
                       {"Concord-Head", ToString(request.head)},
                       {"Concord-Head-Commit", request.head_commit.Hex()},
                       {"Concord-Reason", request.reason}};
  if (draft.lost) trailers.emplace_back("Concord-Commit", draft.lost->Hex());
  const std::string winner = rejected ? WinnerOf(request) : "";
  if (!winner.empty()) trailers.emplace_back("Concord-Winner", winner);
  if (!request.process.empty()) trailers.emplace_back("Concord-Process", request.process);
  const std::string subject = (rejected ? "Refused: " : "Recovered: ") + Quoted(request.path.text());
  commit.message = ComposeMessage(subject, draft.words.empty() ? "" : subject + "\n\n" + draft.words, trailers);

  const SharedBytes bytes(commit.Encode());
  const ObjectId id = store_.Hash(ObjectKind::kCommit, bytes);
  const Ref ref{RefOf(draft.prefix, request.agent, draft.lost.value_or(id)), id};
  publication.objects.push_back({id, ObjectKind::kCommit, bytes});
  publication.ref = ref.name;
  publication.tip = ref.target;
  publication.reason = "concordfs: park";
  if (auto published = store_.Publish(publication); !published) {
    // The same content, at the same second: it is parked there already. So is a commit, whoever did it.
    const auto there = store_.ReadRef(ref.name);
    if (!there || !*there || (!draft.lost && *there != std::optional(ref.target))) return published.error();
    const auto parked = ReadCommit(store_, **there);
    return parked ? ReadParked(Ref{ref.name, **there}, *parked) : Result<Parked>(parked.error());
  }
  return ReadParked(ref, commit);
}

Result<std::vector<Parked>> Parking::List(Store& store, std::string_view prefix) {
  const auto refs = store.ListRefs(std::string(prefix));
  if (!refs) return refs.error();
  std::vector<Parked> list;
  for (const Ref& ref : *refs) {
    if (const auto commit = ReadCommit(store, ref.target)) list.push_back(ReadParked(ref, *commit));
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
