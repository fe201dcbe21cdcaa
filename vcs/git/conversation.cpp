#include "vcs/git/conversation.h"

#include <utility>

namespace concordfs::vcs::git {

Result<Conversation> Begin(const RemoteUrl& url, Service service, const ConnectOptions& options) {
  auto connection = Connect(url, service, options);
  if (!connection) return connection.error();
  Conversation conversation;
  conversation.connection = *std::move(connection);
  conversation.packets = std::make_unique<PacketReader>(*conversation.connection);
  auto advertisement = ReadRefAdvertisement(*conversation.packets);
  if (!advertisement) return advertisement.error();
  conversation.advertisement = *std::move(advertisement);
  return conversation;
}

}  // namespace concordfs::vcs::git
