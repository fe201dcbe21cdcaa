// Tells the kernel about expired names and attributes, on a thread of its own.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "fs/kernel_cache.h"
#include "vcs/mutex.h"

struct fuse_session;

namespace concordfs::fs {

// A notification waits for kernel locks that a client may hold while it waits for one of our answers: so no handler ever
// waits for a notification, and only replies that nobody's lock depends on stand behind one in the queue for good. A reply that
// a lock depends on leaves the queue when it has waited for kPatience.
class Notifier : public KernelCache {
 public:
  Notifier() = default;
  ~Notifier() override;  // Stop()
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // `session` outlives the notifier's thread. Call once; what is asked for before is dropped, but for the replies.
  void Start(fuse_session* session);
  // Runs the queued replies without their notifications, and ends the thread.
  void Stop();

  void ExpireEntry(NodeId parent, const std::string& name) override;
  void ExpireAttributes(NodeId node) override;
  void Prune(std::vector<NodeId> nodes) override;
  void AfterExpiries(std::function<void()> then) override;
  void SoonAfterExpiries(std::function<void()> then) override;

 private:
  static constexpr std::chrono::milliseconds kPatience{200};

  struct Entry {
    NodeId parent;
    std::string name;
  };
  struct Attributes {
    NodeId node;
  };
  struct Pruning {
    std::vector<NodeId> nodes;
  };
  // A reply that may leave the queue. Both threads may come to it, and one of them runs it.
  struct Impatient {
    std::function<void()> then;
    std::chrono::steady_clock::time_point due;
    bool taken = false;  // guarded by mutex_
  };
  using Task = std::variant<Entry, Attributes, Pruning, std::function<void()>, std::shared_ptr<Impatient>>;

  void Push(Task task) EXCLUDES(mutex_);
  void Run();
  void Do(const Task& task, bool notify);
  void Take(Impatient& reply) EXCLUDES(mutex_);
  void RunOverdue();

  // Constant after Start().
  fuse_session* session_ = nullptr;
  std::thread thread_;
  std::thread overdue_thread_;
  // Guarded by mutex_.
  Mutex mutex_;
  CondVar wake_;
  CondVar wake_overdue_;
  std::deque<Task> queue_ GUARDED_BY(mutex_);
  bool busy_ GUARDED_BY(mutex_) = false;  // the thread has taken tasks, and isn't through with them
  std::deque<std::shared_ptr<Impatient>> impatient_ GUARDED_BY(mutex_);  // by when they are due
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool stopped_ GUARDED_BY(mutex_) = false;  // thread_ has ended, which may have needed the other
};

}  // namespace concordfs::fs
