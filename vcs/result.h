// Expected failures as values: a closed set of codes and a message for the log.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace concordfs {

// Every way in which an operation can fail by design. fs/errno_map.cpp turns each into the errno that
// programs see, in one switch without default: a new code does not compile until someone decides there.
enum class Code {
  kStale,            // a write stands on a base that is not the version at head (R5, R6)
  kRefMoved,         // a compare-and-swap of a ref found another value; internal, always decided again
  kLocked,           // another process holds git's lock of a ref, for longer than we wait
  kNotFound,         // no such path, object, ref, agent or parked change
  kExists,           // the name is taken
  kNotDirectory,     // a component of the path is no directory
  kIsDirectory,      // the operation needs a file
  kNotEmpty,         // the directory has entries
  kInvalidName,      // git can't hold the name
  kNameTooLong,      // a component over 255 bytes, or a path over 4095
  kInvalidArgument,  // the call makes no sense
  kPermission,       // not possible on versioned paths (hard links, device nodes), or not permitted to anybody
  kAccess,           // the caller may not
  kBusy,             // the name is in use in a way that the operation can't respect
  kReadOnly,         // mounted read-only, or the repository can't be written
  kNoSpace,          // the disk is full
  kQuota,            // the quota is used up
  kIo,               // the disk said so
  kCorrupt,          // an object is damaged or missing
  kTooBig,           // over --max-file-size
  kNoAttribute,      // no such extended attribute
  kRange,            // the caller's buffer is too small
  kNotSupported,     // not offered on this mount
  kBadHandle,        // an unknown or wrongly opened handle
  kCrossDevice,      // rename or link between what is versioned and what is scratch, where it can't be one step
  kTooManyLinks,     // the file has as many hard links as its file system can count
  kTextBusy,         // a program that runs can't be written
  kNoData,           // no data or hole behind that offset
  kWouldBlock,       // an advisory lock that another owner has
  kDeadlock,         // waiting for that lock would never end
  kInterrupted,      // what was waited for is not wanted any more
  kNoLocks,          // too many advisory locks
  kUnreachable,      // a remote can't be reached: nothing was published there
  kInDoubt,          // the answer of a remote was lost: what was pushed may be there, and will be found if it is
  kDeclined,         // a remote doesn't take it: a hook, a protected branch
};

// Lower-case name of a code, for logs and tests. Never null.
const char* CodeName(Code code);

struct Error {
  Code code;
  std::string message;  // "what: why", without a trailing full stop; for logs and for the command line
};

// A value of T, or an Error. Threads: as a T.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return Value(); }
  const T& operator*() const& { return const_cast<Result*>(this)->Value(); }
  T&& operator*() && { return std::move(Value()); }
  T* operator->() { return &Value(); }
  const T* operator->() const { return &**this; }

  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  Code code() const { return error().code; }

 private:
  T& Value() {
    assert(ok());
    return *std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    assert(!ok());
    return *error_;
  }
  Code code() const { return error().code; }

 private:
  std::optional<Error> error_;
};

// The Error for a failed system call: `what` names it, `number` is its errno.
Error SystemError(const std::string& what, int number);

}  // namespace concordfs
