// libfuse's callbacks: each decodes a request, calls one Filesystem method, and replies exactly once.
#pragma once

#include "fs/filesystem.h"
#include "fs/fuse/device.h"
#include "fs/fuse/fuse_api.h"
#include "fs/fuse/passthrough.h"
#include "fs/kernel_cache.h"

namespace concordfs::fs {

// The user data of the session: what the callbacks work on.
struct Edge {
  Filesystem& filesystem;
  KernelCache& cache;
  Passthrough passthrough;
  Device device{filesystem, passthrough};
};

const fuse_lowlevel_ops& Operations();

}  // namespace concordfs::fs
