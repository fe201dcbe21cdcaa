#include "vcs/git/git_store.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "vcs/git/git_error.h"
#include "vcs/git/object_database.h"
#include "vcs/git/object_hasher.h"
#include "vcs/git/ref_database.h"
#include "vcs/git/repository_pool.h"

namespace concordfs::vcs::git {
namespace {

class GitStore : public Store {
 public:
  GitStore(std::string git_dir, Durability durability, RefFile::NewReflog new_reflog)
      : pool_(std::move(git_dir)), objects_(pool_, durability), refs_(pool_, objects_, durability, new_reflog) {}

  ObjectId Hash(ObjectKind kind, std::string_view bytes) const override {
    // Collisions are looked for in what agents bring, by libgit2; trees and commits are made here.
    if (kind != ObjectKind::kBlob) return HashFast(kind, bytes);
    git_oid oid;
    git_odb_hash(&oid, bytes.data(), bytes.size(), ToGit(kind));
    return FromGit(oid);
  }

  Result<std::string> Read(const ObjectId& id, ObjectKind kind) override { return objects_.Read(id, kind); }
  Result<std::uint64_t> BlobSize(const ObjectId& blob) override { return objects_.BlobSize(blob); }
  Result<void> CopyBlobTo(const ObjectId& blob, int fd) override { return objects_.CopyBlobTo(blob, fd); }
  Result<ObjectId> AddBlob(int fd, std::uint64_t size) override { return objects_.AddBlob(fd, size); }

  Result<ObjectId> AddBlob(std::string_view bytes) override {
    const ObjectId id = Hash(ObjectKind::kBlob, bytes);
    if (auto added = objects_.Add(id, ObjectKind::kBlob, bytes); !added) return added.error();
    return id;
  }

  Result<void> Publish(const Publication& publication) override {
    if (auto valid = CheckRefName(publication.ref); !valid) return valid;
    bool has_tip = false;
    for (const NewObject& object : publication.objects) {
      if (const ObjectId id = Hash(object.kind, object.bytes); id != object.id) {
        return Error{Code::kInvalidArgument, "object " + object.id.Hex() + ": its bytes have the id " + id.Hex()};
      }
      if (auto added = objects_.Add(object.id, object.kind, object.bytes); !added) return added;
      has_tip = has_tip || (object.id == publication.tip && object.kind == ObjectKind::kCommit);
    }
    if (!has_tip) {
      if (auto checked = objects_.Check(publication.tip, ObjectKind::kCommit); !checked) return checked;
    }
    return refs_.Swap(publication.ref, publication.expected, publication.tip, publication.reason);
  }

  Result<std::optional<ObjectId>> ReadRef(const std::string& name) override { return refs_.Read(name); }
  Result<std::vector<Ref>> ListRefs(const std::string& prefix) override { return refs_.List(prefix); }
  Result<void> DeleteRef(const std::string& name, const ObjectId& expected) override {
    return refs_.Delete(name, expected);
  }

 private:
  // With their own synchronisation, or none needed.
  RepositoryPool pool_;
  ObjectDatabase objects_;
  RefDatabase refs_;
};

std::string WithoutTrailingSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Source: git-config(1), core.logAllRefUpdates.
RefFile::NewReflog NewReflogOf(git_repository* repository, bool bare) {
  int makes = bare ? 0 : 1;
  ConfigHandle config;
  const int error = git_repository_config_snapshot(Receive(config), repository);
  const char* text = nullptr;
  const bool is_set = error == 0 && git_config_get_string(&text, config.get(), "core.logallrefupdates") == 0;
  if (is_set && git_config_parse_bool(&makes, text) != 0) makes = 1;  // "always"
  return makes != 0 ? RefFile::NewReflog::kMake : RefFile::NewReflog::kNone;
}

// Says why libgit2 would not open what is at `path`, in words for who typed that path.
Error OpenError(int git_code, const std::string& path) {
  Error error = ReadError(git_code, "open " + path);
  if (error.message.find("unsupported") != std::string::npos) {
    return Error{Code::kInvalidArgument, path +
                                             ": a repository of a format that can't be served (only SHA-1 objects, " +
                                             "and refs in files): " + error.message};
  }
  if (git_code == GIT_ENOTFOUND) return Error{Code::kInvalidArgument, path + ": not a git repository"};
  return error;
}

}  // namespace

Result<Repository> OpenRepository(const std::filesystem::path& path, Durability durability) {
  InitLibrary();
  std::error_code failure;
  const std::filesystem::path absolute = std::filesystem::canonical(path, failure);
  if (failure) return SystemError(path.string(), failure.value());
  if (!std::filesystem::is_directory(absolute, failure)) {
    return Error{Code::kInvalidArgument, path.string() + ": not a git repository, and no directory"};
  }
  if (::access(absolute.c_str(), R_OK | X_OK) != 0) return SystemError(path.string(), errno);

  // libgit2 looks at this whenever it writes a file of the repository, and when it opens one.
  git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, durability == Durability::kPower ? 1 : 0);
  RepositoryHandle handle;
  ClearLastError();
  const int error = git_repository_open_ext(Receive(handle), absolute.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
  if (error != 0) return OpenError(error, path.string());

  Repository repository;
  const std::string common_dir = WithoutTrailingSlash(git_repository_commondir(handle.get()));
  repository.git_dir = std::filesystem::canonical(common_dir, failure);
  if (failure) return SystemError(common_dir, failure.value());
  repository.bare = git_repository_is_bare(handle.get()) == 1;
  repository.store =
      std::make_unique<GitStore>(repository.git_dir.string(), durability, NewReflogOf(handle.get(), repository.bare));
  return repository;
}

}  // namespace concordfs::vcs::git
