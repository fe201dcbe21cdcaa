#include "tests/bench/workload.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "vcs/commit.h"
#include "vcs/git/git_store.h"
#include "vcs/tree_editor.h"

namespace concordfs::bench {
namespace {

constexpr std::size_t kFileSize = 4096;   // bytes
constexpr std::size_t kAppended = 1024;   // bytes
constexpr std::size_t kLeast = 256 << 10;  // bytes of the file that grows
constexpr std::size_t kLargeFile = 1 << 20;  // bytes
constexpr std::size_t kInADirectory = 100;

template <class T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}
void Must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

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
  Must(vcs::git::InitRepository(path_, "main"));
  const auto repository = Must(vcs::git::OpenRepository(path_, vcs::git::Durability::kProcess));
  vcs::Store& store = *repository.store;
  vcs::TreeReader reader(store);
  const auto tip = Must(store.ReadRef("refs/heads/main"));
  const vcs::ObjectId blob = Must(store.AddBlob("as it was\n"));
  vcs::TreeEditor editor(reader, Must(reader.ReadHead(*tip)).root);
  // One directory at a time, made whole: a step for each file would be quadratic.
  std::vector<vcs::NewObject> objects;
  std::vector<vcs::TreeEntry> directory;
  std::string at;
  const auto finish = [&] {
    if (at.empty()) return;
    std::sort(directory.begin(), directory.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    vcs::NewObject tree{{}, vcs::ObjectKind::kTree, ""};
    for (const vcs::TreeEntry& entry : directory) tree.bytes += vcs::Tree().With(entry).Encode();
    tree.id = store.Hash(tree.kind, tree.bytes);
    Must(editor.Put(*vcs::RepoPath::Parse(at), vcs::FileMode::kDirectory, tree.id));
    objects.push_back(std::move(tree));
    directory.clear();
  };
  for (std::size_t n = 0; n < files_; ++n) {
    const vcs::RepoPath path = *vcs::RepoPath::Parse(NameOfFile(n));
    if (path.Parent().text() != at) {
      finish();
      at = path.Parent().text();
    }
    directory.push_back({std::string(path.Name()), vcs::FileMode::kRegular, blob});
  }
  finish();
  editor.TakeNewTrees(&objects);
  vcs::Commit commit;
  commit.tree = editor.root();
  commit.parents = {*tip};
  commit.author = commit.committer = vcs::CommitterSignature(1'700'000'000);
  commit.message = "As it was\n";
  vcs::NewObject object{{}, vcs::ObjectKind::kCommit, commit.Encode()};
  object.id = store.Hash(object.kind, object.bytes);
  const vcs::ObjectId id = object.id;
  objects.push_back(std::move(object));
  Must(store.Publish({objects, "refs/heads/main", *tip, id, "bench"}));
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
