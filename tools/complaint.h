// What the program says on stderr: one line each, "concordfs: what: why".
#pragma once

#include <string>
#include <string_view>

#include "vcs/result.h"

namespace concordfs::tools {

// Prints the line. Threads: any; a line is one write.
void Complain(std::string_view message);

// Complains of the error and returns kExitFailure, so that a command can `return Fail(result.error())`.
int Fail(const Error& error);

// An Error made of "what: why".
Error MakeError(Code code, std::string_view what, std::string_view why);

}  // namespace concordfs::tools
