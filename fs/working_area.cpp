#include "fs/working_area.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fs/file_io.h"

namespace concordfs::fs {

std::filesystem::path MountsFolder(const std::filesystem::path& git_dir) {
  return git_dir / "concordfs" / "mounts";
}

std::filesystem::path DescriptionsPath(const std::filesystem::path& mount_folder) {
  return mount_folder / "descriptions";
}

std::filesystem::path ContentPath(const std::filesystem::path& mount_folder, ContentNumber number) {
  return mount_folder / std::to_string(number);
}

Result<std::unique_ptr<WorkingArea>> WorkingArea::Make(const std::filesystem::path& git_dir, ContentFiles files) {
  const std::filesystem::path mounts = MountsFolder(git_dir);
  for (const auto& folder : {mounts.parent_path(), mounts}) {
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return SystemError(folder.string(), errno);
  }
  std::string name = (mounts / "XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) return SystemError(name, errno);  // 0700
  const std::string lock_path = name + "/lock";
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const int number = errno;
    if (lock >= 0) close(lock);
    return SystemError(lock_path, number);
  }
  auto descriptions = DescriptionLog::Open(DescriptionsPath(name).string());
  if (!descriptions) {
    close(lock);
    return descriptions.error();
  }
  const std::size_t max_spare = files == ContentFiles::kUsedAgain ? kMaxSpare : 0;
  return std::unique_ptr<WorkingArea>(new WorkingArea(name, lock, *std::move(descriptions), max_spare));
}

WorkingArea::~WorkingArea() {
  // Content that could be neither published nor parked stays for the next mount's recovery.
  std::error_code ignored;
  if (descriptions_->empty()) std::filesystem::remove_all(folder_, ignored);
  close(lock_);
}

std::string WorkingArea::NewPath() {
  const MutexLock lock(mutex_);
  return ContentPath(folder_, next_++).string();
}

Result<ContentFile> WorkingArea::TakeFile() {
  ContentFile file;
  {
    const MutexLock lock(mutex_);
    if (!spare_.empty()) {
      file = std::move(spare_.back());
      spare_.pop_back();
      return file;
    }
    file.number = next_++;
  }
  const std::string path = ContentPath(folder_, file.number).string();
  file.descriptor = Descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.descriptor.is_open()) return SystemError(path, errno);
  return file;
}

void WorkingArea::GiveBack(ContentFile file, std::uint64_t size) {
  if (max_spare_ == 0) return Remove(file);
  if (size > 0 && ftruncate(file.descriptor.fd(), 0) != 0) return Remove(file);
  {
    const MutexLock lock(mutex_);
    if (spare_.size() < max_spare_) {
      spare_.push_back(std::move(file));
      return;
    }
  }
  Remove(file);
}

void WorkingArea::Remove(const ContentFile& file) {
  unlink(ContentPath(folder_, file.number).c_str());
}

Result<void> WorkingArea::Sync() {
  if (auto synced = descriptions_->Sync(); !synced) return synced;
  const Descriptor folder(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || fsync(folder.fd()) != 0) return SystemError("fsync " + folder_.string(), errno);
  return {};
}

}  // namespace concordfs::fs
