#include "fs/branch_folder.h"

#include <cstdint>
#include <string_view>

#include "vcs/branch_name.h"

namespace concordfs::fs {
namespace {

constexpr std::size_t kMaxEncodedBranch = 200;  // bytes; a file's name has 255

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

std::string Hex(std::uint64_t value, int digits) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text(static_cast<std::size_t>(digits), '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, value >>= 4) *digit = kDigits[value & 15];
  return text;
}

// FNV-1a: it has to be the same in every program that ever opens the folder.
std::uint64_t StableHash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

std::string BranchFolderName(const std::string& ref) {
  const std::string_view branch = vcs::ShortBranchName(ref);
  std::string name;
  for (const char c : branch) {
    const bool plain = IsPlain(c) && !(c == '.' && name.empty());  // no ".", no ".."
    name += plain ? std::string(1, c) : "%" + Hex(static_cast<unsigned char>(c), 2);
  }
  if (name.size() > kMaxEncodedBranch)
    name = name.substr(0, kMaxEncodedBranch - 18) + "%-" + Hex(StableHash(branch), 16);
  return name;
}

}  // namespace concordfs::fs
