// The packets that git's protocols are made of.
// Source: gitprotocol-common(5), gitprotocol-pack(5).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/git/connection.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// Only what a log or a terminal can take: the words are a stranger's.
std::string Printable(std::string_view text);

constexpr std::string_view kFlushPacket = "0000";
std::string EncodePacket(std::string_view payload);

// The payloads in `bytes`, up to what is no whole packet any more, or a flush packet.
std::vector<std::string> DecodePackets(std::string_view bytes);

// Takes packets off a connection. Threads: one.
class PacketReader {
 public:
  explicit PacketReader(Connection& connection) : connection_(connection) {}

  // The payload of the next packet; nothing for a flush packet.
  // Errors: kUnreachable (cut, no packet, or "ERR": then in the other end's words), kAccess (as Connection::WhyItEnded).
  Result<std::optional<std::string>> Next();
  // The same without a newline at its end.
  Result<std::optional<std::string>> NextLine();

 private:
  Result<void> Fill(std::size_t size);

  Connection& connection_;
  std::string buffer_;
  std::size_t taken_ = 0;  // of buffer_
};

// The bands of side-band-64k: content, and words for people.
class SideBand {
 public:
  // `words` hears of each line for people; may be empty.
  SideBand(PacketReader& packets, std::function<void(const std::string&)> words)
      : packets_(packets), words_(std::move(words)) {}

  // The next piece of content; nothing at its end. Errors: as PacketReader::Next, and kUnreachable for a fatal message.
  Result<std::optional<std::string>> Next();
  // What was said so far, in one line, the last of it.
  const std::string& said() const { return said_; }

 private:
  void Hear(std::string_view text);

  PacketReader& packets_;
  const std::function<void(const std::string&)> words_;
  std::string line_;  // not at its end yet
  std::string said_;
};

}  // namespace concordfs::vcs::git
