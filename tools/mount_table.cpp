#include "tools/mount_table.h"

#include <fstream>
#include <iterator>
#include <sstream>

#include "tools/complaint.h"

namespace concordfs::tools {
namespace {

bool IsOctal(char digit) {
  return digit >= '0' && digit <= '7';
}

// The kernel writes space, tab, newline and backslash as \ooo.
std::string Unescaped(std::string_view field) {
  std::string text;
  for (std::size_t at = 0; at < field.size(); ++at) {
    if (field[at] == '\\' && at + 3 < field.size() && IsOctal(field[at + 1]) && IsOctal(field[at + 2]) &&
        IsOctal(field[at + 3])) {
      text.push_back(static_cast<char>((field[at + 1] - '0') * 64 + (field[at + 2] - '0') * 8 + (field[at + 3] - '0')));
      at += 3;
    } else {
      text.push_back(field[at]);
    }
  }
  return text;
}

// "36 35 98:0 /root /mountpoint options optional... - type source super-options"
std::optional<MountEntry> ParseLine(const std::string& line) {
  std::istringstream fields(line);
  std::string field;
  MountEntry entry;
  std::string parent;
  std::string root;
  if (!(fields >> entry.id >> parent >> entry.device >> root >> field)) return std::nullopt;
  entry.mountpoint = Unescaped(field);
  while (fields >> field && field != "-") {
  }
  if (!(fields >> entry.type)) return std::nullopt;
  if (fields >> field) entry.source = Unescaped(field);
  return entry;
}

}  // namespace

std::vector<MountEntry> ParseMountTable(std::string_view text) {
  std::vector<MountEntry> entries;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (auto entry = ParseLine(line)) entries.push_back(std::move(*entry));
  }
  return entries;
}

Result<std::optional<MountEntry>> FindMount(const std::filesystem::path& mountpoint) {
  std::ifstream file("/proc/self/mountinfo");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || text.empty()) return MakeError(Code::kIo, "/proc/self/mountinfo", "can't be read");
  std::optional<MountEntry> found;
  for (auto& entry : ParseMountTable(text)) {
    if (entry.mountpoint == mountpoint.native()) found = std::move(entry);
  }
  return found;
}

}  // namespace concordfs::tools
