#include "tools/remote_mount.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "tools/announce.h"
#include "tools/complaint.h"
#include "vcs/branch_name.h"
#include "vcs/git/credentials.h"
#include "vcs/git/git_remote.h"
#include "vcs/git/remote_url.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

constexpr std::string_view kDefaultBranch = "main";

constexpr char kTokenVariable[] = "CONCORDFS_REMOTE_TOKEN";

// A token that can't be used is said now, while somebody looks.
Result<vcs::git::ConnectOptions> ConnectionTo(const vcs::git::RemoteUrl& url, const MountRequest& request) {
  vcs::git::ConnectOptions options;
  options.silence = request.remote_timeout;
  options.ssh_key = request.ssh_key;
  if (const char* command = std::getenv("GIT_SSH_COMMAND")) options.ssh_command = command;
  if (!request.remote_token_file.empty()) {
    if (!url.IsHttp())
      return Error{Code::kInvalidArgument, "remote " + url.Shown() + ": a token file is for http:// and https:// only"};
    if (auto token = vcs::git::ReadTokenFile(request.remote_token_file); !token) return token.error();
    options.token_file = request.remote_token_file;
  } else if (url.IsHttp() && !request.remote_token.empty()) {
    if (auto checked = vcs::git::CheckToken(request.remote_token, kTokenVariable); !checked) return checked.error();
    options.token = request.remote_token;
  }
  return options;
}

// One line that is written over, if somebody looks.
void ShowProgress(const std::string& line) {
  if (isatty(STDERR_FILENO) == 0) return;
  const std::string text = "\r\033[Kremote: " + line;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

void EndProgress() {
  constexpr std::string_view kClear = "\r\033[K";
  if (isatty(STDERR_FILENO) == 0) return;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kClear.data(), kClear.size());
}

}  // namespace

vcs::git::Secret TakeTokenFromEnvironment() {
  char* const value = std::getenv(kTokenVariable);
  if (value == nullptr) return {};
  vcs::git::Secret token{std::string(value)};
  explicit_bzero(value, std::strlen(value));
  unsetenv(kTokenVariable);
  return token;
}

std::string SeenRef(const std::string& ref) {
  return "refs/concordfs/remote/" + std::string(vcs::ShortBranchName(ref));
}

Result<void> MakeMissingRepository(const MountRequest& request) {
  std::error_code failed;
  const bool exists =
      std::filesystem::exists(request.repository, failed) && !std::filesystem::is_empty(request.repository, failed);
  if (exists || failed) return {};
  const auto url = vcs::git::ParseRemoteUrl(request.remote);
  if (!url) return url.error();
  const auto connection = ConnectionTo(*url, request);
  if (!connection) return connection.error();
  const auto there = vcs::git::LookAtRemote(*url, *connection);
  if (!there) return there.error();
  const std::string asked =
      !request.branch.empty() ? request.branch : there->default_branch.value_or(std::string(kDefaultBranch));
  const std::string branch(vcs::ShortBranchName(asked));
  // The first commit will be the remote's, too; and where two machines make one at a time, it has to be the same.
  if (!there->has_refs) return vcs::git::InitRepository(request.repository, branch, 0);
  return vcs::git::InitEmptyRepository(request.repository, branch);
}

Result<std::unique_ptr<RemoteMount>> RemoteMount::Open(const MountRequest& request, vcs::git::Repository& repository,
                                                       const std::string& ref) {
  auto url = vcs::git::ResolveRemote(request.repository, request.remote);
  if (!url) return url.error();
  auto connection = ConnectionTo(*url, request);
  if (!connection) return connection.error();
  std::unique_ptr<RemoteMount> mount(new RemoteMount);
  mount->url_ = url->Shown();
  vcs::git::GitRemoteOptions remote;
  remote.url = *std::move(url);
  remote.ref = ref;
  remote.git_dir = repository.git_dir;
  remote.connect = *std::move(connection);
  remote.durable = request.durability == vcs::git::Durability::kPower;
  remote.on_pack = [&repository] { vcs::git::NotePack(repository); };
  remote.progress = [self = mount.get()](const std::string& line) {
    if (self->shows_progress_) ShowProgress(line);
  };
  if (request.push_rejected && !request.read_only) {
    mount->refs_ = vcs::git::MakeGitRemoteRefs(*repository.store, remote);
    vcs::ParkedPushOptions parked;
    parked.log = [](const std::string& line) { spdlog::warn("remote: {}", line); };
    mount->parked_ = std::make_unique<vcs::ParkedPush>(*repository.store, *mount->refs_, std::move(parked));
  }
  mount->remote_ = vcs::git::MakeGitRemote(*repository.store, std::move(remote));
  vcs::RemoteStoreOptions store;
  store.ref = ref;
  store.seen_ref = SeenRef(ref);
  store.patience = request.remote_timeout;
  store.fetch_period = request.fetch_period;
  store.read_only = request.read_only;
  store.push = request.push;
  store.push_backlog = request.push_backlog;
  if (mount->parked_) store.on_parked = [parked = mount->parked_.get()] { parked->Notice(); };
  store.on_lost = [](const vcs::LostWork& lost) {
    spdlog::warn("lost {} of {} to the remote: another version came first; parked as {}", vcs::Quoted(lost.path.text()),
                 lost.agent, lost.ref);
  };
  store.log = [](vcs::RemoteCondition condition, const std::string& line) {
    spdlog::log(condition == vcs::RemoteCondition::kUpToDate ? spdlog::level::info : spdlog::level::warn, "remote: {}",
                line);
  };
  mount->store_ = std::make_unique<vcs::RemoteStore>(*repository.store, *mount->remote_, std::move(store));
  return mount;
}

Result<void> RemoteMount::FirstSync(LogTo log_to) {
  shows_progress_ = true;
  const auto synced = store_->Sync();
  shows_progress_ = false;
  EndProgress();
  if (synced) return {};
  const auto here = store_->ReadRef(store_->ref());
  if (here && *here) {
    Announce("remote " + url_ + ": " + synced.error().message + "; mounting what is here", log_to);
    return {};
  }
  return synced.error();
}

void RemoteMount::Start() {
  store_->StartFollowing();
  if (parked_) parked_->Start();
}

void RemoteMount::Stop() {
  store_->Stop();
  if (parked_) parked_->Stop();
}

}  // namespace concordfs::tools
