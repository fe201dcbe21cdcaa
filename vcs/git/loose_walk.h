// Finds the loose objects of a branch: what a daemon that was killed has left behind.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "vcs/git/pack_keeper.h"
#include "vcs/object_id.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// The ids of the loose objects, at most `limit`; damaged ones too. What can't be listed, or vanishes, is left out.
std::unordered_set<ObjectId> ListLoose(const std::string& objects_dir, std::size_t limit);

// Those of `loose` that can be reached from `tips` through nothing but them, oldest commits first, each with the
// version before it of its path as what it is like. A history behind an object that is packed is not looked at, so this
// costs nothing where nothing was left; hence also the order: who packs them in it may be stopped at any point.
// Damaged objects are passed over.
// `go_on` is asked between objects; once it says false this stops. Errors: kInterrupted.
// Threads: any; blocks on disk. Memory: about 100 bytes an object.
Result<std::vector<WrittenObject>> FindReachable(const std::string& objects_dir, std::unordered_set<ObjectId> loose,
                                                 std::span<const ObjectId> tips, const std::function<bool()>& go_on);

}  // namespace concordfs::vcs::git
