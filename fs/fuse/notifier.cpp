#include "fs/fuse/notifier.h"

#include <linux/fuse.h>
#include <pthread.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "fs/fuse/fuse_api.h"

namespace concordfs::fs {
namespace {

// Of <linux/fuse.h> since 7.45 (Linux 6.18); libfuse 3.14 has never heard of it.
constexpr std::int32_t kNotifyPrune = 9;
constexpr std::size_t kMaxPruned = 4096;  // nodes at a time

struct PruneOut {
  std::uint32_t count;
  std::uint32_t padding;
  std::uint64_t spare;
};

// An older kernel says EINVAL, and nothing happens.
void TellToPrune(int device, std::span<const NodeId> nodes) {
  while (!nodes.empty()) {
    const auto some = nodes.first(std::min(nodes.size(), kMaxPruned));
    nodes = nodes.subspan(some.size());
    PruneOut out{static_cast<std::uint32_t>(some.size()), 0, 0};
    fuse_out_header header{static_cast<std::uint32_t>(sizeof(header) + sizeof(out) + some.size_bytes()), kNotifyPrune, 0};
    const std::array<iovec, 3> parts = {iovec{&header, sizeof(header)}, iovec{&out, sizeof(out)},
                                        iovec{const_cast<NodeId*>(some.data()), some.size_bytes()}};  // only read
    if (writev(device, parts.data(), static_cast<int>(parts.size())) < 0) return;
  }
}

}  // namespace

Notifier::~Notifier() { Stop(); }

void Notifier::Start(fuse_session* session) {
  session_ = session;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "notifier");
    Run();
  });
  overdue_thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "overdue");
    RunOverdue();
  });
}

void Notifier::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    wake_overdue_.NotifyAll();
  }
  if (overdue_thread_.joinable()) overdue_thread_.join();
}

void Notifier::ExpireEntry(NodeId parent, const std::string& name) { Push(Entry{parent, name}); }

void Notifier::ExpireAttributes(NodeId node) { Push(Attributes{node}); }

void Notifier::Prune(std::vector<NodeId> nodes) { Push(Pruning{std::move(nodes)}); }

void Notifier::AfterExpiries(std::function<void()> then) {
  {
    const MutexLock lock(mutex_);
    if (busy_ || !queue_.empty()) {
      queue_.emplace_back(std::move(then));
      wake_.NotifyOne();
      return;
    }
  }
  then();
}

void Notifier::SoonAfterExpiries(std::function<void()> then) {
  {
    const MutexLock lock(mutex_);
    if (busy_ || !queue_.empty()) {
      auto reply = std::make_shared<Impatient>();
      reply->then = std::move(then);
      reply->due = std::chrono::steady_clock::now() + kPatience;
      if (impatient_.empty()) wake_overdue_.NotifyOne();
      impatient_.push_back(reply);
      queue_.emplace_back(std::move(reply));
      wake_.NotifyOne();
      return;
    }
  }
  then();
}

void Notifier::Push(Task task) {
  const MutexLock lock(mutex_);
  queue_.push_back(std::move(task));
  wake_.NotifyOne();
}

void Notifier::Run() {
  while (true) {
    std::deque<Task> tasks;
    bool stopping = false;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) wake_.Wait(mutex_);
      tasks.swap(queue_);
      busy_ = !tasks.empty();
      stopping = stopping_;
    }
    for (const Task& task : tasks) Do(task, !stopping);
    if (tasks.empty() && stopping) return;
    const MutexLock lock(mutex_);
    busy_ = false;
  }
}

void Notifier::Do(const Task& task, bool notify) {
  if (const auto* reply = std::get_if<std::function<void()>>(&task)) {
    (*reply)();
    return;
  }
  if (const auto* impatient = std::get_if<std::shared_ptr<Impatient>>(&task)) {
    Take(**impatient);
    return;
  }
  if (!notify) return;
  // Errors mean that the kernel doesn't know the name or node (any more): then there is nothing to expire.
  if (const auto* entry = std::get_if<Entry>(&task)) {
    fuse_lowlevel_notify_expire_entry(session_, entry->parent, entry->name.data(), entry->name.size(),
                                      FUSE_LL_EXPIRE_ONLY);
  } else if (const auto* attributes = std::get_if<Attributes>(&task)) {
    fuse_lowlevel_notify_inval_inode(session_, attributes->node, -1, 0);
  } else if (const auto* pruning = std::get_if<Pruning>(&task)) {
    TellToPrune(fuse_session_fd(session_), pruning->nodes);
  }
}

void Notifier::Take(Impatient& reply) {
  {
    const MutexLock lock(mutex_);
    if (reply.taken) return;
    reply.taken = true;
  }
  reply.then();
}

void Notifier::RunOverdue() {
  while (true) {
    std::shared_ptr<Impatient> reply;
    {
      const MutexLock lock(mutex_);
      while (reply == nullptr) {
        while (!impatient_.empty() && impatient_.front()->taken) impatient_.pop_front();
        const auto now = std::chrono::steady_clock::now();
        if (!impatient_.empty() && impatient_.front()->due <= now) {
          reply = impatient_.front();
          impatient_.pop_front();
        } else if (stopped_) {
          return;
        } else if (impatient_.empty()) {
          wake_overdue_.Wait(mutex_);
        } else {
          wake_overdue_.WaitFor(mutex_, impatient_.front()->due - now);
        }
      }
    }
    Take(*reply);
  }
}

}  // namespace concordfs::fs
