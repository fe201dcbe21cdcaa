// InitRepository.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <functional>
#include <system_error>

#include "vcs/branch_name.h"
#include "vcs/git/disk_sync.h"
#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"
#include "vcs/git/handles.h"
#include "vcs/git/repository_pool.h"

namespace concordfs::vcs::git {
namespace {

namespace stdfs = std::filesystem;

// Removes again what InitRepository made, unless Keep() was called.
class Undo {
 public:
  Undo(stdfs::path path, bool existed) : path_(std::move(path)), existed_(existed) {}
  ~Undo() {
    if (kept_) return;
    std::error_code ignored;
    if (!existed_) {
      stdfs::remove_all(path_, ignored);
      return;
    }
    for (const auto& entry : stdfs::directory_iterator(path_, ignored)) stdfs::remove_all(entry.path(), ignored);
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  void Keep() { kept_ = true; }

 private:
  const stdfs::path path_;
  const bool existed_;
  bool kept_ = false;
};

Result<void> CheckBranchName(const std::string& branch) {
  int valid = 0;
  if (branch.find('\0') == std::string::npos && git_branch_name_is_valid(&valid, branch.c_str()) == 0 && valid == 1) {
    return {};
  }
  return Error{Code::kInvalidName, "'" + branch + "': git allows no such branch name"};
}

// Makes `path` if it isn't there; returns whether it was.
Result<bool> MakeEmptyFolder(const stdfs::path& path) {
  std::error_code failure;
  const bool existed = stdfs::exists(path, failure);
  if (failure) return SystemError(path.string(), failure.value());
  if (existed) {
    if (!stdfs::is_directory(path, failure))
      return Error{Code::kExists, path.string() + ": exists, and is no directory"};
    const bool empty = stdfs::is_empty(path, failure);
    if (failure) return SystemError(path.string(), failure.value());
    if (!empty) return Error{Code::kExists, path.string() + ": not empty"};
    return true;
  }
  stdfs::create_directories(path, failure);
  if (failure) return SystemError("make " + path.string(), failure.value());
  return false;
}

Result<void> MakeFiles(const std::string& path, const std::string& branch) {
  RepositoryHandle repository;
  git_repository_init_options options;
  git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
  options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_NO_REINIT | GIT_REPOSITORY_INIT_MKPATH;
  options.initial_head = branch.c_str();
  ClearLastError();
  int error = git_repository_init_ext(Receive(repository), path.c_str(), &options);
  if (error != 0) return WriteError(error, "make the repository", path);
  ConfigHandle config;
  error = git_repository_config(Receive(config), repository.get());
  if (error == 0) error = git_config_set_int32(config.get(), "gc.auto", 0);
  if (error != 0) return WriteError(error, "configure the repository", path);
  return {};
}

// One commit of nothing, so that the branch exists.
Result<void> MakeFirstCommit(Store& store, const std::string& branch, std::int64_t time_s) {
  const ObjectId tree = store.Hash(ObjectKind::kTree, "");
  const std::string who = "ConcordFS <concordfs@localhost> " + std::to_string(time_s) + " +0000\n";
  const std::string text = "tree " + tree.Hex() + "\nauthor " + who + "committer " + who + "\nStart\n";
  const ObjectId commit = store.Hash(ObjectKind::kCommit, text);
  Publication first;
  first.ref = std::string(kBranchPrefix) + branch;
  first.tip = commit;
  first.reason = "init";
  first.objects = {{tree, ObjectKind::kTree, ""}, {commit, ObjectKind::kCommit, text}};
  return store.Publish(first);
}

// `fill` is called when the repository's files are there; after an error nothing is.
Result<void> Init(const stdfs::path& path, const std::string& branch, const std::function<Result<void>(const stdfs::path&)>& fill) {
  InitLibrary();
  if (auto valid = CheckBranchName(branch); !valid) return valid;
  std::error_code failure;
  const stdfs::path absolute = stdfs::absolute(path, failure);
  if (failure) return SystemError(path.string(), failure.value());
  auto existed = MakeEmptyFolder(absolute);
  if (!existed) return existed.error();

  Undo undo(absolute, *existed);
  if (auto made = MakeFiles(absolute.string(), branch); !made) return made;
  if (auto filled = fill(absolute); !filled) return filled;
  if (auto synced = SyncFileSystem(absolute.string()); !synced) return synced;
  undo.Keep();
  return {};
}

}  // namespace

Result<void> InitRepository(const stdfs::path& path, const std::string& branch, std::optional<std::int64_t> time_s) {
  return Init(path, branch, [&](const stdfs::path& made) -> Result<void> {
    auto repository = OpenRepository(made, Durability::kProcess);
    if (!repository) return repository.error();
    return MakeFirstCommit(*repository->store, branch, time_s.value_or(std::time(nullptr)));
  });
}

Result<void> InitEmptyRepository(const stdfs::path& path, const std::string& branch) {
  return Init(path, branch, [](const stdfs::path&) { return Result<void>(); });
}

}  // namespace concordfs::vcs::git
