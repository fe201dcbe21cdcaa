// The names that editors and tools give to files which they rename or remove a moment later.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concordfs::fs {

// Patterns of the names that are taken for temporaries unless the mount says otherwise. docs/semantics.md lists them.
std::vector<std::string> DefaultTemporaries();

// Is this the name of a temporary? For names of files, symlinks and the like, never for directories. Patterns are those of
// fnmatch(3): `*`, `?`, `[...]`, with a name's first dot like any other character. A pattern that starts with '+' is for
// names that mkstemp(3) and its like draw: it matches only a file that is made as they do it (O_EXCL, for its owner alone),
// or a name whose six last characters look drawn: not a word and not a number.
class Temporaries {
 public:
  explicit Temporaries(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {}
  enum class MadeBy { kAnything, kMkstemp };
  // Threads: any.
  bool Match(std::string_view name, MadeBy made_by) const;
  // For "f.oX4bQ2z", as patch(1) makes it, the file that it is to replace: "f". Such a name beside its target, made with
  // O_EXCL, is taken for drawn even where it ends as a word does, but for one in lower case. Nothing for other names.
  static std::optional<std::string_view> TargetOf(std::string_view name);

 private:
  const std::vector<std::string> patterns_;
};

}  // namespace concordfs::fs
