// What programs see of an error.
#pragma once

#include "vcs/result.h"

namespace concordfs::fs {

// The errno for a code, as the contract's table has it. ESTALE is for kStale alone.
int ErrnoOf(Code code);

}  // namespace concordfs::fs
