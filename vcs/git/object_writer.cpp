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

#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"
#include "vcs/git/loose_object.h"
#include "vcs/git/object_database.h"
#include "vcs/git/object_hasher.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::uint64_t kMaxInMemory = 1U << 20;  // larger blobs are streamed
constexpr std::size_t kChunkSize = 256U << 10;
// `git gc` beside us removes folders that it finds empty, and objects that a pack has: between our looking and our
// writing. Each time we look and write again.
constexpr int kMaxAttempts = 10;

Result<std::size_t> ReadAt(int fd, char* out, std::uint64_t wanted, std::uint64_t offset) {
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, kChunkSize));
  for (;;) {
    const ssize_t got = ::pread(fd, out, count, static_cast<off_t>(offset));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return Error{Code::kIo, "read a file to store it: it is shorter than it was"};
    if (errno != EINTR) {
      Error error = SystemError("read a file to store it", errno);
      error.code = Code::kIo;
      return error;
    }
  }
}

// Hands the first `size` bytes of `fd` to `sink`, in pieces.
Result<void> ForEachPiece(int fd, std::uint64_t size, const std::function<Result<void>(std::string_view)>& sink) {
  const auto buffer = std::make_unique<char[]>(kChunkSize);
  for (std::uint64_t offset = 0; offset < size;) {
    auto count = ReadAt(fd, buffer.get(), size - offset, offset);
    if (!count) return count.error();
    if (auto done = sink({buffer.get(), *count}); !done) return done.error();
    offset += *count;
  }
  return {};
}

Result<void> Sync(const std::string& path, int flags) {
  FileDescriptor file(::open(path.c_str(), flags | O_CLOEXEC));
  if (!file.ok() || ::fsync(file.get()) != 0) return WriteSystemError(errno, "sync " + path);
  return {};
}

std::string Parent(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

// `git prune` keeps what is young: an object that is used again becomes young again.
void Freshen(const std::string& path) {
  static_cast<void>(::utimensat(AT_FDCWD, path.c_str(), nullptr, 0));
}

// Whether these very bytes can be read from a pack; that pack becomes young, too.
bool IsInPack(Handles& handles, const ObjectId& id, ObjectKind kind, std::string_view bytes) {
  const git_oid oid = ToGit(id);
  if (git_odb_exists_ext(handles.packs.get(), &oid, GIT_ODB_LOOKUP_NO_REFRESH) != 1) return false;
  OdbObjectHandle packed;
  const int error = git_odb_read(Receive(packed), handles.packs.get(), &oid);  // checks the hash
  if (error != 0) return false;
  const std::string_view found(static_cast<const char*>(git_odb_object_data(packed.get())),
                               git_odb_object_size(packed.get()));
  if (git_odb_object_type(packed.get()) != ToGit(kind) || found != bytes) return false;
  git_oid stored;  // writes nothing, as it finds the object
  return git_odb_write(&stored, handles.packs.get(), bytes.data(), bytes.size(), ToGit(kind)) == 0;
}

Error GaveUp(const ObjectId& id, const Error& last) {
  return Error{Code::kIo, "object " + id.Hex() + ": can't be stored: " + last.message};
}

}  // namespace

Result<void> ObjectDatabase::Add(const ObjectId& id, ObjectKind kind, std::string_view bytes) {
  auto handles = pool_.Borrow();
  if (!handles) return handles.error();
  const std::string path = LooseObjectPath(objects_dir_, id);
  Error last{Code::kIo, "it vanishes each time"};
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    auto existing = ExamineLoose(**handles, id);
    if (!existing) return existing.error();
    if (*existing == Existing::kGood) {
      Freshen(path);
      return SyncExisting(path);
    }
    if (IsInPack(**handles, id, kind, bytes)) return {};
    auto object = loose_writer_.Write(kind, bytes);
    auto written = object ? loose_writer_.Name(*std::move(object), id) : object.error();
    if (written) return {};
    if (written.code() != Code::kNotFound) return written.error();
    last = written.error();
  }
  return GaveUp(id, last);
}

Result<ObjectId> ObjectDatabase::AddBlob(int fd, std::uint64_t size) {
  if (size > kMaxInMemory) {
    auto handles = pool_.Borrow();
    if (!handles) return handles.error();
    return AddLargeBlob(**handles, fd, size);
  }
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(size));
  auto read = ForEachPiece(fd, size, [&](std::string_view piece) {
    bytes.append(piece);
    return Result<void>();
  });
  if (!read) return read.error();
  git_oid oid;
  git_odb_hash(&oid, bytes.data(), bytes.size(), GIT_OBJECT_BLOB);
  const ObjectId id = FromGit(oid);
  if (auto added = Add(id, ObjectKind::kBlob, bytes); !added) return added.error();
  return id;
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
    const std::string path = LooseObjectPath(objects_dir_, *id);
    Freshen(path);
    if (auto synced = SyncExisting(path); !synced) return synced.error();
    return id;
  }
  if (auto named = loose_writer_.Name(*std::move(object), *id); !named) return named.error();
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

Result<void> ObjectDatabase::SyncExisting(const std::string& path) {
  if (durability_ != Durability::kPower) return {};
  auto synced = Sync(path, O_RDONLY);
  if (!synced && synced.code() == Code::kNotFound) return {};  // packed meanwhile, and git syncs its packs
  if (!synced) return synced;
  return Sync(Parent(path), O_RDONLY | O_DIRECTORY);
}

}  // namespace concordfs::vcs::git
