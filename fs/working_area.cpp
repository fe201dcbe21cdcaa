#include "fs/working_area.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fs/file_io.h"
#include "vcs/repo_path.h"

namespace concordfs::fs {

std::filesystem::path MountsFolder(const std::filesystem::path& git_dir) { return git_dir / "concordfs" / "mounts"; }

Result<std::unique_ptr<WorkingArea>> WorkingArea::Make(const std::filesystem::path& git_dir) {
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
  return std::unique_ptr<WorkingArea>(new WorkingArea(name, lock));
}

WorkingArea::~WorkingArea() {
  std::error_code ignored;
  bool has_content = false;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    has_content = has_content || entry.path().extension() == ".json";
  }
  // Content that could be neither published nor parked stays for the next mount's recovery.
  if (!has_content) std::filesystem::remove_all(folder_, ignored);
  close(lock_);
}

std::string WorkingArea::NewPath() { return (folder_ / std::to_string(next_++)).string(); }

Result<void> WriteDescription(const std::string& content_path, const Description& description) {
  const nlohmann::json json = {{"agent", description.agent},
                               {"process", description.process},
                               {"path", vcs::Quoted(description.path)},
                               {"base", vcs::ToString(description.base.version)},
                               {"base_commit", description.base.commit.Hex()},
                               {"mode", static_cast<std::uint32_t>(description.mode)}};
  return ReplaceFile(content_path + ".json", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Result<Description> ReadDescription(const std::string& description_path) {
  std::ifstream file(description_path);
  const auto json = nlohmann::json::parse(file, nullptr, false);
  const auto broken = Error{Code::kCorrupt, description_path + ": no description of a working copy"};
  if (!json.is_object()) return broken;
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Description description;
  description.agent = text("agent");
  description.process = text("process");
  description.path = vcs::Unquoted(text("path"));
  const auto version = vcs::ParseVersion(text("base"));
  const auto commit = vcs::ObjectId::FromHex(text("base_commit"));
  if (!version || !commit || description.agent.empty() || description.path.empty()) return broken;
  description.base = vcs::Base{*version, *commit};
  description.mode = static_cast<vcs::FileMode>(json.value("mode", static_cast<std::uint32_t>(vcs::FileMode::kRegular)));
  return description;
}

}  // namespace concordfs::fs
