#include "vcs/git/http_settings.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "vcs/git/git_command.h"

namespace concordfs::vcs::git {
namespace {

bool IsFalse(const std::string& value) {
  for (const char* word : {"false", "no", "off", "0", ""}) {
    if (::strcasecmp(value.c_str(), word) == 0) return true;
  }
  return false;
}

std::filesystem::path PathOf(std::string_view value) {
  const char* home = std::getenv("HOME");
  if (value.starts_with("~/") && home != nullptr) return std::filesystem::path(home) / value.substr(2);
  return value;
}

}  // namespace

HttpSettings ParseHttpSettings(std::string_view config) {
  HttpSettings settings;
  while (!config.empty()) {
    const std::string_view entry = config.substr(0, config.find('\0'));
    config.remove_prefix(std::min(config.size(), entry.size() + 1));
    const std::size_t line = entry.find('\n');
    const std::string_view key = entry.substr(0, line);
    const bool has_value = line != std::string_view::npos;
    const std::string_view value = has_value ? entry.substr(line + 1) : std::string_view();
    if (key == "http.sslcainfo") settings.ca_file = PathOf(value);
    if (key == "http.sslcapath") settings.ca_folder = PathOf(value);
    if (key == "http.sslverify") settings.verifies = !has_value || !IsFalse(std::string(value));
    if (key == "http.proxy") settings.proxy = std::string(value);
  }
  return settings;
}

HttpSettings ReadHttpSettings(const RemoteUrl& url, const std::filesystem::path& git_dir, std::chrono::milliseconds patience) {
  std::vector<std::string> arguments = {"config", "--null", "--get-urlmatch", "http", url.Shown()};
  if (!git_dir.empty()) arguments.insert(arguments.begin(), "--git-dir=" + git_dir.string());
  const auto config = AskGit(arguments, "", patience);
  HttpSettings settings = ParseHttpSettings(config ? config->text() : "");
  if (const char* file = std::getenv("GIT_SSL_CAINFO")) settings.ca_file = file;
  if (const char* folder = std::getenv("GIT_SSL_CAPATH")) settings.ca_folder = folder;
  if (std::getenv("GIT_SSL_NO_VERIFY") != nullptr) settings.verifies = false;
  return settings;
}

}  // namespace concordfs::vcs::git
