// Tells the kernel about expired names and attributes, on a thread of its own.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <variant>

#include "fs/kernel_cache.h"
#include "vcs/mutex.h"

struct fuse_session;

namespace concordfs::fs {

// A notification waits for kernel locks that a client may hold while it waits for one of our answers: so no handler ever
// waits for a notification, and only replies that nobody's lock depends on stand behind one in the queue.
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
  void AfterExpiries(std::function<void()> then) override;

 private:
  struct Entry {
    NodeId parent;
    std::string name;
  };
  struct Attributes {
    NodeId node;
  };
  using Task = std::variant<Entry, Attributes, std::function<void()>>;

  void Push(Task task) EXCLUDES(mutex_);
  void Run();
  void Do(const Task& task, bool notify);

  // Constant after Start().
  fuse_session* session_ = nullptr;
  std::thread thread_;
  // Guarded by mutex_.
  Mutex mutex_;
  CondVar wake_;
  std::deque<Task> queue_ GUARDED_BY(mutex_);
  bool busy_ GUARDED_BY(mutex_) = false;  // the thread has taken tasks, and isn't through with them
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace concordfs::fs
