#include "fs/fuse/session.h"

#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#include "fs/fuse/fuse_api.h"
#include "fs/fuse/notifier.h"
#include "fs/fuse/operations.h"

namespace concordfs::fs {
namespace {

struct SessionDeleter {
  void operator()(fuse_session* session) const { fuse_session_destroy(session); }
};
using SessionHandle = std::unique_ptr<fuse_session, SessionDeleter>;

// libfuse tells why it failed in its log only, a line in several pieces.
thread_local std::string fuse_line;
thread_local std::string last_fuse_message;

void KeepFuseMessage(fuse_log_level /*level*/, const char* format, va_list arguments) {
  char text[1024];
  std::vsnprintf(text, sizeof(text), format, arguments);
  fuse_line += text;
  if (fuse_line.empty() || fuse_line.back() != '\n') return;
  fuse_line.pop_back();
  spdlog::warn("{}", fuse_line);
  last_fuse_message = std::exchange(fuse_line, {});
}

Error FuseError(Code code, const std::string& what) {
  return Error{code, what + ": " + (last_fuse_message.empty() ? "libfuse gives no reason" : last_fuse_message)};
}

class FuseSession final : public Session {
 public:
  FuseSession(Filesystem& filesystem, const MountOptions& options)
      : filesystem_(filesystem), max_threads_(options.max_threads), mountpoint_(options.mountpoint.string()), edge_{.filesystem = filesystem, .cache = notifier_, .passthrough = Passthrough(options.passthrough)} {}

  ~FuseSession() override { Unmount(); }

  Result<void> Mount(const MountOptions& options) {
    std::string list = "default_permissions,subtype=concordfs,fsname=" + options.source;
    for (std::size_t i = list.size() - options.source.size(); i < list.size(); ++i) {
      if (list[i] == ',' || list[i] == '\\') list.insert(i++, 1, '\\');  // libfuse's own escape
    }
    if (options.allow_other) list += ",allow_other";
    if (options.read_only) list += ",ro";
    for (const std::string& option : options.fuse_options) list += "," + option;
    fuse_args args = FUSE_ARGS_INIT(0, nullptr);
    fuse_opt_add_arg(&args, "concordfs");
    fuse_opt_add_arg(&args, "-o");
    fuse_opt_add_arg(&args, list.c_str());
    fuse_set_log_func(KeepFuseMessage);
    last_fuse_message.clear();
    session_.reset(fuse_session_new(&args, &Operations(), sizeof(fuse_lowlevel_ops), &edge_));
    fuse_opt_free_args(&args);
    if (!session_) return FuseError(Code::kInvalidArgument, "mount options");
    if (fuse_session_mount(session_.get(), mountpoint_.c_str()) != 0) return FuseError(Code::kAccess, mountpoint_);
    mounted_ = true;
    if (!edge_.device.Attach(session_.get())) return Error{Code::kNotSupported, "libfuse: no access to its device"};
    filesystem_.SetRequestCounts([requests = edge_.device.requests()] { return requests->Counts(); });
    notifier_.Start(session_.get());
    filesystem_.Start(&notifier_);
    return {};
  }

  Result<void> Serve() override {
    fuse_loop_config* config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, max_threads_);
    const int result = fuse_session_loop_mt(session_.get(), config);
    fuse_loop_cfg_destroy(config);
    Unmount();
    if (result < 0) return SystemError("fuse loop", -result);
    return {};
  }

  void Stop() override {
    stopped_ = true;
    fuse_session_exit(session_.get());
    struct statvfs ignored {};
    statvfs(mountpoint_.c_str(), &ignored);  // a request, so that a thread wakes up and sees it
  }

 private:
  void Unmount() {
    if (!mounted_) return;
    mounted_ = false;
    // Who still has files open gets ENOTCONN from now on; also frees a notifier that waits for a client's lock. Where
    // the kernel ended the session it is unmounted already, and the place may be another's.
    if (stopped_) umount2(mountpoint_.c_str(), MNT_FORCE | MNT_DETACH);
    notifier_.Stop();
    fuse_session_unmount(session_.get());
  }

  // Constant after Mount().
  Filesystem& filesystem_;
  const unsigned max_threads_;
  const std::string mountpoint_;
  Edge edge_;
  SessionHandle session_;
  bool mounted_ = false;
  // Own synchronisation.
  std::atomic<bool> stopped_{false};
  Notifier notifier_;  // its thread uses session_: stopped in Unmount(), before that goes
};

}  // namespace

Result<std::unique_ptr<Session>> Session::Mount(Filesystem& filesystem, const MountOptions& options) {
  auto session = std::make_unique<FuseSession>(filesystem, options);
  if (auto mounted = session->Mount(options); !mounted) return mounted.error();
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace concordfs::fs
