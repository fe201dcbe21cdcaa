#include "fs/temporaries.h"

#include <fnmatch.h>

#include <algorithm>
#include <cctype>

namespace concordfs::fs {
namespace {

constexpr std::size_t kDrawn = 6;  // characters that mkstemp(3) draws

// mkstemp draws from A-Za-z0-9: 97 of 100 results aren't built as a word is ("config", "Config", "README", "sha256").
bool LooksDrawn(std::string_view name) {
  if (name.size() < kDrawn) return false;
  const std::string_view end = name.substr(name.size() - kDrawn);
  const auto is = [](int (*kind)(int)) { return [kind](unsigned char c) { return kind(c) != 0; }; };
  if (!std::all_of(end.begin(), end.end(), is(std::isalnum))) return false;
  const auto number = std::find_if(end.begin(), end.end(), is(std::isdigit));
  const bool ends_with_number = std::all_of(number, end.end(), is(std::isdigit));
  const bool upper_case = std::all_of(end.begin(), number, is(std::isupper));
  const bool lower_case = std::all_of(end.begin() + (number == end.begin() ? 0 : 1), number, is(std::islower));
  return !ends_with_number || (!upper_case && !lower_case);
}

}  // namespace

std::vector<std::string> DefaultTemporaries() {
  return {
      "*~",                    // backups of vim, emacs, nano and many others
      ".*.sw?", ".*.sw?x", "4913",  // vim: swap files, and what it makes to try the file system
      ".#*", "#*#",            // emacs: locks, and what it saves by itself
      "+sed??????",            // sed -i
      "*.tmp.*",               // programs that append their pid: f.tmp.1234
      "+.*.??????",            // rsync, and others that write .f.X4bQ2z
      "+Cu??????",             // ln -sf
      "+XX??????",             // perl -i
      "+*.o??????",            // patch
      "+tmp????????",          // Python's tempfile
      ".goutputstream-??????",  // GLib's editors
      ".~lock.*#",             // LibreOffice
      ".*.kate-swp",
      "*___jb_tmp___", "*___jb_old___",  // JetBrains
      ".nfs*", ".fuse_hidden*",
  };
}

std::optional<std::string_view> Temporaries::TargetOf(std::string_view name) {
  constexpr std::string_view kInfix = ".o";
  if (name.size() <= kInfix.size() + kDrawn) return std::nullopt;
  const std::string_view target = name.substr(0, name.size() - kInfix.size() - kDrawn);
  const std::string_view end = name.substr(name.size() - kDrawn);
  const bool is_word = std::all_of(end.begin(), end.end(), [](unsigned char c) { return std::islower(c) != 0; });
  const bool is_drawn = std::all_of(end.begin(), end.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  if (name.substr(target.size(), kInfix.size()) != kInfix || is_word || !is_drawn) return std::nullopt;
  return target;
}

bool Temporaries::Match(std::string_view name, MadeBy made_by) const {
  const std::string text(name);
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string& pattern) {
    const bool drawn = pattern.starts_with('+');
    if (fnmatch(pattern.c_str() + (drawn ? 1 : 0), text.c_str(), 0) != 0) return false;
    return !drawn || made_by == MadeBy::kMkstemp || LooksDrawn(name);
  });
}

}  // namespace concordfs::fs
