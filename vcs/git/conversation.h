// A git service that was asked for and has said what it has.
#pragma once

#include <memory>

#include "vcs/git/connection.h"
#include "vcs/git/pkt_line.h"
#include "vcs/git/ref_advertisement.h"

namespace concordfs::vcs::git {

struct Conversation {
  std::unique_ptr<Connection> connection;
  std::unique_ptr<PacketReader> packets;
  RefAdvertisement advertisement;

  // Nothing is wanted: a server hears that, and doesn't take us for cut off.
  void Leave() { (void)connection->Write(kFlushPacket); }
};

// Errors: as Connect and ReadRefAdvertisement.
Result<Conversation> Begin(const RemoteUrl& url, Service service, const ConnectOptions& options);

}  // namespace concordfs::vcs::git
