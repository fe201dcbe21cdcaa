#include "fs/fuse/passthrough.h"

#include <sys/ioctl.h>

namespace concordfs::fs {
namespace {

// Of <linux/fuse.h> since 6.9: older headers lack it.
struct BackingMap {
  std::int32_t fd;
  std::uint32_t flags;
  std::uint64_t padding;
};
constexpr unsigned long kBackingOpen = _IOW(229, 1, BackingMap);
constexpr unsigned long kBackingClose = _IOW(229, 2, std::uint32_t);

}  // namespace

bool Passthrough::Start(int device, int probe) {
  if (!allowed_) return false;
  device_ = device;
  const std::int32_t id = Register(probe);
  if (id > 0) GiveBack(id);
  if (id <= 0) device_ = -1;
  return id > 0;
}

std::int32_t Passthrough::Register(int fd) const {
  BackingMap map{fd, 0, 0};
  const int id = ioctl(device_, kBackingOpen, &map);
  return id > 0 ? id : 0;
}

void Passthrough::GiveBack(std::int32_t id) const {
  auto number = static_cast<std::uint32_t>(id);
  ioctl(device_, kBackingClose, &number);
}

std::int32_t Passthrough::Open(NodeId node, int fd) {
  if (device_ < 0) return 0;
  const MutexLock lock(mutex_);
  Registered& registered = registered_[node];
  if (registered.handles++ == 0) registered.id = Register(fd);
  return registered.id;
}

void Passthrough::Close(NodeId node) {
  const MutexLock lock(mutex_);
  const auto found = registered_.find(node);
  if (found == registered_.end() || --found->second.handles > 0) return;
  if (found->second.id > 0) GiveBack(found->second.id);
  registered_.erase(found);
}

}  // namespace concordfs::fs
