#include "tests/mount/support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

namespace concordfs::mounttest {
namespace {

// The mount points below `folder`, the deepest first.
std::vector<std::string> MountsBelow(const std::string& folder) {
  std::vector<std::string> found;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string mountpoint;
    fields >> skipped >> skipped >> skipped >> skipped >> mountpoint;
    if (mountpoint.rfind(folder + "/", 0) == 0) found.insert(found.begin(), mountpoint);
  }
  return found;
}

}  // namespace

TempDir::TempDir(const std::string& below) {
  std::string name = below + "/concordfs-mount-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "mkdtemp: " << std::strerror(errno);
  path_ = name;
}

TempDir::~TempDir() {
  for (const std::string& mountpoint : MountsBelow(path_)) umount2(mountpoint.c_str(), MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path TempDir::MakeDirectory(const std::string& name) const {
  std::filesystem::path made = path_ / name;
  std::filesystem::create_directories(made);
  return made;
}

std::string ReadFile(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    ADD_FAILURE() << "can't read " << file << ": " << std::strerror(errno);
    return "";
  }
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::filesystem::path& file, std::string_view bytes) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << bytes;
  out.close();
  if (!out) ADD_FAILURE() << "can't write " << file << ": " << std::strerror(errno);
}

}  // namespace concordfs::mounttest
