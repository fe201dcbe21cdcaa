// The exerciser's agents: processes of their own, which make one call at a time.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/mount/support/process.h"
#include "tests/posix/exercise/request.h"

namespace concordfs::exercise {

struct Answer {
  int error = 0;
  std::int64_t value = 0;
  std::string data;
};

// Threads: one.
class Agents {
 public:
  explicit Agents(int count) {
    for (int i = 0; i < count; ++i) {
      processes_.push_back(
          std::make_unique<mounttest::Process>(mounttest::ProcessSpec{.argv = {CONCORDFS_EXERCISE_AGENT},
                                                                      .cwd = "/",
                                                                      .environment = {{"CONCORDFS_AGENT", Name(i)}},
                                                                      .output_file = {}}));
    }
  }

  static std::string Name(int agent) { return "agent" + std::to_string(agent); }
  int count() const { return static_cast<int>(processes_.size()); }

  // Has one make a call, and waits for its end. An agent that doesn't answer gives error -1.
  Answer Do(int agent, Request request, const std::string& path = "", const std::string& other_path = "",
            const std::string& data = "") {
    mounttest::Process& process = *processes_.at(static_cast<std::size_t>(agent));
    request.path_size = static_cast<std::uint32_t>(path.size());
    request.other_path_size = static_cast<std::uint32_t>(other_path.size());
    request.data_size = static_cast<std::uint32_t>(data.size());
    process.Send(std::string(reinterpret_cast<const char*>(&request), sizeof(request)) + path + other_path + data);
    Reply reply;
    std::string& out = process.out();
    const auto is_whole = [&] {
      if (out.size() < sizeof(reply)) return false;
      std::memcpy(&reply, out.data(), sizeof(reply));
      return out.size() >= sizeof(reply) + reply.data_size;
    };
    if (!process.WaitFor(is_whole)) return {-1, 0, process.err()};
    Answer answer{reply.error, reply.value, out.substr(sizeof(reply), reply.data_size)};
    out.erase(0, sizeof(reply) + reply.data_size);
    return answer;
  }

 private:
  std::vector<std::unique_ptr<mounttest::Process>> processes_;
};

}  // namespace concordfs::exercise
