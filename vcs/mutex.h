// A mutex that clang's thread safety analysis understands (-Wthread-safety), and its scoped lock.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define CONCORDFS_THREAD(x) __attribute__((x))
#else
#define CONCORDFS_THREAD(x)
#endif

#define CAPABILITY(name) CONCORDFS_THREAD(capability(name))
#define SCOPED_CAPABILITY CONCORDFS_THREAD(scoped_lockable)
#define GUARDED_BY(mutex) CONCORDFS_THREAD(guarded_by(mutex))
#define REQUIRES(...) CONCORDFS_THREAD(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) CONCORDFS_THREAD(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) CONCORDFS_THREAD(acquire_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) CONCORDFS_THREAD(try_acquire_capability(__VA_ARGS__))
#define RELEASE(...) CONCORDFS_THREAD(release_capability(__VA_ARGS__))
#define ACQUIRED_BEFORE(...) CONCORDFS_THREAD(acquired_before(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS CONCORDFS_THREAD(no_thread_safety_analysis)

namespace concordfs {

class CAPABILITY("mutex") Mutex {
 public:
  void Lock() ACQUIRE() { mutex_.lock(); }
  void Unlock() RELEASE() { mutex_.unlock(); }
  bool TryLock() TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds a mutex for a scope; may be let go and taken again within it.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() RELEASE() {
    if (held_) mutex_.Unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void Unlock() RELEASE() {
    held_ = false;
    mutex_.Unlock();
  }
  void Lock() ACQUIRE() {
    mutex_.Lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

// A condition variable for Mutex. Every wait takes its predicate's loop from the caller.
class CondVar {
 public:
  void Wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Returns false if `timeout` passed.
  template <class Rep, class Period>
  bool WaitFor(Mutex& mutex, std::chrono::duration<Rep, Period> timeout) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const auto status = condition_.wait_for(lock, timeout);
    lock.release();
    return status == std::cv_status::no_timeout;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace concordfs
