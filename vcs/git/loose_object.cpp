#include "vcs/git/loose_object.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "vcs/git/git_error.h"

namespace concordfs::vcs::git {
namespace {

std::optional<ObjectKind> ParseKind(std::string_view name) {
  if (name == "blob") return ObjectKind::kBlob;
  if (name == "tree") return ObjectKind::kTree;
  if (name == "commit") return ObjectKind::kCommit;
  return std::nullopt;
}

}  // namespace

std::string LooseObjectFolder(const std::string& objects_dir, const ObjectId& id) {
  return objects_dir + "/" + id.Hex().substr(0, 2);
}

std::string LooseObjectPath(const std::string& objects_dir, const ObjectId& id) {
  return LooseObjectFolder(objects_dir, id) + "/" + id.Hex().substr(2);
}

Result<LooseObject> LooseObject::Open(const std::string& path) {
  LooseObject object;
  object.path_ = path;
  object.file_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!object.file_.ok()) {
    const int number = errno;
    if (number == ENOENT || number == ENOTDIR) return Error{Code::kNotFound, path + ": no such object"};
    return ReadSystemError(number, path);
  }
  auto stream = std::make_unique<z_stream>();
  if (inflateInit(stream.get()) != Z_OK) return Error{Code::kIo, path + ": no memory to inflate it"};
  object.stream_.reset(stream.release());
  object.input_ = std::make_unique_for_overwrite<std::array<unsigned char, kInputSize>>();
  if (auto read = object.ReadHeader(); !read) return read.error();
  return object;
}

Result<void> LooseObject::ReadHeader() {
  std::array<char, kMaxHeaderSize> head;
  auto count = Inflate(head.data(), head.size());
  if (!count) return count.error();
  const std::string_view text(head.data(), *count);
  const std::size_t space = text.find(' ');
  const std::size_t end = text.find('\0');
  if (end == std::string_view::npos || space == std::string_view::npos || space > end) return Corrupt("no header");
  const auto kind = ParseKind(text.substr(0, space));
  if (!kind) return Corrupt("no blob, tree or commit");
  kind_ = *kind;
  const char* const digits_end = text.data() + end;
  const auto parsed = std::from_chars(text.data() + space + 1, digits_end, size_);
  if (parsed.ec != std::errc() || parsed.ptr != digits_end) return Corrupt("no size in its header");
  ahead_ = text.substr(end + 1);
  if (ahead_.size() > size_) return Corrupt("longer than its header says");
  return {};
}

Result<std::size_t> LooseObject::Read(char* out, std::size_t capacity) {
  if (capacity == 0) return std::size_t{0};
  if (given_ == size_) {
    if (auto ended = CheckEnd(); !ended) return ended.error();
    return std::size_t{0};
  }
  std::size_t count = 0;
  if (!ahead_.empty()) {
    count = std::min(capacity, ahead_.size());
    std::memcpy(out, ahead_.data(), count);
    ahead_.erase(0, count);
  } else {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(capacity, size_ - given_));
    auto inflated = Inflate(out, wanted);
    if (!inflated) return inflated.error();
    count = *inflated;
    if (count == 0) return Corrupt("shorter than its header says");
  }
  given_ += count;
  return count;
}

// Inflates until `capacity` bytes are there or the zlib stream ends; each round either gets bytes, or fails.
Result<std::size_t> LooseObject::Inflate(char* out, std::size_t capacity) {
  stream_->next_out = reinterpret_cast<Bytef*>(out);
  stream_->avail_out = static_cast<uInt>(std::min<std::size_t>(capacity, 1U << 30));
  const uInt wanted = stream_->avail_out;
  while (stream_->avail_out > 0 && !stream_ended_) {
    if (stream_->avail_in == 0) {
      if (auto filled = FillInput(); !filled) return filled.error();
    }
    const uInt in_before = stream_->avail_in;
    const uInt out_before = stream_->avail_out;
    const int status = inflate(stream_.get(), Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      stream_ended_ = true;
    } else if (status == Z_BUF_ERROR && in_before == stream_->avail_in && out_before == stream_->avail_out) {
      if (input_ended_) return Corrupt("cut off");
      if (stream_->avail_in != 0) return Corrupt("damaged");
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return Corrupt(stream_->msg != nullptr ? stream_->msg : "damaged");
    }
  }
  return static_cast<std::size_t>(wanted - stream_->avail_out);
}

Result<void> LooseObject::FillInput() {
  ssize_t count;
  do {
    count = ::read(file_.get(), input_->data(), input_->size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return ReadSystemError(errno, path_);
  if (count == 0) input_ended_ = true;
  stream_->next_in = input_->data();
  stream_->avail_in = static_cast<uInt>(count);
  return {};
}

Result<std::string> LooseObject::ReadWhole(std::uint64_t limit) {
  if (size_ > limit) return Error{Code::kTooBig, path_ + ": too big to be read whole"};
  std::string bytes(static_cast<std::size_t>(size_), '\0');
  std::size_t done = 0;
  char past_end = 0;
  for (;;) {
    auto count = done == bytes.size() ? Read(&past_end, 1) : Read(bytes.data() + done, bytes.size() - done);
    if (!count) return count.error();
    if (*count == 0) return bytes;
    done += *count;
  }
}

Result<void> LooseObject::CheckEnd() {
  if (!stream_ended_) {
    char more;
    auto count = Inflate(&more, 1);  // reaches the stream's checksum
    if (!count) return count.error();
    if (*count != 0) return Corrupt("longer than its header says");
  }
  if (stream_->avail_in == 0 && !input_ended_) {
    if (auto filled = FillInput(); !filled) return filled.error();
  }
  if (stream_->avail_in != 0) return Corrupt("garbage at its end");
  return {};
}

Error LooseObject::Corrupt(const std::string& why) const {
  return Error{Code::kCorrupt, path_ + ": " + why};
}

}  // namespace concordfs::vcs::git
