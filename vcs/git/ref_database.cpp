#include "vcs/git/ref_database.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "vcs/git/backoff.h"
#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"

namespace concordfs::vcs::git {
namespace {

constexpr int kMaxSymbolicDepth = 5;  // git's own limit
constexpr int kMaxListAttempts = 5;

std::string NameOf(const std::string& ref) {
  return "ref " + ref;
}

// The direct ref that `name` leads to; `name` itself if there is no such ref yet.
Result<std::string> ResolveName(git_repository* repository, std::string name) {
  for (int depth = 0; depth < kMaxSymbolicDepth; ++depth) {
    ReferenceHandle reference;
    ClearLastError();
    const int error = git_reference_lookup(Receive(reference), repository, name.c_str());
    if (error == GIT_ENOTFOUND) return name;
    if (error != 0) return ReadError(error, NameOf(name));
    if (git_reference_type(reference.get()) == GIT_REFERENCE_DIRECT) return name;
    name = git_reference_symbolic_target(reference.get());
  }
  return Error{Code::kCorrupt, NameOf(name) + ": symbolic refs are nested too deeply"};
}

// Whether a ref's name is a folder of the other's: git can't hold both.
Result<bool> IsNameTaken(git_repository* repository, const std::string& name) {
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    const std::string folder = name.substr(0, slash);
    if (folder.find('/') == std::string::npos) continue;  // "refs"
    ReferenceHandle reference;
    if (git_reference_lookup(Receive(reference), repository, folder.c_str()) == 0) return true;
  }
  ReferenceIteratorHandle iterator;
  const int error = git_reference_iterator_glob_new(Receive(iterator), repository, (name + "/*").c_str());
  if (error != 0) return ReadError(error, NameOf(name));
  const char* beneath = nullptr;
  return git_reference_next_name(&beneath, iterator.get()) == 0;
}

// The parents that a commit's text names. Source: gitformat-commit; the header ends with an empty line.
std::vector<ObjectId> ParentsOf(std::string_view commit) {
  constexpr std::string_view kParent = "parent ";
  std::vector<ObjectId> parents;
  while (!commit.empty() && commit.front() != '\n') {
    const std::string_view line = commit.substr(0, commit.find('\n'));
    if (line.starts_with(kParent)) {
      if (const auto id = ObjectId::FromHex(line.substr(kParent.size()))) parents.push_back(*id);
    }
    commit.remove_prefix(std::min(commit.size(), line.size() + 1));
  }
  return parents;
}

}  // namespace

Result<void> CheckRefName(const std::string& name) {
  int valid = 0;
  if (name.find('\0') == std::string::npos && git_reference_name_is_valid(&valid, name.c_str()) == 0 && valid == 1) {
    return {};
  }
  return Error{Code::kInvalidName, NameOf(name) + ": git allows no such name"};
}

Result<std::optional<ObjectId>> RefDatabase::Read(const std::string& name) {
  if (auto valid = CheckRefName(name); !valid) return valid.error();
  if (const auto target = RefFile(pool_.git_dir(), name, new_reflog_).Read()) return target;
  auto handles = pool_.Borrow();
  if (!handles) return handles.error();
  auto direct = ResolveName((*handles)->repository.get(), name);
  if (!direct) return direct.error();
  git_oid oid;
  ClearLastError();
  const int error = git_reference_name_to_id(&oid, (*handles)->repository.get(), direct->c_str());
  if (error == GIT_ENOTFOUND) return std::optional<ObjectId>();
  if (error != 0) return ReadError(error, NameOf(name));
  return std::optional<ObjectId>(FromGit(oid));
}

Result<std::vector<Ref>> RefDatabase::List(const std::string& prefix) {
  std::vector<Ref> refs;
  if (prefix.find_first_of(std::string_view("*?[\\\0", 5)) != std::string::npos) return refs;  // in no ref's name
  auto handles = pool_.Borrow();
  if (!handles) return handles.error();
  Error last{Code::kIo, "list refs"};
  for (int attempt = 0; attempt < kMaxListAttempts; ++attempt) {  // folders come and go under the iterator
    refs.clear();
    ReferenceIteratorHandle iterator;
    ClearLastError();
    int error =
        git_reference_iterator_glob_new(Receive(iterator), (*handles)->repository.get(), (prefix + "*").c_str());
    while (error == 0) {
      ReferenceHandle reference;
      error = git_reference_next(Receive(reference), iterator.get());
      if (error != 0 || git_reference_type(reference.get()) != GIT_REFERENCE_DIRECT) continue;
      refs.push_back(Ref{git_reference_name(reference.get()), FromGit(*git_reference_target(reference.get()))});
    }
    if (error == GIT_ITEROVER) {
      std::sort(refs.begin(), refs.end(), [](const Ref& a, const Ref& b) { return a.name < b.name; });
      return refs;
    }
    last = ReadError(error, "list refs " + prefix);
  }
  return last;
}

Result<void> RefDatabase::TrySwap(const std::string& name, const std::optional<ObjectId>& expected, const ObjectId& tip,
                                  const std::string& reason, const RefFile::BeforeMove& before_move) {
  if (expected) {
    const auto moved = RefFile(pool_.git_dir(), name, new_reflog_).Swap(*expected, tip, reason, before_move);
    if (!moved) return moved.error();
    if (*moved == RefFile::Outcome::kMoved) return {};
  }
  if (before_move) {
    if (auto done = before_move(); !done) return done;
  }
  auto handles = pool_.Borrow();
  if (!handles) return handles.error();
  auto direct = ResolveName((*handles)->repository.get(), name);
  if (!direct) return direct.error();
  const git_oid tip_oid = ToGit(tip);
  const git_oid expected_oid = ToGit(expected.value_or(ObjectId()));  // zero: it must not exist
  ReferenceHandle moved;
  ClearLastError();
  // `force` only skips a check that is made without the ref's lock; the comparison is made under it.
  const int error = git_reference_create_matching(Receive(moved), (*handles)->repository.get(), direct->c_str(),
                                                  &tip_oid, /*force=*/1, &expected_oid, reason.c_str());
  if (error == 0) return {};
  Error failure = WriteError(error, "move " + NameOf(*direct), pool_.git_dir());
  if (!expected && failure.code != Code::kLocked) {
    auto taken = IsNameTaken((*handles)->repository.get(), *direct);
    if (taken && *taken) failure.code = Code::kInvalidName;
  }
  return failure;
}

Result<void> RefDatabase::Swap(const std::string& name, const std::optional<ObjectId>& expected, const ObjectId& tip,
                               const std::string& reason, const RefFile::BeforeMove& before_move) {
  if (auto valid = CheckRefName(name); !valid) return valid;
  Backoff backoff;
  for (;;) {
    auto moved = TrySwap(name, expected, tip, reason, before_move);
    if (moved) return moved;
    if (auto settled = Settle(name, expected, tip, moved.error())) return *settled;
    if (!backoff.Wait()) {
      Error failure = moved.error();
      if (failure.code != Code::kLocked) failure.code = Code::kIo;
      return failure;
    }
  }
}

std::optional<Result<void>> RefDatabase::Settle(const std::string& name, const std::optional<ObjectId>& expected,
                                                const ObjectId& tip, const Error& failure) {
  // An error may come after the ref's file was renamed into place (a folder that can't be synced): the ref itself
  // says whether it moved.
  auto current = Read(name);
  if (!current) {
    if (failure.code == Code::kLocked) return std::nullopt;
    return Result<void>(Error{failure.code == Code::kRefMoved ? current.code() : failure.code,
                              failure.message + "; and the ref can't be read: " + current.error().message});
  }
  if (*current == tip) return Result<void>();
  const bool surely_unmoved = failure.code == Code::kRefMoved || failure.code == Code::kLocked;
  if (*current != expected) {
    // Moved by somebody: on top of us, if our move did happen.
    if (!surely_unmoved && *current && Reaches(**current, tip)) return Result<void>();
    return Result<void>(Error{Code::kRefMoved, "move " + NameOf(name) + ": it moved meanwhile"});
  }
  switch (failure.code) {
    case Code::kLocked:    // by another process
    case Code::kRefMoved:  // and moved back
    case Code::kNotFound:  // its folder was removed as empty while we made the lock
      return std::nullopt;
    default: return Result<void>(failure);
  }
}

Result<bool> RefDatabase::Contains(const ObjectId& tip, const ObjectId& commit) {
  if (tip == commit) return true;
  if (auto checked = objects_.Check(tip, ObjectKind::kCommit); !checked) return checked.error();
  const git_oid tip_oid = ToGit(tip);
  const git_oid commit_oid = ToGit(commit);
  auto handles = pool_.BorrowFresh();  // of packs that came a moment ago, and those that went
  if (!handles) return handles.error();
  ClearLastError();
  const int found = git_graph_descendant_of((*handles)->repository.get(), &tip_oid, &commit_oid);
  if (found >= 0) return found == 1;
  if (objects_.Check(commit, ObjectKind::kCommit).ok()) return ReadError(found, "history of " + tip.Hex());
  return false;  // what isn't here is in nothing's history that is here as a whole
}

bool RefDatabase::Reaches(const ObjectId& commit, const ObjectId& ancestor) {
  constexpr std::size_t kMaxCommits = 10'000;  // moved on top of us within the last instant
  std::unordered_set<ObjectId> seen{commit};
  std::vector<ObjectId> queue{commit};
  for (std::size_t next = 0; next < queue.size() && next < kMaxCommits; ++next) {
    if (queue[next] == ancestor) return true;
    auto text = objects_.Read(queue[next], ObjectKind::kCommit);
    if (!text) continue;
    for (const ObjectId& parent : ParentsOf(*text)) {
      if (seen.insert(parent).second) queue.push_back(parent);
    }
  }
  return false;
}

}  // namespace concordfs::vcs::git
