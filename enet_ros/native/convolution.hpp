// Convolutions of rows of pixels, channels last.
#pragma once
#include "memory.hpp"
#include "simd.hpp"

namespace enet::ENET_VARIANT {

// Rows of an image, of which the last few are kept. `pad` pixels of zeros stand left of each row;
// those of the next row are the zeros to the right of this one.
template <class T> struct Rows {
  T* memory = nullptr;
  int kept = 0;
  ptrdiff_t stride = 0, first = 0;
  void make(Arena& arena, int rows, int width, int channels, int pad) {
    kept = rows;
    stride = ptrdiff_t(width + pad) * channels;
    first = ptrdiff_t(pad) * channels;
    memory = arena.get<T>(stride * rows + 2 * first);
  }
  T* operator[](int y) const { return memory + first + stride * (y % kept); }
};

// How an output of `OUT` channels is cut into tiles, of N lanes, NV vectors and P pixels, so that
// the sums stay in registers.
template <class T, int OUT> struct Shape {
  static constexpr int N = lanes<T>(OUT);
  static constexpr int vectors = OUT / N;
  static constexpr int most = kRegisters == 16 ? 2 : 4;
  static constexpr int NV = vectors % most == 0 ? most : vectors % 2 == 0 ? 2 : 1;
  static constexpr int P = kRegisters == 16 ? 10 / NV : 20 / NV;
  static constexpr int blocks = vectors / NV;
  // 16 outputs are half a register of 16-bit numbers: the products of two inputs go side by side,
  // in neighboring lanes, which are added at the end.
  static constexpr bool paired = sizeof(T) == 2 && 2 * N == kLanes<T>;
};

// Weights [tap][in][out] -> [tap][block][in][NV N], in which `tile` reads them.
template <class T, int IN, int OUT> T* pack(Arena& arena, const float* weights, int taps) {
  using S = Shape<T, OUT>;
  constexpr int B = S::NV * S::N;
  T* packed = arena.get<T>(size_t(taps) * IN * OUT);
  for (int t = 0; t < taps; t++)
    for (int b = 0; b < S::blocks; b++)
      for (int k = 0; k < IN; k++)
        for (int n = 0; n < B; n++) {
          int to = S::paired ? (k & ~1) * B + 2 * n + (k & 1) : k * B + n;
          packed[(size_t(t) * S::blocks + b) * IN * B + to] =
              T(weights[(size_t(t) * IN + k) * OUT + b * B + n]);
        }
  return packed;
}

template <class T> T* list(Arena& arena, const float* values, int count, float add = 0) {
  T* copy = arena.get<T>(count);
  for (int i = 0; i < count; i++) copy[i] = T(values[i] + add);
  return copy;
}

// What one position of a filter reads, and its packed weights.
template <class T> struct Tap {
  const T* row;  // of pixel 0
  int dx;
  const T* weights;
};

template <int P, int NV, int N, int IN, int STEP, class T>
INLINE void multiply(Vec<T, N> (&sum)[P][NV], const T* in, const T* weights) {
#pragma GCC unroll 4
  for (int k = 0; k < IN; k++) {
    Vec<T, N> w[NV];
    UNROLL_FOR(v, NV) w[v] = load<T, N>(weights + (k * NV + v) * N);
    UNROLL_FOR(p, P) {
      T x = in[p * STEP + k];
      UNROLL_FOR(v, NV) sum[p][v] += w[v] * x;
    }
  }
}

template <int P, int IN, int OUT, int STEP, class T, class Write>
INLINE void paired_tile(const Tap<T>* taps, int count, int x, int width, const T* bias,
                        Write&& write) {
  using V = Vec<T, 2 * OUT>;
  using Words = Vec<uint32_t, OUT>;
  using Halves = Vec<uint16_t, OUT>;
  V sum[P];
  UNROLL_FOR(p, P) sum[p] = (V) __builtin_convertvector((Halves)load<T, OUT>(bias), Words);
  for (int t = 0; t < count; t++) {
    int at = x + taps[t].dx;
    if (at + P <= 0 || at >= width) continue;
    const T *in = taps[t].row + ptrdiff_t(at) * STEP, *weights = taps[t].weights;
#pragma GCC unroll 4
    for (int k = 0; k < IN; k += 2) {
      V w = load<T, 2 * OUT>(weights + k * OUT);
      UNROLL_FOR(p, P) {
        uint32_t two;
        memcpy(&two, in + p * STEP + k, 4);
        sum[p] += w * (V)(Words{} + two);
      }
    }
  }
  UNROLL_FOR(p, P) {
    auto even = (Vec<T, OUT>)__builtin_convertvector((Words)sum[p], Halves);
    auto odd = (Vec<T, OUT>)__builtin_convertvector((Words)sum[p] >> 16, Halves);
    write(x + p, 0, even + odd);
  }
}

template <int P, int IN, int OUT, int STEP, class T, class Write>
INLINE void tile(const Tap<T>* taps, int count, int block, int x, int width, const T* bias,
                 Write&& write) {
  using S = Shape<T, OUT>;
  constexpr int N = S::N, NV = S::NV;
  if constexpr (S::paired) {
    paired_tile<P, IN, OUT, STEP>(taps, count, x, width, bias, write);
  } else {
    Vec<T, N> sum[P][NV];
    UNROLL_FOR(v, NV) {
      Vec<T, N> b = load<T, N>(bias + (block * NV + v) * N);
      UNROLL_FOR(p, P) sum[p][v] = b;
    }
    for (int t = 0; t < count; t++) {
      int at = x + taps[t].dx;
      if (at + P <= 0 || at >= width) continue;  // entirely outside
      multiply<P, NV, N, IN, STEP, T>(sum, taps[t].row + ptrdiff_t(at) * STEP,
                                      taps[t].weights + block * IN * NV * N);
    }
    UNROLL_FOR(p, P)
      UNROLL_FOR(v, NV) write(x + p, (block * NV + v) * N, sum[p][v]);
  }
}

// Convolve the pixels 0 to `count` of a row and hand each vector of results to write(x, channel,
// v). Taps may read up to `width`. STEP: distance in memory of the inputs of neighboring outputs.
// P: pixels of a tile, 0 for the default.
template <int IN, int OUT, int STEP, int P = 0, class T, class Write>
INLINE void convolve(const Tap<T>* taps, int tap_count, int count, int width, const T* bias,
                     Write&& write) {
  using S = Shape<T, OUT>;
  constexpr int PIXELS = P ? P : S::P;
  for (int block = 0; block < S::blocks; block++) {
    int x = 0;
    for (; x + PIXELS <= count; x += PIXELS)
      tile<PIXELS, IN, OUT, STEP>(taps, tap_count, block, x, width, bias, write);
    if constexpr (PIXELS > 4)
      for (; x + 4 <= count; x += 4)
        tile<4, IN, OUT, STEP>(taps, tap_count, block, x, width, bias, write);
    for (; x < count; x++) tile<1, IN, OUT, STEP>(taps, tap_count, block, x, width, bias, write);
  }
}

// Winograd's F(4, 3) along rows: six products make four outputs of a filter three wide.

// Weights [3][3][in][out] -> [3][6][in][out].
template <int COUNT> void transform_weights(const float* weights, float* out) {
  constexpr double g[6][3] = {{1 / 4., 0, 0},
                              {-1 / 6., -1 / 6., -1 / 6.},
                              {-1 / 6., 1 / 6., -1 / 6.},
                              {1 / 24., 1 / 12., 1 / 6.},
                              {1 / 24., -1 / 12., 1 / 6.},
                              {0, 0, 1}};
  for (int ky = 0; ky < 3; ky++)
    for (int f = 0; f < 6; f++)
      for (int i = 0; i < COUNT; i++) {
        double sum = 0;
        for (int kx = 0; kx < 3; kx++) sum += g[f][kx] * weights[(ky * 3 + kx) * COUNT + i];
        out[(ky * 6 + f) * COUNT + i] = float(sum);
      }
}

constexpr int kWinogradDilation = 8;                 // the largest for which rows are transformed
constexpr int kWinogradPad = 5 * kWinogradDilation;  // pixels that tiles read beyond a row

// Transformed rows of a convolution's input: six values for four pixels, [6][tile][MID]. The
// pixels of a tile stand a dilation apart.
template <class T, int MID> struct TransformedRows {
  static constexpr int kKept = 4;
  T *memory = nullptr, *products = nullptr;
  int rows[kKept], tiles = 0, columns = 0, dilation = 1;
  void make(Arena& arena, int width, int largest_dilation) {
    size_t most = size_t(width + 3 + 4 * largest_dilation) / 4 + largest_dilation;
    memory = arena.get<T>(kKept * 6 * most * MID);
    products = arena.get<T>(6 * most * MID);
  }
  // Prepare for another convolution: forget the rows.
  void start(int width, int by) {
    dilation = by;
    columns = ((width + by - 1) / by + 3) / 4;  // tiles that start at pixel 0, at pixel 1, ...
    tiles = columns * by;
    UNROLL_FOR(i, kKept) rows[i] = -1;
  }
  const T* get(const Rows<T>& input, int y) {
    int slot = y / dilation % kKept;
    T* out = memory + size_t(slot) * 6 * tiles * MID;
    if (rows[slot] == y) return out;
    rows[slot] = y;
    constexpr int N = lanes<T>(MID);
    const T* row = input[y];
    ptrdiff_t step = ptrdiff_t(dilation) * MID, far = ptrdiff_t(tiles) * MID;
    for (int phase = 0; phase < dilation; phase++)
      for (int t = 0; t < columns; t++) {
        const T* in = row + phase * MID + (4 * t - 1) * step;
        T* to = out + ptrdiff_t(phase * columns + t) * MID;
        for (int c = 0; c < MID; c += N) {
          Vec<T, N> d[6];
          UNROLL_FOR(i, 6) d[i] = load<T, N>(in + i * step + c);
          auto a = d[4] - T(4) * d[2], b = d[3] - T(4) * d[1], e = d[4] - d[2], f = d[3] - d[1];
          store<T, N>(to + c, T(4) * d[0] + (d[4] - T(5) * d[2]));
          store<T, N>(to + far + c, a + b);
          store<T, N>(to + 2 * far + c, a - b);
          store<T, N>(to + 3 * far + c, e + T(2) * f);
          store<T, N>(to + 4 * far + c, e - T(2) * f);
          store<T, N>(to + 5 * far + c, T(4) * d[1] + (d[5] - T(5) * d[3]));
        }
      }
    return out;
  }
};

}  // namespace enet::ENET_VARIANT
