// What a missing object means to who reads a path.
#pragma once

#include "vcs/result.h"

namespace concordfs::fs {

// An object that history names and that is not there is damage (EIO), not a path that doesn't exist (ENOENT).
inline Error AsDamage(const Error& error) {
  return Error{error.code == Code::kNotFound ? Code::kCorrupt : error.code, error.message};
}

}  // namespace concordfs::fs
