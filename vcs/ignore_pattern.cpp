#include "vcs/ignore_pattern.h"

#include <algorithm>
#include <utility>

#include "vcs/glob.h"

namespace concordfs::vcs {
namespace {

constexpr char kWildcards[] = "*?[\\";

// Without the spaces at its end that no backslash precedes.
std::string_view WithoutTrailingSpaces(std::string_view line) {
  std::size_t end = 0;  // of what has to stay
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ' ') continue;
    if (line[i] == '\\') ++i;
    end = i + 1;
  }
  return line.substr(0, end);  // a backslash at the very end makes `end` one too big, which substr forgives
}

}  // namespace

std::optional<IgnorePattern> IgnorePattern::Parse(std::string_view line) {
  if (line.starts_with('#')) return std::nullopt;
  std::string_view text = WithoutTrailingSpaces(line.substr(0, line.find('\0')));  // to git a line is a C string
  IgnorePattern pattern;
  if (text.starts_with('!')) {
    pattern.negated_ = true;
    text.remove_prefix(1);
  }
  if (text.ends_with('/')) {
    pattern.directory_only_ = true;
    text.remove_suffix(1);
  }
  pattern.name_only_ = text.find('/') == std::string_view::npos;
  if (text.starts_with('/')) text.remove_prefix(1);
  if (text.empty() || !IsWellFormedGlob(text)) return std::nullopt;
  const std::size_t wildcard = text.find_first_of(kWildcards);
  pattern.kind_ = wildcard == std::string_view::npos ? Kind::kExact : Kind::kWild;
  if (pattern.kind_ == Kind::kWild && pattern.name_only_ && wildcard == 0 && text[0] == '*' &&
      text.find_first_of(kWildcards, 1) == std::string_view::npos) {
    pattern.kind_ = Kind::kSuffix;
    text.remove_prefix(1);
  }
  pattern.text_ = text;
  // A name's pattern is matched whole; a path's in two parts, so that a "**" behind the literal part opens a pattern of
  // its own: to git, "foo**/bar" is "foo", then "**/bar".
  pattern.literal_size_ = pattern.kind_ == Kind::kWild && !pattern.name_only_ ? wildcard : 0;
  return pattern;
}

bool IgnorePattern::Matches(std::string_view path, bool is_directory) const {
  if (directory_only_ && !is_directory) return false;
  if (name_only_) path.remove_prefix(path.rfind('/') + 1);  // npos + 1 is 0
  switch (kind_) {
    case Kind::kExact: return path == text_;
    case Kind::kSuffix: return path.ends_with(text_);
    case Kind::kWild: break;
  }
  if (!path.starts_with(text_.substr(0, literal_size_))) return false;
  return MatchesGlob(text_.substr(literal_size_), path.substr(literal_size_));
}

IgnoreList::IgnoreList(std::string text) : text_(std::move(text)) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::string_view rest = text_;
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  while (!rest.empty()) {
    const std::size_t newline = rest.find('\n');
    std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (const auto pattern = IgnorePattern::Parse(line)) patterns_.push_back(*pattern);
  }
  patterns_.shrink_to_fit();
}

IgnoreMatch IgnoreList::Check(std::string_view path, bool is_directory) const {
  const auto last = std::find_if(patterns_.rbegin(), patterns_.rend(),
                                 [&](const IgnorePattern& pattern) { return pattern.Matches(path, is_directory); });
  if (last == patterns_.rend()) return IgnoreMatch::kNone;
  return last->negated() ? IgnoreMatch::kIncluded : IgnoreMatch::kIgnored;
}

std::size_t IgnoreList::MemorySize() const {
  return sizeof(*this) + text_.capacity() + patterns_.capacity() * sizeof(IgnorePattern);
}

}  // namespace concordfs::vcs
