// ObjectDatabase, the reading half.
//
// First the quick way: our own readers of packs and of loose objects. Packs come first, because asking them needs no
// disk. What that doesn't find, or finds damaged, is looked for with all care: loose objects, then the packs by
// libgit2, and all of it once more on handles that have seen nothing yet. So an object that is damaged in one place
// does no harm as long as another one has it.
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>

#include "vcs/file_io.h"
#include "vcs/git/git_error.h"
#include "vcs/git/loose_object.h"
#include "vcs/git/object_database.h"
#include "vcs/git/object_hasher.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kChunkSize = 256U << 10;  // bytes of a blob in memory at a time

using Sink = std::function<Result<void>(std::string_view)>;

std::string NameOf(const ObjectId& id) {
  return "object " + id.Hex();
}

Error WrongKind(const ObjectId& id) {
  return Error{Code::kCorrupt, NameOf(id) + ": of another kind"};
}

Error TooBig(const ObjectId& id) {
  return Error{Code::kCorrupt, NameOf(id) + ": too big to be read whole"};
}

std::optional<ObjectKind> KindOf(git_object_t type) {
  switch (type) {
    case GIT_OBJECT_BLOB: return ObjectKind::kBlob;
    case GIT_OBJECT_TREE: return ObjectKind::kTree;
    case GIT_OBJECT_COMMIT: return ObjectKind::kCommit;
    default: return std::nullopt;
  }
}

// Hands all bytes of the object to `sink`; fails at the end if they were not those of `id`. The hash is looked at for
// damage here; for collisions, when somebody brings the bytes.
Result<void> CopyVerified(Handles& handles, LooseObject& object, const ObjectId& id, const Sink& sink) {
  auto hasher = ObjectHasher::StartFast(handles.hashing.get(), object.kind(), object.size());
  if (!hasher) return hasher.error();
  const auto buffer = std::make_unique_for_overwrite<char[]>(kChunkSize);
  for (;;) {
    auto count = object.Read(buffer.get(), kChunkSize);
    if (!count) return count.error();
    if (*count == 0) break;
    const std::string_view bytes(buffer.get(), *count);
    if (auto hashed = hasher->Update(bytes); !hashed) return hashed.error();
    if (auto written = sink(bytes); !written) return written.error();
  }
  auto hash = hasher->Finish();
  if (!hash) return hash.error();
  if (*hash != id) return Error{Code::kCorrupt, NameOf(id) + ": its bytes have the id " + hash->Hex()};
  return {};
}

Result<OdbObjectHandle> ReadPacked(Handles& handles, const ObjectId& id) {
  const git_oid oid = ToGit(id);
  OdbObjectHandle object;
  ClearLastError();
  const int error = git_odb_read(Receive(object), handles.packs.get(), &oid);  // checks the hash
  if (error != 0) return ReadError(error, NameOf(id));
  return object;
}

Result<void> WriteCopy(int fd, std::string_view bytes, std::uint64_t offset) {
  if (!WriteAllAt(fd, offset, bytes)) return SystemError("write a copy of a blob", errno);
  return {};
}

// Looks at the loose objects of this id, in the repository and its alternates, until `use` succeeds on one.
// Returns kNotFound if there is none, else the last failure.
template <class T>
Result<T> TryLoose(Handles& handles, const ObjectId& id, const std::function<Result<T>(LooseObject&)>& use) {
  Error failure{Code::kNotFound, NameOf(id) + ": not found"};
  for (const std::string& objects_dir : handles.objects_dirs) {
    auto object = LooseObject::Open(LooseObjectPath(objects_dir, id));
    if (!object) {
      if (object.code() != Code::kNotFound) failure = object.error();
      continue;
    }
    auto used = use(*object);
    if (used) return used;
    failure = used.error();
  }
  return failure;
}

// The first failure says more, unless it only was that there is no loose object.
Error Choose(const Error& loose, const Error& packed) {
  return loose.code == Code::kNotFound ? packed : loose;
}

}  // namespace

template <class T>
Result<T> ObjectDatabase::ReadTwice(const std::function<Result<T>(Handles&)>& read) {
  {
    auto handles = pool_.Borrow();
    if (!handles) return handles.error();
    auto result = read(**handles);
    if (result) return result;
    const Code code = result.code();
    if (code != Code::kNotFound && code != Code::kCorrupt && code != Code::kIo) return result;
  }
  auto handles = pool_.BorrowFresh();
  if (!handles) return handles.error();
  return read(**handles);
}

std::optional<PackReader::Object> ObjectDatabase::ReadQuickly(const ObjectId& id) {
  const auto verified = [&](Result<PackReader::Object> read) -> std::optional<PackReader::Object> {
    // The hash is looked at for damage here; for collisions, when somebody brings the bytes.
    if (!read || HashFast(read->kind, read->bytes) != id) return std::nullopt;
    return *std::move(read);
  };
  if (const auto place = packs_.Find(id)) return verified(place->pack->Read(place->offset));
  auto loose = LooseObject::Open(LooseObjectPath(objects_dir_, id));
  if (loose) {
    auto bytes = loose->ReadWhole(PackReader::kMaxSize);
    return bytes ? verified(PackReader::Object{loose->kind(), *std::move(bytes)}) : std::nullopt;
  }
  if (!packs_.Refresh()) return std::nullopt;
  const auto place = packs_.Find(id);
  return place ? verified(place->pack->Read(place->offset)) : std::nullopt;
}

std::optional<ObjectDatabase::Header> ObjectDatabase::ReadHeaderQuickly(const ObjectId& id) {
  const auto header_at = [](const std::optional<PackSet::Place>& place) -> std::optional<Header> {
    const auto header = place->pack->ReadHeader(place->offset);
    return header ? std::optional(*header) : std::nullopt;
  };
  if (const auto place = packs_.Find(id)) return header_at(place);
  if (const auto loose = LooseObject::Open(LooseObjectPath(objects_dir_, id))) {
    return Header{loose->kind(), loose->size()};
  }
  if (!packs_.Refresh()) return std::nullopt;
  const auto place = packs_.Find(id);
  return place ? header_at(place) : std::nullopt;
}

Result<std::string> ObjectDatabase::Read(const ObjectId& id, ObjectKind kind) {
  if (auto object = ReadQuickly(id)) {
    if (object->kind != kind) return WrongKind(id);
    return std::move(object->bytes);
  }
  return ReadTwice<std::string>([&](Handles& handles) -> Result<std::string> {
    auto loose = TryLoose<std::string>(handles, id, [&](LooseObject& object) -> Result<std::string> {
      if (object.kind() != kind) return WrongKind(id);
      if (object.size() > Store::kMaxReadSize) return TooBig(id);
      std::string bytes;
      auto copied = CopyVerified(handles, object, id, [&](std::string_view piece) {
        bytes.append(piece);
        return Result<void>();
      });
      if (!copied) return copied.error();
      return bytes;
    });
    if (loose) return loose;
    auto header = ReadPackedHeader(handles, id);
    if (!header) return Choose(loose.error(), header.error());
    if (header->kind != kind) return WrongKind(id);
    if (header->size > Store::kMaxReadSize) return TooBig(id);
    auto packed = ReadPacked(handles, id);
    if (!packed) return Choose(loose.error(), packed.error());
    return std::string(static_cast<const char*>(git_odb_object_data(packed->get())),
                       git_odb_object_size(packed->get()));
  });
}

Result<ObjectDatabase::Header> ObjectDatabase::ReadHeader(Handles& handles, const ObjectId& id) {
  auto loose = TryLoose<Header>(handles, id, [](LooseObject& object) {
    return Result<Header>(Header{object.kind(), object.size()});
  });
  if (loose) return loose;
  auto packed = ReadPackedHeader(handles, id);
  if (!packed) return Choose(loose.error(), packed.error());
  return packed;
}

Result<ObjectDatabase::Header> ObjectDatabase::ReadPackedHeader(Handles& handles, const ObjectId& id) {
  const git_oid oid = ToGit(id);
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  ClearLastError();
  const int error = git_odb_read_header(&size, &type, handles.packs.get(), &oid);
  if (error != 0) return ReadError(error, NameOf(id));
  const auto kind = KindOf(type);
  if (!kind) return WrongKind(id);
  return Header{*kind, size};
}

Result<void> ObjectDatabase::Check(const ObjectId& id, ObjectKind kind) {
  auto header = ReadTwice<Header>([&](Handles& handles) { return ReadHeader(handles, id); });
  if (!header) return header.error();
  if (header->kind != kind) return WrongKind(id);
  return {};
}

Result<std::uint64_t> ObjectDatabase::BlobSize(const ObjectId& blob) {
  if (const auto quick = ReadHeaderQuickly(blob)) {
    return quick->kind == ObjectKind::kBlob ? Result<std::uint64_t>(quick->size) : WrongKind(blob);
  }
  auto header = ReadTwice<Header>([&](Handles& handles) { return ReadHeader(handles, blob); });
  if (!header) return header.error();
  if (header->kind != ObjectKind::kBlob) return WrongKind(blob);
  return header->size;
}

Result<void> ObjectDatabase::CopyBlobTo(const ObjectId& blob, int fd) {
  return ReadTwice<void>([&](Handles& handles) { return CopyTo(handles, blob, fd); });
}

Result<void> ObjectDatabase::CopyTo(Handles& handles, const ObjectId& blob, int fd) {
  std::optional<Error> write_failure;  // of `fd`: no use to try another source
  auto loose = TryLoose<bool>(handles, blob, [&](LooseObject& object) -> Result<bool> {
    if (object.kind() != ObjectKind::kBlob) return WrongKind(blob);
    off_t offset = 0;
    auto copied = CopyVerified(handles, object, blob, [&](std::string_view piece) {
      auto written = WriteCopy(fd, piece, offset);
      if (!written) write_failure = written.error();
      offset += static_cast<off_t>(piece.size());
      return written;
    });
    if (!copied) return copied.error();
    return true;
  });
  if (loose) return {};
  if (write_failure) return *write_failure;
  auto packed = ReadPacked(handles, blob);
  if (!packed) return Choose(loose.error(), packed.error());
  if (git_odb_object_type(packed->get()) != GIT_OBJECT_BLOB) return WrongKind(blob);
  const std::size_t size = git_odb_object_size(packed->get());
  // A damaged loose object may have left more than the blob has.
  if (loose.code() != Code::kNotFound && ::ftruncate(fd, static_cast<off_t>(size)) != 0) {
    return SystemError("write a copy of a blob", errno);
  }
  return WriteCopy(fd, {static_cast<const char*>(git_odb_object_data(packed->get())), size}, 0);
}

// What is loose and verifies is kept; see object_writer.cpp.
Result<ObjectDatabase::Existing> ObjectDatabase::ExamineLoose(Handles& handles, const ObjectId& id) {
  const std::string path = LooseObjectPath(objects_dir_, id);
  auto object = LooseObject::Open(path);
  auto verified = object ? CopyVerified(handles, *object, id, [](std::string_view) { return Result<void>(); })
                         : Result<void>(object.error());
  if (verified) return Existing::kGood;
  if (verified.code() == Code::kNotFound) return Existing::kAbsent;
  if (verified.code() != Code::kCorrupt) return verified.error();
  if (auto moved = MoveDamagedAway(path, id); !moved) return moved.error();
  return Existing::kAbsent;
}

}  // namespace concordfs::vcs::git
