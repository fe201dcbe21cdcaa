#include "tests/model/git_fsck.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>

#include "tests/support/temp_dir.h"
#include "vcs/object_id.h"

namespace concordfs::testing {
namespace {

constexpr char kEmptyBlobHex[] = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

// Runs `git --git-dir=FOLDER/git ARGUMENTS` in the shell, untouched by the user's configuration. Returns its status.
int Git(const TempDir& folder, const std::string& arguments) {
  return std::system(("env -u GIT_DIR -u GIT_OBJECT_DIRECTORY GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null "
                      "git --git-dir='" +
                      folder.path().string() + "/git' " + arguments)
                         .c_str());
}

std::vector<std::string> Lines(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

std::vector<bool> JudgedByGit(const std::vector<std::string>& trees) {
  const TempDir folder;
  const std::string in = folder.path().string() + "/";
  std::ofstream names(folder.path() / "names");
  for (std::size_t i = 0; i < trees.size(); ++i) {
    const std::filesystem::path file = folder.path() / std::to_string(i);
    std::ofstream(file, std::ios::binary) << trees[i];
    names << file.string() << "\n";
  }
  names.close();
  if (Git(folder, "init -q --bare") != 0) throw std::runtime_error("git init failed: is git installed?");
  if (Git(folder, "hash-object -w --stdin </dev/null >'" + in + "blob'") != 0 ||
      Lines(folder.path() / "blob") != std::vector<std::string>{kEmptyBlobHex} ||
      Git(folder, "hash-object -t tree -w --literally --stdin-paths <'" + in + "names' >'" + in + "ids'") != 0) {
    throw std::runtime_error("git hash-object failed");
  }
  const std::vector<std::string> ids = Lines(folder.path() / "ids");
  if (ids.size() != trees.size()) throw std::runtime_error("git hash-object named another number of trees");

  // "error in tree <id>: hasDotgit: contains '.git'"; what it merely warns of, --strict makes an error.
  Git(folder, "fsck --strict --no-progress --no-dangling >'" + in + "judged' 2>&1");
  std::set<std::string> bad;
  constexpr char kError[] = "error in tree ";
  for (const std::string& line : Lines(folder.path() / "judged")) {
    if (line.starts_with(kError)) bad.insert(line.substr(sizeof(kError) - 1, vcs::ObjectId::kHexSize));
  }
  std::vector<bool> accepted;
  accepted.reserve(ids.size());
  for (const std::string& id : ids) accepted.push_back(!bad.contains(id));
  return accepted;
}

std::string EmptyBlob() {
  const vcs::ObjectId id = *vcs::ObjectId::FromHex(kEmptyBlobHex);
  return std::string(reinterpret_cast<const char*>(id.bytes().data()), vcs::ObjectId::kSize);
}

}  // namespace concordfs::testing
