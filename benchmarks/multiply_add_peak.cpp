// The rate of multiply-adds in float32 of one core. Prints GFLOP/s, a multiply-add counted as two.
#include <chrono>
#include <cstdio>

// Keep the compiler from removing a step.
#if defined(__aarch64__)
#define KEEP(vector) asm volatile("" : "+w"(vector))
#else
#define KEEP(vector) asm volatile("" : "+x"(vector))
#endif

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
typedef float Vector __attribute__((vector_size(kBytes)));
constexpr int kLanes = kBytes / 4, kSums = 12;  // enough sums to hide the latency

int main() {
  constexpr int kSteps = 4000000;
  double best = 0;
  for (int repeat = 0; repeat < 7; repeat++) {
    Vector sums[kSums] = {}, factor = Vector{} + 0.999f;
    auto start = std::chrono::steady_clock::now();
    for (int step = 0; step < kSteps; step++)
#pragma GCC unroll 64
      for (int i = 0; i < kSums; i++) {
        sums[i] = sums[i] * factor + factor;
        KEEP(sums[i]);
      }
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    double rate = 2.0 * kLanes * kSums * kSteps / seconds.count() / 1e9;
    best = rate > best ? rate : best;
  }
  std::printf("%.1f\n", best);
}
