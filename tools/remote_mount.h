// What a mount with a remote has more than one without.
#pragma once

#include <memory>
#include <string>

#include "tools/log.h"
#include "tools/mount_options.h"
#include "vcs/git/git_store.h"
#include "vcs/git/secret.h"
#include "vcs/parked_push.h"
#include "vcs/remote_store.h"
#include "vcs/result.h"

namespace concordfs::tools {

// What CONCORDFS_REMOTE_TOKEN says. It isn't in the environment any more then, neither ours, as /proc has it, nor that of any program that is
// started from here. Call it in a process with one thread.
vcs::git::Secret TakeTokenFromEnvironment();

// Makes the request's repository, bare and for the remote's branch, if there is nothing at its path yet. What is fetched comes with
// RemoteMount::FirstSync. Errors: kUnreachable, kAccess, kInvalidArgument (as RemoteMount::Open), those of making a repository.
Result<void> MakeMissingRepository(const MountRequest& request);

// A ref of our own: where the remote's branch `ref` was when this machine last saw it.
std::string SeenRef(const std::string& ref);

// The remote of a mount, and the store on it. Threads: those of RemoteStore.
class RemoteMount {
 public:
  // `repository` outlives it. Errors: kInvalidArgument (no URL that can be served, or a token where none is of use), kAccess (no token where
  // one was named).
  static Result<std::unique_ptr<RemoteMount>> Open(const MountRequest& request, vcs::git::Repository& repository,
                                                   const std::string& ref);

  // Asks for the first time, with what the remote says on the terminal. A remote that can't be reached keeps nobody from mounting
  // what is here already: that is announced. Errors: there is nothing here to mount.
  Result<void> FirstSync(LogTo log_to);

  // From now on the remote is followed, and parked work pushed.
  void Start();
  // Ends that.
  void Stop();

  vcs::RemoteStore& store() { return *store_; }
  vcs::ParkedPush* parked() { return parked_.get(); }  // null: parked work stays here
  const std::string& url() const { return url_; }

 private:
  RemoteMount() = default;

  std::string url_;  // without who logs in there
  bool shows_progress_ = false;
  std::unique_ptr<vcs::Remote> remote_;
  std::unique_ptr<vcs::RemoteRefs> refs_;
  std::unique_ptr<vcs::ParkedPush> parked_;
  std::unique_ptr<vcs::RemoteStore> store_;  // last: its thread uses the others
};

}  // namespace concordfs::tools
