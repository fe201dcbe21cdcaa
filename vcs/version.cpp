#include "vcs/version.h"

#include <array>

namespace concordfs::vcs {
namespace {

struct ModeName {
  FileMode mode;
  std::string_view text;
};
constexpr std::array<ModeName, 4> kModeNames = {{{FileMode::kRegular, "100644"},
                                                 {FileMode::kExecutable, "100755"},
                                                 {FileMode::kSymlink, "120000"},
                                                 {FileMode::kSubmodule, "160000"}}};

}  // namespace

std::string ToString(const MaybeVersion& version) {
  if (!version) return "absent";
  for (const ModeName& name : kModeNames) {
    if (name.mode == version->mode) return std::string(name.text) + " " + version->blob.Hex();
  }
  return "directory";
}

std::optional<MaybeVersion> ParseVersion(std::string_view text) {
  if (text == "absent") return MaybeVersion();
  for (const ModeName& name : kModeNames) {
    if (text.size() != name.text.size() + 1 + ObjectId::kHexSize || !text.starts_with(name.text)) continue;
    if (text[name.text.size()] != ' ') return std::nullopt;
    const auto blob = ObjectId::FromHex(text.substr(name.text.size() + 1));
    if (!blob) return std::nullopt;
    return MaybeVersion(Version{*blob, name.mode});
  }
  return std::nullopt;
}

}  // namespace concordfs::vcs
