// Owners for libgit2's pointers and for file descriptors, and the way from our values to libgit2's.
#pragma once

#include <dirent.h>
#include <git2.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "vcs/object_id.h"
#include "vcs/store.h"

namespace concordfs::vcs::git {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

using RepositoryHandle = std::unique_ptr<git_repository, FreeWith<git_repository_free>>;
using OdbHandle = std::unique_ptr<git_odb, FreeWith<git_odb_free>>;
using OdbObjectHandle = std::unique_ptr<git_odb_object, FreeWith<git_odb_object_free>>;
using OdbStreamHandle = std::unique_ptr<git_odb_stream, FreeWith<git_odb_stream_free>>;
using ReferenceHandle = std::unique_ptr<git_reference, FreeWith<git_reference_free>>;
using ReferenceIteratorHandle = std::unique_ptr<git_reference_iterator, FreeWith<git_reference_iterator_free>>;
using TransactionHandle = std::unique_ptr<git_transaction, FreeWith<git_transaction_free>>;
using ConfigHandle = std::unique_ptr<git_config, FreeWith<git_config_free>>;
using DirHandle = std::unique_ptr<DIR, FreeWith<closedir>>;

// Lets a C function fill an owner: `git_odb_new(Receive(odb))`. The owner has the pointer from the end of that
// full expression on, also when the function failed.
template <class Handle>
class Receive {
 public:
  explicit Receive(Handle& handle) : handle_(handle) {}
  ~Receive() { handle_.reset(raw_); }
  Receive(const Receive&) = delete;
  Receive& operator=(const Receive&) = delete;

  operator typename Handle::pointer *() { return &raw_; }  // NOLINT(google-explicit-constructor)

 private:
  Handle& handle_;
  typename Handle::pointer raw_ = nullptr;
};

// An open file descriptor, or none (-1).
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { Close(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  void Close() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd_ = -1;
};

inline git_oid ToGit(const ObjectId& id) {
  git_oid oid;
  git_oid_fromraw(&oid, id.bytes().data());
  return oid;
}

inline ObjectId FromGit(const git_oid& oid) {
  return ObjectId::FromRaw(oid.id);
}

inline git_object_t ToGit(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kBlob: return GIT_OBJECT_BLOB;
    case ObjectKind::kTree: return GIT_OBJECT_TREE;
    case ObjectKind::kCommit: return GIT_OBJECT_COMMIT;
  }
  return GIT_OBJECT_INVALID;
}

}  // namespace concordfs::vcs::git
