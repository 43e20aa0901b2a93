// Vectors by the compiler's vector extensions: the same source for every instruction set.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#define INLINE inline __attribute__((always_inline))
#define UNROLL_FOR(i, count) _Pragma("GCC unroll 64") for (int i = 0; i < (count); i++)

namespace enet::ENET_VARIANT {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kRegisters = 32;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32, kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kVectorBytes = 16, kRegisters = 32;
#else
constexpr int kVectorBytes = 16, kRegisters = 16;
#endif

template <class T, int N> struct VecOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
  typedef T loose __attribute__((vector_size(N * sizeof(T)), aligned(sizeof(T)), may_alias));
};
template <class T, int N> using Vec = typename VecOf<T, N>::type;

// Lanes for pixels of `channels`: a whole register, or fewer where there are fewer channels.
template <class T> constexpr int kLanes = kVectorBytes / int(sizeof(T));
template <class T> constexpr int lanes(int channels) {
  return channels < kLanes<T> ? channels : kLanes<T>;
}

constexpr int smaller(int a, int b) { return a < b ? a : b; }
constexpr int larger(int a, int b) { return a > b ? a : b; }
constexpr int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

template <class T, int N> INLINE Vec<T, N> load(const T* p) {
  return *reinterpret_cast<const typename VecOf<T, N>::loose*>(p);
}
template <class T, int N> INLINE void store(T* p, Vec<T, N> v) {
  *reinterpret_cast<typename VecOf<T, N>::loose*>(p) = v;
}

template <class V> INLINE V vmax(V a, V b) { return a > b ? a : b; }
template <class V> INLINE V vmin(V a, V b) { return a < b ? a : b; }
template <class V> INLINE V relu(V v) { return vmax(v, V{}); }
// PReLU with any slope: v + (slope - 1) min(v, 0).
template <class V> INLINE V prelu(V v, V slope_minus_1) {
  return v + slope_minus_1 * vmin(v, V{});
}

// Bytes to integers and back in steps of twice the width: compilers are slow at larger ones.
template <class I, int N> INLINE Vec<I, N> widen(Vec<uint8_t, N> v) {
  auto wide = __builtin_convertvector(v, Vec<int16_t, N>);
  if constexpr (sizeof(I) == 2)
    return wide;
  else
    return __builtin_convertvector(wide, Vec<int32_t, N>);
}
template <class I, int N> INLINE Vec<uint8_t, N> narrow(Vec<I, N> v) {
  if constexpr (sizeof(I) == 2)
    return __builtin_convertvector(v, Vec<uint8_t, N>);
  else
    return __builtin_convertvector(__builtin_convertvector(v, Vec<int16_t, N>), Vec<uint8_t, N>);
}

// Transpose N vectors of N: interleave the two halves of the rows, log2 N times.
template <class V, int N> INLINE void transpose(V (&rows)[N]) {
  using I = std::conditional_t<sizeof(rows[0][0]) == 4, int32_t, int8_t>;
  Vec<I, N> low, high;
  UNROLL_FOR(i, N) {
    low[i] = I(i / 2 + i % 2 * N);
    high[i] = I(i / 2 + i % 2 * N + N / 2);
  }
  for (int step = 1; step < N; step *= 2) {
    V next[N];
    UNROLL_FOR(i, N / 2) {
      next[2 * i] = __builtin_shuffle(rows[i], rows[i + N / 2], low);
      next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + N / 2], high);
    }
    UNROLL_FOR(i, N) rows[i] = next[i];
  }
}

// exp(x) for x <= 0, with a relative error below 2e-7; x < -87 counts as -87.
template <int N> INLINE Vec<float, N> exp_negative(Vec<float, N> x) {
  using V = Vec<float, N>;
  using I = Vec<int32_t, N>;
  x = vmax(x, V{} - 87.0f);
  I power = __builtin_convertvector(x * 1.44269504f - 0.5f, I);  // the nearest integer
  V n = __builtin_convertvector(power, V);
  V r = x - n * 0.693359375f + n * 2.12194440e-4f;  // x - n ln 2, in two parts
  V p = V{} + 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * (V)((power + 127) << 23);
}

}  // namespace enet::ENET_VARIANT
