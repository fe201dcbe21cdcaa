#include "vcs/git/object_hasher.h"

#include <git2/sys/odb_backend.h>

#include <memory>

#include "vcs/git/git_error.h"
#include "vcs/git/sha1.h"

namespace concordfs::vcs::git {
namespace {

int DiscardBytes(git_odb_stream*, const char*, std::size_t) {
  return 0;
}
int DiscardObject(git_odb_stream*, const git_oid*) {
  return 0;
}
void FreeStream(git_odb_stream* stream) {
  delete stream;
}
void FreeBackend(git_odb_backend* backend) {
  delete backend;
}

int OpenDiscardingStream(git_odb_stream** out, git_odb_backend* backend, git_object_size_t, git_object_t) {
  auto stream = std::make_unique<git_odb_stream>();
  stream->backend = backend;
  stream->mode = GIT_STREAM_WRONLY;
  stream->write = DiscardBytes;
  stream->finalize_write = DiscardObject;
  stream->free = FreeStream;
  *out = stream.release();
  return 0;
}

Error CollisionError(std::uint64_t size) {
  return Error{Code::kCorrupt, "hash " + std::to_string(size) + " bytes: a SHA-1 collision was made of them"};
}

Error LengthError(const std::string& how) {
  return Error{Code::kInvalidArgument, "hash an object: it is " + how + " than announced"};
}

}  // namespace

std::string ObjectHeader(ObjectKind kind, std::uint64_t size) {
  return git_object_type2string(ToGit(kind)) + (" " + std::to_string(size)) + '\0';
}

ObjectId HashFast(ObjectKind kind, std::string_view bytes) {
  thread_local Sha1 hash;
  hash.Update(ObjectHeader(kind, bytes.size()));
  hash.Update(bytes);
  if (const ObjectId id = hash.Finish(); !id.IsZero()) return id;
  git_oid oid{};  // OpenSSL can be set up to refuse SHA-1
  git_odb_hash(&oid, bytes.data(), bytes.size(), ToGit(kind));
  return FromGit(oid);
}

Result<ObjectId> HashCarefully(ObjectKind kind, std::string_view bytes) {
  git_oid oid;
  ClearLastError();
  if (git_odb_hash(&oid, bytes.data(), bytes.size(), ToGit(kind)) == 0) return FromGit(oid);
  return CollisionError(bytes.size());
}

Result<OdbHandle> OpenHashingOdb() {
  OdbHandle odb;
  int error = git_odb_new(Receive(odb));
  if (error != 0) return ReadError(error, "hash objects");
  auto backend = std::make_unique<git_odb_backend>();
  git_odb_init_backend(backend.get(), GIT_ODB_BACKEND_VERSION);
  backend->writestream = OpenDiscardingStream;
  backend->free = FreeBackend;
  error = git_odb_add_backend(odb.get(), backend.get(), 1);
  if (error != 0) return ReadError(error, "hash objects");
  static_cast<void>(backend.release());  // the database owns it now
  return odb;
}

Result<ObjectHasher> ObjectHasher::Start(git_odb* odb, ObjectKind kind, std::uint64_t size) {
  OdbStreamHandle stream;
  const int error = git_odb_open_wstream(Receive(stream), odb, static_cast<git_object_size_t>(size), ToGit(kind));
  if (error != 0) return ReadError(error, "hash an object");
  return ObjectHasher(std::move(stream), size);
}

Result<ObjectHasher> ObjectHasher::StartFast(git_odb* odb, ObjectKind kind, std::uint64_t size) {
  Sha1 fast;
  if (!fast.ok()) return Start(odb, kind, size);
  fast.Update(ObjectHeader(kind, size));
  return ObjectHasher(std::move(fast), size);
}

Result<void> ObjectHasher::Update(std::string_view bytes) {
  if (bytes.size() > size_ - came_) return LengthError("longer");
  came_ += bytes.size();
  if (fast_) {
    fast_->Update(bytes);
  } else if (const int error = git_odb_stream_write(stream_.get(), bytes.data(), bytes.size()); error != 0) {
    return ReadError(error, "hash an object");
  }
  return {};
}

Result<ObjectId> ObjectHasher::Finish() {
  if (came_ != size_) return LengthError("shorter");
  if (fast_) return fast_->Finish();
  git_oid oid;
  ClearLastError();
  const int error = git_odb_stream_finalize_write(&oid, stream_.get());
  // The stream drops what its hash says of a collision, and gives an id that isn't that of the bytes.
  const git_error* last = git_error_last();
  if (last != nullptr && last->klass == GIT_ERROR_SHA) return CollisionError(size_);
  if (error != 0) return ReadError(error, "hash an object");
  return FromGit(oid);
}

}  // namespace concordfs::vcs::git
