// The changes that the comparison's clients make: which file gets which bytes. The same distribution for every way of
// saving.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace concordfs::bench {

// Threads: one each.
class Changes {
 public:
  struct Options {
    std::vector<std::string> paths;  // the files to change, below the directory or repository; not empty
    std::size_t size = 0;            // bytes of a file that is written whole
    std::size_t appended = 0;        // bytes; if not 0, files grow by this from `size` to twice that, and again
    std::uint64_t seed = 0;
  };
  explicit Changes(Options options);

  struct Change {
    std::string path;
    std::string content;       // of the whole file
    std::size_t appended = 0;  // how many bytes at its end are new; 0: all of it
  };
  // Files in random order, each as often as the others; no two contents are alike.
  Change Next();

 private:
  std::string Text(std::size_t size);

  const Options options_;
  std::mt19937_64 random_;
  const std::string pool_;  // what texts are cut from: making each anew would cost more than saving it
  std::uint64_t count_ = 0;
  std::vector<std::size_t> order_;     // what is left of this pass over the paths
  std::vector<std::string> contents_;  // by path; only of growing files
};

// The paths in `file`, one in a line. Throws std::runtime_error where there is none.
std::vector<std::string> ReadPaths(const std::string& file);

}  // namespace concordfs::bench
