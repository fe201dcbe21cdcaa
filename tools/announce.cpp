#include "tools/announce.h"

#include <spdlog/spdlog.h>

#include "tools/complaint.h"

namespace concordfs::tools {

void Announce(const std::string& message, LogTo log_to) {
  spdlog::info("{}", message);
  if (log_to == LogTo::kFile) Complain(message);  // else the log is on stderr already
}

}  // namespace concordfs::tools
