#include "tests/bench/workload.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "vcs/git/git_store.h"

namespace concordfs::bench {
namespace {

constexpr std::size_t kFileSize = 4096;      // bytes
constexpr std::size_t kAppended = 1024;      // bytes
constexpr std::size_t kLeast = 256 << 10;    // bytes of the file that grows
constexpr std::size_t kLargeFile = 1 << 20;  // bytes
constexpr std::size_t kInADirectory = 100;

// Bytes that don't deflate, as little as program text does.
std::string RandomText(std::size_t size, std::uint64_t* random) {
  static constexpr char kWords[] = "the file that agents write and read again while others change it, line by line\n";
  std::string text(size, ' ');
  for (char& c : text) {
    *random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
    c = kWords[(*random >> 33) % (sizeof(kWords) - 1)];
  }
  return text;
}

// A `git fast-import` into the repository. Throws std::runtime_error where it fails.
class FastImport {
 public:
  explicit FastImport(const std::filesystem::path& repository) {
    std::string quoted;
    for (const char c : repository.string()) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    pipe_ = popen(("git --git-dir='" + quoted + "' fast-import --quiet").c_str(), "w");
    if (pipe_ == nullptr) throw std::runtime_error("git fast-import: can't be started");
  }
  ~FastImport() {
    if (pipe_ != nullptr) pclose(pipe_);
  }
  FastImport(const FastImport&) = delete;
  FastImport& operator=(const FastImport&) = delete;

  void Say(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), pipe_) != text.size())
      throw std::runtime_error("git fast-import ended");
  }
  void Finish() {
    if (pclose(std::exchange(pipe_, nullptr)) != 0) throw std::runtime_error("git fast-import failed");
  }

 private:
  FILE* pipe_ = nullptr;
};

}  // namespace

const char* NameOf(Shape shape) {
  switch (shape) {
    case Shape::kSmall: return "S";
    case Shape::kMedium: return "M";
    case Shape::kLarge: return "L";
    case Shape::kWide: return "wide";
    case Shape::kAppend: return "append";
    case Shape::kMiB: return "1MiB";
  }
  return "";
}

BenchRepository::BenchRepository(Shape shape) : shape_(shape) {
  const char* below = std::getenv("CONCORDFS_BENCH_DIR");
  std::string pattern = std::string(below != nullptr ? below : "/tmp") + "/concordfs-bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error(pattern + ": can't be made");
  path_ = std::filesystem::path(pattern) / "repository";
  files_ = shape == Shape::kLarge ? 100'000 : shape == Shape::kMedium || shape == Shape::kWide ? 10'000 : 100;
  Populate();
}

BenchRepository::~BenchRepository() {
  std::error_code ignored;
  std::filesystem::remove_all(path_.parent_path(), ignored);
}

std::string BenchRepository::NameOfFile(std::size_t n) const {
  const std::string file = "file" + std::to_string(n);
  switch (shape_) {
    case Shape::kWide: return "wide/" + file;
    case Shape::kLarge: return "d" + std::to_string(n / 10'000) + "/e" + std::to_string(n / kInADirectory) + "/" + file;
    case Shape::kMedium: return "d" + std::to_string(n / kInADirectory) + "/" + file;
    default: return "d" + std::to_string(n / 10) + "/" + file;
  }
}

void BenchRepository::Populate() {
  const auto made = vcs::git::InitRepository(path_, "main");
  if (!made) throw std::runtime_error(made.error().message);
  // One pack, and no two files alike: trees full of one id would deflate as no real tree does.
  FastImport import(path_);
  import.Say("commit refs/heads/main\ncommitter Bench <bench@localhost> 1700000000 +0000\ndata 10\nAs it was\n\n");
  import.Say("from refs/heads/main^0\n");
  for (std::size_t n = 0; n < files_; ++n) {
    const std::string content = "file " + std::to_string(n) + " as it was\n";
    import.Say("M 100644 inline " + NameOfFile(n) + "\ndata " + std::to_string(content.size()) + "\n" + content);
  }
  import.Finish();
}

BenchRepository::Change BenchRepository::NextChange() {
  random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
  const std::size_t which = (random_ >> 33) % files_;
  switch (shape_) {
    case Shape::kAppend:
      if (growing_.size() < kLeast || growing_.size() >= 2 * kLeast) growing_ = RandomText(kLeast, &random_);
      growing_ += RandomText(kAppended, &random_);
      return {"growing", growing_};
    case Shape::kMiB: return {"large" + std::to_string(which % 8), RandomText(kLargeFile, &random_)};
    default: return {NameOfFile(which), RandomText(kFileSize, &random_)};
  }
}

}  // namespace concordfs::bench
