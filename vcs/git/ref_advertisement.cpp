#include "vcs/git/ref_advertisement.h"

#include <algorithm>

namespace concordfs::vcs::git {
namespace {

// The value of the first word that begins so.
std::optional<std::string_view> FindWord(std::string_view words, std::string_view prefix) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    if (word.starts_with(prefix)) return word.substr(prefix.size());
    words.remove_prefix(std::min(words.size(), word.size() + 1));
  }
  return std::nullopt;
}

}  // namespace

bool RefAdvertisement::Can(std::string_view capability) const {
  return (' ' + capabilities + ' ').find(' ' + std::string(capability) + ' ') != std::string::npos;
}

std::optional<std::string> RefAdvertisement::HeadTarget() const {
  const auto target = FindWord(capabilities, "symref=HEAD:");
  return target ? std::optional<std::string>(*target) : std::nullopt;
}

std::optional<ObjectId> RefAdvertisement::Find(std::string_view ref) const {
  const auto found = refs.find(ref);
  return found == refs.end() ? std::nullopt : std::optional(found->second);
}

Result<RefAdvertisement> ReadRefAdvertisement(PacketReader& packets) {
  RefAdvertisement advertisement;
  for (;;) {
    auto packet = packets.NextLine();
    if (!packet) return packet.error();
    if (!*packet) break;
    std::string_view line = **packet;
    if (const std::size_t zero = line.find('\0'); zero != std::string_view::npos) {
      advertisement.capabilities = line.substr(zero + 1);
      line = line.substr(0, zero);
    }
    const auto id = ObjectId::FromHex(line.substr(0, ObjectId::kHexSize));
    if (!id || line.size() < ObjectId::kHexSize + 2) continue;  // "version 1", "shallow ..."
    const std::string_view name = line.substr(ObjectId::kHexSize + 1);
    if (name != "capabilities^{}") advertisement.refs.emplace(name, *id);
  }
  const auto format = FindWord(advertisement.capabilities, "object-format=");
  if (format && *format != "sha1") return Error{Code::kNotSupported, "the remote's repository is of a format that can't be served (only SHA-1 objects)"};
  return advertisement;
}

}  // namespace concordfs::vcs::git
