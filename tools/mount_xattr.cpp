#include "tools/mount_xattr.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>

#include "tools/complaint.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

constexpr std::size_t kMaxValueSize = 64 << 10;  // bytes; the kernel's XATTR_SIZE_MAX

Error XattrError(const std::filesystem::path& path, int number) {
  // Another file system has no such attribute, or none at all.
  if (number == ENODATA || number == EOPNOTSUPP || number == ENOSYS) {
    return MakeError(Code::kNotSupported, vcs::Quoted(path.native()), "not inside a concordfs mount");
  }
  return SystemError(vcs::Quoted(path.native()), number);
}

}  // namespace

Result<std::string> ReadMountXattr(const std::filesystem::path& path, const char* name) {
  std::string value(kMaxValueSize, '\0');
  const ssize_t size = getxattr(path.c_str(), name, value.data(), value.size());
  if (size < 0) return XattrError(path, errno);
  value.resize(static_cast<std::size_t>(size));
  return value;
}

Result<void> WriteMountXattr(const std::filesystem::path& path, const char* name, const std::string& value) {
  // Another file system would just keep the attribute, and the caller would believe that something was done.
  if (const auto pid = ReadMountXattr(path, kPidXattr); !pid) return pid.error();
  if (setxattr(path.c_str(), name, value.data(), value.size(), 0) != 0) return XattrError(path, errno);
  return {};
}

Result<std::filesystem::path> MountRootOf(const std::filesystem::path& path) {
  if (const auto pid = ReadMountXattr(path, kPidXattr); !pid) return pid.error();
  std::error_code failed;
  std::filesystem::path root = std::filesystem::canonical(path, failed);
  if (failed) return SystemError(vcs::Quoted(path.native()), failed.value());
  struct stat status {};
  if (stat(root.c_str(), &status) != 0) return SystemError(vcs::Quoted(root.native()), errno);
  const dev_t device = status.st_dev;
  while (root.has_relative_path()) {
    const std::filesystem::path parent = root.parent_path();
    if (stat(parent.c_str(), &status) != 0) return SystemError(vcs::Quoted(parent.native()), errno);
    if (status.st_dev != device) break;
    root = parent;
  }
  return root;
}

}  // namespace concordfs::tools
