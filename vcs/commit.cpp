#include "vcs/commit.h"

#include <algorithm>
#include <charconv>

#include "vcs/store.h"

namespace concordfs::vcs {
namespace {

std::string EncodeSignature(const Signature& signature) {
  return signature.name + " <" + signature.email + "> " + std::to_string(signature.time_s) + " +0000";
}

Signature ParseSignature(std::string_view text) {
  Signature signature;
  const std::size_t open = text.find('<');
  const std::size_t close = text.rfind('>');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return signature;
  signature.name = text.substr(0, open > 0 ? open - 1 : 0);
  signature.email = text.substr(open + 1, close - open - 1);
  const std::string_view time = text.substr(std::min(close + 2, text.size()));
  std::from_chars(time.data(), time.data() + time.size(), signature.time_s);  // unreadable: 1970, as git takes it
  return signature;
}

std::string_view TrimmedEnd(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}

}  // namespace

std::string Commit::Encode() const {
  std::string text = "tree " + tree.Hex() + "\n";
  for (const ObjectId& parent : parents) text += "parent " + parent.Hex() + "\n";
  text += "author " + EncodeSignature(author) + "\ncommitter " + EncodeSignature(committer) + "\n\n" + message;
  return text;
}

Result<Commit> Commit::Parse(std::string_view text) {
  Commit commit;
  bool has_tree = false;
  while (!text.empty() && text.front() != '\n') {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const std::size_t space = line.find(' ');
    const std::string_view key = line.substr(0, space);
    const std::string_view value = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    if (key == "tree" || key == "parent") {
      const auto id = ObjectId::FromHex(value);
      if (!id) return Error{Code::kCorrupt, "commit: bad " + std::string(key)};
      if (key == "parent") commit.parents.push_back(*id);
      if (key == "tree") commit.tree = *id;
      has_tree = has_tree || key == "tree";
    } else if (key == "author") {
      commit.author = ParseSignature(value);
    } else if (key == "committer") {
      commit.committer = ParseSignature(value);
    }
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  if (!has_tree) return Error{Code::kCorrupt, "commit: no tree"};
  if (!text.empty()) commit.message = text.substr(1);
  return commit;
}

Result<Commit> ReadCommit(Store& store, const ObjectId& id) {
  const auto text = store.Read(id, ObjectKind::kCommit);
  if (!text) return text.error();
  auto commit = Commit::Parse(*text);
  if (!commit) return Error{commit.code(), id.Hex() + ": " + commit.error().message};
  return commit;
}

std::string WithPlace(std::string_view text, const ObjectId& tree, const ObjectId& parent) {
  std::string placed = "tree " + tree.Hex() + "\nparent " + parent.Hex() + "\n";
  bool is_left_out = false;
  while (!text.empty() && text.front() != '\n') {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    const std::string_view key = line.substr(0, line.find(' '));
    // A line that begins with a space goes on with the header before it.
    if (!key.empty()) is_left_out = key == "tree" || key == "parent" || key.starts_with("gpgsig");
    if (!is_left_out) placed += line;
    text.remove_prefix(line.size());
  }
  placed += text;
  return placed;
}

Signature AgentSignature(const std::string& agent, std::int64_t time_s) {
  return Signature{agent, agent + "@concordfs", time_s};
}

Signature CommitterSignature(std::int64_t time_s) {
  return Signature{"ConcordFS", "concordfs@localhost", time_s};
}

std::string ComposeMessage(const std::string& subject, const std::string& custom, const Trailers& trailers) {
  std::string_view wanted = TrimmedEnd(custom);
  if (const std::size_t start = wanted.find_first_not_of(" \t\r\n"); start != std::string_view::npos)
    wanted.remove_prefix(start);
  std::string message = wanted.empty() ? subject : std::string(wanted.substr(0, wanted.find('\n')));
  if (const std::size_t line_end = wanted.find('\n'); line_end != std::string_view::npos) {
    std::string_view body = wanted.substr(line_end);
    if (const std::size_t start = body.find_first_not_of('\n'); start != std::string_view::npos)
      message += "\n\n" + std::string(body.substr(start));
  }
  message += "\n\n";
  for (const auto& [name, value] : trailers) {
    message += name + ": ";
    for (const char c : value) message.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);  // one line each
    message += "\n";
  }
  return message;
}

std::string FindTrailer(std::string_view message, std::string_view name) {
  const std::string_view trimmed = TrimmedEnd(message);
  const std::size_t paragraph = trimmed.rfind("\n\n");
  std::string_view rest = paragraph == std::string_view::npos ? trimmed : trimmed.substr(paragraph + 2);
  std::string value;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.size() > name.size() + 1 && line.starts_with(name) && line[name.size()] == ':') {
      value = line.substr(std::min(name.size() + 2, line.size()));
    }
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return value;
}

std::string WithoutTrailers(std::string_view message) {
  const std::string_view trimmed = TrimmedEnd(message);
  const std::size_t paragraph = trimmed.rfind("\n\n");
  const bool has_trailers = paragraph != std::string_view::npos && !FindTrailer(message, "Concord-Agent").empty();
  return std::string(has_trailers ? TrimmedEnd(trimmed.substr(0, paragraph)) : trimmed);
}

}  // namespace concordfs::vcs
