// A path inside the repository that git can hold.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/result.h"

namespace concordfs::vcs {

// Whether git can hold this as the name of one entry. Names are bytes: no encoding is asked for.
// Errors: kInvalidName for "", ".", "..", a slash, a NUL and everything that `git fsck --strict` takes for ".git" (any
// case, with code points that HFS+ ignores, NTFS's short name and trailing dots, spaces and streams); kNameTooLong.
// Source: fsck.c's has_dot, has_dotdot and has_dotgit; path components of 255 bytes as in Linux's NAME_MAX.
Result<void> CheckName(std::string_view name);

// Whether a *symlink* may have this (valid) name: git refuses one that HFS+ or NTFS would take for ".gitmodules".
// Source: fsck.c's gitmodulesSymlink.
bool IsAllowedForSymlink(std::string_view name);

// Valid names joined by single slashes, or nothing at all: the root. An immutable value. Threads: any.
class RepoPath {
 public:
  static constexpr std::size_t kMaxSize = 4095;  // bytes

  RepoPath() = default;  // the root
  // Errors: those of CheckName for a component; kNameTooLong for more than kMaxSize bytes.
  static Result<RepoPath> Parse(std::string_view text);
  // The path of an entry of this directory. Errors: as Parse.
  Result<RepoPath> Child(std::string_view name) const;

  bool IsRoot() const { return text_.empty(); }
  const std::string& text() const { return text_; }
  std::string_view Name() const;                     // the last component; empty for the root
  RepoPath Parent() const;                           // of the root: the root
  std::vector<std::string_view> Components() const;  // views into this path

  // Is this path `directory` itself, or below it?
  bool IsAtOrBelow(const RepoPath& directory) const;
  // This path, if it is at or below `from`, after a rename of `from` to `to`; else unchanged.
  RepoPath AfterRename(const RepoPath& from, const RepoPath& to) const;

  auto operator<=>(const RepoPath&) const = default;

 private:
  explicit RepoPath(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

// A path as one line of text: as it is if it is plain UTF-8, else in double quotes with C escapes, as git prints it.
std::string Quoted(std::string_view path);
// The path that Quoted made that text of.
std::string Unquoted(std::string_view text);

}  // namespace concordfs::vcs
