#include <string>
#include <vector>

#include "tools/command_line.h"

int main(int argc, char** argv) {
  return concordfs::tools::RunCommandLine(std::vector<std::string>(argv, argv + argc));
}
