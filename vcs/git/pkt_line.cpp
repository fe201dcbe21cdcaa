#include "vcs/git/pkt_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kLengthSize = 4;       // hexadecimal digits, which count themselves
constexpr std::size_t kReadSize = 64 << 10;  // bytes
constexpr std::size_t kMaxSaid = 2000;       // bytes

// What the packet at the beginning of `bytes` says of its own length; nothing where there is no packet.
std::optional<std::size_t> LengthOf(std::string_view bytes) {
  if (bytes.size() < kLengthSize) return std::nullopt;
  std::size_t length = 0;
  const auto [end, failed] = std::from_chars(bytes.data(), bytes.data() + kLengthSize, length, 16);
  if (failed != std::errc() || end != bytes.data() + kLengthSize) return std::nullopt;
  return length;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable(text);
  std::replace_if(printable.begin(), printable.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return printable;
}

std::string EncodePacket(std::string_view payload) {
  std::array<char, kLengthSize + 1> length;
  std::snprintf(length.data(), length.size(), "%04zx", payload.size() + kLengthSize);
  return std::string(length.data(), kLengthSize).append(payload);
}

std::vector<std::string> DecodePackets(std::string_view bytes) {
  std::vector<std::string> payloads;
  while (const auto length = LengthOf(bytes)) {
    if (*length < kLengthSize || *length > bytes.size()) break;
    payloads.emplace_back(bytes.substr(kLengthSize, *length - kLengthSize));
    bytes.remove_prefix(*length);
  }
  return payloads;
}

Result<void> PacketReader::Fill(std::size_t size) {
  if (taken_ > kReadSize) buffer_.erase(0, std::exchange(taken_, 0));
  while (buffer_.size() - taken_ < size) {
    const std::size_t before = buffer_.size();
    buffer_.resize(before + kReadSize);
    const auto count = connection_.Read(buffer_.data() + before, kReadSize);
    buffer_.resize(before + (count ? *count : 0));
    if (count && *count > 0) continue;
    Error why = connection_.WhyItEnded();  // of a program also after a failed read: ssh says it on stderr
    return count || why.code == Code::kAccess ? why : count.error();
  }
  return {};
}

Result<std::optional<std::string>> PacketReader::Next() {
  if (auto filled = Fill(kLengthSize); !filled) return filled.error();
  const auto length = LengthOf(std::string_view(buffer_).substr(taken_));
  if (!length || (*length != 0 && *length < kLengthSize)) {
    return Error{Code::kUnreachable, "the other end doesn't speak git's protocol"};
  }
  if (*length == 0) {
    taken_ += kLengthSize;
    return std::optional<std::string>();
  }
  if (auto filled = Fill(*length); !filled) return filled.error();
  std::string payload = buffer_.substr(taken_ + kLengthSize, *length - kLengthSize);
  taken_ += *length;
  if (payload.starts_with("ERR ")) {
    const std::string words = Printable(std::string_view(payload).substr(4));
    // git daemon says so of what it doesn't serve.
    const bool is_access = words.find("access denied") != std::string::npos || words.find("not exported") != std::string::npos ||
                           words.find("not enabled") != std::string::npos;
    return Error{is_access ? Code::kAccess : Code::kUnreachable, "the remote says: " + words};
  }
  return std::optional<std::string>(std::move(payload));
}

Result<std::optional<std::string>> PacketReader::NextLine() {
  auto payload = Next();
  if (payload && *payload && (*payload)->ends_with('\n')) (*payload)->pop_back();
  return payload;
}

void SideBand::Hear(std::string_view text) {
  for (const char c : text) {
    if (c != '\n' && c != '\r') {
      line_ += c;
      continue;
    }
    const std::string line = Printable(std::exchange(line_, {}));
    if (line.empty()) continue;
    if (words_) words_(line);
    said_ += (said_.empty() ? "" : " ") + line;
    if (said_.size() > kMaxSaid) said_.erase(0, said_.size() - kMaxSaid);
  }
}

Result<std::optional<std::string>> SideBand::Next() {
  for (;;) {
    auto packet = packets_.Next();
    if (!packet) return packet;
    if (!*packet) {
      Hear("\n");
      return packet;
    }
    std::string& payload = **packet;
    if (payload.empty()) continue;
    const char band = payload[0];
    payload.erase(0, 1);
    if (band == 1 && !payload.empty()) return packet;
    if (band == 2) Hear(payload);
    if (band == 3) return Error{Code::kUnreachable, "the remote says: " + Printable(payload)};
  }
}

}  // namespace concordfs::vcs::git
