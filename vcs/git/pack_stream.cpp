#include "vcs/git/pack_stream.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <cerrno>

#include "vcs/file_io.h"
#include "vcs/git/disk_sync.h"
#include "vcs/git/git_error.h"
#include "vcs/git/git_store.h"

namespace concordfs::vcs::git {
namespace {

// Small enough to be still in the processor's cache when it is hashed, and to cost no new pages each time.
constexpr std::size_t kFlushSize = 64U << 10;
constexpr std::size_t kBufferSize = kFlushSize + (16U << 10);  // most entries that begin before the flush end within it

std::uint32_t Crc(std::string_view bytes, std::uint32_t start = 0) {
  return static_cast<std::uint32_t>(::crc32_z(start, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

UnnamedPackFile::~UnnamedPackFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

UnnamedPackFile& UnnamedPackFile::operator=(UnnamedPackFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  return *this;
}

Result<UnnamedPackFile> UnnamedPackFile::Make(const std::string& objects_dir, const char* prefix) {
  static const std::string kProcess = std::to_string(::getpid());
  static std::atomic<std::uint64_t> next = 0;
  const std::string folder = objects_dir + "/pack";
  bool made_folder = false;
  for (;;) {
    UnnamedPackFile made;
    made.path_ = folder + "/" + prefix + kProcess + "_" + std::to_string(next++);
    made.file_ = FileDescriptor(::open(made.path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (made.file_.ok()) return made;
    const int number = errno;
    made.path_.clear();              // not ours to remove
    if (number == EEXIST) continue;  // a dead daemon's that had our number
    if (number != ENOENT || made_folder) return WriteSystemError(number, "make " + folder + "/" + prefix + "*");
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return WriteSystemError(errno, "make " + folder);
    made_folder = true;
  }
}

// Without its number: a failure that comes again says the same again.
std::string UnnamedPackFile::Kind() const {
  return path_.substr(0, path_.rfind('_')) + "_*";
}

Result<void> UnnamedPackFile::Append(std::string_view bytes) {
  if (!WriteAll(file_.get(), bytes)) return WriteSystemError(errno, "write " + Kind());
  return {};
}

Result<void> UnnamedPackFile::Sync() {
  if (::fsync(file_.get()) != 0) return WriteSystemError(errno, "sync " + Kind());
  return {};
}

Result<void> UnnamedPackFile::Name(const std::string& path) {
  if (::rename(path_.c_str(), path.c_str()) != 0) return WriteSystemError(errno, "name " + path);
  path_.clear();
  return {};
}

PackStream::PackStream(std::string objects_dir, std::uint32_t count, UnnamedPackFile file)
    : objects_dir_(std::move(objects_dir)), count_(count), file_(std::move(file)) {
  entries_.reserve(count);
  buffer_.reserve(kBufferSize);
  buffer_.append(kPackMagic);
  AppendBigEndian32(count, buffer_);
  entry_begin_ = buffer_.size();
}

Result<PackStream> PackStream::Start(const std::string& objects_dir, std::uint32_t count) {
  auto file = UnnamedPackFile::Make(objects_dir, kUnnamedPack);
  if (!file) return file.error();
  return PackStream(objects_dir, count, *std::move(file));
}

Result<void> PackStream::EndEntry(const ObjectId& id) {
  const std::string_view entry = std::string_view(buffer_).substr(entry_begin_);
  entries_.push_back({id, Crc(entry), flushed_ + entry_begin_});
  entry_begin_ = buffer_.size();
  return buffer_.size() < kFlushSize ? Result<void>() : Flush();
}

Result<void> PackStream::Append(const ObjectId& id, std::string_view head, std::string_view body) {
  buffer_.append(head);
  if (body.size() < kFlushSize) {
    buffer_.append(body);
    return EndEntry(id);
  }
  entries_.push_back({id, Crc(body, Crc(head)), flushed_ + entry_begin_});
  if (auto flushed = Flush(); !flushed) return flushed;
  hash_.Update(body);
  flushed_ += body.size();
  return file_.Append(body);
}

Result<void> PackStream::Flush() {
  hash_.Update(buffer_);
  auto written = file_.Append(buffer_);
  flushed_ += buffer_.size();
  buffer_.clear();
  entry_begin_ = 0;
  return written;
}

Result<std::string> PackStream::Finish(Durability durability) {
  if (entries_.size() != count_) {
    return Error{Code::kInvalidArgument, "write a pack: announced " + std::to_string(count_) + " entries, and got " +
                                             std::to_string(entries_.size())};
  }
  hash_.Update(buffer_);
  const ObjectId checksum = hash_.Finish();
  if (checksum.IsZero()) return Error{Code::kNotSupported, "write a pack: OpenSSL refuses SHA-1"};
  buffer_.append(reinterpret_cast<const char*>(checksum.bytes().data()), ObjectId::kSize);
  if (auto written = file_.Append(buffer_); !written) return written.error();
  auto index = UnnamedPackFile::Make(objects_dir_, kUnnamedIndex);
  if (!index) return index.error();
  if (auto written = index->Append(EncodePackIndex(entries_, checksum)); !written) return written.error();
  const std::string folder = objects_dir_ + "/pack";
  const std::string path = folder + "/pack-" + checksum.Hex();
  if (durability == Durability::kPower) {
    if (auto synced = file_.Sync(); !synced) return synced.error();
    if (auto synced = index->Sync(); !synced) return synced.error();
  }
  if (auto named = file_.Name(path + ".pack"); !named) return named.error();
  if (auto named = index->Name(path + ".idx"); !named) return named.error();
  if (durability == Durability::kPower) {
    if (auto synced = vcs::git::Sync(folder); !synced) return synced.error();
  }
  return path;
}

}  // namespace concordfs::vcs::git
