// What the benchmarks of the commit engine change, and in which repository.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace concordfs::bench {

enum class Shape {
  kSmall,   // 100 files in 10 directories; a change makes one of them 4 KiB
  kMedium,  // 10,000 files in 100 directories
  kLarge,   // 100,000 files in 1,000 directories, two deep
  kWide,    // one directory of 10,000 files
  kAppend,  // kSmall, and one file that grows by 1 KiB each time, from 256 to 512 KiB and again
  kMiB,     // kSmall, and files of 1 MiB that are written anew
};
const char* NameOf(Shape shape);

// A bare repository of that shape below a temporary directory ($CONCORDFS_BENCH_DIR, else /tmp), removed at the end.
// Its files are in one pack, made by `git fast-import`, and no two of them are alike. Throws std::runtime_error where
// that can't be done.
class BenchRepository {
 public:
  explicit BenchRepository(Shape shape);
  ~BenchRepository();
  BenchRepository(const BenchRepository&) = delete;
  BenchRepository& operator=(const BenchRepository&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // The n-th change: which path gets which bytes. The same for every way of committing.
  struct Change {
    std::string path;
    std::string content;
  };
  Change NextChange();

 private:
  std::string NameOfFile(std::size_t n) const;
  void Populate();

  const Shape shape_;
  std::filesystem::path path_;
  std::size_t files_ = 0;
  std::uint64_t random_ = 1;
  std::string growing_;
};

}  // namespace concordfs::bench
