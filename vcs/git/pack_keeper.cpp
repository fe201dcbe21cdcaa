#include "vcs/git/pack_keeper.h"

#include <fcntl.h>
#include <git2/sys/odb_backend.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <unordered_set>

#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"
#include "vcs/git/handles.h"
#include "vcs/git/listing_watch.h"
#include "vcs/git/loose_object.h"
#include "vcs/git/object_hasher.h"
#include "vcs/git/pack_merge.h"
#include "vcs/git/pack_set.h"
#include "vcs/git/pack_stream.h"
#include "vcs/git/processes.h"
#include "vcs/git/repository_pool.h"

namespace concordfs::vcs::git {
namespace {

Error Interrupted() {
  return Error{Code::kInterrupted, "maintenance: stopped"};
}

// A loose object's bytes, verified. Nothing if it isn't loose, or is nothing that should be packed.
std::optional<std::string> ReadLoose(const std::string& objects_dir, const WrittenObject& wanted, std::uint64_t limit) {
  auto object = LooseObject::Open(LooseObjectPath(objects_dir, wanted.id));
  if (!object || object->kind() != wanted.kind) return std::nullopt;
  auto bytes = object->ReadWhole(limit);
  if (!bytes || HashFast(wanted.kind, *bytes) != wanted.id) return std::nullopt;
  return *std::move(bytes);
}

// A database of this backend only, which it owns from now on, also in case of an error.
Result<OdbHandle> OdbOf(git_odb_backend* backend, const std::string& what) {
  OdbHandle odb;
  int error = git_odb_new(Receive(odb));
  if (error == 0) error = git_odb_add_backend(odb.get(), backend, 1);
  if (error == 0) return odb;
  Error failure = ReadError(error, what);
  backend->free(backend);
  return failure;
}

// All of `objects`, byte by byte, from this one pack.
Result<void> ReadBack(const std::string& pack, std::span<const PackedObject> objects,
                      const std::function<bool()>& go_on) {
  git_odb_backend* backend = nullptr;
  ClearLastError();
  int error = git_odb_backend_one_pack(&backend, (pack + ".idx").c_str());
  if (error != 0) return ReadError(error, "read back " + pack);
  auto odb = OdbOf(backend, "read back " + pack);
  if (!odb) return odb.error();
  for (const PackedObject& object : objects) {
    if (!go_on()) return Interrupted();
    const git_oid oid = ToGit(object.id);
    OdbObjectHandle read;
    error = git_odb_read(Receive(read), odb->get(), &oid);
    if (error != 0) return ReadError(error, "read back " + object.id.Hex() + " from " + pack);
    const std::string_view bytes(static_cast<const char*>(git_odb_object_data(read.get())),
                                 git_odb_object_size(read.get()));
    if (git_odb_object_type(read.get()) != ToGit(object.kind) || bytes != object.bytes) {
      return Error{Code::kCorrupt, "read back " + object.id.Hex() + " from " + pack + ": other bytes"};
    }
  }
  return {};
}

// Whether that is done with: false if somebody lists the folder, and the file is to stay for now.
//
// Between the question and the removal somebody may begin to list it; so that this is rare, the way from one to the other is as short
// as can be, shorter than that from an open to the first list of names. As this thread may have to wait for a processor just
// there, the file is put aside first, under a name that git leaves alone, and the question is asked again.
bool TryRemove(int folder, const ObjectId& id, ListingWatch& watch) {
  constexpr char kAside[] = "tmp_obj_concordfs_spare";
  const std::string name = id.Hex().substr(2);
  if (watch.IsListed(id)) return false;
  if (::renameat(folder, name.c_str(), folder, kAside) != 0) return true;  // one that can't be removed does no harm
  if (watch.IsListed(id)) return ::renameat(folder, kAside, folder, name.c_str()) != 0;
  ::unlinkat(folder, kAside, 0);
  return true;
}

}  // namespace

PackKeeper::PackKeeper(std::string git_dir, const KeeperLimits& limits)
    : git_dir_(std::move(git_dir)), objects_dir_(git_dir_ + "/objects"), limits_(limits) {
  InitLibrary();
}

Result<PackKeeper::Rolled> PackKeeper::Roll(std::span<const WrittenObject> objects, PackCompression compression,
                                            const std::function<bool()>& go_on) {
  Rolled rolled;
  std::deque<std::string> contents;  // stay where they are when more come
  std::vector<PackedObject> packed;
  std::unordered_set<ObjectId> seen;
  std::size_t bytes = 0;
  for (const WrittenObject& object : objects) {
    if (packed.size() >= limits_.roll_objects || bytes >= limits_.roll_bytes) break;
    if (!go_on()) return Interrupted();
    ++rolled.taken;
    if (!seen.insert(object.id).second) continue;
    auto content = ReadLoose(objects_dir_, object, limits_.loose_bytes);
    if (!content) continue;
    bytes += content->size();
    contents.push_back(*std::move(content));
    packed.push_back({object.id, object.kind, contents.back(), object.like});
  }
  if (packed.empty()) return rolled;
  auto path = WritePack(objects_dir_, packed, compression, Durability::kPower);
  if (!path) return path.error();
  if (auto read = ReadBack(*path, packed, go_on); !read) return read.error();
  for (const PackedObject& object : packed) spares_.push_back({object.id, *path + ".pack"});
  RemoveSpares();
  rolled.packed = packed.size();
  rolled.path = *path;
  return rolled;
}

void PackKeeper::RemoveSpares() {
  if (spares_.empty()) return;
  std::ranges::sort(spares_, {}, &Spare::id);
  ListingWatch watch(objects_dir_);
  FileDescriptor folder;
  std::optional<std::uint8_t> opened;  // whose number it has
  std::erase_if(spares_, [&](const Spare& spare) {
    // A `git repack` may replace the pack by its own at any time. What has vanished is not our copy any more.
    if (!Exists(spare.pack)) return true;
    if (opened != spare.id.bytes()[0]) {
      opened = spare.id.bytes()[0];
      folder = FileDescriptor(::open(LooseObjectFolder(objects_dir_, spare.id).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    return TryRemove(folder.get(), spare.id, watch);
  });
}

Result<void> PackKeeper::SyncPacks() const {
  auto listing = ListPacks(objects_dir_);
  if (!listing) return listing.error();
  std::vector<std::string> paths;
  for (const PackInfo& pack : listing->packs) {
    paths.push_back(pack.path + ".pack");
    paths.push_back(pack.path + ".idx");
  }
  paths.push_back(objects_dir_ + "/pack");
  for (const std::string& path : paths) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.ok() && errno == ENOENT) continue;  // removed by somebody, who knows why
    if (!file.ok() || ::fsync(file.get()) != 0) return WriteSystemError(errno, "sync " + path);
  }
  return {};
}

Result<void> PackKeeper::PrunePacked(std::unordered_set<ObjectId>& loose, const std::function<bool()>& go_on) {
  if (loose.empty()) return {};
  // Packs of a batch are synced only if commits have to survive a power cut.
  if (auto synced = SyncPacks(); !synced) return synced;
  PackSet packs({objects_dir_});
  // The pack that has it, without suffix.
  const auto find = [&](const ObjectId& id) -> std::optional<std::string> {
    const auto place = packs.Find(id);
    if (!place) return std::nullopt;
    const auto read = place->pack->Read(place->offset);
    if (!read || HashFast(read->kind, read->bytes) != id) return std::nullopt;
    return place->pack->path();
  };
  for (auto place = loose.begin(); place != loose.end();) {
    if (!go_on()) return Interrupted();
    const auto pack = find(*place);
    if (pack) spares_.push_back({*place, *pack + ".pack"});
    place = pack ? loose.erase(place) : std::next(place);
  }
  RemoveSpares();
  return {};
}

void PackKeeper::RemoveLeftFiles() {
  std::error_code ignored;
  const auto now = std::filesystem::file_time_type::clock::now();
  for (const auto& file : std::filesystem::directory_iterator(objects_dir_ + "/pack", ignored)) {
    const std::string name = file.path().filename().string();
    if (!name.starts_with(kUnnamedPack) && !name.starts_with(kUnnamedIndex)) continue;
    const auto written = std::filesystem::last_write_time(file.path(), ignored);
    if (!ignored && now - written >= limits_.left_age) std::filesystem::remove(file.path(), ignored);
  }
  // Fetches that were killed: each in a folder of its own, as git's are.
  for (const auto& folder : std::filesystem::directory_iterator(objects_dir_, ignored)) {
    if (!folder.path().filename().string().starts_with(kIncoming)) continue;
    auto written = std::filesystem::last_write_time(folder.path(), ignored);
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder.path(), ignored)) {
      written = std::max(written, std::filesystem::last_write_time(file.path(), ignored));
    }
    if (!ignored && now - written >= limits_.left_age) std::filesystem::remove_all(folder.path(), ignored);
  }
}

Result<PackListing> PackKeeper::ListUnretired() const {
  auto listing = ListPacks(objects_dir_);
  if (!listing) return listing;
  std::unordered_set<std::string> retired;
  for (const Retired& pack : retired_) retired.insert(pack.path);
  std::erase_if(listing->packs, [&](const PackInfo& pack) { return retired.contains(pack.path); });
  for (PackInfo& pack : listing->packs) pack.is_bound = pack.is_bound || avoided_.contains(pack.path);
  return listing;
}

Result<std::size_t> PackKeeper::CountPacks() const {
  auto listing = ListUnretired();
  if (!listing) return listing.error();
  return listing->packs.size();
}

Result<std::size_t> PackKeeper::Merge(PackCompression compression, const std::function<bool()>& go_on) {
  auto listing = ListUnretired();
  if (!listing) return listing.error();
  const std::vector<PackInfo> chosen = ChooseMerge(listing->packs, limits_.merge);
  if (chosen.empty()) return std::size_t{0};
  if (listing->has_multi_pack_index) {
    return Error{Code::kNotSupported, "packs are not merged: " + objects_dir_ + "/pack/multi-pack-index names them"};
  }
  std::vector<std::string> sources;
  sources.reserve(chosen.size());
  for (const PackInfo& pack : chosen) sources.push_back(pack.path);
  auto merged = MergePacks(objects_dir_, sources, compression, Durability::kPower, go_on);
  if (!merged) {
    // Which of them it was doesn't matter much: there are few, and all stay readable.
    const bool for_good = merged.code() == Code::kCorrupt || merged.code() == Code::kTooBig;
    if (for_good) avoided_.insert(sources.begin(), sources.end());
    return merged.error();
  }
  const auto identity = IdentityOf(merged->path + ".pack");
  if (!identity) return Error{Code::kNotFound, merged->path + ": gone again"};  // somebody else repacks
  const Clock::time_point now = Clock::now();
  for (const PackInfo& pack : chosen) {
    if (pack.path != merged->path) retired_.push_back({pack.path, pack.identity, merged->path, *identity, now});
  }
  return chosen.size();
}

bool PackKeeper::IsDue(const Retired& pack, Clock::time_point now) const {
  const auto grace = retired_.size() > limits_.max_retired ? limits_.least_grace : limits_.grace;
  return now - pack.since >= grace;
}

Result<std::size_t> PackKeeper::RemoveRetired(Clock::time_point now) {
  constexpr std::size_t kLook = 32;  // packs are removed between two looks for a `git fsck`, which takes longer to begin
  std::size_t removed = 0;
  if (now < next_removal_) return removed;
  next_removal_ = now + limits_.removal_period;
  for (std::size_t i = 0; !retired_.empty() && IsDue(retired_.front(), now) && !GitGcRuns(git_dir_); ++i) {
    const Retired& oldest = retired_.front();
    const bool may_wait = retired_.size() <= limits_.most_retired && now - oldest.since < limits_.longest_grace;
    if (may_wait && i % kLook == 0 && GitFsckRuns(git_dir_)) break;
    // One that was written meanwhile may say that an object is in a retired pack only.
    if (Exists(objects_dir_ + "/pack/multi-pack-index")) break;
    const bool is_kept = Exists(oldest.path + ".keep");
    const bool is_same = IdentityOf(oldest.path + ".pack") == oldest.identity;
    if (!is_kept && is_same && IdentityOf(oldest.successor + ".pack") == oldest.successor_identity) {
      if (auto gone = RemovePack(oldest.path); !gone) return gone.error();
      ++removed;
    }
    retired_.pop_front();
  }
  return removed;
}

}  // namespace concordfs::vcs::git
