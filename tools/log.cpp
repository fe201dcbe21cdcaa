#include "tools/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <memory>
#include <vector>

#include "tools/complaint.h"

namespace concordfs::tools {
namespace {

constexpr std::size_t kMaxLogSize = 10 << 20;  // bytes
constexpr std::size_t kOlderLogs = 3;

spdlog::sink_ptr FileSink(const std::filesystem::path& git_dir) {
  const std::filesystem::path folder = git_dir / "concordfs";
  // The log holds names of files, so it is nobody else's to read. Whether there is a folder now, the file will tell.
  mkdir(folder.c_str(), 0700);
  try {
    return std::make_shared<spdlog::sinks::rotating_file_sink_mt>((folder / "log").native(), kMaxLogSize, kOlderLogs);
  } catch (const spdlog::spdlog_ex& failed) {
    Complain("no log file: " + std::string(failed.what()));
    return nullptr;
  }
}

}  // namespace

void StartLog(const std::filesystem::path& git_dir, LogTo log_to) {
  std::vector<spdlog::sink_ptr> sinks;
  if (auto file = FileSink(git_dir)) sinks.push_back(std::move(file));
  if (log_to == LogTo::kFileAndStderr) sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto logger = std::make_shared<spdlog::logger>("concordfs", sinks.begin(), sinks.end());
  // The process id tells two daemons on one repository apart.
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z [%P] %l: %v");
  logger->flush_on(spdlog::level::info);
  // A disk that takes no log must not stop the file system; spdlog would print it to stderr each time.
  logger->set_error_handler([](const std::string&) {});
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace concordfs::tools
