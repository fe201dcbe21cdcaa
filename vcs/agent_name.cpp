#include "vcs/agent_name.h"

namespace concordfs::vcs {
namespace {

constexpr std::size_t kMaxName = 64;  // bytes

}  // namespace

std::string SanitizedAgentName(std::string_view name) {
  std::string clean;
  for (const char c : name.substr(0, kMaxName)) {
    const bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
                         c == '_' || c == '-';
    // git forbids "..", a dot at either end and ".lock" at the end of a part of a ref's name
    const bool bad_dot = c == '.' && (clean.empty() || clean.back() == '.');
    clean.push_back(allowed && !bad_dot ? c : '-');
  }
  if (clean.empty()) return "-";
  if (clean.back() == '.') clean.back() = '-';
  if (clean.ends_with(".lock")) clean[clean.size() - 5] = '-';
  return clean;
}

}  // namespace concordfs::vcs
