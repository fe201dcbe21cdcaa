#include "vcs/result.h"

#include <cerrno>
#include <system_error>

namespace concordfs {

const char* CodeName(Code code) {
  switch (code) {
    case Code::kStale: return "stale";
    case Code::kRefMoved: return "ref moved";
    case Code::kLocked: return "locked";
    case Code::kNotFound: return "not found";
    case Code::kExists: return "exists";
    case Code::kNotDirectory: return "not a directory";
    case Code::kIsDirectory: return "is a directory";
    case Code::kNotEmpty: return "not empty";
    case Code::kInvalidName: return "invalid name";
    case Code::kNameTooLong: return "name too long";
    case Code::kInvalidArgument: return "invalid argument";
    case Code::kPermission: return "not permitted";
    case Code::kAccess: return "access denied";
    case Code::kBusy: return "busy";
    case Code::kReadOnly: return "read-only";
    case Code::kNoSpace: return "no space";
    case Code::kQuota: return "quota exceeded";
    case Code::kIo: return "i/o error";
    case Code::kCorrupt: return "corrupt";
    case Code::kTooBig: return "too big";
    case Code::kNoAttribute: return "no such attribute";
    case Code::kRange: return "out of range";
    case Code::kNotSupported: return "not supported";
    case Code::kBadHandle: return "bad handle";
    case Code::kCrossDevice: return "cross-device";
    case Code::kTooManyLinks: return "too many links";
    case Code::kTextBusy: return "text file busy";
    case Code::kNoData: return "no data";
    case Code::kWouldBlock: return "would block";
    case Code::kDeadlock: return "deadlock";
    case Code::kInterrupted: return "interrupted";
    case Code::kNoLocks: return "no locks left";
    case Code::kUnreachable: return "unreachable";
    case Code::kInDoubt: return "in doubt";
    case Code::kDeclined: return "declined";
  }
  return "unknown";
}

namespace {

Code CodeOfErrno(int number) {
  switch (number) {
    case ENOSPC: return Code::kNoSpace;
    case EDQUOT: return Code::kQuota;
    case EROFS: return Code::kReadOnly;
    case EACCES: return Code::kAccess;
    case EPERM: return Code::kPermission;
    case ENOENT: return Code::kNotFound;
    case EEXIST: return Code::kExists;
    case ENOTDIR: return Code::kNotDirectory;
    case EISDIR: return Code::kIsDirectory;
    case ENOTEMPTY: return Code::kNotEmpty;
    case ENAMETOOLONG: return Code::kNameTooLong;
    case EFBIG: return Code::kTooBig;
    case EINVAL: return Code::kInvalidArgument;
    case EOPNOTSUPP: return Code::kNotSupported;
    case EBUSY: return Code::kBusy;
    case EBADF: return Code::kBadHandle;
    case ENODATA: return Code::kNoAttribute;
    case ERANGE: return Code::kRange;
    case EXDEV: return Code::kCrossDevice;
    case EMLINK: return Code::kTooManyLinks;
    case ETXTBSY: return Code::kTextBusy;
    case ENXIO: return Code::kNoData;
    default: return Code::kIo;
  }
}

}  // namespace

Error SystemError(const std::string& what, int number) {
  return Error{CodeOfErrno(number), what + ": " + std::generic_category().message(number)};
}

}  // namespace concordfs
