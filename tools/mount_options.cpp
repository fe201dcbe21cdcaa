#include "tools/mount_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "tools/complaint.h"
#include "tools/decimal.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

// What others mean, or what is the default anyway.
constexpr std::array<std::string_view, 20> kIgnored = {
    "defaults", "rw",  "auto", "noauto", "user",  "nouser", "users",    "owner",    "group",      "nofail",
    "_netdev",  "dev", "suid", "exec",   "async", "atime",  "diratime", "relatime", "norelatime", "silent"};

bool IsIgnored(std::string_view option) {
  if (option.starts_with("x-") || option.starts_with("X-") || option.starts_with("comment=") ||
      option.starts_with("user=")) {
    return true;
  }
  return option.empty() || std::find(kIgnored.begin(), kIgnored.end(), option) != kIgnored.end();
}

std::vector<std::string> Split(std::string_view list) {
  std::vector<std::string> options(1);
  for (std::size_t at = 0; at < list.size(); ++at) {
    if (list[at] == '\\' && at + 1 < list.size()) {
      options.back().push_back(list[++at]);
    } else if (list[at] == ',') {
      options.emplace_back();
    } else {
      options.back().push_back(list[at]);
    }
  }
  return options;
}

Error BadValue(std::string_view option, std::string_view why) {
  return MakeError(Code::kInvalidArgument, "option " + vcs::Quoted(option), why);
}

template <class Number>
Result<Number> ParseId(std::string_view option, std::string_view text) {
  const auto number = ParseDecimal<Number>(text);
  if (!number) return BadValue(option, "a number is expected");
  return *number;
}

// Puts a parsed value in its place, or hands on the error.
template <class T>
Result<void> Assign(T& place, Result<T> value) {
  if (!value) return value.error();
  place = std::move(*value);
  return {};
}

// Nothing for an option that isn't about the remote.
std::optional<Result<void>> ReadRemoteOption(const std::string& option, std::string_view name, std::string_view value, MountRequest& request) {
  if (name == "remote") {
    if (value.empty()) return BadValue(option, "a remote is expected");
    request.remote = value;
  } else if (name == "ssh_key") {
    if (value.empty()) return BadValue(option, "a file is expected");
    request.ssh_key = std::filesystem::absolute(value);
  } else if (name == "remote_token_file") {
    if (value.empty()) return BadValue(option, "a file is expected");
    request.remote_token_file = std::filesystem::absolute(value);
  } else if (name == "fetch_period") {
    return Assign(request.fetch_period, ParseSeconds(value));
  } else if (name == "remote_timeout") {
    return Assign(request.remote_timeout, ParseSeconds(value));
  } else if (name == "push") {
    return Assign(request.push, ParsePushMode(value));
  } else if (name == "push_backlog") {
    return Assign(request.push_backlog, ParseBacklog(value));
  } else if (option == "push_rejected") {
    request.push_rejected = true;
  } else {
    return std::nullopt;
  }
  return Result<void>();
}

Result<void> ReadOption(const std::string& option, MountRequest& request) {
  const std::size_t equals = option.find('=');
  const std::string_view name = std::string_view(option).substr(0, equals);
  const std::string_view value =
      equals == std::string::npos ? std::string_view() : std::string_view(option).substr(equals + 1);
  if (option == "ro") {
    request.read_only = true;
  } else if (option == "allow_other") {
    request.allow_other = true;
  } else if (option == "no_default_temporaries") {
    request.default_temporaries = false;
  } else if (option == "no_passthrough") {
    request.passthrough = false;
  } else if (name == "scratch" || name == "temporary") {
    if (const auto checked = CheckPattern(value); !checked) return checked.error();
    (name == "scratch" ? request.scratch : request.temporaries).emplace_back(value);
  } else if (name == "branch") {
    if (value.empty()) return BadValue(option, "a branch is expected");
    request.branch = value;
  } else if (name == "agent") {
    if (const auto checked = CheckAgentName(value); !checked) return checked.error();
    request.agent = value;
  } else if (name == "durability") {
    return Assign(request.durability, ParseDurability(value));
  } else if (name == "max_file_size") {
    return Assign(request.max_file_size, ParseByteCount(value));
  } else if (name == "cache_memory") {
    return Assign(request.cache_memory, ParseByteCount(value));
  } else if (name == "uid") {
    return Assign(request.uid, ParseId<uid_t>(option, value));
  } else if (name == "gid") {
    return Assign(request.gid, ParseId<gid_t>(option, value));
  } else if (const auto remote = ReadRemoteOption(option, name, value, request)) {
    return *remote;
  } else if (!IsIgnored(option)) {
    request.fuse_options.push_back(option);
  }
  return {};
}

}  // namespace

Result<void> ReadOptionList(std::string_view list, MountRequest& request) {
  for (const std::string& option : Split(list)) {
    if (const auto read = ReadOption(option, request); !read) return read.error();
  }
  return {};
}

Result<vcs::git::Durability> ParseDurability(std::string_view text) {
  if (text == "process") return vcs::git::Durability::kProcess;
  if (text == "power") return vcs::git::Durability::kPower;
  return MakeError(Code::kInvalidArgument, "durability " + vcs::Quoted(text), "it is either process or power");
}

Result<vcs::PushMode> ParsePushMode(std::string_view text) {
  if (text == "sync") return vcs::PushMode::kSync;
  if (text == "async") return vcs::PushMode::kAsync;
  return MakeError(Code::kInvalidArgument, "push " + vcs::Quoted(text), "it is either sync or async");
}

Result<std::uint64_t> ParseBacklog(std::string_view text) {
  const auto number = ParseDecimal<std::uint64_t>(text);
  if (!number) return MakeError(Code::kInvalidArgument, "push backlog " + vcs::Quoted(text), "a number of commits is expected");
  return *number;
}

Result<void> CheckTogether(const MountRequest& request) {
  const bool is_async = request.push == vcs::PushMode::kAsync;
  if (!request.remote.empty() || (!is_async && !request.push_rejected)) return {};
  return MakeError(Code::kInvalidArgument, is_async ? "push async" : "push rejected", "there is no remote to push to; --remote names one");
}

const char* DurabilityName(vcs::git::Durability durability) {
  switch (durability) {
    case vcs::git::Durability::kProcess: return "process";
    case vcs::git::Durability::kPower: return "power";
  }
  return "";
}

Result<std::uint64_t> ParseByteCount(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  const Error bad = MakeError(Code::kInvalidArgument, "size " + vcs::Quoted(text),
                              "a number of bytes is expected, with K, M, G or T behind it or nothing");
  std::uint64_t number = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), text_end, number);
  if (failed != std::errc()) return bad;
  const std::string_view unit(end, static_cast<std::size_t>(text_end - end));
  if (unit.empty()) return number;
  const std::size_t power = unit.size() == 1 ? kUnits.find(unit[0]) : std::string_view::npos;
  if (power == std::string_view::npos) return bad;
  const auto shift = static_cast<unsigned>(10 * (power + 1));
  if (number > (std::numeric_limits<std::uint64_t>::max() >> shift)) return bad;
  return number << shift;
}

Result<std::chrono::milliseconds> ParseSeconds(std::string_view text) {
  constexpr double kDay = 86'400;
  double seconds = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), text_end, seconds, std::chars_format::fixed);
  if (failed != std::errc() || end != text_end || !(seconds >= 0.001 && seconds <= kDay)) {
    return MakeError(Code::kInvalidArgument, "time " + vcs::Quoted(text), "a number of seconds is expected, up to a day");
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

Result<void> CheckAgentName(std::string_view name) {
  if (name.empty()) return MakeError(Code::kInvalidArgument, "agent", "the name is empty");
  return {};
}

Result<void> CheckPattern(std::string_view pattern) {
  if (pattern.empty()) return MakeError(Code::kInvalidArgument, "pattern", "it is empty");
  if (pattern.find('\n') == std::string_view::npos) return {};
  return MakeError(Code::kInvalidArgument, "pattern " + vcs::Quoted(pattern), "a line break can't be in it");
}

std::vector<std::string> WithMountCommand(std::string_view program, std::vector<std::string> args) {
  constexpr std::array<std::string_view, 8> kCommands = {"init",     "mount",   "umount", "run",
                                                         "rejected", "refresh", "status", "sync"};
  const std::string_view name = program.substr(program.rfind('/') + 1);  // npos + 1 is 0
  const bool is_helper = name.starts_with("mount.");
  const bool is_mount_fuse = args.size() >= 3 && args[2] == "-o" && !args[0].starts_with('-') &&
                             std::find(kCommands.begin(), kCommands.end(), args[0]) == kCommands.end();
  if (is_helper || is_mount_fuse) args.insert(args.begin(), "mount");
  return args;
}

}  // namespace concordfs::tools
