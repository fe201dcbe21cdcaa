#include "fs/description_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>

#include "fs/file_io.h"
#include "vcs/repo_path.h"

namespace concordfs::fs {
namespace {

// A line: number, agent, mode (octal), base, commit of the base, path, process; or a number alone.
constexpr std::size_t kFields = 7;

std::string LineOf(ContentNumber content) {
  return std::to_string(content) + '\n';
}

std::string LineOf(ContentNumber content, const Description& description) {
  std::array<char, 16> mode{};
  const auto end =
      std::to_chars(mode.data(), mode.data() + mode.size(), static_cast<std::uint32_t>(description.mode), 8);
  std::string line = std::to_string(content);
  line.append("\t").append(description.agent);
  line.append("\t").append(mode.data(), end.ptr);
  line.append("\t").append(vcs::ToString(description.base.version));
  line.append("\t").append(description.base.commit.Hex());
  line.append("\t").append(vcs::Quoted(description.path));
  line.append("\t").append(vcs::Quoted(description.process));
  return line + '\n';
}

template <class Number>
std::optional<Number> ToNumber(std::string_view text, int base) {
  Number number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, base);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole ? std::optional(number) : std::nullopt;
}

// Takes what stands before the next separator off the text.
std::string_view TakeUntil(std::string_view& text, char separator) {
  const std::string_view taken = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

std::optional<Description> ToDescription(std::string_view line) {
  std::array<std::string_view, kFields> fields;
  for (std::string_view& field : fields) field = TakeUntil(line, '\t');
  const auto mode = ToNumber<std::uint32_t>(fields[2], 8);
  const auto version = vcs::ParseVersion(fields[3]);
  const auto commit = vcs::ObjectId::FromHex(fields[4]);
  if (!mode || !version || !commit || fields[1].empty() || fields[5].empty()) return std::nullopt;
  Description description;
  description.agent = fields[1];
  description.process = vcs::Unquoted(fields[6]);
  description.path = vcs::Unquoted(fields[5]);
  description.base = vcs::Base{*version, *commit};
  description.mode = static_cast<vcs::FileMode>(*mode);
  return description;
}

// What is described at the end of the text. What was being written when the daemon died has no end of line, and counts
// for nothing: nothing had been done on it.
std::map<ContentNumber, std::string> LinesIn(std::string_view text) {
  std::map<ContentNumber, std::string> lines;
  text = text.substr(0, text.rfind('\n') + 1);
  while (!text.empty()) {
    const std::string_view line = TakeUntil(text, '\n');
    const auto number = ToNumber<ContentNumber>(line.substr(0, line.find('\t')), 10);
    if (!number) continue;
    if (line.find('\t') == std::string_view::npos) {
      lines.erase(*number);
    } else {
      lines[*number] = std::string(line) + '\n';
    }
  }
  return lines;
}

}  // namespace

Result<std::unique_ptr<DescriptionLog>> DescriptionLog::Open(const std::string& path) {
  auto file = std::make_shared<const Descriptor>(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file->is_open()) return SystemError(path, errno);
  std::string text;
  std::array<char, 1 << 16> buffer{};
  while (true) {
    const auto count = ReadAt(file->fd(), text.size(), buffer);
    if (!count) return count.error();
    if (*count == 0) break;
    text.append(buffer.data(), *count);
  }
  std::unique_ptr<DescriptionLog> log(new DescriptionLog(path));
  const MutexLock lock(log->mutex_);
  log->file_ = std::move(file);
  log->size_ = text.rfind('\n') + 1;
  if (log->size_ < text.size() && ftruncate(log->file_->fd(), static_cast<off_t>(log->size_)) != 0) {
    return SystemError(path, errno);
  }
  log->lines_ = LinesIn(text);
  return log;
}

Result<void> DescriptionLog::Describe(ContentNumber content, const Description& description) {
  std::string line = LineOf(content, description);
  const MutexLock lock(mutex_);
  if (auto appended = Append(line); !appended) return appended;
  lines_[content] = std::move(line);
  return {};
}

bool DescriptionLog::Drop(ContentNumber content) {
  const MutexLock lock(mutex_);
  lines_.erase(content);
  const bool said = Append(LineOf(content)).ok();
  if (size_ > kTruncateAbove || !said) Shorten();
  return said || size_ == 0;
}

Result<void> DescriptionLog::Sync() {
  DescriptorPtr file;
  {
    const MutexLock lock(mutex_);
    file = file_;
    synced_ = true;
  }
  if (fsync(file->fd()) != 0) return SystemError(path_, errno);
  return {};
}

std::map<ContentNumber, Description> DescriptionLog::Described() const {
  const MutexLock lock(mutex_);
  std::map<ContentNumber, Description> described;
  for (const auto& [number, line] : lines_) {
    if (auto description = ToDescription(std::string_view(line).substr(0, line.size() - 1))) {
      described[number] = *std::move(description);
    }
  }
  return described;
}

bool DescriptionLog::empty() const {
  const MutexLock lock(mutex_);
  return lines_.empty();
}

Result<void> DescriptionLog::Append(const std::string& line) {
  const ssize_t count = write(file_->fd(), line.data(), line.size());
  if (count == static_cast<ssize_t>(line.size())) {
    size_ += line.size();
    return {};
  }
  const int number = count < 0 ? errno : ENOSPC;
  // Half a line would make the next one unreadable, too.
  if (count > 0 && ftruncate(file_->fd(), static_cast<off_t>(size_)) != 0) return SystemError(path_, errno);
  return SystemError(path_, number);
}

void DescriptionLog::Shorten() {
  if (lines_.empty()) {
    if (ftruncate(file_->fd(), 0) != 0) return;
    size_ = 0;
    synced_ = false;
  } else if (size_ > rewrite_above_) {
    rewrite_above_ = Rewrite() ? std::max(kRewriteAbove, 2 * size_) : 2 * rewrite_above_;
  }
}

Result<void> DescriptionLog::Rewrite() {
  const std::string temporary = path_ + ".new";
  auto file = std::make_shared<const Descriptor>(
      open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!file->is_open()) return SystemError(temporary, errno);
  std::string text;
  for (const auto& [number, line] : lines_) text += line;
  auto written = WriteAt(file->fd(), 0, text);
  if (written && synced_ && fsync(file->fd()) != 0) written = SystemError(temporary, errno);
  if (written && rename(temporary.c_str(), path_.c_str()) != 0) written = SystemError(path_, errno);
  if (!written) {
    unlink(temporary.c_str());
    return written;
  }
  if (synced_) {
    // What the old log said about a content that has to survive is to be found by this name.
    const Descriptor folder(open(path_.substr(0, path_.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.is_open()) (void)fsync(folder.fd());
  }
  file_ = std::move(file);
  size_ = text.size();
  return {};
}

}  // namespace concordfs::fs
