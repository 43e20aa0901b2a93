#include "threads.hpp"

#include <pthread.h>
#include <signal.h>

#include <map>
#include <system_error>
#include <thread>
#include <vector>

namespace enet {

namespace {

// The next phase usually opens within microseconds. A thread that waits longer sleeps, so that it
// takes no time from the robot's other processes.
constexpr int kSpins = 300;

// The state of a pool in one word: job << 20 | phase << 12 | threads in the phase. Phases count
// from 1; at 0 none is open. A thread enters by adding itself to a word in which a phase is open,
// so that phases end, and buffers change their meaning, only while no thread uses them. The last
// thread to leave opens the next phase in the same step. A late thread finds that the word has
// changed and enters whatever phase is open then, or none. Jobs are counted modulo 4096: a thread
// that slept for as many takes the open phase for the one it left, and misses it.
constexpr uint32_t kPhase = 1 << 12, kJob = 1 << 20;
constexpr uint32_t kEnd = kJob | 1;  // threads end: one in no phase

uint32_t phase_of(uint32_t state) { return state % kJob / kPhase; }

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
    state_.store(kEnd, std::memory_order_relaxed);
    state_.notify_all();
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

void ThreadPool::run(int phases, Job job, void* context) {
  if (threads_ == 1) {
    for (int phase = 0; phase < phases; phase++) job(context, phase, 0);
    return;
  }
  std::lock_guard<std::mutex> turn(turn_);
  phases_ = phases;
  job_ = job;
  context_ = context;
  uint32_t state = state_.fetch_add(kPhase, std::memory_order_release);
  state_.notify_all();
  take_part(0, state);
}

void ThreadPool::work(int thread) {
  for (uint32_t state = 0; state != kEnd;) state = take_part(thread, state);
}

// Work on phases after that of `state`, until none is open. Return the state then.
uint32_t ThreadPool::take_part(int thread, uint32_t state) {
  for (;;) {
    state = wait_for_another_phase(state);
    do {
      if (!phase_of(state)) return state;
    } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire));
    job_(context_, int(phase_of(state)) - 1, thread);
    state -= state % kPhase;
    uint32_t next = int(phase_of(state)) < phases_ ? state + kPhase : state / kJob * kJob + kJob;
    uint32_t now = state_.load(std::memory_order_relaxed);
    while (!state_.compare_exchange_weak(now, now == state + 1 ? next : now - 1,
                                         std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
    if (now == state + 1) state_.notify_all();
  }
}

uint32_t ThreadPool::wait_for_another_phase(uint32_t state) {
  uint32_t now;
  auto changed = [&] {
    now = state_.load(std::memory_order_acquire);
    return now / kPhase != state / kPhase;
  };
  for (int i = 0; i < kSpins; i++) {
    if (changed()) return now;
    pause_briefly();
  }
  while (!changed()) state_.wait(now, std::memory_order_relaxed);
  return now;
}

}  // namespace enet
