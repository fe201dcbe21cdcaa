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

// The name without the code points that HFS+ ignores: U+200C-200F, U+202A-202E, U+206A-206F, U+FEFF.
std::string WithoutHfsIgnored(std::string_view name) {
  std::string kept;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = [&](std::size_t k) { return i + k < name.size() ? static_cast<std::uint8_t>(name[i + k]) : 0; };
    const bool ignored = (byte(0) == 0xE2 && byte(1) == 0x80 &&
                          ((byte(2) >= 0x8C && byte(2) <= 0x8F) || (byte(2) >= 0xAA && byte(2) <= 0xAE))) ||
                         (byte(0) == 0xE2 && byte(1) == 0x81 && byte(2) >= 0xAA && byte(2) <= 0xAF) ||
                         (byte(0) == 0xEF && byte(1) == 0xBB && byte(2) == 0xBF);
    if (ignored) {
      i += 2;
    } else {
      kept.push_back(name[i]);
    }
  }
  return kept;
}

// The name that NTFS would open: up to a stream or a backslash, without trailing dots and spaces.
std::string_view AsNtfsOpens(std::string_view name) {
  name = name.substr(0, name.find_first_of("\\:"));
  const std::size_t end = name.find_last_not_of(". ");
  return end == std::string_view::npos ? std::string_view() : name.substr(0, end + 1);
}

bool IsDotGit(std::string_view name) {
  if (EqualsIgnoringCase(WithoutHfsIgnored(name), ".git")) return true;
  while (true) {  // a backslash separates for Windows
    const std::string_view opened = AsNtfsOpens(name);
    if (EqualsIgnoringCase(opened, ".git") || EqualsIgnoringCase(opened, "git~1")) return true;
    const std::size_t backslash = name.find('\\');
    if (backslash == std::string_view::npos) return false;
    name.remove_prefix(backslash + 1);
  }
}

// Bytes of the valid UTF-8 sequence that starts at text[i], or 0.
std::size_t Utf8SequenceSize(std::string_view text, std::size_t i) {
  const auto lead = static_cast<std::uint8_t>(text[i]);
  const std::size_t size = lead < 0x80                   ? 1
                           : lead >= 0xC2 && lead < 0xE0 ? 2
                           : (lead & 0xF0) == 0xE0       ? 3
                           : lead >= 0xF0 && lead < 0xF5 ? 4
                                                         : 0;
  if (size == 0 || i + size > text.size()) return 0;
  for (std::size_t k = 1; k < size; ++k) {
    if ((static_cast<std::uint8_t>(text[i + k]) & 0xC0) != 0x80) return 0;
  }
  return size;
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
  const std::string_view opened = AsNtfsOpens(name);
  return !EqualsIgnoringCase(WithoutHfsIgnored(name), ".gitmodules") && !EqualsIgnoringCase(opened, ".gitmodules") &&
         !(opened.size() == 8 && EqualsIgnoringCase(opened.substr(0, 7), "gitmod~"));
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
