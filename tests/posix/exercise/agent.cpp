// An agent of the exerciser: makes the calls that it is asked for on standard input, and answers on standard output.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tests/posix/exercise/request.h"

namespace concordfs::exercise {
namespace {

std::map<int, int> descriptors;  // by slot

std::string Take(std::size_t size) {
  std::string bytes(size, '\0');
  if (std::fread(bytes.data(), 1, size, stdin) != size) std::exit(0);
  return bytes;
}

struct Outcome {
  std::int64_t value = 0;  // -1: errno says why
  std::string data;
};

Outcome ReadAll(int fd, off_t offset, std::size_t length) {
  Outcome outcome{0, std::string(length, '\0')};
  std::size_t got = 0;
  while (got < length) {
    const ssize_t count = pread(fd, outcome.data.data() + got, length - got, offset + static_cast<off_t>(got));
    if (count < 0) return {-1, ""};
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  outcome.data.resize(got);
  return outcome;
}

// Maps whole pages around the range; `use` gets where it begins.
template <class Use>
Outcome WithMapping(int fd, off_t offset, std::size_t length, int protection, Use use) {
  const off_t start = offset & ~static_cast<off_t>(4095);
  const auto lead = static_cast<std::size_t>(offset - start);
  void* const mapped = mmap(nullptr, lead + length, protection, MAP_SHARED, fd, start);
  if (mapped == MAP_FAILED) return {-1, ""};
  Outcome outcome = use(static_cast<char*>(mapped) + lead);
  if ((protection & PROT_WRITE) != 0 && msync(mapped, lead + length, MS_SYNC) != 0) outcome.value = -1;
  const int error = errno;
  munmap(mapped, lead + length);
  errno = error;
  return outcome;
}

Outcome List(const std::string& path) {
  DIR* const folder = opendir(path.c_str());
  if (folder == nullptr) return {-1, ""};
  std::vector<std::string> names;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(folder);
  std::sort(names.begin(), names.end());
  Outcome outcome;
  for (const std::string& name : names) outcome.data += name + "\n";
  return outcome;
}

Outcome Copy(const Request& request) {
  off_t in = request.offset;
  off_t out = request.other_offset;
  return {copy_file_range(descriptors[request.slot], &in, descriptors[request.other_slot], &out,
                          static_cast<std::size_t>(request.length), 0),
          ""};
}

Outcome Close(int slot) {
  const int fd = descriptors[slot];
  descriptors.erase(slot);
  return {close(fd), ""};
}

Outcome Do(const Request& request, const std::string& path, const std::string& other_path, const std::string& data) {
  const auto length = static_cast<std::size_t>(request.length);
  const auto fd = [&] { return descriptors.at(request.slot); };
  switch (request.call) {
    case Call::kOpen: {
      const int opened = open(path.c_str(), request.flags | O_CLOEXEC, 0644);
      if (opened >= 0) descriptors[request.slot] = opened;
      return {opened, ""};
    }
    case Call::kClose: return Close(request.slot);
    case Call::kRead: return ReadAll(fd(), request.offset, length);
    case Call::kWrite: return {pwrite(fd(), data.data(), data.size(), request.offset), ""};
    case Call::kTruncate: return {truncate(path.c_str(), request.length), ""};
    case Call::kFtruncate: return {ftruncate(fd(), request.length), ""};
    case Call::kFallocate: return {fallocate(fd(), request.flags, request.offset, request.length), ""};
    case Call::kMapRead:
      return WithMapping(fd(), request.offset, length, PROT_READ, [&](const char* at) {
        return Outcome{0, std::string(at, length)};
      });
    case Call::kMapWrite:
      return WithMapping(fd(), request.offset, data.size(), PROT_READ | PROT_WRITE, [&](char* at) {
        std::memcpy(at, data.data(), data.size());
        return Outcome{};
      });
    case Call::kFsync: return {fsync(fd()), ""};
    case Call::kCopy: return Copy(request);
    case Call::kSeek: return {lseek(fd(), request.offset, request.flags), ""};
    case Call::kRename: return {rename(path.c_str(), other_path.c_str()), ""};
    case Call::kUnlink: return {unlink(path.c_str()), ""};
    case Call::kSize: {
      struct stat status {};
      return {stat(path.c_str(), &status) == 0 ? status.st_size : -1, ""};
    }
    case Call::kList: return List(path);
  }
  std::abort();
}

}  // namespace
}  // namespace concordfs::exercise

int main() {
  using namespace concordfs::exercise;
  for (;;) {
    Request request;
    if (std::fread(&request, sizeof(request), 1, stdin) != 1) return 0;
    const std::string path = Take(request.path_size);
    const std::string other_path = Take(request.other_path_size);
    const std::string data = Take(request.data_size);
    const Outcome outcome = Do(request, path, other_path, data);
    Reply reply;
    reply.error = outcome.value < 0 ? errno : 0;
    reply.value = outcome.value;
    reply.data_size = static_cast<std::uint32_t>(outcome.data.size());
    std::fwrite(&reply, sizeof(reply), 1, stdout);
    std::fwrite(outcome.data.data(), 1, outcome.data.size(), stdout);
    std::fflush(stdout);
  }
}
