// The blocks of ENet, a row at a time.
#pragma once
#include "convolution.hpp"

namespace enet::ENET_VARIANT {

// The first convolution of a block, of 1x1 or 2x2 pixels. IN: input channels, of 2x2 pixels those
// of two neighboring pixels.
template <class T, int IN, int OUT> struct Projection {
  T *weights, *bias, *slope_minus_1;
  void read(WeightReader& reader, Arena& arena, int taps) {
    weights = pack<T, IN, OUT>(arena, reader.take(size_t(taps) * IN * OUT), taps);
    bias = list<T>(arena, reader.take(OUT), OUT);
    slope_minus_1 = list<T>(arena, reader.take(OUT), OUT, -1);
  }
  // A row of 1x1.
  void run(const T* x, T* out, int width) const {
    Tap<T> tap{x, 0, weights};
    convolve<IN, OUT, IN>(&tap, 1, width, width, bias, activated(out));
  }
  // A row of 2x2 with stride 2.
  void run_2x2(const T* top, const T* bottom, T* out, int width) const {
    Tap<T> taps[2] = {{top, 0, weights}, {bottom, 0, weights + IN * OUT}};
    convolve<IN, OUT, IN>(taps, 2, width, width, bias, activated(out));
  }

 private:
  INLINE auto activated(T* out) const {
    constexpr int N = Shape<T, OUT>::N;
    return [this, out](int p, int c, Vec<T, N> v) {
      store<T, N>(out + p * OUT + c, prelu(v, load<T, N>(slope_minus_1 + c)));
    };
  }
};

// What follows the projection in a block: main convolution, expansion, shortcut.
template <class T, int C, int MID> struct Extension {
  int dilation = 1;         // of the 3x3 convolution
  bool asymmetric = false;  // 5x1 and 1x5 in place of 3x3
  bool exact = false;       // Winograd's rounding must not decide ties of a later pooling
  T *main, *main2, *bias, *slope_minus_1, *zero, *expansion, *expansion_bias, *block_slope_minus_1;

  bool winograd() const { return !asymmetric && !exact && dilation <= kWinogradDilation; }

  void read(WeightReader& reader, Arena& arena) {
    zero = arena.get<T>(MID);
    if (winograd()) {
      float transformed[18 * MID * MID];
      transform_weights<MID * MID>(reader.take(9 * MID * MID), transformed);
      main = pack<T, MID, MID>(arena, transformed, 18);
    } else if (!asymmetric) {
      main = pack<T, MID, MID>(arena, reader.take(9 * MID * MID), 9);
    } else {
      main = pack<T, MID, MID>(arena, reader.take(5 * MID * MID), 5);
      main2 = pack<T, MID, MID>(arena, reader.take(5 * MID * MID), 5);
    }
    bias = list<T>(arena, reader.take(MID), MID);
    slope_minus_1 = list<T>(arena, reader.take(MID), MID, -1);
    expansion = pack<T, MID, C>(arena, reader.take(MID * C), 1);
    expansion_bias = list<T>(arena, reader.take(C), C);
    block_slope_minus_1 = list<T>(arena, reader.take(C), C, -1);
  }

  static constexpr size_t scratch_size(int width) { return size_t(2 * width + 8) * MID; }

  // x: a row of the shortcut, which the block's output replaces. input: the projection's rows.
  void run(const Rows<T>& input, TransformedRows<T, MID>& cache, T* x, int y, int height,
           int width, T* scratch) const {
    constexpr int N = Shape<T, C>::N;
    if (winograd())
      convolve_winograd(input, cache, y, height, width, scratch);
    else if (asymmetric)
      convolve_asymmetric(input, y, height, width, scratch);
    else
      convolve_3x3(input, y, height, width, scratch);
    Tap<T> tap{scratch, 0, expansion};
    convolve<MID, C, MID>(&tap, 1, width, width, expansion_bias, [&](int p, int c, Vec<T, N> v) {
      T* to = x + p * C + c;
      store<T, N>(to, prelu(v + load<T, N>(to), load<T, N>(block_slope_minus_1 + c)));
    });
  }

 private:
  static constexpr int N = Shape<T, MID>::N;

  INLINE auto activated(T* out) const {
    return [this, out](int p, int c, Vec<T, N> v) {
      store<T, N>(out + p * MID + c, prelu(v, load<T, N>(slope_minus_1 + c)));
    };
  }

  void convolve_3x3(const Rows<T>& input, int y, int height, int width, T* out) const {
    Tap<T> taps[9];
    int count = 0;
    for (int ky = 0; ky < 3; ky++) {
      int row = y + (ky - 1) * dilation;
      if (row < 0 || row >= height) continue;
      for (int kx = 0; kx < 3; kx++)
        taps[count++] = {input[row], (kx - 1) * dilation, main + (ky * 3 + kx) * MID * MID};
    }
    convolve<MID, MID, MID>(taps, count, width, width, bias, activated(out));
  }

  void convolve_asymmetric(const Rows<T>& input, int y, int height, int width, T* out) const {
    Tap<T> taps[5];
    int count = 0;
    for (int ky = 0; ky < 5; ky++) {
      int row = y + ky - 2;
      if (row >= 0 && row < height) taps[count++] = {input[row], 0, main + ky * MID * MID};
    }
    T* column = out + ptrdiff_t(width + 4) * MID;  // of pixel 0, two pixels of zeros on both sides
    convolve<MID, MID, MID>(taps, count, width, width, zero, [&](int p, int c, Vec<T, N> v) {
      store<T, N>(column + p * MID + c, v);
    });
    memset(static_cast<void*>(column - 2 * MID), 0, 2 * MID * sizeof(T));
    memset(static_cast<void*>(column + width * MID), 0, 2 * MID * sizeof(T));
    for (int kx = 0; kx < 5; kx++) taps[kx] = {column, kx - 2, main2 + kx * MID * MID};
    convolve<MID, MID, MID>(taps, 5, width, width, bias, activated(out));
  }

  void convolve_winograd(const Rows<T>& input, TransformedRows<T, MID>& cache, int y, int height,
                         int width, T* out) const {
    constexpr int P = Shape<T, MID>::P;
    int tiles = cache.tiles;
    ptrdiff_t far = ptrdiff_t(tiles) * MID;
    const T* rows[3];
    for (int ky = 0; ky < 3; ky++) {
      int row = y + (ky - 1) * dilation;
      rows[ky] = row < 0 || row >= height ? nullptr : cache.get(input, row);
    }
    for (int f = 0; f < 6; f++) {
      Tap<T> taps[3];
      int count = 0;
      for (int ky = 0; ky < 3; ky++)
        if (rows[ky]) taps[count++] = {rows[ky] + f * far, 0, main + (ky * 6 + f) * MID * MID};
      T* to = cache.products + f * far;
      auto keep = [&](int p, int c, Vec<T, N> v) { store<T, N>(to + p * MID + c, v); };
      // Widths of cameras are multiples of 16, so that tiles of 4 and 8 leave no rest.
      constexpr int ALIGNED = P == 20 ? 12 : P * 4 / 5;
      if (tiles % P)
        convolve<MID, MID, MID, ALIGNED>(taps, count, tiles, tiles, zero, keep);
      else
        convolve<MID, MID, MID>(taps, count, tiles, tiles, zero, keep);
    }
    for (int phase = 0; phase < dilation; phase++)
      for (int t = 0; t < cache.columns; t++) {
        const T* in = cache.products + ptrdiff_t(phase * cache.columns + t) * MID;
        int x = phase + 4 * t * dilation;
        for (int c = 0; c < MID; c += N) {
          Vec<T, N> m[6];
          UNROLL_FOR(i, 6) m[i] = load<T, N>(in + i * far + c);
          auto b = load<T, N>(bias + c), slope = load<T, N>(slope_minus_1 + c);
          auto p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
          p += b, q += b;
          Vec<T, N> v[4] = {m[0] + p + r, q + T(2) * s, p + T(4) * r, m[5] + q + T(8) * s};
          UNROLL_FOR(i, 4)
            if (x + i * dilation < width)
              store<T, N>(out + ptrdiff_t(x + i * dilation) * MID + c, prelu(v[i], slope));
        }
      }
  }
};

// Max-pool two rows of C channels into one of OUT, zeros appended, and keep where the maxima
// stood: 0 to 3, row by row; of equal values the first.
template <class T, int C, int OUT>
void max_pool(const T* top, const T* bottom, T* out, uint8_t* position, int width) {
  constexpr int N = lanes<T>(C);
  using I = std::conditional_t<sizeof(T) == 4, int32_t, int16_t>;
  for (int x = 0; x < width; x++) {
    for (int c = 0; c < C; c += N) {
      auto a = load<T, N>(top + x * 2 * C + c), b = load<T, N>(top + x * 2 * C + C + c);
      auto d = load<T, N>(bottom + x * 2 * C + c), e = load<T, N>(bottom + x * 2 * C + C + c);
      auto upper = vmax(a, b), lower = vmax(d, e);
      store<T, N>(out + x * OUT + c, vmax(upper, lower));
      Vec<I, N> zero{}, one = zero + 1, two = zero + 2, three = zero + 3;
      Vec<I, N> where = upper >= lower ? (b > a ? one : zero) : (e > d ? three : two);
      store<uint8_t, N>(position + x * C + c, narrow<I, N>(where));
    }
    memset(static_cast<void*>(out + x * OUT + C), 0, (OUT - C) * sizeof(T));
  }
}

}  // namespace enet::ENET_VARIANT
