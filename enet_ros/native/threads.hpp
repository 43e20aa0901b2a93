// Threads that work on one image together.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>

namespace enet {

// Threads that take the pieces of a job's phases. The calling thread is the first of them.
class ThreadPool {
 public:
  // Takes pieces of a phase as thread `thread`, and returns when none is left to take. Others may
  // still be working on theirs.
  using Job = void (*)(void* context, int phase, int thread);

  explicit ThreadPool(int threads);

  // The pool with this number of threads; it lives as long as the process. After a fork, the child
  // gets a pool of its own.
  static ThreadPool& shared(int threads);

  // Run phases 0, ..., phases - 1 of a job, up to 255, one after the other. A phase is over when a
  // thread has returned from it and none is in it. A thread that gets no core in time misses the
  // phase, and no other waits for it. Concurrent calls take turns.
  void run(int phases, Job job, void* context);

 private:
  void work(int thread);
  uint32_t take_part(int thread, uint32_t state);
  uint32_t wait_for_another_phase(uint32_t state);

  const int threads_;
  std::mutex turn_;  // held by the job that runs
  // Written while no phase is open, read in phases.
  int phases_ = 0;
  Job job_ = nullptr;
  void* context_ = nullptr;
  alignas(64) std::atomic<uint32_t> state_{0};
};

}  // namespace enet
