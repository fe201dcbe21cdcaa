#include "fs/fuse/notifier.h"

#include <pthread.h>

#include "fs/fuse/fuse_api.h"

namespace concordfs::fs {

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
