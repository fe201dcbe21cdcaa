// A git repository for tests: the store on it, stock git, and its files.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "tests/support/expect_result.h"
#include "tests/support/temp_dir.h"
#include "vcs/git/git_store.h"

namespace concordfs::vcs::git {

namespace stdfs = std::filesystem;

constexpr char kMain[] = "refs/heads/main";

struct Outcome {
  int status;
  std::string output;  // both streams
};

inline Outcome Shell(const std::string& command) {
  Outcome outcome{-1, ""};
  FILE* pipe = ::popen(("exec 2>&1; " + command).c_str(), "re");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.output.append(buffer.data(), count);
  }
  const int status = ::pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

inline std::string RandomBytes(std::size_t size, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

inline std::string ReadFile(const stdfs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void WriteFile(const stdfs::path& path, std::string_view text) {
  stdfs::create_directories(path.parent_path());
  ::chmod(path.c_str(), 0644);  // objects are read-only
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  ASSERT_TRUE(file.flush().good()) << path;
}

// A repository and the store on it.
class Repo {
 public:
  explicit Repo(const stdfs::path& path, Durability durability = Durability::kProcess) : path_(path) {
    if (auto made = InitRepository(path, "main"); !made) throw std::runtime_error(made.error().message);
    Reopen(durability);
  }
  void Reopen(Durability durability = Durability::kProcess) {
    auto opened = OpenRepository(path_, durability);
    if (!opened) throw std::runtime_error(opened.error().message);
    repository_ = std::move(*opened);
  }

  const stdfs::path& path() const { return path_; }
  Store& store() { return *repository_.store; }
  Repository& repository() { return repository_; }

  ObjectId Head(const std::string& ref = kMain) {
    auto head = store().ReadRef(ref);
    if (!head) throw std::runtime_error(head.error().message);
    if (!*head) throw std::runtime_error(ref + " does not exist");
    return **head;
  }

  // A commit with one file "f" of this content on top of `parent`; its blob is not part of the batch.
  Publication CommitOf(const ObjectId& blob, const std::optional<ObjectId>& parent, const std::string& text) {
    std::string entry = "100644 f";
    entry.push_back('\0');
    entry.append(reinterpret_cast<const char*>(blob.bytes().data()), ObjectId::kSize);
    const NewObject tree{store().Hash(ObjectKind::kTree, entry), ObjectKind::kTree, entry};
    std::string lines = "tree " + tree.id.Hex() + "\n";
    if (parent) lines += "parent " + parent->Hex() + "\n";
    lines += "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n" + text + "\n";
    const NewObject commit{store().Hash(ObjectKind::kCommit, lines), ObjectKind::kCommit, lines};
    Publication publication;
    publication.objects = {tree, commit};
    publication.ref = kMain;
    publication.expected = parent;
    publication.tip = commit.id;
    publication.reason = text;
    return publication;
  }

  // Commits "f" with this content on top of head.
  Result<ObjectId> Commit(const std::string& content, const std::string& text) {
    auto blob = store().AddBlob(content);
    if (!blob) return blob.error();
    const Publication publication = CommitOf(*blob, Head(), text);
    if (auto published = store().Publish(publication); !published) return published.error();
    return publication.tip;
  }

  Outcome Git(const std::string& arguments) { return Shell("git -C " + path_.string() + " " + arguments); }
  void ExpectFsckClean() {
    const Outcome fsck = Git("fsck --strict --full --no-dangling");
    EXPECT_EQ(fsck.status, 0) << fsck.output;
    EXPECT_THAT(fsck.output,
                ::testing::Not(::testing::AnyOf(::testing::HasSubstr("error"), ::testing::HasSubstr("missing"),
                                                ::testing::HasSubstr("warning"))));
  }
  stdfs::path LooseFile(const ObjectId& id) const {
    return path_ / "objects" / id.Hex().substr(0, 2) / id.Hex().substr(2);
  }

 private:
  const stdfs::path path_;
  Repository repository_;
};

// A test with a new repository.
// Waits until the condition holds. Returns false if it doesn't within 80 seconds.
inline bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 8000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class GitStore : public ::testing::Test {
 protected:
  TempDir folder_;
  Repo repo_{folder_.path() / "repo"};
  Store& store() { return repo_.store(); }
};

}  // namespace concordfs::vcs::git
