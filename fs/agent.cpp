#include "fs/agent.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <memory>
#include <optional>
#include <vector>

#include "fs/descriptor.h"
#include "vcs/agent_name.h"

namespace concordfs::fs {
namespace {

constexpr std::size_t kMaxProcFile = 1 << 20;  // bytes; an environment is smaller unless somebody plays

// All of a file. Files in /proc have no size to ask for.
std::string ReadAll(const Descriptor& file) {
  std::string text;
  char buffer[4096];
  ssize_t count;
  while (text.size() < kMaxProcFile && (count = read(file.fd(), buffer, sizeof(buffer))) > 0) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

// The file's text, or nothing.
std::optional<std::string> ReadProcFile(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::nullopt;
  return ReadAll(file);
}

std::string_view FindVariable(std::string_view environment, std::string_view name) {
  while (!environment.empty()) {
    const std::string_view entry = environment.substr(0, environment.find('\0'));
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
    environment.remove_prefix(std::min(entry.size() + 1, environment.size()));
  }
  return {};
}

template <class Number>
Number ToNumber(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// What /proc/<tid>/stat says. Source: proc(5).
struct Stat {
  std::string name;              // comm, field 2
  pid_t parent = 0;              // field 4
  pid_t session = 0;             // field 6
  std::uint64_t start_time = 0;  // clock ticks since boot, field 22
  // Where the environment is in its memory, field 50; 0 if that may not be known. Each exec draws another place.
  std::uint64_t environment = 0;
};

Stat ReadStat(pid_t pid) {
  Stat stat;
  const auto text = ReadProcFile("/proc/" + std::to_string(pid) + "/stat");
  if (!text) return stat;
  const std::size_t open = text->find('(');
  const std::size_t close = text->rfind(')');  // the name may hold anything
  if (open == std::string::npos || close == std::string::npos || close < open) return stat;
  stat.name = text->substr(open + 1, close - open - 1);
  std::vector<std::string_view> fields;  // from field 3 on
  std::string_view rest = std::string_view(*text).substr(std::min(close + 2, text->size()));
  while (!rest.empty()) {
    const std::string_view field = rest.substr(0, rest.find(' '));
    fields.push_back(field);
    rest.remove_prefix(std::min(field.size() + 1, rest.size()));
  }
  if (fields.size() > 3) stat.parent = ToNumber<pid_t>(fields[1]);
  if (fields.size() > 3) stat.session = ToNumber<pid_t>(fields[3]);
  if (fields.size() > 19) stat.start_time = ToNumber<std::uint64_t>(fields[19]);
  if (fields.size() > 47) stat.environment = ToNumber<std::uint64_t>(fields[47]);
  return stat;
}

std::string UserName(uid_t uid) {
  char buffer[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found != nullptr) return found->pw_name;
  return "uid" + std::to_string(uid);
}

}  // namespace

ProcAgentSource::ProcAgentSource(const std::string& fixed_agent)
    : fixed_agent_(fixed_agent.empty() ? "" : vcs::SanitizedAgentName(fixed_agent)) {}

std::optional<Identity> ProcAgentSource::FindKnown(const Caller& caller) {
  std::shared_ptr<const Known> known;
  {
    const MutexLock lock(mutex_);
    const auto found = known_.find(caller.tid);
    if (found == known_.end()) return std::nullopt;
    known = found->second;
  }
  char first = 0;
  const bool same_memory = pread(known->environment.fd(), &first, 1, 0) == 1;
  if (!same_memory || std::chrono::steady_clock::now() >= known->until) return std::nullopt;
  Identity identity = known->identity;
  identity.uid = caller.uid;
  identity.gid = caller.gid;
  return identity;
}

void ProcAgentSource::Remember(pid_t tid, Descriptor environment, const Identity& identity) {
  const auto now = std::chrono::steady_clock::now();
  auto known = std::make_shared<const Known>(Known{std::move(environment), identity, now + kKnownFor});
  std::unordered_map<pid_t, std::shared_ptr<const Known>> old;  // closed after the lock
  const MutexLock lock(mutex_);
  if (known_.size() >= kMaxKnown) old.swap(known_);
  std::swap(known_[tid], known);
}

Identity ProcAgentSource::Identify(const Caller& caller) {
  if (caller.tid > 0) {
    if (auto known = FindKnown(caller)) return *std::move(known);
  }
  Identity identity;
  identity.uid = caller.uid;
  identity.gid = caller.gid;
  Stat stat;
  std::string_view name;
  std::string environment;
  Descriptor environment_file;
  if (caller.tid > 0) {
    const std::string folder = "/proc/" + std::to_string(caller.tid);
    stat = ReadStat(caller.tid);
    const pid_t process = ProcessOf(caller.tid);
    identity.process = vcs::ProcessKey{process, process == caller.tid ? stat.start_time : ReadStat(process).start_time};
    identity.description = std::to_string(process) + " " + stat.name;
    environment_file = Descriptor(open((folder + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
    if (environment_file.is_open()) environment = ReadAll(environment_file);
    name = FindVariable(environment, "CONCORDFS_AGENT");
    identity.message = FindVariable(environment, "CONCORDFS_MESSAGE");
  }
  if (!fixed_agent_.empty()) {
    identity.agent = fixed_agent_;
  } else if (!name.empty()) {
    identity.agent = vcs::SanitizedAgentName(name);
  } else {
    identity.agent = vcs::SanitizedAgentName(UserName(caller.uid) + "-s" + std::to_string(stat.session));
  }
  // A child that still runs in its parent's memory (vfork(2), posix_spawn(3)) takes on another environment while that
  // lives: such a one is looked at each time.
  if (environment_file.is_open() && stat.environment != 0 && ReadStat(stat.parent).environment != stat.environment) {
    Remember(caller.tid, std::move(environment_file), identity);
  }
  return identity;
}

pid_t ProcAgentSource::ProcessOf(pid_t tid) {
  if (tid <= 0) return 0;
  const auto status = ReadProcFile("/proc/" + std::to_string(tid) + "/status");
  if (!status) return 0;
  const std::size_t at = status->find("\nTgid:");
  if (at == std::string::npos) return 0;
  const std::size_t digits = status->find_first_of("0123456789", at);
  return digits == std::string::npos ? 0 : ToNumber<pid_t>(std::string_view(*status).substr(digits, 12));
}

bool ProcAgentSource::IsGone(const vcs::ProcessKey& process) { return ReadStat(process.pid).start_time != process.start_time; }

}  // namespace concordfs::fs
