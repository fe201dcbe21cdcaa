#include "vcs/commit_decision.h"

namespace concordfs::vcs {

Verdict Decide(const MaybeVersion& base, const MaybeVersion& head, const MaybeVersion& wanted,
               Derivation derivation) {
  if (wanted == head && (base == head || derivation == Derivation::kIndependent)) return Verdict::kSameAsHead;
  if (base == head) return Verdict::kPublish;
  if (wanted == base) return Verdict::kUnchanged;
  return Verdict::kRefuse;
}

}  // namespace concordfs::vcs
