// One git commit as text, and the messages that ConcordFS writes (R14).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vcs/object_id.h"
#include "vcs/result.h"

namespace concordfs::vcs {

struct Signature {
  std::string name;
  std::string email;
  std::int64_t time_s = 0;  // seconds since 1970; written as +0000
};

struct Commit {
  ObjectId tree;
  std::vector<ObjectId> parents;
  Signature author;
  Signature committer;
  std::string message;

  std::string Encode() const;
  // Reads back what Encode, git or libgit2 wrote; headers other than the above (gpgsig, encoding) are passed over.
  // Errors: kCorrupt.
  static Result<Commit> Parse(std::string_view text);
};

class Store;

// Errors: those of Store::Read; kCorrupt, with the commit's id.
Result<Commit> ReadCommit(Store& store, const ObjectId& id);

// A commit's text with another tree and another parent, one: all else stays as it is, byte by byte, but for a signature, which
// would be wrong.
std::string WithPlace(std::string_view text, const ObjectId& tree, const ObjectId& parent);

// The author of an agent's commits, and the committer of all of them (R14).
Signature AgentSignature(const std::string& agent, std::int64_t time_s);
Signature CommitterSignature(std::int64_t time_s);

using Trailers = std::vector<std::pair<std::string, std::string>>;  // "Concord-Agent", "andrew"

// `subject`, or the first line of `custom` where that has one, the rest of `custom` as body, then the trailers.
// Ends in a newline.
std::string ComposeMessage(const std::string& subject, const std::string& custom, const Trailers& trailers);
// The value of the last trailer of that name in a message's last paragraph, or "".
std::string FindTrailer(std::string_view message, std::string_view name);
// The message without its last paragraph, where that is our trailers.
std::string WithoutTrailers(std::string_view message);

}  // namespace concordfs::vcs
