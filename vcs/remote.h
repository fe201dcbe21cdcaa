// A git remote, as far as one branch of it goes: where it is, and moving it by compare-and-swap.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "vcs/object_id.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs {

// Threads: one call at a time. Each may block on the network, for as long as the implementation waits for a silent peer.
//
// Errors common to all: kUnreachable (DNS, connect, timeout, cut; what was asked for did not happen), kAccess (the remote doesn't
// let us in, or has no such repository), and those of the local disk.
class Remote {
 public:
  virtual ~Remote() = default;

  // Where the remote's branch is; nothing if it isn't there. All that the answer makes reachable is in the local repository
  // when this returns; no local ref was moved. Commits of which all that they reach is here already: `known`.
  virtual Result<std::optional<ObjectId>> Fetch(std::span<const ObjectId> known) = 0;

  // Moves the remote's branch from `expected` (nothing: it must not exist) to `tip`, a descendant of it, by a compare-and-swap
  // that the remote makes; never by force. The remote has all that `expected` reaches; it is sent the publication's objects and
  // `stored`, or, where the publication has no objects, all that `tip` reaches and `expected` doesn't. All of it is stored
  // locally. `ref` is the local branch's name, `before_move` is not called.
  // Errors: kRefMoved (the remote's branch is not `expected`), kDeclined (the remote's own rules, in its words), kInDoubt (it was
  // sent and the answer was lost: it may have happened, and may still happen).
  virtual Result<void> Push(const Publication& publication) = 0;
};

// Other refs of a git remote than the branch: looked at, and made.
//
// Threads, and errors common to all: as Remote.
class RemoteRefs {
 public:
  virtual ~RemoteRefs() = default;

  // Those whose names start with `prefix`.
  virtual Result<std::vector<Ref>> List(std::string_view prefix) = 0;
  // Makes a ref there, with all that its target reaches, which is stored locally; never moves one. Errors: kExists (the name is taken, by
  // another target), kDeclined. That it has been made already is no error, so what was in doubt may be done again.
  virtual Result<void> Create(const Ref& ref) = 0;
};

}  // namespace concordfs::vcs
