// A connection over file descriptors that don't block: what sockets and pipes have in common.
#pragma once

#include <string>

#include "vcs/git/connection.h"
#include "vcs/git/handles.h"

namespace concordfs::vcs::git {

class DescriptorConnection : public Connection {
 public:
  Result<void> Write(std::string_view bytes) override;
  Result<std::size_t> Read(char* out, std::size_t size) override;
  bool IsQuiet() override;

 protected:
  DescriptorConnection(std::string name, std::chrono::milliseconds silence) : name_(std::move(name)), silence_(silence) {}

  // Waits until `fd` is ready for `events`, and takes what comes on `errors_` meanwhile. Errors: kUnreachable.
  Result<void> Await(int fd, short events);
  void TakeErrors();
  Error Gone(const std::string& why) const { return Error{Code::kUnreachable, name_ + ": " + why}; }

  // Constant after construction.
  const std::string name_;  // for messages
  const std::chrono::milliseconds silence_;
  FileDescriptor in_;      // read from
  FileDescriptor out_;     // written to; none: in_ is both
  FileDescriptor errors_;  // what the other end says besides; may be none
  bool is_gone_ = false;   // it was silent for too long
  // What came on `errors_` so far, the last of it.
  std::string complaint_;
};

}  // namespace concordfs::vcs::git
