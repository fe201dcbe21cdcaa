#include "fs/fuse/device.h"

#include <linux/fuse.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fs/errno_map.h"
#include "fs/fuse/fuse_api.h"

namespace concordfs::fs {
namespace {

// Of newer <linux/fuse.h>: FUSE_INIT's second word of flags since 7.36, passthrough since 7.40.
constexpr std::uint32_t kInitHasMoreFlags = 1U << 30;
constexpr std::uint32_t kWritebackCache = 1U << 16;
constexpr std::uint32_t kPassthrough = 1U << 5;  // in the second word
constexpr std::uint32_t kStackDepth = 1;         // plain files are on a file system that is stacked on no other

struct StatxIn {
  std::uint32_t getattr_flags;
  std::uint32_t reserved;
  std::uint64_t handle;
  std::uint32_t flags;
  std::uint32_t mask;
};
struct StatxTime {
  std::int64_t seconds;
  std::uint32_t nanoseconds;
  std::int32_t reserved;
};
struct StatxOut {
  std::uint64_t valid_s;
  std::uint32_t valid_ns;
  std::uint32_t flags;
  std::uint64_t spare[2];
  std::uint32_t mask;
  std::uint32_t block_size;
  std::uint64_t attributes;
  std::uint32_t links;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint16_t mode;
  std::uint16_t spare0;
  std::uint64_t ino;
  std::uint64_t size;
  std::uint64_t blocks;
  std::uint64_t attributes_mask;
  StatxTime atime;
  StatxTime birth;
  StatxTime ctime;
  StatxTime mtime;
  std::uint32_t device_major;
  std::uint32_t device_minor;
  std::uint32_t unused[2];
  std::uint64_t spare2[14];
};
static_assert(sizeof(StatxOut) == 288);

StatxTime ToStatx(const timespec& time) {
  return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec), 0};
}

StatxOut ToStatx(const Attr& attr) {
  StatxOut out{};
  out.mask = STATX_BASIC_STATS | (attr.birth ? STATX_BTIME : 0U);
  out.block_size = 4096;
  out.links = static_cast<std::uint32_t>(attr.links);
  out.uid = attr.uid;
  out.gid = attr.gid;
  out.mode = static_cast<std::uint16_t>(attr.mode);
  out.ino = attr.ino;
  out.size = attr.size;
  out.blocks = attr.blocks.value_or((attr.size + 511) / 512);
  out.atime = ToStatx(attr.atime);
  out.mtime = ToStatx(attr.mtime);
  out.ctime = ToStatx(attr.ctime);
  if (attr.birth) out.birth = ToStatx(*attr.birth);
  out.device_major = major(attr.device);
  out.device_minor = minor(attr.device);
  return out;
}

}  // namespace

bool Device::Attach(fuse_session* session) {
  static const fuse_custom_io kIo = [] {
    fuse_custom_io io{};
    io.read = [](int fd, void* buffer, std::size_t size, void* user_data) {
      return DeviceOf(user_data).Read(fd, buffer, size);
    };
    io.writev = [](int fd, iovec* parts, int count, void* user_data) {
      return DeviceOf(user_data).Write(fd, parts, count);
    };
    return io;
  }();
  session_ = session;
  return fuse_session_custom_io(session, &kIo, fuse_session_fd(session)) == 0;
}

void Device::StorePages(NodeId node, std::string_view bytes) {
  if (bytes.empty() || bytes.size() > kMaxStored) return;
  // A page may be locked by a reader who waits for another thread of ours: not all of them may wait here.
  if (storing_.fetch_add(1) >= kMaxStoring) {
    --storing_;
    return;
  }
  fuse_bufvec buffer{};
  buffer.count = 1;
  buffer.buf[0].size = bytes.size();
  buffer.buf[0].fd = -1;
  buffer.buf[0].mem = const_cast<char*>(bytes.data());  // only read
  fuse_lowlevel_notify_store(session_, node, 0, &buffer, static_cast<fuse_buf_copy_flags>(0));
  --storing_;
}

ssize_t Device::Read(int fd, void* buffer, std::size_t size) {
  while (true) {
    const ssize_t count = read(fd, buffer, size);
    if (count < static_cast<ssize_t>(sizeof(fuse_in_header))) return count;
    const auto length = static_cast<std::size_t>(count);
    fuse_in_header header{};
    std::memcpy(&header, buffer, sizeof(header));
    requests_->Count(header.opcode);
    if (header.opcode == FUSE_INIT && length >= sizeof(header) + sizeof(fuse_init_in)) {
      fuse_init_in init{};
      std::memcpy(&init, static_cast<const char*>(buffer) + sizeof(header), sizeof(init));
      offered_ = (init.flags & kInitHasMoreFlags) != 0 && (init.flags2 & kPassthrough) != 0;
      offered_no_privileges_ = (init.flags & FUSE_HANDLE_KILLPRIV_V2) != 0;
      init_ = header.unique;
    }
    if (header.opcode != kStatx || !Answer(fd, buffer, length)) return count;
  }
}

ssize_t Device::Write(int fd, iovec* parts, int count) {
  bool first_answer = false;
  if (init_ != 0 && count >= 2 && parts[0].iov_len == sizeof(fuse_out_header)) {
    const auto* header = static_cast<const fuse_out_header*>(parts[0].iov_base);
    first_answer = header->unique == init_ && header->error == 0 && parts[1].iov_len >= sizeof(fuse_init_out);
    if (first_answer) init_ = 0;
    if (first_answer && offered_no_privileges_) {
      // Without it each write(2), passed through or not, is a GETXATTR of security.capability before. We take set-id
      // bits away ourselves: of scratch files when they are opened for writing.
      static_cast<fuse_init_out*>(parts[1].iov_base)->flags |= FUSE_HANDLE_KILLPRIV_V2;
    }
#ifndef FUSE_CAP_PASSTHROUGH  // libfuse before 3.17 has never heard of it
    if (first_answer && offered_) {
      auto* init = static_cast<fuse_init_out*>(parts[1].iov_base);
      init->flags |= kInitHasMoreFlags;
      init->flags &= ~kWritebackCache;
      init->flags2 |= kPassthrough;
      init->unused[0] = kStackDepth;  // max_stack_depth
    }
#endif
  }
  const ssize_t written = writev(fd, parts, count);
  if (first_answer && written >= 0) {
    const int probe = offered_ ? filesystem_.OpenProbe() : -1;
    filesystem_.SetPassthrough(probe >= 0 && passthrough_.Start(fd, probe));
    if (probe >= 0) close(probe);
  }
  return written;
}

bool Device::Answer(int fd, const void* request, std::size_t size) {
  if (size < sizeof(fuse_in_header) + sizeof(StatxIn)) return false;
  fuse_in_header header{};
  std::memcpy(&header, request, sizeof(header));
  const auto attr = filesystem_.GetAttr(Caller{static_cast<pid_t>(header.pid), header.uid, header.gid}, header.nodeid);
  fuse_out_header answer{};
  answer.unique = header.unique;
  answer.len = sizeof(answer);
  StatxOut out{};
  if (attr) {
    answer.len += sizeof(out);
    out = ToStatx(*attr);
    out.valid_s = static_cast<std::uint64_t>(AttrTimeoutSeconds(header.nodeid));
  } else {
    answer.error = -ErrnoOf(attr.code());
  }
  iovec parts[2] = {{&answer, sizeof(answer)}, {&out, sizeof(out)}};
  // Where the caller went away meanwhile there is nobody to answer.
  if (writev(fd, parts, attr ? 2 : 1) < 0 && errno != ENOENT) return false;
  return true;
}

}  // namespace concordfs::fs
