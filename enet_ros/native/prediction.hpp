// From the features of the last bottleneck to class ids and their confidence.
#pragma once
#include <cfloat>

#include "convolution.hpp"
#include "network.hpp"

namespace enet::ENET_VARIANT {

enum class Mode { kLabels, kConfidence, kLogits };

// The last layer, a 2x2 transposed convolution, and what follows it. Lanes are pixels at half the
// resolution, columns of equal parity; `quarter` is the number of columns at a quarter of it,
// rounded up to whole vectors.
class Prediction {
 public:
  static constexpr int L = kLanes<float>;
  using V = Vec<float, L>;
  using I = Vec<int32_t, L>;

  // What a thread needs for itself.
  struct Rows {
    uint8_t *labels[2], *confidence[2];  // the two rows of the image that a row of features makes
    float* scores;                       // of the padded classes of a vector of pixels
    float *mixed, *values, *best;        // of a row of the output, if logits are interpolated
    int32_t* label;
  };

  void make(const EnetSpec& spec, WeightReader& reader, Arena& arena, const int32_t* columns,
            const int32_t* rows, int height, int quarter) {
    spec_ = spec, columns_ = columns, quarter_ = quarter;
    inverse_temperature_ = 1 / spec.temperature;
    int classes = spec.classes, padded = round_up(classes, G);
    const float* weights = reader.take(size_t(4) * 16 * classes);
    const float* bias = reader.take(classes);
    weights_ = arena.get<float>(size_t(4) * 16 * padded);
    bias_ = arena.get<float>(padded);
    // Padded classes are below every logit, and finite when divided by the temperature.
    for (int n = 0; n < padded; n++) bias_[n] = n < classes ? bias[n] : -1e30f;
    for (int phase = 0; phase < 4; phase++)
      for (int k = 0; k < 16; k++)
        for (int n = 0; n < classes; n++)
          weights_[((phase * padded + n / G * G) * 16) + k * G + n % G] =
              weights[(phase * 16 + k) * classes + n];
    if (spec.bilinear) {
      logits_ = arena.get<float>(size_t(height) * classes * 4 * quarter);
      horizontal_ = axis(arena, spec.width, spec.output_width);
      vertical_ = axis(arena, spec.height, spec.output_height);
    } else if (columns) {
      first_ = arena.get<int32_t>(spec.height + 1);
      for (int y = 0, r = 0; y <= spec.height; first_[y++] = r)
        while (r < spec.output_height && rows[r] < y) r++;
    }
  }

  void make(Rows& band, Arena& arena) const {
    for (auto& row : band.labels) row = arena.get<uint8_t>(4 * quarter_);
    for (auto& row : band.confidence) row = arena.get<uint8_t>(4 * quarter_);
    band.scores = arena.get<float>(size_t(round_up(spec_.classes, G)) * B * L);
    if (!spec_.bilinear) return;
    band.mixed = arena.get<float>(size_t(spec_.classes) * 4 * quarter_);
    band.values = arena.get<float>(size_t(spec_.classes) * spec_.output_width);
    band.best = arena.get<float>(spec_.output_width);
    band.label = arena.get<int32_t>(spec_.output_width);
  }

  bool bilinear() const { return spec_.bilinear; }
  int output_height() const { return spec_.output_height; }

  // Predict L columns of both parities. features: by parity and channel. y: row at half the
  // resolution. j: first column, counted within a parity.
  template <Mode MODE>
  INLINE void columns(const V (&features)[2][16], int y, int j, Rows& band) const {
    for (int py = 0; py < 2; py++) {
      I labels{}, confidence{};
      for (int px = 0; px < 2; px++)
        for (int b0 = 0; b0 < 2; b0 += B) {
          V best[B];
          I label[B] = {};
          UNROLL_FOR(b, B) best[b] = V{} - FLT_MAX;
          for (int group = 0; group < spec_.classes; group += G) {
            V sum[G][B];
            logits(features, b0, 2 * py + px, group, sum);
            if constexpr (MODE == Mode::kLogits) {
              for (int n = 0; n < smaller(G, spec_.classes - group); n++)
                for (int b = 0; b < B; b++)
                  store<float, L>(logit_plane(2 * y + py, group + n, 2 * (b0 + b) + px) + j,
                                  sum[n][b]);
            } else {
              UNROLL_FOR(n, G)
                UNROLL_FOR(b, B) {
                  label[b] = sum[n][b] > best[b] ? I{} + (group + n) : label[b];
                  best[b] = vmax(sum[n][b], best[b]);
                  if constexpr (MODE == Mode::kConfidence)
                    store<float, L>(band.scores + ((group + n) * B + b) * L, sum[n][b]);
                }
            }
          }
          if constexpr (MODE != Mode::kLogits)
            UNROLL_FOR(b, B) {
              int shift = 8 * (2 * (b0 + b) + px);
              labels |= vmin(label[b], I{} + (spec_.classes - 1)) << shift;
              if constexpr (MODE == Mode::kConfidence) {
                V total{};
                for (int n = 0; n < round_up(spec_.classes, G); n++)
                  total += exp_negative<L>(inverse_temperature_ *
                                           (load<float, L>(band.scores + (n * B + b) * L) -
                                            best[b]));
                confidence |= to_confidence(total) << shift;
              }
            }
        }
      if constexpr (MODE != Mode::kLogits)
        store<uint8_t, 4 * L>(band.labels[py] + 4 * j, (Vec<uint8_t, 4 * L>)labels);
      if constexpr (MODE == Mode::kConfidence)
        store<uint8_t, 4 * L>(band.confidence[py] + 4 * j, (Vec<uint8_t, 4 * L>)confidence);
    }
  }

  // Write the rows that the last row of features made, at the output size. y: as in `columns`.
  void write_rows(int y, const Rows& band, uint8_t* labels, uint8_t* confidence) const {
    for (int py = 0; py < 2; py++) {
      if (2 * y + py >= spec_.height) continue;  // padding
      write_row(2 * y + py, band.labels[py], labels);
      if (confidence) write_row(2 * y + py, band.confidence[py], confidence);
    }
  }

  // Interpolate the logits of row r of the output.
  void interpolate_row(int r, const Rows& band, uint8_t* labels, uint8_t* confidence) const {
    int width = spec_.output_width, classes = spec_.classes;
    const float *top = logit_plane(vertical_.low[r], 0, 0),
                *bottom = logit_plane(vertical_.high[r], 0, 0);
    float of_bottom = vertical_.share[r], of_top = 1 - of_bottom;
    ptrdiff_t size = ptrdiff_t(classes) * 4 * quarter_;
    for (ptrdiff_t i = 0; i < size; i++) band.mixed[i] = of_top * top[i] + of_bottom * bottom[i];
    for (int x = 0; x < width; x++) band.best[x] = -FLT_MAX, band.label[x] = 0;
    for (int n = 0; n < classes; n++) {
      const float* row = band.mixed + ptrdiff_t(n) * 4 * quarter_;
      float* value = band.values + ptrdiff_t(n) * width;
      for (int x = 0; x < width; x++) {
        float right = horizontal_.share[x];
        float v =
            (1 - right) * row[place(horizontal_.low[x])] + right * row[place(horizontal_.high[x])];
        value[x] = v;
        band.label[x] = v > band.best[x] ? n : band.label[x];
        band.best[x] = v > band.best[x] ? v : band.best[x];
      }
    }
    labels += size_t(r) * width;
    for (int x = 0; x < width; x++) labels[x] = uint8_t(band.label[x]);
    if (!confidence) return;
    confidence += size_t(r) * width;
    for (int x = 0; x < width; x += L) {
      int count = smaller(L, width - x);
      V best{}, total{};
      memcpy(&best, band.best + x, count * sizeof(float));
      for (int n = 0; n < classes; n++) {
        V value = best;
        memcpy(&value, band.values + ptrdiff_t(n) * width + x, count * sizeof(float));
        total += exp_negative<L>(inverse_temperature_ * (value - best));
      }
      auto bytes = narrow<int32_t, L>(to_confidence(total));
      memcpy(confidence + x, &bytes, count);
    }
  }

 private:
  static constexpr int B = kRegisters == 32 ? 2 : 1;  // parities that share a weight
  static constexpr int G = 12;                        // classes whose sums stay in registers

  // Where each output pixel lies between two pixels of the image.
  struct Axis {
    int32_t *low, *high;
    float* share;  // of `high`
  };

  // As torch.nn.functional.interpolate with align_corners=False has it.
  static Axis axis(Arena& arena, int size, int output_size) {
    Axis axis{arena.get<int32_t>(output_size), arena.get<int32_t>(output_size),
              arena.get<float>(output_size)};
    float scale = float(size) / float(output_size);
    for (int i = 0; i < output_size; i++) {
      float at = scale * (i + 0.5f) - 0.5f;
      at = at < 0 ? 0 : at;
      axis.low[i] = smaller(int(at), size - 1);
      axis.high[i] = smaller(axis.low[i] + 1, size - 1);
      axis.share[i] = at - axis.low[i];
    }
    return axis;
  }

  INLINE void logits(const V (&features)[2][16], int b0, int phase, int group,
                     V (&sum)[G][B]) const {
    int padded = round_up(spec_.classes, G);
    UNROLL_FOR(n, G)
      UNROLL_FOR(b, B) sum[n][b] = V{} + bias_[group + n];
    const float* w = weights_ + (phase * padded + group) * 16;
#pragma GCC unroll 2
    for (int k = 0; k < 16; k++)
      UNROLL_FOR(n, G) {
        V weight = V{} + w[k * G + n];
        UNROLL_FOR(b, B) sum[n][b] += features[b0 + b][k] * weight;
      }
  }

  // Rows of logits are kept as four planes of every fourth column for each class.
  float* logit_plane(int y, int n, int phase) const {
    return logits_ + ((ptrdiff_t(y) * spec_.classes + n) * 4 + phase) * quarter_;
  }
  int place(int x) const { return (x & 3) * quarter_ + (x >> 2); }

  // 255 / total, rounded to even as torch does.
  static INLINE I to_confidence(V total) {
    constexpr float kRounding = 12582912;  // 1.5 * 2^23: its last digit is one
    return __builtin_convertvector((255 / total + kRounding) - kRounding, I);
  }

  void write_row(int y, const uint8_t* row, uint8_t* out) const {
    int width = spec_.output_width;
    if (!columns_) {
      memcpy(out + size_t(y) * width, row, width);
      return;
    }
    for (int r = first_[y]; r < first_[y + 1]; r++)
      for (int x = 0; x < width; x++) out[size_t(r) * width + x] = row[columns_[x]];
  }

  EnetSpec spec_;
  const int32_t* columns_ = nullptr;
  int quarter_ = 0;
  float inverse_temperature_ = 1;
  float *weights_, *bias_;    // [phase][group of classes][channel][class]
  int32_t* first_ = nullptr;  // the first output row that takes row y of the image, or a later one
  float* logits_ = nullptr;
  Axis horizontal_, vertical_;
};

}  // namespace enet::ENET_VARIANT
