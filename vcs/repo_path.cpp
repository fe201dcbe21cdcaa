#include "vcs/repo_path.h"

#include <array>
#include <cstdint>

namespace concordfs::vcs {
namespace {

constexpr std::size_t kMaxNameSize = 255;  // bytes: NAME_MAX

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (Lower(text[i]) != lower[i]) return false;
  }
  return true;
}

// Bytes of the UTF-8 sequence that starts at text[i], or 0 where none does: no overlong form, no surrogate, nothing
// past U+10FFFF, and not U+FFFE or U+FFFF, which git takes for malformed, too.
std::size_t Utf8SequenceSize(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return i + k < text.size() ? static_cast<std::uint8_t>(text[i + k]) : 0; };
  const std::uint8_t lead = static_cast<std::uint8_t>(byte(0));
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xC2 && lead < 0xE0   ? 2
                           : (lead & 0xF0) == 0xE0       ? 3
                           : lead >= 0xF0 && lead < 0xF5 ? 4
                                                         : 0;
  if (size == 0) return 0;
  for (std::size_t k = 1; k < size; ++k) {
    if ((byte(k) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool no_character = (lead == 0xED && byte(1) >= 0xA0) || (lead == 0xF4 && byte(1) >= 0x90) ||
                            (lead == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE);
  return overlong || no_character ? 0 : size;
}

// Does HFS+ ignore the code point of these three bytes? U+200C-200F, U+202A-202E, U+206A-206F, U+FEFF.
bool IsIgnoredByHfs(std::string_view sequence) {
  if (sequence == "\xEF\xBB\xBF") return true;
  const auto last = static_cast<std::uint8_t>(sequence.back());
  if (sequence.starts_with("\xE2\x80")) return (last >= 0x8C && last <= 0x8F) || (last >= 0xAA && last <= 0xAE);
  return sequence.starts_with("\xE2\x81") && last >= 0xAA && last <= 0xAF;
}

// The name that HFS+ would open, as git judges it: without what HFS+ ignores, and up to the first malformed UTF-8.
std::string AsHfsOpens(std::string_view name) {
  std::string opened;
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t size = Utf8SequenceSize(name, i);
    if (size == 0) break;
    const std::string_view sequence = name.substr(i, size);
    if (size != 3 || !IsIgnoredByHfs(sequence)) opened.append(sequence);
    i += size;
  }
  return opened;
}

// The name that NTFS would open: up to a stream, without trailing dots and spaces.
std::string_view AsNtfsOpens(std::string_view name) {
  name = name.substr(0, name.find(':'));
  const std::size_t end = name.find_last_not_of(". ");
  return end == std::string_view::npos ? std::string_view() : name.substr(0, end + 1);
}

// Whether `matches` is true of the name or of what follows one of its backslashes, which separate for Windows.
template <class Predicate>
bool MatchesBehindAnyBackslash(std::string_view name, Predicate matches) {
  while (true) {
    if (matches(name)) return true;
    const std::size_t backslash = name.find('\\');
    if (backslash == std::string_view::npos) return false;
    name.remove_prefix(backslash + 1);
  }
}

bool IsDotGit(std::string_view name) {
  return EqualsIgnoringCase(AsHfsOpens(name), ".git") || MatchesBehindAnyBackslash(name, [](std::string_view rest) {
           const std::string_view opened = AsNtfsOpens(rest.substr(0, rest.find('\\')));
           return EqualsIgnoringCase(opened, ".git") || EqualsIgnoringCase(opened, "git~1");
         });
}

// Is this one of the eight-character names that NTFS may give to ".gitmodules": "gitmod~1" to "gitmod~4", and, where
// those are taken, a beginning of "gi7eba" with a tilde and a number?
bool IsShortDotGitmodules(std::string_view name) {
  if (name.size() != 8) return false;
  const std::size_t tilde = name.find('~');
  if (tilde > 6 || name[tilde + 1] == '0') return false;  // npos is over 6, too
  const std::string_view number = name.substr(tilde + 1);
  if (number.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const std::string_view stem = name.substr(0, tilde);
  return EqualsIgnoringCase(stem, std::string_view("gi7eba").substr(0, tilde)) ||
         (EqualsIgnoringCase(stem, "gitmod") && number <= "4");
}

bool IsDotGitmodules(std::string_view name) {
  return EqualsIgnoringCase(AsHfsOpens(name), ".gitmodules") ||
         MatchesBehindAnyBackslash(name, [](std::string_view rest) {
           const std::string_view opened = AsNtfsOpens(rest);
           return EqualsIgnoringCase(opened, ".gitmodules") || IsShortDotGitmodules(opened);
         });
}

}  // namespace

Result<void> CheckName(std::string_view name) {
  if (name.size() > kMaxNameSize)
    return Error{Code::kNameTooLong, "name of " + std::to_string(name.size()) + " bytes: at most 255"};
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos) {
    return Error{Code::kInvalidName, "'" + Quoted(name) + "': no name of an entry"};
  }
  if (IsDotGit(name)) return Error{Code::kInvalidName, "'" + Quoted(name) + "': git forbids this name in a tree"};
  return {};
}

bool IsAllowedForSymlink(std::string_view name) {
  return !IsDotGitmodules(name);
}

Result<RepoPath> RepoPath::Parse(std::string_view text) {
  if (text.size() > kMaxSize)
    return Error{Code::kNameTooLong, "path of " + std::to_string(text.size()) + " bytes: at most 4095"};
  const RepoPath path{std::string(text)};
  if (path.IsRoot()) return path;
  for (const std::string_view component : path.Components()) {
    if (const auto checked = CheckName(component); !checked) return checked.error();
  }
  return path;
}

Result<RepoPath> RepoPath::Child(std::string_view name) const {
  if (const auto checked = CheckName(name); !checked) return checked.error();
  RepoPath child(IsRoot() ? std::string(name) : text_ + "/" + std::string(name));
  if (child.text_.size() > kMaxSize)
    return Error{Code::kNameTooLong, "path of " + std::to_string(child.text_.size()) + " bytes: at most 4095"};
  return child;
}

std::string_view RepoPath::Name() const {
  const std::size_t slash = text_.rfind('/');
  return slash == std::string::npos ? std::string_view(text_) : std::string_view(text_).substr(slash + 1);
}

RepoPath RepoPath::Parent() const {
  const std::size_t slash = text_.rfind('/');
  return slash == std::string::npos ? RepoPath() : RepoPath(text_.substr(0, slash));
}

std::vector<std::string_view> RepoPath::Components() const {
  std::vector<std::string_view> components;
  if (IsRoot()) return components;
  std::string_view rest = text_;
  while (true) {
    const std::size_t slash = rest.find('/');
    components.push_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) return components;
    rest.remove_prefix(slash + 1);
  }
}

bool RepoPath::IsAtOrBelow(const RepoPath& directory) const {
  if (directory.IsRoot()) return true;
  return text_.starts_with(directory.text_) &&
         (text_.size() == directory.text_.size() || text_[directory.text_.size()] == '/');
}

RepoPath RepoPath::AfterRename(const RepoPath& from, const RepoPath& to) const {
  return IsAtOrBelow(from) ? RepoPath(to.text_ + text_.substr(from.text_.size())) : *this;
}

std::string Quoted(std::string_view path) {
  std::string text;
  bool plain = true;
  for (std::size_t i = 0; i < path.size();) {
    const char c = path[i];
    const std::size_t size = Utf8SequenceSize(path, i);
    if (size > 1 || (size == 1 && static_cast<unsigned char>(c) >= 0x20 && c != 0x7F && c != '"' && c != '\\')) {
      text.append(path.substr(i, size));
      i += size;
      continue;
    }
    plain = false;
    if (c == '\n' || c == '\t' || c == '"' || c == '\\') {
      text += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string{'\\', c};
    } else {
      const auto byte = static_cast<unsigned char>(c);
      text += {'\\', static_cast<char>('0' + (byte >> 6)), static_cast<char>('0' + ((byte >> 3) & 7)),
               static_cast<char>('0' + (byte & 7))};
    }
    ++i;
  }
  return plain ? text : "\"" + text + "\"";
}

std::string Unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  text = text.substr(1, text.size() - 2);
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      path.push_back(text[i]);
      continue;
    }
    const char escaped = text[++i];
    if (escaped >= '0' && escaped <= '3' && i + 2 < text.size()) {
      path.push_back(static_cast<char>((escaped - '0') * 64 + (text[i + 1] - '0') * 8 + (text[i + 2] - '0')));
      i += 2;
    } else {
      path.push_back(escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped);
    }
  }
  return path;
}

}  // namespace concordfs::vcs
