// ObjectDatabase, the writing half.
//
// git and libgit2 both take a file of the right name for the object itself and write nothing, even if that file was
// cut off by a crash. So what is there is verified first, and moved away if it is damaged.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include "vcs/file_io.h"
#include "vcs/git/disk_sync.h"
#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"
#include "vcs/git/loose_object.h"
#include "vcs/git/object_database.h"
#include "vcs/git/object_hasher.h"
#include "vcs/git/pack_writer.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::uint64_t kMaxInMemory = 1U << 20;  // larger blobs are streamed
constexpr std::uint64_t kMaxCarried = 64U << 10;  // larger blobs are stored by who brings them, not by the committer
// A pack takes two files, loose objects one each. But git's readers don't like many packs: not for a few commits.
constexpr std::size_t kPackFrom = 24;
constexpr std::size_t kPieceSize = 256U << 10;
// `git gc` beside us removes folders that it finds empty, and objects that a pack has: between our looking and our
// writing. Each time we look and write again.
constexpr int kMaxStores = 10;

// All of `out`, which the file has.
Result<void> ReadFile(int fd, std::uint64_t offset, std::span<char> out) {
  const ssize_t count = ReadAllAt(fd, offset, out);
  if (count < 0) return ReadSystemError(errno, "read a file to store it");
  if (static_cast<std::size_t>(count) == out.size()) return {};
  return Error{Code::kIo, "read a file to store it: it is shorter than it was"};
}

// Hands the first `size` bytes of `fd` to `sink`, in pieces.
Result<void> ForEachPiece(int fd, std::uint64_t size, const std::function<Result<void>(std::string_view)>& sink) {
  const auto buffer = std::make_unique<char[]>(kPieceSize);
  for (std::uint64_t offset = 0; offset < size;) {
    const std::span<char> piece(buffer.get(), std::min<std::uint64_t>(kPieceSize, size - offset));
    if (auto read = ReadFile(fd, offset, piece); !read) return read;
    if (auto done = sink({piece.data(), piece.size()}); !done) return done.error();
    offset += piece.size();
  }
  return {};
}

Result<std::string> ReadWhole(int fd, std::uint64_t size) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  if (auto read = ReadFile(fd, 0, bytes); !read) return read.error();
  return bytes;
}

// `git prune` keeps what is young: an object that is used again becomes young again. False: it is gone, or not ours.
bool Freshen(const std::string& path) {
  return ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0;
}

Error GaveUp(const ObjectId& id, const Error& last) {
  return Error{Code::kIo, "object " + id.Hex() + ": can't be stored: " + last.message};
}

}  // namespace

Result<void> ObjectDatabase::Add(const ObjectId& id, ObjectKind kind, std::string_view bytes) {
  return AddLoose(id, kind, bytes, durability_);
}

// Most objects are new: so the file is written first, and what is there already looked at only when the name is taken.
Result<void> ObjectDatabase::AddLoose(const ObjectId& id, ObjectKind kind, std::string_view bytes,
                                      Durability durability) {
  Error last{Code::kIo, "it vanishes each time"};
  for (int attempt = 0; attempt < kMaxStores; ++attempt) {
    // Contents come again; trees and commits hardly ever do, and one that a pack has, too, is packed once more.
    const bool is_packed = kind == ObjectKind::kBlob && IsInPack(id, bytes);
    if (!is_packed) {
      auto object = loose_writer_.Write(kind, bytes, id);
      auto written = object ? loose_writer_.Name(*std::move(object), id, durability) : object.error();
      if (written) return {};
      last = written.error();
      if (last.code == Code::kNotFound) continue;
      if (last.code != Code::kExists) return last;
    }
    auto handles = pool_.Borrow();
    if (!handles) return handles.error();
    auto existing = ExamineLoose(**handles, id);  // readers may come upon a loose one, though a pack has it, too
    if (!existing) return existing.error();
    if (*existing == Existing::kGood) return KeepExisting(id, durability);
    if (is_packed) return {};
  }
  return GaveUp(id, last);
}

// Whether these very bytes can be read from a pack; that pack becomes young, too.
bool ObjectDatabase::IsInPack(const ObjectId& blob, std::string_view bytes) {
  const auto place = packs_.Find(blob);
  if (!place) return false;
  const auto packed = place->pack->Read(place->offset);
  if (!packed || packed->kind != ObjectKind::kBlob || packed->bytes != bytes) return false;
  return Freshen(place->pack->path() + ".pack");
}

Result<std::vector<WrittenObject>> ObjectDatabase::AddAll(std::span<const NewObject> objects) {
  std::vector<WrittenObject> loose;
  if (objects.size() >= kPackFrom) {
    if (auto packed = AddPack(objects); !packed) return packed.error();
    return loose;
  }
  loose.reserve(objects.size());
  for (const NewObject& object : objects) {
    if (auto added = AddLoose(object.id, object.kind, object.bytes, Durability::kProcess); !added) return added.error();
    loose.push_back({object.id, object.kind, object.like});
  }
  return loose;
}

Result<void> ObjectDatabase::AddPack(std::span<const NewObject> objects) {
  std::unordered_set<ObjectId> seen;
  std::vector<PackedObject> packed;
  packed.reserve(objects.size());
  for (const NewObject& object : objects) {
    if (seen.insert(object.id).second) packed.push_back({object.id, object.kind, object.bytes, object.like});
  }
  const auto written = WritePack(objects_dir_, packed, PackCompression::kStored, Durability::kProcess);
  if (!written) return written.error();
  return {};
}

Result<ObjectId> ObjectDatabase::AddBlob(int fd, std::uint64_t size) {
  if (size > kMaxInMemory) {
    auto handles = pool_.Borrow();
    if (!handles) return handles.error();
    return AddLargeBlob(**handles, fd, size);
  }
  auto bytes = ReadWhole(fd, size);
  if (!bytes) return bytes.error();
  auto id = HashCarefully(ObjectKind::kBlob, *bytes);
  if (!id) return id;
  if (auto added = Add(*id, ObjectKind::kBlob, *bytes); !added) return added.error();
  return id;
}

Result<NewBlob> ObjectDatabase::PrepareBlob(int fd, std::uint64_t size) {
  if (size > kMaxCarried) {
    auto id = AddBlob(fd, size);
    if (!id) return id.error();
    return NewBlob{*id, std::nullopt};
  }
  auto bytes = ReadWhole(fd, size);
  if (!bytes) return bytes.error();
  return PrepareBlob(*std::move(bytes));
}

Result<NewBlob> ObjectDatabase::PrepareBlob(std::string bytes) {
  auto id = HashCarefully(ObjectKind::kBlob, bytes);
  if (!id) return id.error();
  if (bytes.size() <= kMaxCarried) return NewBlob{*id, SharedBytes(std::move(bytes))};
  if (auto added = Add(*id, ObjectKind::kBlob, bytes); !added) return added.error();
  return NewBlob{*id, std::nullopt};
}

// Hashed on its way into a file, and then looked for. A pack that has it is no use: it could only be verified whole in
// memory.
Result<ObjectId> ObjectDatabase::AddLargeBlob(Handles& handles, int fd, std::uint64_t size) {
  auto hasher = ObjectHasher::Start(handles.hashing.get(), ObjectKind::kBlob, size);
  if (!hasher) return hasher.error();
  auto object = loose_writer_.Write(ObjectKind::kBlob, size, [&](const LooseWriter::Sink& write) {
    return ForEachPiece(fd, size, [&](std::string_view piece) -> Result<void> {
      if (auto hashed = hasher->Update(piece); !hashed) return hashed;
      return write(piece);
    });
  });
  if (!object) return object.error();
  const auto id = hasher->Finish();
  if (!id) return id;
  const auto existing = ExamineLoose(handles, *id);
  if (!existing) return existing.error();
  if (*existing == Existing::kGood) {
    if (auto kept = KeepExisting(*id, durability_); !kept) return kept.error();
    return id;
  }
  auto named = loose_writer_.Name(*std::move(object), *id, durability_);
  if (!named && named.code() != Code::kExists) return named.error();  // kExists: somebody added it in this very moment
  return id;
}

Result<void> ObjectDatabase::MoveDamagedAway(const std::string& path, const ObjectId& id) {
  const std::string own = pool_.git_dir() + "/concordfs";
  const std::string folder = own + "/damaged";
  for (const std::string& made : {own, folder}) {
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) return WriteSystemError(errno, "make " + made);
  }
  constexpr int kMaxCopies = 1000;
  int number = EEXIST;
  for (int copy = 0; copy < kMaxCopies && number == EEXIST; ++copy) {
    const std::string kept = folder + "/" + id.Hex() + (copy == 0 ? "" : "." + std::to_string(copy));
    if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, kept.c_str(), RENAME_NOREPLACE) == 0) return {};
    number = errno;
  }
  if (number == ENOENT) return {};  // another thread was faster
  Error error = WriteSystemError(number, path + ": damaged, and can't be moved away");
  if (error.code == Code::kIo) error.code = Code::kCorrupt;
  return error;
}

Result<void> ObjectDatabase::KeepExisting(const ObjectId& id, Durability durability) {
  const std::string path = LooseObjectPath(objects_dir_, id);
  static_cast<void>(Freshen(path));
  if (durability != Durability::kPower) return {};
  auto synced = Sync(path);
  if (!synced && synced.code() == Code::kNotFound) return {};  // packed meanwhile, and git syncs its packs
  if (!synced) return synced;
  return Sync(LooseObjectFolder(objects_dir_, id));
}

}  // namespace concordfs::vcs::git
