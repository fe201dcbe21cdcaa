// The patterns of a .gitignore file, and what they say of a path.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concordfs::vcs {

// What a list of patterns says of a path.
enum class IgnoreMatch {
  kNone,      // no pattern matches
  kIgnored,   // the last one that matches ignores
  kIncluded,  // the last one that matches is a negation
};

// One line. Threads: any.
// Source: gitignore(5); where that is vague, what git 2.39 does: dir.c's parse_path_pattern, match_basename and
// match_pathname, and wildmatch.c with WM_PATHNAME.
class IgnorePattern {
 public:
  // The pattern of a line without its end (CR or LF). Nothing if it can't match any path: a comment, an empty line, a
  // bracket without its end, a backslash at the end. The pattern is a view into the line.
  static std::optional<IgnorePattern> Parse(std::string_view line);

  // Whether it matches a path, relative to the directory that the pattern is of. Doesn't look at the path's parents: a
  // path below an ignored directory is the caller's to know. Time: as MatchesGlob.
  bool Matches(std::string_view path, bool is_directory) const;
  bool negated() const { return negated_; }

 private:
  enum class Kind : unsigned char {
    kExact,   // no wildcard
    kSuffix,  // a star, then no wildcard: text_ is what follows the star
    kWild,
  };

  IgnorePattern() = default;

  std::string_view text_;
  std::size_t literal_size_ = 0;  // bytes at the start of text_ that are compared as they are
  Kind kind_ = Kind::kExact;
  bool negated_ = false;
  bool directory_only_ = false;
  bool name_only_ = false;  // no slash: it is about the last component, at any depth
};

// The patterns of one file, in order. Immutable. Threads: any.
class IgnoreList {
 public:
  // `text`: the file's whole content. Any bytes are a list: what is no pattern matches nothing.
  explicit IgnoreList(std::string text);
  IgnoreList(const IgnoreList&) = delete;  // the patterns are views into the text
  IgnoreList& operator=(const IgnoreList&) = delete;

  // What the last matching pattern says of a path relative to the directory that the file is in. As in
  // IgnorePattern::Matches, the path's parents are not looked at.
  IgnoreMatch Check(std::string_view path, bool is_directory) const;
  bool empty() const { return patterns_.empty(); }

  // Bytes of memory, about.
  std::size_t MemorySize() const;

 private:
  const std::string text_;
  std::vector<IgnorePattern> patterns_;
};

}  // namespace concordfs::vcs
