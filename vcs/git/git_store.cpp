#include "vcs/git/git_store.h"

#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <optional>
#include <string_view>
#include <system_error>

#include "vcs/git/disk_sync.h"
#include "vcs/git/git_error.h"
#include "vcs/git/journal.h"
#include "vcs/git/journal_replay.h"
#include "vcs/git/maintenance.h"
#include "vcs/git/object_database.h"
#include "vcs/git/object_hasher.h"
#include "vcs/git/prefix_hasher.h"
#include "vcs/git/ref_database.h"
#include "vcs/git/repository_pool.h"

namespace concordfs::vcs::git {
namespace {

class GitStore : public Store {
 public:
  GitStore(std::string git_dir, Durability durability, RefFile::NewReflog new_reflog)
      : durability_(durability),
        pool_(std::move(git_dir)),
        objects_(pool_, durability),
        refs_(pool_, objects_, durability, new_reflog) {}

  // What has to happen before anything else is read or written.
  Result<void> Begin() {
    if (auto replayed = ReplayJournals(pool_.git_dir(), objects_, refs_); !replayed) return replayed;
    if (durability_ != Durability::kPower) return {};
    auto journal = Journal::Make(pool_.git_dir());
    if (!journal && journal.code() != Code::kReadOnly) return journal.error();
    if (journal) journal_ = *std::move(journal);  // else nothing will be published
    return {};
  }

  ObjectId Hash(ObjectKind kind, std::string_view bytes) const override { return hasher_.Hash(kind, bytes); }

  Result<std::string> Read(const ObjectId& id, ObjectKind kind) override { return objects_.Read(id, kind); }
  Result<std::uint64_t> BlobSize(const ObjectId& blob) override { return objects_.BlobSize(blob); }
  Result<void> CopyBlobTo(const ObjectId& blob, int fd) override { return objects_.CopyBlobTo(blob, fd); }
  Result<ObjectId> AddBlob(int fd, std::uint64_t size) override { return objects_.AddBlob(fd, size); }

  Result<ObjectId> AddBlob(std::string_view bytes) override {
    auto id = HashCarefully(ObjectKind::kBlob, bytes);
    if (!id) return id;
    if (auto added = objects_.Add(*id, ObjectKind::kBlob, bytes); !added) return added.error();
    return id;
  }

  Result<NewBlob> PrepareBlob(int fd, std::uint64_t size) override { return objects_.PrepareBlob(fd, size); }
  Result<NewBlob> PrepareBlob(std::string bytes) override { return objects_.PrepareBlob(std::move(bytes)); }

  Result<void> Publish(const Publication& publication) override {
    if (auto valid = CheckRefName(publication.ref); !valid) return valid;
    bool has_tip = false;
    for (const NewObject& object : publication.objects) {
      assert(HashFast(object.kind, object.bytes) == object.id);
      has_tip = has_tip || (object.id == publication.tip && object.kind == ObjectKind::kCommit);
    }
    auto loose = objects_.AddAll(publication.objects);
    if (!loose) return loose.error();
    if (!has_tip) {
      if (auto checked = objects_.Check(publication.tip, ObjectKind::kCommit); !checked) return checked;
    }
    if (publication.before_move) {
      if (auto done = publication.before_move(); !done) return done;
    }
    auto swapped = journal_ ? SwapDurably(publication)
                            : refs_.Swap(publication.ref, publication.expected, publication.tip, publication.reason);
    if (swapped && maintenance_) Tell(publication, *std::move(loose));
    return swapped;
  }

  // Before anything is published.
  void StartMaintenance(MaintenanceOptions options) {
    maintenance_ = std::make_unique<Maintenance>(pool_.git_dir(), std::move(options));
  }

  void NotePack() {
    if (maintenance_) maintenance_->NotePack();
  }

  std::optional<StoreUpkeep> upkeep() const override {
    if (!maintenance_) return std::nullopt;
    const MaintenanceCounters counters = maintenance_->counters();
    return StoreUpkeep{counters.packs,  counters.pending,  counters.rolls,
                       counters.merges, counters.failures, counters.last_failure};
  }

  Result<std::optional<ObjectId>> ReadRef(const std::string& name) override { return refs_.Read(name); }
  Result<std::vector<Ref>> ListRefs(const std::string& prefix) override { return refs_.List(prefix); }
  Result<void> DeleteRef(const std::string& name, const ObjectId& expected) override {
    return refs_.Delete(name, expected);
  }
  Result<bool> Contains(const ObjectId& tip, const ObjectId& commit) override { return refs_.Contains(tip, commit); }

 private:
  // R13, power: see journal.h.
  Result<void> SwapDurably(const Publication& publication) {
    std::optional<Journal::Entry> entry;
    const auto note = [&]() -> Result<void> {
      if (entry) return {};
      auto appended = journal_->Append(publication);
      if (!appended) return appended.error();
      entry.emplace(*std::move(appended));
      return {};
    };
    auto swapped = refs_.Swap(publication.ref, publication.expected, publication.tip, publication.reason, note);
    if (swapped || swapped.code() != Code::kTooBig) return swapped;
    // Too big for the journal: in place, in two steps, so that the names come last on the disk, too.
    if (auto synced = SyncFileSystem(pool_.git_dir()); !synced) return synced;
    swapped = refs_.Swap(publication.ref, publication.expected, publication.tip, publication.reason);
    return swapped ? SyncFileSystem(pool_.git_dir()) : swapped;
  }

  // What the maintenance has to do from now on.
  void Tell(const Publication& publication, std::vector<WrittenObject> loose) {
    if (loose.empty()) maintenance_->NotePack();
    for (const StoredBlob& blob : publication.stored) loose.push_back({blob.id, ObjectKind::kBlob, blob.like});
    if (!loose.empty()) maintenance_->Note(std::move(loose));
  }

  // Constant after Begin().
  const Durability durability_;
  std::unique_ptr<Journal> journal_;  // under kPower
  // With their own synchronisation, or none needed.
  mutable PrefixHasher hasher_;
  RepositoryPool pool_;
  ObjectDatabase objects_;
  RefDatabase refs_;
  // Constant after StartMaintenance(); its thread may read refs until it ends.
  std::unique_ptr<Maintenance> maintenance_;
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
  auto store =
      std::make_unique<GitStore>(repository.git_dir.string(), durability, NewReflogOf(handle.get(), repository.bare));
  if (auto begun = store->Begin(); !begun) return begun.error();
  repository.store = std::move(store);
  return repository;
}

void NotePack(Repository& repository) { static_cast<GitStore&>(*repository.store).NotePack(); }

void StartMaintenance(Repository& repository, const std::string& ref, std::function<void(const std::string&)> log) {
  auto& store = static_cast<GitStore&>(*repository.store);
  MaintenanceOptions options;
  options.tips = [&store, ref] {
    std::vector<ObjectId> tips;
    if (const auto tip = store.ReadRef(ref); tip && *tip) tips.push_back(**tip);
    return tips;
  };
  options.log = std::move(log);
  store.StartMaintenance(std::move(options));
}

}  // namespace concordfs::vcs::git
