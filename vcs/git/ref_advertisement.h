// What a git server says first: its refs, and what it is able to do.
// Source: gitprotocol-pack(5), "Reference Discovery".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "vcs/git/pkt_line.h"
#include "vcs/object_id.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

struct RefAdvertisement {
  std::map<std::string, ObjectId, std::less<>> refs;
  std::string capabilities;  // words, apart by spaces

  bool Can(std::string_view capability) const;  // one without a value
  // Of the capability "symref=HEAD:<ref>".
  std::optional<std::string> HeadTarget() const;
  std::optional<ObjectId> Find(std::string_view ref) const;
};

// Errors: as PacketReader::Next; kNotSupported (a repository with other ids than SHA-1).
Result<RefAdvertisement> ReadRefAdvertisement(PacketReader& packets);

}  // namespace concordfs::vcs::git
