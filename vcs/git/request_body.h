// What is asked for by HTTP, kept until it is whole: its length is said before it, and it may have to be sent again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "vcs/git/handles.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

// Threads: one. A little of it is kept in memory, the rest in a file without a name.
class RequestBody {
 public:
  static constexpr std::size_t kMostInMemory = 1 << 20;  // bytes, as git's http.postBuffer

  // `folder`: on whose disk a large one waits; empty: /tmp.
  explicit RequestBody(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Errors: those of WriteSystemError.
  Result<void> Append(std::string_view bytes);
  std::uint64_t size() const { return size_; }
  bool IsLarge() const { return file_.ok(); }
  // Bytes copied from `offset` on; 0 at its end. Errors: kIo.
  Result<std::size_t> Read(std::uint64_t offset, char* out, std::size_t size) const;

 private:
  const std::filesystem::path folder_;
  std::string memory_;   // all of it, or, once there is a file, nothing
  FileDescriptor file_;
  std::uint64_t size_ = 0;  // bytes
};

}  // namespace concordfs::vcs::git
