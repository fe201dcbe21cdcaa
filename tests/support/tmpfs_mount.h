// A file system of its own, mounted below /tmp for a scope: one that can be full, or read-only. Needs root.
#pragma once

#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/support/temp_dir.h"

namespace concordfs {

class TmpfsMount {
 public:
  // `options` as mount(8) takes them for a tmpfs: "size=1m".
  explicit TmpfsMount(const char* options) {
    if (::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, options) != 0) {
      throw std::runtime_error("this test needs root, to mount a tmpfs: " + std::string(std::strerror(errno)));
    }
  }
  ~TmpfsMount() { ::umount2(folder_.path().c_str(), MNT_DETACH); }
  TmpfsMount(const TmpfsMount&) = delete;
  TmpfsMount& operator=(const TmpfsMount&) = delete;

  const std::filesystem::path& path() const { return folder_.path(); }
  void MakeReadOnly() {
    if (::mount(nullptr, path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
      throw std::runtime_error("remount: " + std::string(std::strerror(errno)));
    }
  }

 private:
  TempDir folder_;
};

}  // namespace concordfs
