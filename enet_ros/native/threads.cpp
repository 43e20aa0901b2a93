#include "threads.hpp"

#include <pthread.h>
#include <signal.h>

#include <map>
#include <system_error>
#include <thread>
#include <vector>

namespace enet {

namespace {

// A barrier is usually met within microseconds. A thread that waits longer sleeps, so that it
// takes no time from the robot's other processes.
constexpr int kSpins = 300;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

struct Registry {
  std::mutex mutex;
  std::map<int, ThreadPool*> pools;
};

Registry* registry = nullptr;

// A child process has none of its parent's threads. Its copy of the pools is abandoned.
void before_fork() { registry->mutex.lock(); }
void after_fork_in_parent() { registry->mutex.unlock(); }
void after_fork_in_child() { registry = new Registry; }

}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(threads) {
  // Signals are for the threads of the host program.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::vector<std::thread> started;
  try {
    for (int i = 1; i < threads; i++) started.emplace_back(&ThreadPool::work, this, i);
  } catch (const std::system_error&) {
    start(nullptr, nullptr);
    for (auto& thread : started) thread.join();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  for (auto& thread : started) thread.detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ThreadPool& ThreadPool::shared(int threads) {
  static std::once_flag once;
  std::call_once(once, [] {
    registry = new Registry;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  });
  std::lock_guard<std::mutex> lock(registry->mutex);
  ThreadPool*& pool = registry->pools[threads];
  if (!pool) pool = new ThreadPool(threads);
  return *pool;
}

void ThreadPool::run(void (*job)(void*, int), void* context) {
  if (threads_ == 1) return job(context, 0);
  std::lock_guard<std::mutex> turn(turn_);
  start(job, context);
  job(context, 0);
  barrier();
}

void ThreadPool::start(void (*job)(void*, int), void* context) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    job_ = job;
    context_ = context;
    round_++;
  }
  wake_.notify_all();
}

void ThreadPool::barrier() {
  if (threads_ == 1) return;
  int phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    phase_.notify_all();
    return;
  }
  for (int i = 0; i < kSpins; i++) {
    if (phase_.load(std::memory_order_acquire) != phase) return;
    pause_briefly();
  }
  phase_.wait(phase, std::memory_order_acquire);
}

void ThreadPool::work(int index) {
  for (int64_t seen = 0;;) {
    void (*job)(void*, int);
    void* context;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return round_ != seen; });
      seen = round_;
      job = job_;
      context = context_;
    }
    if (!job) return;
    job(context, index);
    barrier();
  }
}

}  // namespace enet
