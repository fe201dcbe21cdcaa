#include "tools/restore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tools/complaint.h"
#include "tools/mount_xattr.h"

namespace concordfs::tools {
namespace {

Error CallError(const std::filesystem::path& path, int number) {
  return SystemError(vcs::Quoted(path.native()), number);
}

bool IsSymlink(const std::filesystem::path& path) {
  std::error_code failed;
  return std::filesystem::is_symlink(path, failed);
}

// Removes what is there, if anything is.
Result<void> Remove(const std::filesystem::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return CallError(path, errno);
  return {};
}

Result<void> WriteFile(vcs::Store& store, const vcs::Version& version, const std::filesystem::path& path) {
  const mode_t mode = version.mode == vcs::FileMode::kExecutable ? 0755 : 0644;
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return CallError(path, errno);
  auto copied = store.CopyBlobTo(version.blob, fd);
  if (copied && fchmod(fd, mode) != 0) copied = CallError(path, errno);
  // Whatever happened, it is the close that publishes and that may be refused.
  if (close(fd) != 0 && copied) return CallError(path, errno);
  return copied;
}

Result<void> MakeSymlink(vcs::Store& store, const vcs::Version& version, const std::filesystem::path& path) {
  const auto target = store.Read(version.blob, vcs::ObjectKind::kBlob);
  if (!target) return target.error();
  if (const auto removed = Remove(path); !removed) return removed.error();
  if (symlink(target->c_str(), path.c_str()) != 0) return CallError(path, errno);
  return {};
}

Result<void> PutVersion(vcs::Store& store, const vcs::Version& version, const std::filesystem::path& path) {
  if (version.mode == vcs::FileMode::kSymlink) return MakeSymlink(store, version, path);
  if (IsSymlink(path)) {  // it would be written through
    if (const auto removed = Remove(path); !removed) return removed.error();
  }
  return WriteFile(store, version, path);
}

}  // namespace

Result<void> RestoreInMount(vcs::Store& store, const vcs::MaybeVersion& version, const vcs::RepoPath& path,
                            const std::filesystem::path& mount_root) {
  const std::filesystem::path parent = mount_root / path.Parent().text();
  const std::filesystem::path target = mount_root / path.text();
  std::error_code failed;
  if (version) std::filesystem::create_directories(parent, failed);
  if (failed) return CallError(parent, failed.value());
  if (!version && !std::filesystem::exists(std::filesystem::symlink_status(target, failed))) return {};
  if (auto adopted = WriteMountXattr(parent, kRefreshXattr, std::string(path.Name())); !adopted) return adopted;
  return version ? PutVersion(store, *version, target) : Remove(target);
}

Result<void> RestoreToFile(vcs::Store& store, const vcs::MaybeVersion& version, const std::filesystem::path& file) {
  if (!version) return MakeError(Code::kNotFound, vcs::Quoted(file.native()), "the parked change is a deletion");
  return WriteFile(store, *version, file);
}

}  // namespace concordfs::tools
