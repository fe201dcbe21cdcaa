#include "fs/errno_map.h"

#include <cerrno>

namespace concordfs::fs {

int ErrnoOf(Code code) {
  switch (code) {
    case Code::kStale: return ESTALE;
    case Code::kNotFound: return ENOENT;
    case Code::kExists: return EEXIST;
    case Code::kNotDirectory: return ENOTDIR;
    case Code::kIsDirectory: return EISDIR;
    case Code::kNotEmpty: return ENOTEMPTY;
    case Code::kInvalidName:
    case Code::kInvalidArgument: return EINVAL;
    case Code::kNameTooLong: return ENAMETOOLONG;
    case Code::kPermission: return EPERM;
    case Code::kAccess: return EACCES;
    case Code::kBusy: return EBUSY;
    case Code::kReadOnly: return EROFS;
    case Code::kNoSpace: return ENOSPC;
    case Code::kQuota: return EDQUOT;
    case Code::kTooBig: return EFBIG;
    case Code::kNoAttribute: return ENODATA;
    case Code::kRange: return ERANGE;
    case Code::kNotSupported: return EOPNOTSUPP;
    case Code::kBadHandle: return EBADF;
    case Code::kCrossDevice: return EXDEV;
    case Code::kTooManyLinks: return EMLINK;
    case Code::kTextBusy: return ETXTBSY;
    case Code::kNoData: return ENXIO;
    case Code::kWouldBlock: return EAGAIN;
    case Code::kDeadlock: return EDEADLK;
    case Code::kInterrupted: return EINTR;
    case Code::kNoLocks: return ENOLCK;
    case Code::kUnreachable:
    case Code::kInDoubt: return EHOSTUNREACH;  // never ESTALE for a network fault: the working copy stays
    case Code::kDeclined: return EACCES;
    case Code::kRefMoved:  // never leaves the committer
    case Code::kLocked:    // the working copy stays: writing and closing again publishes
    case Code::kIo:
    case Code::kCorrupt: return EIO;
  }
  return EIO;
}

}  // namespace concordfs::fs
