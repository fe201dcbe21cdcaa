// Running the program under test.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace concordfs::tools {

struct Outcome {
  int exit_status = -1;  // as a shell's $?
  std::string out;
  std::string err;
};

// Runs the built `concordfs` with these arguments in `folder` to its end. `name` is what it finds as its own name.
Outcome RunProgram(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                   const std::string& name = "concordfs");

}  // namespace concordfs::tools
