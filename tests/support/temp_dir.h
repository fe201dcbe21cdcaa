// A folder below /tmp that is gone again at the end of its scope.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace concordfs {

class TempDir {
 public:
  TempDir() {
    std::string name = "/tmp/concordfs-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("a folder below /tmp can't be made");
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace concordfs
