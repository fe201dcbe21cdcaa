#include "vcs/git/loose_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <vector>

#include "vcs/git/disk_sync.h"
#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"
#include "vcs/git/loose_object.h"
#include "vcs/git/object_hasher.h"
#include "vcs/git/zlib_stream.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kMaxPieces = 512;  // of one writev(2): the least that IOV_MAX may be is 16, Linux has 1024
// `git gc` removes folders that it finds empty, between our making and our using one.
constexpr int kMaxAttempts = 10;

iovec Piece(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};  // writev(2) reads only
}

// Writes all pieces; they are used up.
bool WritePieces(int fd, std::span<iovec> pieces) {
  while (!pieces.empty()) {
    const ssize_t count = ::writev(fd, pieces.data(), static_cast<int>(std::min(pieces.size(), kMaxPieces)));
    if (count < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    auto left = static_cast<std::size_t>(count);
    while (!pieces.empty() && left >= pieces.front().iov_len) {
      left -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
    if (pieces.empty()) break;
    pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + left;
    pieces.front().iov_len -= left;
  }
  return true;
}

// A zlib stream of stored blocks, written as its bytes come.
class StoredStream {
 public:
  // `total`: how many bytes will come.
  StoredStream(int fd, std::uint64_t total) : fd_(fd), left_(total) {}

  // At most kMaxStoredBlock bytes at a time of the object's own bytes, or of what is in front of them.
  bool Write(std::string_view bytes) {
    std::vector<iovec> pieces;
    std::vector<std::array<char, 5>> headers((bytes.size() + kMaxStoredBlock - 1) / kMaxStoredBlock);
    pieces.reserve(2 * headers.size() + 2);
    if (!started_) pieces.push_back(Piece(kStoredBegin));
    started_ = true;
    adler_ = ::adler32_z(adler_, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    for (auto& header : headers) {
      const std::string_view block = bytes.substr(0, kMaxStoredBlock);
      bytes.remove_prefix(block.size());
      left_ -= block.size();
      header = StoredBlockHeader(block.size(), left_ == 0);
      pieces.push_back(Piece({header.data(), header.size()}));
      pieces.push_back(Piece(block));
    }
    std::array<char, 4> end{};
    if (left_ == 0) {
      end = StoredEnd(static_cast<std::uint32_t>(adler_));
      pieces.push_back(Piece({end.data(), end.size()}));
    }
    return WritePieces(fd_, pieces);
  }

 private:
  const int fd_;
  std::uint64_t left_;
  bool started_ = false;
  uLong adler_ = ::adler32(0, nullptr, 0);
};

// Gives a file without a name one. By its descriptor alone is quicker, but may take a privilege, which is told by the
// same ENOENT as a missing folder. Source: open(2), O_TMPFILE.
bool Link(int fd, const std::string& path) {
  if (::linkat(fd, "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH) == 0) return true;
  if (errno != ENOENT) return false;
  const std::string by_proc = "/proc/self/fd/" + std::to_string(fd);
  return ::linkat(AT_FDCWD, by_proc.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

}  // namespace

LooseWriter::Unnamed::~Unnamed() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<LooseWriter::Unnamed> LooseWriter::MakeUnnamed(const std::string& folder) {
  if (FileDescriptor spare = spares_.Take(); spare.ok()) return Unnamed({}, std::move(spare));
  for (const std::string& place : {folder, objects_dir_}) {
    FileDescriptor file(::open(place.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0444));
    if (file.ok()) return Unnamed({}, std::move(file));
    // EPERM: a folder that git removed between its being found and its being used.
    if (errno != ENOENT && errno != EPERM) break;
  }
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) return WriteSystemError(errno, objects_dir_);
  static const std::string kProcess = std::to_string(::getpid());
  for (;;) {
    const std::string path = objects_dir_ + "/tmp_obj_concordfs_" + kProcess + "_" + std::to_string(next_++);
    FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (file.ok()) return Unnamed(path, std::move(file));
    if (errno != EEXIST) return WriteSystemError(errno, path);  // else: a dead daemon's that had our number
  }
}

Result<LooseWriter::Unnamed> LooseWriter::Write(ObjectKind kind, std::string_view bytes, const ObjectId& id) {
  auto object = MakeUnnamed(LooseObjectFolder(objects_dir_, id));
  if (!object) return object;
  std::string head = ObjectHeader(kind, bytes.size());
  StoredStream stream(object->file_.get(), head.size() + bytes.size());
  // What fits into one block goes in one write(2).
  const bool is_small = head.size() + bytes.size() <= kMaxStoredBlock;
  const bool written = is_small ? stream.Write(head.append(bytes)) : stream.Write(head) && stream.Write(bytes);
  if (!written) return WriteSystemError(errno, "write an object of " + std::to_string(bytes.size()) + " bytes");
  return object;
}

Result<LooseWriter::Unnamed> LooseWriter::Write(ObjectKind kind, std::uint64_t size,
                                                const std::function<Result<void>(const Sink&)>& produce) {
  auto object = MakeUnnamed(objects_dir_);
  if (!object) return object;
  const std::string head = ObjectHeader(kind, size);
  StoredStream stream(object->file_.get(), head.size() + size);
  const auto write = [&](std::string_view piece) -> Result<void> {
    if (stream.Write(piece)) return {};
    return WriteSystemError(errno, "write an object of " + std::to_string(size) + " bytes");
  };
  if (auto written = write(head); !written) return written.error();
  if (auto produced = produce(write); !produced) return produced.error();
  return object;
}

Result<void> LooseWriter::GiveName(Unnamed& object, const std::string& path) {
  const bool done = object.path_.empty() ? Link(object.file_.get(), path)
                                         : ::rename(object.path_.c_str(), path.c_str()) == 0;
  if (!done && errno == EEXIST) return Error{Code::kExists, path + ": exists"};
  if (!done) return WriteSystemError(errno, "name object " + path);
  object.path_.clear();
  return {};
}

Result<void> LooseWriter::Name(Unnamed object, const ObjectId& id, Durability durability) {
  const bool durable = durability == Durability::kPower;
  if (durable && ::fsync(object.file_.get()) != 0) return WriteSystemError(errno, "sync object " + id.Hex());
  const std::string path = LooseObjectPath(objects_dir_, id);
  const std::string folder = LooseObjectFolder(objects_dir_, id);
  bool is_new = false;
  auto named = GiveName(object, path);
  for (int attempt = 1; !named && named.code() == Code::kNotFound && attempt < kMaxAttempts; ++attempt) {
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return WriteSystemError(errno, "make " + folder);
    is_new = true;
    named = GiveName(object, path);
  }
  if (!named) return named;
  if (!durable) return {};
  auto synced = Sync(folder);
  return synced && is_new ? Sync(objects_dir_) : synced;
}

}  // namespace concordfs::vcs::git
