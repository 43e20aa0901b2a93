// Runs jobs of the native engine's thread pool whose threads are delayed at random points.
//
//   native_threads THREADS JOBS          run jobs, and check that each phase finds those before it
//                                        complete
//   native_threads THREADS JOBS alone    the same in a child process, which has only the caller's
//                                        thread
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "threads.hpp"

namespace {

[[noreturn]] void fail(const char* reason) {
  fprintf(stderr, "native_threads: %s\n", reason);
  _exit(1);
}

void delay() {
  static thread_local std::minstd_rand random(unsigned(getpid() + gettid()));
  if (unsigned draw = random() % 64; draw == 0)
    usleep(random() % 200);
  else if (draw < 16)
    sched_yield();
}

struct Phase {
  explicit Phase(int pieces) : values(pieces) {}
  std::atomic<int> next{0};
  std::vector<int> values;  // 1 for a finished piece
};

struct Job {
  std::deque<Phase> phases;
  bool over = false;

  explicit Job(std::minstd_rand& random, int threads) {
    for (int count = 1 + int(random() % 20); count > 0; count--)
      phases.emplace_back(int(random() % (3 * threads)));
  }

  void work(int index) {
    delay();
    Phase& phase = phases[index];
    for (int piece; delay(), (piece = phase.next.fetch_add(1, std::memory_order_relaxed)) <
                                 int(phase.values.size());) {
      if (over) fail("a thread takes a piece of a job that is over");
      check(index);
      delay();
      phase.values[piece]++;
    }
    delay();
  }

  void check(int end) const {
    for (int i = 0; i < end; i++)
      for (int value : phases[i].values)
        if (value != 1) fail("a phase is not complete before the next");
  }
};

void run(enet::ThreadPool& pool, int threads, int count) {
  std::minstd_rand random;
  std::vector<std::unique_ptr<Job>> jobs;
  for (int i = 0; i < count; i++) {
    jobs.push_back(std::make_unique<Job>(random, threads));
    Job& job = *jobs.back();
    pool.run(
        int(job.phases.size()),
        [](void* job, int phase, int) { static_cast<Job*>(job)->work(phase); }, &job);
    job.check(int(job.phases.size()));
    job.over = true;
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) fail("expected: THREADS JOBS");
  int threads = atoi(arguments[1]), jobs = atoi(arguments[2]);
  static auto& pool = *new enet::ThreadPool(threads);  // lives as long as its threads
  run(pool, threads, jobs);
  if (count == 3) return 0;
  pid_t child = fork();
  if (!child) {
    run(pool, threads, jobs);
    _exit(0);
  }
  int status;
  if (waitpid(child, &status, 0) != child) fail("the child process is lost");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
