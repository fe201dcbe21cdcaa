// Reads requests from the kernel and writes answers for libfuse, and adds what libfuse 3.14 doesn't speak: passthrough and
// FUSE_HANDLE_KILLPRIV_V2 in the first exchange, and statx(2) with the birth time.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "fs/filesystem.h"
#include "fs/fuse/passthrough.h"

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

  ssize_t Read(int fd, void* buffer, std::size_t size);
  ssize_t Write(int fd, iovec* parts, int count);

 private:
  // Answers a request that libfuse doesn't know; false: it is libfuse's.
  bool Answer(int fd, const void* request, std::size_t size);

  Filesystem& filesystem_;
  Passthrough& passthrough_;
  std::atomic<std::uint64_t> init_{0};  // the number of the INIT request, from its arrival to its answer
  std::atomic<bool> offered_{false};    // the kernel offers passthrough
  std::atomic<bool> offered_no_privileges_{false};  // and to remember that a file has no privileges to lose
};

// The device of a session by its user data. Defined beside the user data.
Device& DeviceOf(void* user_data);

}  // namespace concordfs::fs
