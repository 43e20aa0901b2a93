// Threads that work on one image together.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace enet {

// Threads for jobs that all of them run at once. The calling thread is the first of them.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);

  // The pool with this number of threads; it lives as long as the process. After a fork, the child
  // gets a pool of its own.
  static ThreadPool& shared(int threads);

  // Run job(context, 0), ..., job(context, threads - 1), each in a thread, and wait for all.
  // Concurrent calls take turns.
  void run(void (*job)(void*, int), void* context);

  // Called by every thread of a job: wait until all have called it.
  void barrier();

 private:
  void work(int index);
  void start(void (*job)(void*, int), void* context);  // without a job, threads end

  const int threads_;
  std::mutex turn_;   // held by the job that runs
  std::mutex mutex_;  // of job_, context_ and round_
  std::condition_variable wake_;
  void (*job_)(void*, int) = nullptr;
  void* context_ = nullptr;
  int64_t round_ = 0;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> phase_{0};
};

}  // namespace enet
