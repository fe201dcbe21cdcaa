// A directory of the test's own, gone when the test is over.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace concordfs::mounttest {

// Threads: one.
class TempDir {
 public:
  explicit TempDir(const std::string& below = "/tmp");
  // Detaches what is still mounted below it, then removes all of it.
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // A new directory in it.
  std::filesystem::path MakeDirectory(const std::string& name) const;

 private:
  std::filesystem::path path_;
};

// The bytes of a file; a failed test and "" if it can't be read.
std::string ReadFile(const std::filesystem::path& file);
// Replaces the file's bytes; a failed test if that can't be done.
void WriteFile(const std::filesystem::path& file, std::string_view bytes);

}  // namespace concordfs::mounttest
