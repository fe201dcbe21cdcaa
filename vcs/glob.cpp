#include "vcs/glob.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace concordfs::vcs {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

bool IsBetween(char c, char first, char last) {
  return static_cast<std::uint8_t>(first) <= static_cast<std::uint8_t>(c) &&
         static_cast<std::uint8_t>(c) <= static_cast<std::uint8_t>(last);
}

bool IsLower(char c) {
  return IsBetween(c, 'a', 'z');
}
bool IsUpper(char c) {
  return IsBetween(c, 'A', 'Z');
}
bool IsAlpha(char c) {
  return IsLower(c) || IsUpper(c);
}
bool IsDigit(char c) {
  return IsBetween(c, '0', '9');
}
bool IsAlnum(char c) {
  return IsAlpha(c) || IsDigit(c);
}
bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}
bool IsControl(char c) {
  return IsBetween(c, '\0', '\x1F') || c == '\x7F';
}
bool IsPrint(char c) {
  return IsBetween(c, ' ', '~');
}
bool IsGraph(char c) {
  return IsBetween(c, '!', '~');
}
bool IsPunct(char c) {
  return IsGraph(c) && !IsAlnum(c);
}
bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}  // git's: no VT, no FF
bool IsHexDigit(char c) {
  return IsDigit(c) || IsBetween(c, 'a', 'f') || IsBetween(c, 'A', 'F');
}

struct NamedClass {
  std::string_view name;
  bool (*has)(char);
};
// ASCII only, whatever the locale.
constexpr std::array<NamedClass, 12> kNamedClasses = {{{"alnum", IsAlnum},
                                                       {"alpha", IsAlpha},
                                                       {"blank", IsBlank},
                                                       {"cntrl", IsControl},
                                                       {"digit", IsDigit},
                                                       {"graph", IsGraph},
                                                       {"lower", IsLower},
                                                       {"print", IsPrint},
                                                       {"punct", IsPunct},
                                                       {"space", IsSpace},
                                                       {"upper", IsUpper},
                                                       {"xdigit", IsHexDigit}}};

const NamedClass* FindNamedClass(std::string_view name) {
  for (const NamedClass& named : kNamedClasses) {
    if (named.name == name) return &named;
  }
  return nullptr;
}

struct Bracket {
  std::size_t end = kNowhere;  // position behind its "]"; kNowhere: it is malformed, and the pattern matches nothing
  bool has = false;            // whether it matches the character asked for
};

// One member of a bracket: what stands at `at`, behind the member before it.
struct Member {
  std::size_t end = kNowhere;       // position behind it; kNowhere: malformed
  bool has = false;                 // whether it contains the character asked for
  std::optional<char> range_start;  // the character that a "-" behind it makes a range of
};

// A named class, if one stands at `at`, where there is "[:". Nothing: these are ordinary characters.
std::optional<Member> ReadNamedClass(std::string_view pattern, std::size_t at, char c) {
  const std::size_t start = at + 2;
  const std::size_t close = pattern.find(']', start);
  if (close == kNowhere) return Member();
  if (close == start || pattern[close - 1] != ':') return std::nullopt;
  const NamedClass* named = FindNamedClass(pattern.substr(start, close - 1 - start));
  if (named == nullptr) return Member();
  return Member{close + 1, named->has(c), std::nullopt};
}

// `before` is the range_start of the member before.
Member ReadMember(std::string_view pattern, std::size_t at, std::optional<char> before, char c) {
  const auto is_inside = [&](std::size_t i) { return i < pattern.size(); };
  if (pattern[at] == '-' && before && is_inside(at + 1) && pattern[at + 1] != ']') {
    ++at;
    if (pattern[at] == '\\') ++at;
    if (!is_inside(at)) return Member();
    return Member{at + 1, IsBetween(c, *before, pattern[at]), std::nullopt};
  }
  if (pattern[at] == '[' && is_inside(at + 1) && pattern[at + 1] == ':') {
    if (const auto named = ReadNamedClass(pattern, at, c)) return *named;
  } else if (pattern[at] == '\\') {
    ++at;
    if (!is_inside(at)) return Member();
  }
  return Member{at + 1, c == pattern[at], pattern[at]};
}

// The bracket expression whose "[" is at `at`. A "]" that comes first is a member; a slash never matches.
Bracket ReadBracket(std::string_view pattern, std::size_t at, char c) {
  ++at;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  Member member;
  bool has = false;
  do {
    if (at >= pattern.size()) return Bracket();
    member = ReadMember(pattern, at, member.range_start, c);
    if (member.end == kNowhere) return Bracket();
    has = has || member.has;
    at = member.end;
  } while (at >= pattern.size() || pattern[at] != ']');
  return Bracket{at + 1, has != negated && c != '/'};
}

// What a run of stars stands for.
enum class Stars {
  kOneName,   // anything up to a slash
  kAnything,  // slashes, too
  kFolders,   // "**/": nothing, or anything that ends in a slash
};

struct StarRun {
  Stars stars;
  std::size_t end;  // position behind it
};

// The stars at `at`. More than one cross slashes only if they are a component of their own.
StarRun ReadStars(std::string_view pattern, std::size_t at) {
  std::size_t end = pattern.find_first_not_of('*', at);
  if (end == kNowhere) end = pattern.size();
  const bool opens = at == 0 || pattern[at - 1] == '/';
  if (end - at == 1 || !opens) return {Stars::kOneName, end};
  const std::string_view rest = pattern.substr(end);
  if (rest.starts_with('/')) return {Stars::kFolders, end + 1};
  return {rest.empty() || rest.starts_with("\\/") ? Stars::kAnything : Stars::kOneName, end};
}

// Where to go on with, when what follows a run of stars did not match: a longer stretch for them.
struct Retry {
  std::size_t pattern;  // behind the stars
  std::size_t text;     // where what they stand for ended last
};

// A pattern against a text. No wildcard but the last "*" and the last "**" that were met is ever tried
// again: what a later one stands for can take over any text that an earlier one would get more of. So the time is
// polynomial.
class GlobMatch {
 public:
  GlobMatch(std::string_view pattern, std::string_view text) : pattern_(pattern), text_(text) {}

  bool Run() {
    while (true) {
      if (at_ < pattern_.size() && pattern_[at_] == '*') {
        if (TakeStars()) return true;
      } else if (at_ == pattern_.size() && in_text_ == text_.size()) {
        return true;
      } else if (!TakeOne() && !GrowName() && !GrowTree()) {
        return false;
      }
    }
  }

 private:
  // Returns true if the stars match all that is left.
  bool TakeStars() {
    const StarRun run = ReadStars(pattern_, at_);
    at_ = run.end;
    if (run.stars == Stars::kOneName) {
      name_ = Retry{at_, in_text_};
      return false;
    }
    tree_ = Retry{at_, in_text_};
    tree_stars_ = run.stars;
    name_.reset();
    return run.stars == Stars::kAnything && at_ == pattern_.size();
  }

  // Matches one character of the text.
  bool TakeOne() {
    if (at_ == pattern_.size() || in_text_ == text_.size()) return false;
    const char c = text_[in_text_];
    switch (pattern_[at_]) {
      case '?':
        if (c == '/') return false;
        ++at_;
        break;
      case '[': {
        const Bracket bracket = ReadBracket(pattern_, at_, c);
        if (!bracket.has) return false;
        at_ = bracket.end;
        break;
      }
      case '\\':
        if (c != pattern_[at_ + 1]) return false;
        at_ += 2;
        break;
      default:
        if (c != pattern_[at_]) return false;
        ++at_;
    }
    ++in_text_;
    return true;
  }

  // Gives the last star one character more.
  bool GrowName() {
    if (!name_ || name_->text == text_.size() || text_[name_->text] == '/') return false;
    ++name_->text;
    at_ = name_->pattern;
    in_text_ = name_->text;
    return true;
  }

  // Gives the last "**" one character more, or one folder more.
  bool GrowTree() {
    name_.reset();
    if (!tree_ || tree_->text == text_.size()) return false;
    if (tree_stars_ == Stars::kFolders) {
      const std::size_t slash = text_.find('/', tree_->text);
      if (slash == kNowhere) return false;
      tree_->text = slash;
    }
    ++tree_->text;
    at_ = tree_->pattern;
    in_text_ = tree_->text;
    return true;
  }

  const std::string_view pattern_;
  const std::string_view text_;
  std::size_t at_ = 0;       // in the pattern
  std::size_t in_text_ = 0;  // in the text
  std::optional<Retry> name_;
  std::optional<Retry> tree_;
  Stars tree_stars_ = Stars::kAnything;
};

}  // namespace

bool IsWellFormedGlob(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size();) {
    if (pattern[at] == '\\' && at + 1 == pattern.size()) return false;
    at = pattern[at] == '\\' ? at + 2 : pattern[at] == '[' ? ReadBracket(pattern, at, '\0').end : at + 1;
    if (at == kNowhere) return false;
  }
  return true;
}

bool MatchesGlob(std::string_view pattern, std::string_view text) {
  return GlobMatch(pattern, text).Run();
}

}  // namespace concordfs::vcs
