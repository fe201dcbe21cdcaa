// What a remote is sent for a publication, as one pack.
#pragma once

#include <filesystem>
#include <span>

#include "vcs/git/outgoing_pack.h"
#include "vcs/result.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

enum class PackExtent {
  kPublication,  // its objects and the blobs that were stored before: independent of the repository's size
  kByHistory,    // all that its tip reaches and `expected` doesn't, found by walking from one to the other
};

// `there`: commits that the remote has, besides `expected`, and that are in the repository as well; for kByHistory only.
// Errors: the sink's; those of reading the objects from the store or, for kByHistory, from the repository in `git_dir`.
Result<void> WritePublicationPack(Store& store, const std::filesystem::path& git_dir, const Publication& publication,
                                  PackExtent extent, std::span<const ObjectId> there, const OutgoingPack::Sink& sink);

}  // namespace concordfs::vcs::git
