#include "tests/bench/changes.h"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace concordfs::bench {
namespace {

// Bytes that deflate to half, as program text does.
std::string MakePool(std::size_t size, std::mt19937_64& random) {
  static constexpr char kLetters[] = "the file that agents write and read again while others change it, line by line\n";
  std::string pool(size, ' ');
  for (char& c : pool) c = kLetters[random() % (sizeof(kLetters) - 1)];
  return pool;
}

}  // namespace

Changes::Changes(Options options)
    : options_(std::move(options)),
      random_(options_.seed),
      pool_(MakePool(2 * options_.size + (1 << 20), random_)),
      contents_(options_.appended != 0 ? options_.paths.size() : 0) {}

Changes::Change Changes::Next() {
  if (order_.empty()) {
    order_.resize(options_.paths.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::shuffle(order_.begin(), order_.end(), random_);
  }
  const std::size_t which = order_.back();
  order_.pop_back();
  const std::string& path = options_.paths[which];
  if (options_.appended == 0) return {path, Text(options_.size), 0};
  std::string& content = contents_[which];
  if (content.empty() || content.size() >= 2 * options_.size) {
    content = Text(options_.size);
    return {path, content, 0};
  }
  content += Text(options_.appended);
  return {path, content, options_.appended};
}

std::string Changes::Text(std::size_t size) {
  std::string text = std::to_string(options_.seed) + " " + std::to_string(++count_) + "\n";
  text.resize(std::min(text.size(), size));
  text.append(pool_, random_() % (pool_.size() - size), size - text.size());
  return text;
}

std::vector<std::string> ReadPaths(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> paths;
  for (std::string line; std::getline(in, line);) paths.push_back(line);
  if (paths.empty()) throw std::runtime_error(file + ": no paths in it");
  return paths;
}

}  // namespace concordfs::bench
