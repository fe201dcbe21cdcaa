#include "vcs/git/object_hasher.h"

#include <git2/sys/odb_backend.h>

#include "vcs/git/git_error.h"

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

Error LengthError(const std::string& what) {
  return Error{Code::kInvalidArgument, what};
}

}  // namespace

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
  return ObjectHasher(std::move(stream));
}

Result<void> ObjectHasher::Update(std::string_view bytes) {
  if (git_odb_stream_write(stream_.get(), bytes.data(), bytes.size()) != 0) {
    return LengthError("hash an object: it is longer than announced");
  }
  return {};
}

Result<ObjectId> ObjectHasher::Finish() {
  git_oid oid;
  if (git_odb_stream_finalize_write(&oid, stream_.get()) != 0) {
    return LengthError("hash an object: it is shorter than announced");
  }
  return FromGit(oid);
}

}  // namespace concordfs::vcs::git
