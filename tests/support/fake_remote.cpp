#include "tests/support/fake_remote.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "vcs/commit.h"
#include "vcs/tree.h"

namespace concordfs::vcs {
namespace {

// Everything that the commit reaches, down to commits in `known`, goes from one store to the other.
void Copy(Store& from, Store& to, const ObjectId& tip, std::span<const ObjectId> known) {
  std::vector<NewObject> objects;
  std::vector<std::pair<ObjectId, ObjectKind>> queue{{tip, ObjectKind::kCommit}};
  for (std::size_t next = 0; next < queue.size(); ++next) {
    const auto [id, kind] = queue[next];
    if (std::find(known.begin(), known.end(), id) != known.end()) continue;
    auto bytes = from.Read(id, kind);
    if (!bytes) throw std::runtime_error("copy: " + bytes.error().message);
    if (kind == ObjectKind::kCommit) {
      const auto commit = Commit::Parse(*bytes);
      if (!commit) throw std::runtime_error(commit.error().message);
      queue.emplace_back(commit->tree, ObjectKind::kTree);
      for (const ObjectId& parent : commit->parents) queue.emplace_back(parent, ObjectKind::kCommit);
    } else if (kind == ObjectKind::kTree) {
      const auto tree = Tree::Parse(*bytes);
      if (!tree) throw std::runtime_error(tree.error().message);
      for (const auto& entry : tree->entries()) {
        queue.emplace_back(entry.id, entry.IsDirectory() ? ObjectKind::kTree : ObjectKind::kBlob);
      }
    }
    objects.push_back({id, kind, *std::move(bytes)});
  }
  Publication carrier;
  carrier.objects = std::move(objects);
  carrier.tip = tip;
  carrier.ref = "refs/tests/carrier-" + tip.Hex();
  if (auto stored = to.Publish(carrier); !stored) throw std::runtime_error(stored.error().message);
  (void)to.DeleteRef(carrier.ref, tip);
}

}  // namespace

void FakeRemote::Script(std::deque<Step> steps) {
  const MutexLock lock(mutex_);
  steps_ = std::move(steps);
}

void FakeRemote::Always(std::optional<Step> step) {
  const MutexLock lock(mutex_);
  always_ = step;
}

void FakeRemote::BeforeEach(std::function<void()> hook) {
  const MutexLock lock(mutex_);
  hook_ = std::move(hook);
}

void FakeRemote::Deliver() {
  std::deque<Publication> delayed;
  {
    const MutexLock lock(mutex_);
    delayed.swap(delayed_);
  }
  for (const Publication& publication : delayed) (void)Apply(publication);
}

int FakeRemote::pushes() const {
  const MutexLock lock(mutex_);
  return pushes_;
}

int FakeRemote::fetches() const {
  const MutexLock lock(mutex_);
  return fetches_;
}

FakeRemote::Step FakeRemote::Take() {
  std::function<void()> hook;
  {
    const MutexLock lock(mutex_);
    hook = hook_;
  }
  if (hook) hook();
  const MutexLock lock(mutex_);
  if (always_) return *always_;
  if (steps_.empty()) return Step::kGoesWell;
  const Step step = steps_.front();
  steps_.pop_front();
  return step;
}

Result<std::optional<ObjectId>> FakeRemote::Fetch(std::span<const ObjectId> known) {
  switch (Take()) {
    case Step::kNoAccess: return Error{Code::kAccess, "fake: who are you?"};
    case Step::kLocked:
    case Step::kGoesWell: break;
    default: return Error{Code::kUnreachable, "fake: no answer"};
  }
  {
    const MutexLock lock(mutex_);
    ++fetches_;
  }
  auto tip = theirs_.ReadRef(ref_);
  if (tip && *tip) Copy(theirs_, ours_, **tip, known);
  return tip;
}

Result<void> FakeRemote::Apply(const Publication& publication) {
  Publication theirs;
  theirs.ref = ref_;
  theirs.expected = publication.expected;
  theirs.tip = publication.tip;
  if (publication.expected) {
    const auto forward = ours_.Contains(publication.tip, *publication.expected);
    if (!forward || !*forward) throw std::runtime_error("a push that would rewind the branch");
  }
  Copy(ours_, theirs_, publication.tip, {});
  {
    const MutexLock lock(mutex_);
    ++pushes_;
  }
  return theirs_.Publish(theirs);
}

Result<void> FakeRemote::Push(const Publication& publication) {
  switch (Take()) {
    case Step::kGoesWell: return Apply(publication);
    case Step::kUnreachable: return Error{Code::kUnreachable, "fake: no answer"};
    case Step::kAnswerLost: (void)Apply(publication); return Error{Code::kInDoubt, "fake: the answer was lost"};
    case Step::kCutInTheMiddle: return Error{Code::kInDoubt, "fake: cut in the middle"};
    case Step::kDeclined: return Error{Code::kDeclined, "fake: the hook says no"};
    case Step::kNoAccess: return Error{Code::kAccess, "fake: who are you?"};
    case Step::kLocked: return Error{Code::kRefMoved, "fake: somebody has a lock"};
    case Step::kHappensLater: {
      const MutexLock lock(mutex_);
      delayed_.push_back(publication);
      delayed_.back().before_move = {};
      return Error{Code::kInDoubt, "fake: no answer yet"};
    }
  }
  return {};
}

}  // namespace concordfs::vcs
