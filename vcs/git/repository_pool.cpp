#include "vcs/git/repository_pool.h"

#include <git2/sys/odb_backend.h>

#include <filesystem>
#include <fstream>

#include "vcs/git/git_error.h"
#include "vcs/git/object_hasher.h"

namespace concordfs::vcs::git {
namespace {

constexpr int kMaxAlternatesDepth = 5;  // git's own limit

// The objects folders that `objects_dir` borrows from, and those that they borrow from.
// Source: gitrepository-layout(5), objects/info/alternates.
void AppendAlternates(const std::string& objects_dir, int depth, std::vector<std::string>& out) {
  if (depth >= kMaxAlternatesDepth) return;
  std::ifstream file(objects_dir + "/info/alternates");
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line.front() == '#') continue;
    std::filesystem::path path(line);
    if (path.is_relative()) path = std::filesystem::path(objects_dir) / path;
    const std::string alternate = path.lexically_normal().string();
    out.push_back(alternate);
    AppendAlternates(alternate, depth + 1, out);
  }
}

Result<void> AddBackend(git_odb* odb, git_odb_backend* backend, int priority) {
  const int error = git_odb_add_backend(odb, backend, priority);
  if (error == 0) return {};
  Error failure = ReadError(error, "open the object database");
  backend->free(backend);
  return failure;
}

Result<OdbHandle> OpenPacks(const std::vector<std::string>& objects_dirs) {
  OdbHandle odb;
  int error = git_odb_new(Receive(odb));
  if (error != 0) return ReadError(error, "open the object database");
  int priority = 100;
  for (const std::string& objects_dir : objects_dirs) {
    git_odb_backend* backend = nullptr;
    error = git_odb_backend_pack(&backend, objects_dir.c_str());
    if (error != 0) return ReadError(error, "open the packs in " + objects_dir);
    if (auto added = AddBackend(odb.get(), backend, --priority); !added) return added.error();
  }
  return odb;
}

}  // namespace

std::vector<std::string> ObjectsDirs(const std::string& git_dir) {
  std::vector<std::string> objects_dirs = {git_dir + "/objects"};
  AppendAlternates(git_dir + "/objects", 0, objects_dirs);
  return objects_dirs;
}

void InitLibrary() {
  static const bool initialised = [] {
    git_libgit2_init();
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0);
    // Of packs, where PackReader leaves something to libgit2: by default it would map all of them.
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, std::size_t{4} << 20);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, std::size_t{32} << 20);
    // The store checks by itself that a ref's target is there; libgit2 would look in its own object database.
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 0);
    for (const git_config_level_t level :
         {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_PROGRAMDATA}) {
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    }
    return true;
  }();
  static_cast<void>(initialised);
}

RepositoryPool::Lease::~Lease() {
  if (handles_) pool_->GiveBack(std::move(handles_));
}

Result<RepositoryPool::Lease> RepositoryPool::Borrow() {
  std::unique_ptr<Handles> handles;
  {
    MutexLock lock(mutex_);
    if (!idle_.empty()) {
      handles = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!handles) return BorrowFresh();
  return Lease(*this, std::move(handles));
}

Result<RepositoryPool::Lease> RepositoryPool::BorrowFresh() {
  auto opened = Open();
  if (!opened) return opened.error();
  return Lease(*this, std::move(*opened));
}

void RepositoryPool::GiveBack(std::unique_ptr<Handles> handles) {
  std::unique_ptr<Handles> oldest;  // declared first: closed when the lock is gone
  MutexLock lock(mutex_);
  if (idle_.size() >= kMaxIdle) {
    oldest = std::move(idle_.front());
    idle_.erase(idle_.begin());
  }
  idle_.push_back(std::move(handles));
}

Result<std::unique_ptr<Handles>> RepositoryPool::Open() const {
  ClearLastError();
  auto handles = std::make_unique<Handles>();
  int error =
      git_repository_open_ext(Receive(handles->repository), git_dir_.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
  if (error != 0) return ReadError(error, "open the repository " + git_dir_);
  error = git_repository_set_ident(handles->repository.get(), "ConcordFS", "concordfs@localhost");
  if (error != 0) return ReadError(error, "open the repository " + git_dir_);

  handles->objects_dirs = ObjectsDirs(git_dir_);
  auto packs = OpenPacks(handles->objects_dirs);
  if (!packs) return packs.error();
  handles->packs = std::move(*packs);
  auto hashing = OpenHashingOdb();
  if (!hashing) return hashing.error();
  handles->hashing = std::move(*hashing);
  return handles;
}

}  // namespace concordfs::vcs::git
