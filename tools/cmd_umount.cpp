// concordfs umount: publish or park what is open, then unmount.
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/commands.h"
#include "tools/complaint.h"
#include "tools/decimal.h"
#include "tools/exit_status.h"
#include "tools/mount_point.h"
#include "tools/mount_table.h"
#include "tools/mount_xattr.h"
#include "tools/process_watch.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

constexpr std::chrono::seconds kDaemonEndTimeout{10};

Error NoMount(const std::filesystem::path& mountpoint) {
  return MakeError(Code::kNotSupported, vcs::Quoted(mountpoint.native()), "no concordfs is mounted there");
}

Result<void> CheckIsMount(const std::filesystem::path& mountpoint) {
  const auto mount = FindMount(mountpoint);
  if (!mount) return mount.error();
  if (!mount->has_value() || (*mount)->type != kMountType) return NoMount(mountpoint);
  return {};
}

pid_t DaemonOf(const std::filesystem::path& mountpoint) {
  const auto text = ReadMountXattr(mountpoint, kPidXattr);
  return text ? ParseDecimal<pid_t>(*text).value_or(0) : 0;
}

// Makes the daemon publish or park what is open, and says what could not simply be published.
Result<void> Drain(const std::filesystem::path& mountpoint) {
  const auto drained = WriteMountXattr(mountpoint, kDrainXattr, "1");
  if (!drained && drained.code() == Code::kReadOnly) return {};  // nothing can be open for writing
  if (!drained) return drained;
  const auto text = ReadMountXattr(mountpoint, kDrainXattr);
  if (!text) return text.error();
  const auto report = nlohmann::json::parse(*text, nullptr, false);
  if (!report.is_object())
    return MakeError(Code::kIo, vcs::Quoted(mountpoint.native()), "the daemon's report is no JSON");
  const int parked = report.value("parked", 0);
  const int kept = report.value("kept", 0);
  const std::string where = vcs::Quoted(mountpoint.native());
  if (parked > 0) Complain(where + ": " + std::to_string(parked) + " open changes were refused and parked");
  const auto unpushed = report.value("unpushed", std::uint64_t{0});
  if (unpushed > 0) Complain(where + ": " + std::to_string(unpushed) + " commits are not on the remote yet; the next mount pushes them");
  if (kept > 0) Complain(where + ": " + std::to_string(kept) + " open changes are kept; the next mount recovers them");
  return {};
}

int RunUmount(const std::string& path) {
  const auto mountpoint = ResolveMountPoint(path);
  if (!mountpoint) return Fail(mountpoint.error());
  if (const auto checked = CheckIsMount(*mountpoint); !checked) return Fail(checked.error());
  const std::string where = vcs::Quoted(mountpoint->native());
  if (IsDeadMount(*mountpoint)) {
    const auto unmounted = Unmount(*mountpoint, Detach::kLazy);
    if (!unmounted) return Fail(unmounted.error());
    Complain(where + ": its daemon was dead; the next mount recovers what it had not published");
    return kExitOk;
  }

  const ProcessWatch daemon(DaemonOf(*mountpoint));
  if (const auto drained = Drain(*mountpoint); !drained) {
    if (drained.code() != Code::kAccess) return Fail(drained.error());
    // Not even root may look into another user's mount. The daemon does the same by itself when it is unmounted.
    Complain(where + ": is another user's; its daemon publishes or parks what is open as it ends");
  }
  const auto unmounted = Unmount(*mountpoint, Detach::kNo);
  if (!unmounted && unmounted.code() != Code::kExists) return Fail(unmounted.error());
  if (!unmounted) {
    const auto detached = Unmount(*mountpoint, Detach::kLazy);
    if (!detached) return Fail(detached.error());
    Complain(where + ": detached, but processes still have files open there; the daemon ends with the last of them");
    return kExitOk;
  }
  if (!daemon.AwaitEnd(kDaemonEndTimeout)) {
    return Fail(MakeError(Code::kIo, where, "unmounted, but the daemon has not ended yet"));
  }
  return kExitOk;
}

}  // namespace

void AddUmountCommand(CLI::App& app, int& exit_status) {
  const auto mountpoint = std::make_shared<std::string>();
  CLI::App* const command = app.add_subcommand("umount", "Publish or park what is open, then unmount");
  command->add_option("MOUNTPOINT", *mountpoint, "Where it is mounted")->required();
  command->callback([mountpoint, &exit_status] { exit_status = RunUmount(*mountpoint); });
}

}  // namespace concordfs::tools
