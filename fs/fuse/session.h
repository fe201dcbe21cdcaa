// A mounted file system: serves the kernel's requests from a Filesystem until it is unmounted.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "vcs/result.h"

namespace concordfs::fs {

class Filesystem;

struct MountOptions {
  std::filesystem::path mountpoint;       // absolute
  std::string source;                     // what the mount table shows as the device: the repository's path
  bool allow_other = false;
  bool read_only = false;
  unsigned max_threads = 32;              // who waits for a publication takes one: this many closes can be decided in one batch
  bool passthrough = true;                // the kernel may read and write plain files by itself
  std::vector<std::string> fuse_options;  // each as after -o: "max_read=131072"
};

// Threads: Stop() from any thread and from a signal handler's thread; the rest from the thread that made it.
class Session {
 public:
  // Mounts. When it returns the kernel knows the mount, and requests wait for Serve().
  // Errors: kInvalidArgument (an option that libfuse doesn't know), kAccess (no /dev/fuse, or not allowed), kIo.
  static Result<std::unique_ptr<Session>> Mount(Filesystem& filesystem, const MountOptions& options);
  virtual ~Session() = default;  // unmounts, if it still is mounted

  // Serves until the file system is unmounted, or Stop() was called.
  virtual Result<void> Serve() = 0;
  // Makes Serve() return soon. What is open then must have been drained before (Filesystem::Drain).
  virtual void Stop() = 0;
};

}  // namespace concordfs::fs
