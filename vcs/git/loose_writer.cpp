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

#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"
#include "vcs/git/loose_object.h"
#include "vcs/git/object_hasher.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::size_t kMaxBlock = 65535;  // bytes of a stored block
constexpr std::size_t kBlockHeader = 5;
constexpr std::size_t kMaxPieces = 512;  // of one writev(2): the least that IOV_MAX may be is 16, Linux has 1024
// `git gc` removes folders that it finds empty, between our making and our using one.
constexpr int kMaxAttempts = 10;

iovec Piece(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};  // writev(2) reads only
}

// Writes all pieces; they are used up.
bool WriteAll(int fd, std::span<iovec> pieces) {
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

  // At most kMaxBlock bytes at a time of the object's own bytes, or of what is in front of them.
  bool Write(std::string_view bytes) {
    std::vector<iovec> pieces;
    std::vector<std::array<char, kBlockHeader>> headers((bytes.size() + kMaxBlock - 1) / kMaxBlock);
    pieces.reserve(2 * headers.size() + 2);
    static constexpr std::string_view kZlib("\x78\x01", 2);
    if (!started_) pieces.push_back(Piece(kZlib));
    started_ = true;
    adler_ = ::adler32_z(adler_, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    for (auto& header : headers) {
      const std::string_view block = bytes.substr(0, kMaxBlock);
      bytes.remove_prefix(block.size());
      left_ -= block.size();
      const auto size = static_cast<unsigned>(block.size());
      header = {static_cast<char>(left_ == 0 ? 1 : 0), static_cast<char>(size & 0xff), static_cast<char>(size >> 8),
                static_cast<char>(~size & 0xff), static_cast<char>(~size >> 8 & 0xff)};
      pieces.push_back(Piece({header.data(), header.size()}));
      pieces.push_back(Piece(block));
    }
    std::array<char, 4> end{};
    if (left_ == 0) {
      for (int i = 0; i < 4; ++i) end[static_cast<std::size_t>(i)] = static_cast<char>(adler_ >> (24 - 8 * i) & 0xff);
      pieces.push_back(Piece({end.data(), end.size()}));
    }
    return WriteAll(fd_, pieces);
  }

 private:
  const int fd_;
  std::uint64_t left_;
  bool started_ = false;
  uLong adler_ = ::adler32(0, nullptr, 0);
};

bool SyncFolder(const std::string& path) {
  const FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.ok() && ::fsync(folder.get()) == 0;
}

}  // namespace

LooseWriter::Unnamed::~Unnamed() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<LooseWriter::Unnamed> LooseWriter::MakeUnnamed() {
  static const std::string kProcess = std::to_string(::getpid());
  for (;;) {
    const std::string path = objects_dir_ + "/tmp_obj_concordfs_" + kProcess + "_" + std::to_string(next_++);
    FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (file.ok()) return Unnamed(path, std::move(file));
    if (errno != EEXIST) return WriteSystemError(errno, path);  // else: a dead daemon's that had our number
  }
}

Result<LooseWriter::Unnamed> LooseWriter::Write(ObjectKind kind, std::string_view bytes) {
  auto object = MakeUnnamed();
  if (!object) return object;
  std::string head = ObjectHeader(kind, bytes.size());
  StoredStream stream(object->file_.get(), head.size() + bytes.size());
  // What fits into one block goes in one write(2).
  const bool is_small = head.size() + bytes.size() <= kMaxBlock;
  const bool written = is_small ? stream.Write(head.append(bytes)) : stream.Write(head) && stream.Write(bytes);
  if (!written) return WriteSystemError(errno, "write an object of " + std::to_string(bytes.size()) + " bytes");
  return object;
}

Result<LooseWriter::Unnamed> LooseWriter::Write(ObjectKind kind, std::uint64_t size,
                                                const std::function<Result<void>(const Sink&)>& produce) {
  auto object = MakeUnnamed();
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

Result<void> LooseWriter::Name(Unnamed object, const ObjectId& id) {
  const bool durable = durability_ == Durability::kPower;
  if (durable && ::fsync(object.file_.get()) != 0) return WriteSystemError(errno, "sync object " + id.Hex());
  object.file_ = FileDescriptor();
  const std::string path = LooseObjectPath(objects_dir_, id);
  const std::string folder = path.substr(0, path.rfind('/'));
  bool is_new = false;
  int failed = ENOENT;
  for (int attempt = 0; attempt < kMaxAttempts && failed == ENOENT; ++attempt) {
    if (attempt > 0) {
      if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return WriteSystemError(errno, "make " + folder);
      is_new = true;
    }
    failed = ::rename(object.path_.c_str(), path.c_str()) == 0 ? 0 : errno;
  }
  if (failed != 0) return WriteSystemError(failed, "name object " + id.Hex());
  object.path_.clear();
  if (durable && !(SyncFolder(folder) && (!is_new || SyncFolder(objects_dir_)))) {
    return WriteSystemError(errno, "sync " + folder);
  }
  return {};
}

}  // namespace concordfs::vcs::git
