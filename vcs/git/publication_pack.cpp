#include "vcs/git/publication_pack.h"

#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "vcs/git/git_error.h"
#include "vcs/git/handles.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::uint64_t kMaxWhole = 1 << 20;  // bytes; larger blobs are streamed, and sent as a whole

// The bytes of what an object resembles, where that is worth a look: nothing if they can't be had.
std::optional<std::string> ReadLike(Store& store, const std::optional<ObjectId>& like, ObjectKind kind) {
  if (!like) return std::nullopt;
  if (kind == ObjectKind::kBlob) {
    const auto size = store.BlobSize(*like);
    if (!size || *size > kMaxWhole) return std::nullopt;
  }
  auto bytes = store.Read(*like, kind);
  return bytes ? std::optional(*std::move(bytes)) : std::nullopt;
}

Result<void> AddNew(Store& store, const NewObject& object, OutgoingPack* pack) {
  if (object.like_bytes) return pack->Add(object.kind, object.bytes, object.like, *object.like_bytes);
  const auto like = ReadLike(store, object.like, object.kind);
  return pack->Add(object.kind, object.bytes, like ? object.like : std::nullopt, like ? std::string_view(*like) : "");
}

Result<void> AddStored(Store& store, const std::filesystem::path& git_dir, const StoredBlob& blob, OutgoingPack* pack) {
  const auto size = store.BlobSize(blob.id);
  if (!size) return size.error();
  if (*size <= kMaxWhole) {
    auto bytes = store.Read(blob.id, ObjectKind::kBlob);
    if (!bytes) return bytes.error();
    return AddNew(store, {blob.id, ObjectKind::kBlob, *std::move(bytes), blob.like}, pack);
  }
  const FileDescriptor copy(::open(git_dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!copy.ok()) return WriteSystemError(errno, "make a file in " + git_dir.string());
  if (auto copied = store.CopyBlobTo(blob.id, copy.get()); !copied) return copied;
  return pack->AddFile(copy.get(), *size);
}

Result<void> WriteObjects(Store& store, const std::filesystem::path& git_dir, const Publication& publication,
                          const OutgoingPack::Sink& sink) {
  std::unordered_set<ObjectId> seen;
  std::vector<const NewObject*> objects;
  std::vector<const StoredBlob*> stored;
  for (const NewObject& object : publication.objects) {
    if (seen.insert(object.id).second) objects.push_back(&object);
  }
  for (const StoredBlob& blob : publication.stored) {
    if (seen.insert(blob.id).second) stored.push_back(&blob);
  }
  OutgoingPack pack(sink);
  if (auto begun = pack.Begin(static_cast<std::uint32_t>(objects.size() + stored.size())); !begun) return begun;
  for (const StoredBlob* blob : stored) {
    if (auto added = AddStored(store, git_dir, *blob, &pack); !added) return added;
  }
  for (const NewObject* object : objects) {
    if (auto added = AddNew(store, *object, &pack); !added) return added;
  }
  return pack.Finish();
}

struct PieceSink {
  const OutgoingPack::Sink& sink;
  Result<void> outcome;

  static int Take(void* bytes, std::size_t size, void* self) {
    auto& piece = *static_cast<PieceSink*>(self);
    piece.outcome = piece.sink({static_cast<const char*>(bytes), size});
    return piece.outcome ? 0 : -1;
  }
};

Result<void> WriteHistory(const std::filesystem::path& git_dir, const Publication& publication,
                          std::span<const ObjectId> there, const OutgoingPack::Sink& sink) {
  RepositoryHandle repository;
  std::unique_ptr<git_revwalk, FreeWith<git_revwalk_free>> walk;
  std::unique_ptr<git_packbuilder, FreeWith<git_packbuilder_free>> builder;
  ClearLastError();
  int error = git_repository_open_ext(Receive(repository), git_dir.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
  if (error == 0) error = git_revwalk_new(Receive(walk), repository.get());
  const git_oid tip = ToGit(publication.tip);
  if (error == 0) error = git_revwalk_push(walk.get(), &tip);
  std::vector<ObjectId> hidden(there.begin(), there.end());
  if (publication.expected) hidden.push_back(*publication.expected);
  for (const ObjectId& commit : hidden) {
    const git_oid id = ToGit(commit);
    if (error == 0) error = git_revwalk_hide(walk.get(), &id);
  }
  if (error == 0) error = git_packbuilder_new(Receive(builder), repository.get());
  if (error == 0) error = git_packbuilder_insert_walk(builder.get(), walk.get());
  if (error != 0) return ReadError(error, "pack " + publication.tip.Hex() + " for the remote");
  PieceSink piece{sink, {}};
  error = git_packbuilder_foreach(builder.get(), PieceSink::Take, &piece);
  if (!piece.outcome) return piece.outcome;
  if (error != 0) return ReadError(error, "pack " + publication.tip.Hex() + " for the remote");
  return {};
}

}  // namespace

Result<void> WritePublicationPack(Store& store, const std::filesystem::path& git_dir, const Publication& publication,
                                  PackExtent extent, std::span<const ObjectId> there, const OutgoingPack::Sink& sink) {
  switch (extent) {
    case PackExtent::kPublication: return WriteObjects(store, git_dir, publication, sink);
    case PackExtent::kByHistory: break;
  }
  return WriteHistory(git_dir, publication, there, sink);
}

}  // namespace concordfs::vcs::git
