#include "vcs/parked_push.h"

#include <pthread.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "vcs/parking.h"

namespace concordfs::vcs {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

ParkedPush::ParkedPush(Store& local, RemoteRefs& remote, ParkedPushOptions options)
    : local_(local), remote_(remote), options_(std::move(options)) {}

ParkedPush::~ParkedPush() { Stop(); }

void ParkedPush::Start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "parked");
    Run();
  });
}

void ParkedPush::Notice() {
  const MutexLock lock(mutex_);
  has_work_ = true;
  wake_.NotifyAll();
}

void ParkedPush::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  bool again = false;
  {
    const MutexLock lock(mutex_);
    again = has_work_ && !failed_;
  }
  if (again) NoteTurn(PushAll());
}

ParkedPushStatus ParkedPush::status() const {
  const MutexLock lock(mutex_);
  return status_;
}

Result<void> ParkedPush::PushAll() {
  const MutexLock turn(turn_);
  const auto here = local_.ListRefs(std::string(kRejectedPrefix));
  if (!here) return here.error();
  std::vector<Ref> missing;
  std::set<std::string> kept;
  for (const Ref& ref : *here) {
    if (done_.contains(ref.name)) {
      kept.insert(ref.name);
    } else {
      missing.push_back(ref);
    }
  }
  done_ = std::move(kept);
  if (!missing.empty() && !listed_) {
    const auto there = remote_.List(kRejectedPrefix);
    if (!there) return there.error();
    for (const Ref& ref : *there) done_.insert(ref.name);
    std::erase_if(missing, [&](const Ref& ref) REQUIRES(turn_) { return done_.contains(ref.name); });
    listed_ = true;
  }
  {
    const MutexLock lock(mutex_);
    status_.waiting = missing.size();
  }
  for (const Ref& ref : missing) {
    if (auto pushed = PushOne(ref); !pushed) return pushed;
  }
  return {};
}

Result<void> ParkedPush::PushOne(const Ref& ref) {
  const auto created = remote_.Create(ref);
  const bool is_over = created || created.code() == Code::kDeclined || created.code() == Code::kExists;
  if (!is_over) return created;
  done_.insert(ref.name);
  {
    const MutexLock lock(mutex_);
    --status_.waiting;
    ++(created ? status_.pushed : status_.declined);
  }
  if (!created && options_.log) options_.log(ref.name + " isn't pushed: " + created.error().message);
  return {};
}

bool ParkedPush::AwaitTurn() {
  const MutexLock lock(mutex_);
  while (!stopping_) {
    const auto now = Clock::now();
    if (has_work_ && now >= not_before_) {
      has_work_ = false;
      return true;
    }
    wake_.WaitFor(mutex_, has_work_ ? not_before_ - now : std::chrono::hours(1));
  }
  return false;
}

void ParkedPush::NoteTurn(const Result<void>& done) {
  bool is_new = false;
  {
    const MutexLock lock(mutex_);
    failed_ = !done.ok();
    is_new = failed_ && status_.last_error.empty();
    status_.last_error = failed_ ? done.error().message : "";
    if (failed_) {
      has_work_ = true;
      pause_ = pause_.count() == 0 ? options_.first_pause : std::min(pause_ * 2, options_.longest_pause);
      not_before_ = Clock::now() + pause_;
    } else {
      pause_ = {};
    }
  }
  if (is_new && options_.log) options_.log("parked work isn't pushed, and is tried again: " + done.error().message);
}

void ParkedPush::Run() {
  while (AwaitTurn()) NoteTurn(PushAll());
}

}  // namespace concordfs::vcs
