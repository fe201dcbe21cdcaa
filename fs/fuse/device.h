// Reads requests from the kernel and writes answers for libfuse, and adds what libfuse 3.14 doesn't speak: passthrough
// and FUSE_HANDLE_KILLPRIV_V2 in the first exchange, and statx(2) with the birth time.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "fs/filesystem.h"
#include "fs/fuse/passthrough.h"
#include "fs/fuse/request_counter.h"

struct fuse_session;
struct iovec;

namespace concordfs::fs {

// Threads: libfuse's, any of them.
class Device {
 public:
  Device(Filesystem& filesystem, Passthrough& passthrough) : filesystem_(filesystem), passthrough_(passthrough) {}

  // Puts itself between libfuse and the kernel: of a mounted session whose user data leads here by `DeviceOf`.
  // Returns false where libfuse doesn't allow it.
  bool Attach(fuse_session* session);

  // What was read from the kernel so far.
  const std::shared_ptr<RequestCounter>& requests() const { return requests_; }

  ssize_t Read(int fd, void* buffer, std::size_t size);
  ssize_t Write(int fd, iovec* parts, int count);

  // Puts all bytes of a node into the kernel's page cache: of one that the kernel knows and nobody has ever had open,
  // so that no page of it is locked by a reader who waits for us. May do nothing: then the kernel asks for them.
  void StorePages(NodeId node, std::string_view bytes);

 private:
  static constexpr int kMaxStoring = 4;                 // threads at a time
  static constexpr std::size_t kMaxStored = 128 << 10;  // bytes: what the kernel would read ahead

  // Answers a request that libfuse doesn't know; false: it is libfuse's.
  bool Answer(int fd, const void* request, std::size_t size);

  Filesystem& filesystem_;
  Passthrough& passthrough_;
  const std::shared_ptr<RequestCounter> requests_ = std::make_shared<RequestCounter>();
  std::atomic<int> storing_{0};
  fuse_session* session_ = nullptr;                 // set by Attach()
  std::atomic<std::uint64_t> init_{0};              // the number of the INIT request, from its arrival to its answer
  std::atomic<bool> offered_{false};                // the kernel offers passthrough
  std::atomic<bool> offered_no_privileges_{false};  // and to remember that a file has no privileges to lose
};

// The device of a session by its user data. Defined beside the user data.
Device& DeviceOf(void* user_data);

}  // namespace concordfs::fs
