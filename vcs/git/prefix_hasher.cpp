#include "vcs/git/prefix_hasher.h"

#include <algorithm>

#include "vcs/git/object_hasher.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kStep = 16U << 10;

// How many full steps of both are the same.
std::size_t SameSteps(std::string_view one, std::string_view other) {
  const std::size_t most = std::min(one.size(), other.size()) / kStep;
  std::size_t steps = 0;
  while (steps < most && one.substr(steps * kStep, kStep) == other.substr(steps * kStep, kStep)) ++steps;
  return steps;
}

}  // namespace

PrefixHasher::Known& PrefixHasher::Choose(ObjectKind kind, std::string_view bytes) {
  for (Known& known : known_) {
    if (known.kind == kind && known.bytes.size() == bytes.size() && SameSteps(known.bytes, bytes) > 0) return known;
  }
  if (known_.size() < kMost) return known_.emplace_back();
  Known& oldest = *std::ranges::min_element(known_, {}, &Known::used);
  oldest.bytes.clear();
  oldest.states.clear();
  return oldest;
}

ObjectId PrefixHasher::Hash(ObjectKind kind, std::string_view bytes) {
  if (bytes.size() < kSmallest || bytes.size() > kLargest) return HashFast(kind, bytes);
  const MutexLock lock(mutex_);
  Known& known = Choose(kind, bytes);
  known.used = ++uses_;
  known.kind = kind;
  if (known.states.empty()) known.states.emplace_back().Update(ObjectHeader(kind, bytes.size()));
  std::size_t steps = SameSteps(known.bytes, bytes);
  known.bytes.replace(steps * kStep, std::string::npos, bytes.substr(steps * kStep));
  known.states.resize(steps + 1);
  for (; (steps + 1) * kStep <= bytes.size(); ++steps) {
    Sha1 next = known.states.back();
    next.Update(bytes.substr(steps * kStep, kStep));
    known.states.push_back(std::move(next));
  }
  Sha1 rest = known.states.back();
  rest.Update(bytes.substr(steps * kStep));
  const ObjectId id = rest.Finish();
  return id.IsZero() ? HashFast(kind, bytes) : id;  // where OpenSSL refuses SHA-1
}

}  // namespace concordfs::vcs::git
