// ENet for one image size, fused so that intermediate rows stay in the cache.
//
// `encode` (image to 1/8 of the resolution) and `decode` (1/8 to class ids) are phases of the
// thread pool. They are pipelines of rows in short rings: each thread has a band of the image and
// computes the rows around it that it needs. Between them, each bottleneck at 1/8 is a phase
// (`transform_context`), which keeps everything in the cache and takes one row after the other. A
// thread that has finished its own rows or band takes those that others have not, and no thread
// waits for one that gets no core.
//
// Channels come last in memory, up to the last upsampling. From there on vectors hold pixels:
// columns are split by parity, so that unpooling, the last bottleneck and the arg max need no
// shuffles.
//
// Weights, in this order (slopes of PReLU; 0 for ReLU):
//   shift (3), scale (3): the network's input is (byte - shift) * scale
//   initial block: [ky][kx][3][16], bias (16), factor of the pooled image (16), slope (16)
//   block: projection [ky][kx][in][mid], bias, slope; main convolutions [ky][kx][mid][mid],
//     bias of the last, slope; expansion [mid][out], bias, slope of the block's activation
//   upsampling block: the same, then its shortcut [in][out], bias
//   blocks 1.0 to 1.4, 2.0 to 2.8, 3.1 to 3.8, 4.0 to 4.2, 5.0 and 5.1 of the paper's Table 1
//   last layer: [py][px][16][classes], bias (classes)
#pragma once
#include <atomic>

#include "bottleneck.hpp"
#include "network.hpp"
#include "prediction.hpp"
#include "threads.hpp"

namespace enet::ENET_VARIANT {

template <class T> class ENet final : public Network {
  static constexpr int F = lanes<float>(16);  // lanes of floats in 16 channels
  static constexpr int L = kLanes<float>;     // of the planes at the end

 public:
  ENet(const EnetSpec& spec, WeightReader& reader, Arena& arena, const int32_t* columns,
       const int32_t* rows)
      : image_width_(spec.width),
        image_height_(spec.height),
        threads_(spec.threads),
        width_(round_up(spec.width, 8)),
        height_(round_up(spec.height, 8)) {
    int w4 = width_ / 4, w8 = width_ / 8, h8 = height_ / 8;
    plane_ = round_up(w4, L), positions_plane_ = round_up(w4, 16);
    read(reader, arena);
    prediction_.make(spec, reader, arena, columns, rows, height_, plane_);
    x8_ = arena.get<T>(size_t(h8) * w8 * 128);
    for (auto& rows8 : mid8_) rows8.make(arena, h8, w8, 32, kWinogradPad);
    positions1_ = arena.get<uint8_t>(size_t(height_ / 4) * w4 * 16);
    positions2_ = arena.get<uint8_t>(size_t(h8) * w8 * 64);
    up4_rows_.make(arena, h8 + 1, w8, 16, 1);
    shortcut4_ = arena.get<T>(size_t(h8) * w8 * 64);
    untaken_ = arena.get<UntakenRows>(size_t(kContextBlocks) * threads_);
    untaken_to_encode_ = arena.get<UntakenBand>(pairs());
    untaken_to_decode_ = arena.get<UntakenBand>(pairs());
    bands_ = arena.get<Band>(threads_);
    for (int i = 0; i < threads_; i++) make(bands_[i], arena);
  }

  void run(const uint8_t* image, uint8_t* labels, uint8_t* confidence) override {
    for (int block = 0; block < kContextBlocks; block++)
      for (int i = 0; i < threads_; i++)
        untaken_[block * threads_ + i].reset(first_row8(i + 1) - first_row8(i));
    for (int pair = 0; pair < pairs(); pair++)
      for (UntakenBand* band : {&untaken_to_encode_[pair], &untaken_to_decode_[pair]})
        band->reset(pair_end(pair) - first_row8(2 * pair));
    untaken_to_interpolate_.reset(prediction_.output_height());
    struct Job {
      ENet* network;
      const uint8_t* image;
      uint8_t *labels, *confidence;
    } job{this, image, labels, confidence};
    ThreadPool::shared(threads_).run(
        kDecode + 1 + prediction_.bilinear(),
        [](void* context, int phase, int thread) {
          Job& job = *static_cast<Job*>(context);
          job.network->run_phase(phase, thread, job.image, job.labels, job.confidence);
        },
        &job);
  }

 private:
  static constexpr int kImageRows = 8;
  static constexpr int kContextBlocks = 17;  // 2.0, whose beginning belongs to `encode`, to 3.8
  static constexpr int kDecode = kContextBlocks + 1;  // phase, after those of `encode` and blocks

  // Rows that no thread has taken.
  struct alignas(64) UntakenRows {
    void reset(int count) { range.store(count, std::memory_order_relaxed); }
    // Take the first row, or the last one. -1 if there is none.
    int take(bool last) {
      uint32_t now = range.load(std::memory_order_relaxed), first, end;
      do {
        first = now >> 16, end = now & 0xffff;
        if (first == end) return -1;
      } while (!range.compare_exchange_weak(now, last ? now - 1 : now + 0x10000,
                                            std::memory_order_relaxed));
      return int(last ? end - 1 : first);
    }
    std::atomic<uint32_t> range;  // first << 16 | end
  };

  // A band of rows at 1/8 that two threads take. One works downwards from its top, one upwards from
  // its bottom, and they meet where the slower one has come to.
  struct alignas(64) UntakenBand {
    void reset(int count) {
      rows.reset(count);
      for (auto& end : taken_ends) end.store(false, std::memory_order_relaxed);
    }
    bool take_end(bool bottom) {
      return !taken_ends[bottom].exchange(true, std::memory_order_relaxed);
    }
    UntakenRows rows;
    std::atomic<bool> taken_ends[2];
  };

  struct Band {  // what a thread has for itself
    Rows<float> image;
    int image_rows[kImageRows];  // which rows are in `image`
    Rows<T> initial, x4, mid4[5];
    Rows<uint8_t> positions4;
    T *scratch, *mixed5;
    TransformedRows<T, 16> transformed4[5];
    TransformedRows<T, 32> transformed8;
    // Planes of the last upsampling: its convolution's input, its shortcut and pooling positions
    // (at 1/4), its output and the last projection's (at 1/2).
    Rows<float> up5, shortcut5, x5, mid5;
    Rows<uint8_t> positions5;
    Prediction::Rows prediction;
  };

  void make(Band& band, Arena& arena) {
    int w2 = width_ / 2, w4 = width_ / 4, w8 = width_ / 8;
    band.image.make(arena, kImageRows, width_, 3, 16);
    band.initial.make(arena, 4, w2, 16, 0);
    band.x4.make(arena, 8, w4, 64, 0);
    band.positions4.make(arena, 8, w4, 16, 0);
    for (auto& rows : band.mid4) rows.make(arena, 4, w4, 16, 5);
    for (auto& rows : band.transformed4) rows.make(arena, w4, 1);
    band.transformed8.make(arena, w8, kWinogradDilation);
    size_t scratch8 = Extension<T, 128, 32>::scratch_size(w8);
    size_t scratch4 = Extension<T, 64, 16>::scratch_size(w4);
    band.scratch = arena.get<T>(scratch4 > scratch8 ? scratch4 : scratch8);
    band.mixed5 = arena.get<T>(size_t(plane_) * 32);
    band.up5.make(arena, 4, plane_ + 2 * L, 4, 0);
    band.shortcut5.make(arena, 2, plane_, 16, 0);
    band.positions5.make(arena, 2, positions_plane_, 16, 0);
    band.x5.make(arena, 8, plane_, 32, 0);
    band.mid5.make(arena, 8, plane_ + 2 * L, 8, 0);
    prediction_.make(band.prediction, arena);
  }

  void read(WeightReader& reader, Arena& arena) {
    const float *shift = reader.take(3), *scale = reader.take(3);
    shift_ = arena.get<float>(3 * L), scale_ = arena.get<float>(3 * L);
    for (int i = 0; i < 3 * L; i++) shift_[i] = shift[i % 3], scale_[i] = scale[i % 3];
    initial_weights_ = pack<float, 9, 16>(arena, reader.take(27 * 16), 3);
    initial_bias_ = list<float>(arena, reader.take(16), 16);
    pool_factor_ = list<float>(arena, reader.take(16), 16);
    initial_slope_minus_1_ = list<float>(arena, reader.take(16), 16, -1);
    for (int i = 0; i < 5; i++) extension4_[i].exact = true;
    down1_.read(reader, arena, 2), extension4_[0].read(reader, arena);
    for (int i = 0; i < 4; i++) {
      project4_[i].read(reader, arena, 1);
      extension4_[i + 1].read(reader, arena);
    }
    down2_.read(reader, arena, 2), extension8_[0].read(reader, arena);
    constexpr int dilations[8] = {1, 2, 0, 4, 1, 8, 0, 16};  // 0: asymmetric
    for (int i = 0; i < kContextBlocks - 1; i++) {
      auto& extension = extension8_[i + 1];
      extension.asymmetric = !dilations[i % 8];
      extension.dilation = larger(dilations[i % 8], 1);
      project8_[i].read(reader, arena, 1), extension.read(reader, arena);
    }
    project_up4_.read(reader, arena, 1);
    up4_.read(reader, arena);
    for (int i = 0; i < 2; i++) {
      project4_[4 + i].read(reader, arena, 1);
      extension4_[5 + i].read(reader, arena);
    }
    read_up5(reader, arena);
    last_project_ = list<float>(arena, reader.take(64), 64);
    last_project_bias_ = list<float>(arena, reader.take(4), 4), reader.take(4);
    last_main_ = list<float>(arena, reader.take(144), 144);
    last_main_bias_ = list<float>(arena, reader.take(4), 4), reader.take(4);
    last_expansion_ = list<float>(arena, reader.take(64), 64);
    last_expansion_bias_ = list<float>(arena, reader.take(16), 16), reader.take(16);
  }

  // The projection and the shortcut of block 5.0 are one convolution.
  void read_up5(WeightReader& reader, Arena& arena) {
    const float *project = reader.take(64 * 4), *project_bias = reader.take(4);
    reader.take(4);
    up5_main_ = list<float>(arena, reader.take(9 * 16), 9 * 16);
    up5_main_bias_ = list<float>(arena, reader.take(4), 4), reader.take(4);
    up5_expansion_ = list<float>(arena, reader.take(64), 64);
    up5_expansion_bias_ = list<float>(arena, reader.take(16), 16), reader.take(16);
    const float *shortcut = reader.take(64 * 16), *shortcut_bias = reader.take(16);
    float mixed[64 * 32] = {}, bias[32] = {};
    for (int k = 0; k < 64; k++) {
      memcpy(mixed + k * 32, shortcut + k * 16, 16 * sizeof(float));
      memcpy(mixed + k * 32 + 16, project + k * 4, 4 * sizeof(float));
    }
    memcpy(bias, shortcut_bias, 16 * sizeof(float));
    memcpy(bias + 16, project_bias, 4 * sizeof(float));
    mixed5_weights_ = pack<T, 64, 32>(arena, mixed, 1);
    mixed5_bias_ = list<T>(arena, bias, 32);
  }

  int first_row8(int thread) const { return height_ / 8 * thread / threads_; }

  // In `encode` and `decode`, threads take ends of bands. Even ends are the tops, odd ends the
  // bottoms, and each thread begins with the end of its number.
  int pairs() const { return (threads_ + 1) / 2; }
  int pair_end(int pair) const { return first_row8(smaller(2 * pair + 2, threads_)); }
  static bool upwards(int end) { return end & 1; }

  // Call work(end) for each end that no other thread has taken, the thread's own first.
  template <class Work> void for_ends(UntakenBand* bands, int thread, Work&& work) {
    for (int other = 0; other < threads_; other++) {
      int end = (thread + other) % threads_;
      if (bands[end / 2].take_end(upwards(end))) work(end);
    }
  }

  // Take the next row at 1/8 from an end, counted in its direction; -1 if there is none.
  int take_row8(UntakenBand* bands, int end) const {
    int row = bands[end / 2].rows.take(upwards(end));
    if (row < 0) return -1;
    return in_direction(end, row + first_row8(end / 2 * 2), height_ / 8);
  }

  // Row y of `count` rows, counted from the side of the image where an end's rows start; and back.
  static int in_direction(int end, int y, int count) { return upwards(end) ? count - 1 - y : y; }

  // Returns when the thread finds nothing left to take: no row, or no end of a band. A thread that
  // has taken an end returns when all rows of the band are taken.
  void run_phase(int phase, int thread, const uint8_t* image, uint8_t* labels,
                 uint8_t* confidence) {
    if (phase == 0)
      encode(thread, image);
    else if (phase < kDecode)
      transform_context(thread, phase - 1);
    else if (phase > kDecode)
      interpolate(thread, labels, confidence);
    else if (prediction_.bilinear())
      decode<Mode::kLogits>(thread, nullptr, nullptr);
    else if (confidence)
      decode<Mode::kConfidence>(thread, labels, confidence);
    else
      decode<Mode::kLabels>(thread, labels, nullptr);
  }

  void interpolate(int thread, uint8_t* labels, uint8_t* confidence) {
    for (int row; (row = untaken_to_interpolate_.take(false)) >= 0;)
      prediction_.interpolate_row(row, bands_[thread].prediction, labels, confidence);
  }

  // ------------------------------------------------ image to 1/8

  // Blocks initial, 1.0 to 1.4, and the projection and the pooling of 2.0.
  void encode(int thread, const uint8_t* image) {
    Band& band = bands_[thread];
    for_ends(untaken_to_encode_, thread, [&](int end) {
      for (auto& rows : band.transformed4) rows.start(width_ / 4, 1);
      for (int& row : band.image_rows) row = -1;
      int row8 = take_row8(untaken_to_encode_, end), first = 2 * row8;
      for (int t = larger(first - 5, 0); row8 >= 0; row8 = take_row8(untaken_to_encode_, end))
        for (; t < 2 * row8 + 2 + 5; t++) encode_step(band, end, image, t, first);
    });
  }

  // Row t at 1/4 goes into block 1.0, and each later block follows one row behind the one before.
  // Rows are counted in the end's direction. first: the first row of the output of block 1.4.
  void encode_step(Band& band, int end, const uint8_t* image, int t, int first) {
    int h4 = height_ / 4, w4 = width_ / 4, w8 = width_ / 8;
    if (t < h4) {
      int y = in_direction(end, t, h4);
      for (int row = larger(4 * y - 1, 0); row < 4 * y + 4; row++) {
        int& kept = band.image_rows[row % kImageRows];
        if (kept != row) normalize(image, row, band.image[row]);
        kept = row;
      }
      initial(band, 2 * y), initial(band, 2 * y + 1);
      const T *top = band.initial[2 * y], *bottom = band.initial[2 * y + 1];
      down1_.run_2x2(top, bottom, band.mid4[0][y], w4);
      max_pool<T, 16, 64>(top, bottom, band.x4[y], band.positions4[y], w4);
    }
    for (int k = 0; k < 5; k++) {
      int row = t - 1 - k, y = in_direction(end, row, h4);
      if (row < larger(first - 4 + k, 0) || row >= h4) continue;
      T* x = band.x4[y];
      extension4_[k].run(band.mid4[k], band.transformed4[k], x, y, h4, w4, band.scratch);
      if (k < 4) project4_[k].run(x, band.mid4[k + 1][y], w4);
    }
    int row = t - 5, y8 = in_direction(end, row, h4) / 2;
    if (row < first || row % 2 == 0) return;
    for (int y = 2 * y8; y < 2 * y8 + 2; y++)
      memcpy(positions1_ + size_t(y) * w4 * 16, band.positions4[y], w4 * 16);
    const T *top = band.x4[2 * y8], *bottom = band.x4[2 * y8 + 1];
    down2_.run_2x2(top, bottom, mid8_[0][y8], w8);
    max_pool<T, 64, 128>(top, bottom, x8_ + size_t(y8) * w8 * 128,
                         positions2_ + size_t(y8) * w8 * 64, w8);
  }

  // A row of the normalized image; borders are repeated where the image is padded.
  void normalize(const uint8_t* image, int y, float* out) const {
    int count = 3 * image_width_;
    const uint8_t* in = image + size_t(smaller(y, image_height_ - 1)) * count;
    int i = 0;
    for (; i + 3 * L <= count; i += 3 * L)
      UNROLL_FOR(k, 3) {
        auto bytes = widen<int32_t, L>(load<uint8_t, L>(in + i + k * L));
        auto values = __builtin_convertvector(bytes, Vec<float, L>);
        auto shift = load<float, L>(shift_ + k * L), scale = load<float, L>(scale_ + k * L);
        store<float, L>(out + i + k * L, (values - shift) * scale);
      }
    for (; i < count; i++) out[i] = (float(in[i]) - shift_[i % 3]) * scale_[i % 3];
    for (; i < 3 * width_; i++) out[i] = out[i - 3];
  }

  void initial(Band& band, int y) const {
    const float *top = band.image[2 * y], *bottom = band.image[2 * y + 1];
    T* out = band.initial[y];
    Tap<float> taps[3];
    int count = 0;
    for (int ky = 0; ky < 3; ky++)
      if (2 * y + ky > 0)
        taps[count++] = {band.image[2 * y + ky - 1] - 3, 0, initial_weights_ + ky * 9 * 16};
    convolve<9, 16, 6>(
        taps, count, width_ / 2, width_ / 2, initial_bias_, [&](int x, int c, Vec<float, F> v) {
          if (c + F == 16) {  // the last three lanes are the pooled image's
            ptrdiff_t at = ptrdiff_t(x) * 6 - (F - 3);
            auto upper = vmax(load<float, F>(top + at), load<float, F>(top + at + 3));
            auto lower = vmax(load<float, F>(bottom + at), load<float, F>(bottom + at + 3));
            v += vmax(upper, lower) * load<float, F>(pool_factor_ + c);
          }
          v = prelu(v, load<float, F>(initial_slope_minus_1_ + c));
          store<T, F>(out + x * 16 + c, __builtin_convertvector(v, Vec<T, F>));
        });
  }

  // ------------------------------------------------ at 1/8

  // The next row of an owner's in a bottleneck, from the last if `last`, or -1. Rows a dilation
  // apart follow each other, so that what is transformed for one serves the next two.
  int take(int block, int owner, bool last, int dilation) {
    int first = first_row8(owner), rows = first_row8(owner + 1) - first;
    int item = untaken_[block * threads_ + owner].take(last);
    for (int phase = 0; item >= 0 && phase < dilation; phase++) {
      int count = (rows - phase + dilation - 1) / dilation;
      if (item < count) return first + phase + item * dilation;
      item -= count;
    }
    return -1;
  }

  // The rest of block 2.0, or one of the blocks 2.1 to 3.8, the last with the projection and the
  // shortcut of 4.0. Each row is followed by the next bottleneck's projection of it.
  void transform_context(int thread, int block) {
    int h8 = height_ / 8, w8 = width_ / 8;
    Band& band = bands_[thread];
    Rows<T>&mid = mid8_[block & 1], &next = mid8_[~block & 1];
    auto& extension = extension8_[block];
    band.transformed8.start(w8, extension.dilation);
    for (int other = 0; other < threads_; other++) {
      int owner = (thread + other) % threads_;
      for (int y; (y = take(block, owner, other, extension.dilation)) >= 0;) {
        T* x = x8_ + size_t(y) * w8 * 128;
        extension.run(mid, band.transformed8, x, y, h8, w8, band.scratch);
        if (block < kContextBlocks - 1) {
          project8_[block].run(x, next[y], w8);
        } else {
          project_up4_.run(x, up4_rows_[y], w8);
          up4_.shortcut(x, shortcut4_ + size_t(y) * w8 * 64, w8);
        }
      }
    }
  }

  // ------------------------------------------------ 1/8 to class ids

  // Blocks 4.0 to 5.1 and the last layer.
  template <Mode MODE> void decode(int thread, uint8_t* labels, uint8_t* confidence) {
    Band& band = bands_[thread];
    for_ends(untaken_to_decode_, thread, [&](int end) {
      for (auto& rows : band.transformed4) rows.start(width_ / 4, 1);
      int row8 = take_row8(untaken_to_decode_, end), first = 2 * row8, next = 2 * first;
      for (int t = larger(first - 3, 0); row8 >= 0; row8 = take_row8(untaken_to_decode_, end))
        for (int last = 2 * row8 + 1; t <= last + 3; t++) {
          decode_step(band, end, t, first);
          for (; next < smaller(2 * (t - 2), 2 * last + 2); next++) {
            int y = in_direction(end, next, height_ / 2);
            predict<MODE>(band, y);
            if constexpr (MODE != Mode::kLogits)
              prediction_.write_rows(y, band.prediction, labels, confidence);
          }
        }
    });
  }

  // Block 4.0 makes row t at 1/4, blocks 4.1 and 4.2 follow one row behind, and 5.0 makes two rows
  // at 1/2. Rows are counted in the end's direction. first: the first row that predictions
  // need.
  void decode_step(Band& band, int end, int t, int first) {
    int h4 = height_ / 4, w4 = width_ / 4, w8 = width_ / 8, h8 = height_ / 8;
    auto within = [&](int row, int before) {
      return row >= larger(first - before, 0) && row < h4;
    };
    if (within(t, 3)) {
      int y = in_direction(end, t, h4);
      up4_.run(up4_rows_, shortcut4_ + size_t(y / 2) * w8 * 64,
               positions2_ + size_t(y / 2) * w8 * 64, band.x4[y], y, h8, w8, band.scratch);
      project4_[4].run(band.x4[y], band.mid4[0][y], w4);
    }
    if (within(t - 1, 2)) {
      int y = in_direction(end, t - 1, h4);
      extension4_[5].run(band.mid4[0], band.transformed4[0], band.x4[y], y, h4, w4, band.scratch);
      project4_[5].run(band.x4[y], band.mid4[1][y], w4);
    }
    int row = t - 2;
    if (within(row, 1)) {
      int y = in_direction(end, row, h4);
      extension4_[6].run(band.mid4[1], band.transformed4[1], band.x4[y], y, h4, w4, band.scratch);
      to_planes(band, y);
    }
    // A row at 1/2 needs its row at 1/4 and at most the one below it.
    for (int row2 = 2 * row - 1; row2 <= 2 * row; row2++)
      if (row2 >= larger(2 * first - 1, 0) && row2 < 2 * h4)
        upsample5(band, in_direction(end, row2, 2 * h4));
  }

  // Block 4.0 from its projection on: 128 channels at 1/8 -> 64 at 1/4.
  struct Upsampling {
    T *main, *main_bias, *expansion, *expansion_bias, *shortcut_weights, *shortcut_bias;

    void read(WeightReader& reader, Arena& arena) {
      main = pack<T, 16, 16>(arena, reader.take(9 * 16 * 16), 9);
      main_bias = list<T>(arena, reader.take(16), 16), reader.take(16);
      expansion = pack<T, 16, 64>(arena, reader.take(16 * 64), 1);
      expansion_bias = list<T>(arena, reader.take(64), 64), reader.take(64);
      shortcut_weights = pack<T, 128, 64>(arena, reader.take(128 * 64), 1);
      shortcut_bias = list<T>(arena, reader.take(64), 64);
    }

    void shortcut(const T* x, T* out, int width) const {
      constexpr int N = Shape<T, 64>::N;
      Tap<T> tap{x, 0, shortcut_weights};
      convolve<128, 64, 128>(&tap, 1, width, width, shortcut_bias,
                             [&](int p, int c, Vec<T, N> v) { store<T, N>(out + p * 64 + c, v); });
    }

    // Row y of the output. input: the projection's rows, of which `height` have `width` pixels.
    void run(const Rows<T>& input, const T* shortcut, const uint8_t* position, T* out, int y,
             int height, int width, T* scratch) const {
      constexpr int N = Shape<T, 16>::N, NC = Shape<T, 64>::N;
      using I = std::conditional_t<sizeof(T) == 4, int32_t, int16_t>;
      int i = y / 2, a = y & 1;
      for (int b = 0; b < 2; b++) {  // even columns of the output, then odd ones
        Tap<T> taps[4];
        int count = 0;
        for (int dy = 0; dy <= a; dy++)
          for (int dx = 0; dx <= b; dx++)
            if (i + dy < height) {
              int ky = a ? (dy ? 0 : 2) : 1, kx = b ? (dx ? 0 : 2) : 1;
              taps[count++] = {input[i + dy], dx, main + (ky * 3 + kx) * 256};
            }
        convolve<16, 16, 16>(
            taps, count, width, width + 1, main_bias,
            [&](int p, int c, Vec<T, N> v) { store<T, N>(scratch + p * 16 + c, relu(v)); });
        I corner = I(2 * a + b);
        Tap<T> tap{scratch, 0, expansion};
        convolve<16, 64, 16>(
            &tap, 1, width, width, expansion_bias, [&](int p, int c, Vec<T, NC> v) {
              auto at = widen<I, NC>(load<uint8_t, NC>(position + p * 64 + c));
              v += at == corner ? load<T, NC>(shortcut + p * 64 + c) : Vec<T, NC>{};
              store<T, NC>(out + (2 * p + b) * 64 + c, relu(v));
            });
      }
    }
  };

  // The projection and the shortcut of block 5.0, a row at 1/4, transposed into planes.
  void to_planes(Band& band, int y) const {
    constexpr int N = Shape<T, 32>::N;
    int w4 = width_ / 4, stride = plane_ + 2 * L;
    T* mixed = band.mixed5;
    Tap<T> tap{band.x4[y], 0, mixed5_weights_};
    convolve<64, 32, 64>(&tap, 1, w4, w4, mixed5_bias_,
                         [&](int p, int c, Vec<T, N> v) { store<T, N>(mixed + p * 32 + c, v); });
    float *up = band.up5[y], *shortcut = band.shortcut5[y];
    for (int p = 0; p < w4; p += L)
      for (int c0 = 0; c0 < 20; c0 += L) {
        Vec<float, L> rows[L];
        UNROLL_FOR(i, L)
          rows[i] = __builtin_convertvector(load<T, L>(mixed + (p + i) * 32 + c0), Vec<float, L>);
        transpose<Vec<float, L>, L>(rows);
        UNROLL_FOR(i, L)
          if (c0 < 16)
            store<float, L>(shortcut + (c0 + i) * plane_ + p, rows[i]);
          else if (i < 4)
            store<float, L>(up + i * stride + L + p, relu(rows[i]));
      }
    clear_rest(up + L, 4, stride);
    uint8_t* position = band.positions5[y];
    const uint8_t* from = positions1_ + size_t(y) * w4 * 16;
    for (int p = 0; p < w4; p += 16) {
      Vec<uint8_t, 16> rows[16];
      UNROLL_FOR(i, 16) rows[i] = load<uint8_t, 16>(from + (p + i) * 16);
      transpose<Vec<uint8_t, 16>, 16>(rows);
      UNROLL_FOR(i, 16) store<uint8_t, 16>(position + i * positions_plane_ + p, rows[i]);
    }
  }

  // Zero what whole vectors wrote to the right of planes, since convolutions read it.
  void clear_rest(float* plane, int planes, int stride) const {
    int w4 = width_ / 4;
    if (w4 == plane_) return;
    for (int i = 0; i < planes; i++)
      memset(plane + i * stride + w4, 0, (plane_ - w4) * sizeof(float));
  }

  // A row of block 5.0 at 1/2, and the projection of 5.1. Planes by column parity and channel.
  void upsample5(Band& band, int y) const {
    using V = Vec<float, L>;
    int i = y / 2, a = y & 1, stride = plane_ + 2 * L;
    const float *here = band.up5[i] + L, *below = band.up5[i + 1] + L;
    bool two = a && i + 1 < height_ / 4;
    const float* shortcut = band.shortcut5[i];
    const uint8_t* position = band.positions5[i];
    float *x = band.x5[y], *mid = band.mid5[y];
    V zero{};
    for (int j = 0; j < plane_; j += L) {
      for (int b = 0; b < 2; b++) {
        V m[4];
        UNROLL_FOR(n, 4) m[n] = zero + up5_main_bias_[n];
        auto add = [&](const float* row, int ky, int kx) {
          const float* w = up5_main_ + (ky * 3 + kx) * 16;
          UNROLL_FOR(k, 4) {
            V v = load<float, L>(row + k * stride);
            UNROLL_FOR(n, 4) m[n] += v * w[k * 4 + n];
          }
        };
        if (!b) {
          add(here + j, a ? 2 : 1, 1);
          if (two) add(below + j, 0, 1);
        } else {
          add(here + j, a ? 2 : 1, 2), add(here + j + 1, a ? 2 : 1, 0);
          if (two) add(below + j, 0, 2), add(below + j + 1, 0, 0);
        }
        UNROLL_FOR(n, 4) m[n] = relu(m[n]);
        V sum[4];
        UNROLL_FOR(n, 4) sum[n] = zero + last_project_bias_[n];
        UNROLL_FOR(c, 16) {
          V v = zero + up5_expansion_bias_[c];
          UNROLL_FOR(k, 4) v += m[k] * up5_expansion_[k * 16 + c];
          auto at = widen<int32_t, L>(load<uint8_t, L>(position + c * positions_plane_ + j));
          v += at == 2 * a + b ? load<float, L>(shortcut + c * plane_ + j) : zero;
          v = relu(v);
          store<float, L>(x + (b * 16 + c) * plane_ + j, v);
          UNROLL_FOR(n, 4) sum[n] += v * last_project_[c * 4 + n];
        }
        UNROLL_FOR(n, 4) store<float, L>(mid + (b * 4 + n) * stride + L + j, relu(sum[n]));
      }
    }
    clear_rest(mid + L, 8, stride);
  }

  // The rest of block 5.1 and the last layer, a row at 1/2.
  template <Mode MODE> void predict(Band& band, int y) const {
    using V = Vec<float, L>;
    int stride = plane_ + 2 * L;
    const float* x = band.x5[y];
    V zero{};
    for (int j = 0; j < plane_; j += L) {
      V m[2][4], features[2][16];
      UNROLL_FOR(n, 4) m[0][n] = m[1][n] = zero + last_main_bias_[n];
      for (int ky = 0; ky < 3; ky++) {
        int row = y + ky - 1;
        if (row < 0 || row >= height_ / 2) continue;
        const float* planes = band.mid5[row] + L + j;
        const float* w = last_main_ + ky * 48;
        UNROLL_FOR(k, 4) {
          const float *even = planes + k * stride, *odd = planes + (4 + k) * stride;
          V left = load<float, L>(odd - 1), v0 = load<float, L>(even);
          V v1 = load<float, L>(odd), right = load<float, L>(even + 1);
          UNROLL_FOR(n, 4) {
            float w0 = w[k * 4 + n], w1 = w[16 + k * 4 + n], w2 = w[32 + k * 4 + n];
            m[0][n] += left * w0, m[1][n] += v0 * w0;
            m[0][n] += v0 * w1, m[1][n] += v1 * w1;
            m[0][n] += v1 * w2, m[1][n] += right * w2;
          }
        }
      }
      UNROLL_FOR(n, 4) m[0][n] = relu(m[0][n]), m[1][n] = relu(m[1][n]);
      UNROLL_FOR(c, 16)
        UNROLL_FOR(b, 2) {
          V v = load<float, L>(x + (b * 16 + c) * plane_ + j) + last_expansion_bias_[c];
          UNROLL_FOR(k, 4) v += m[b][k] * last_expansion_[k * 16 + c];
          features[b][c] = relu(v);
        }
      prediction_.template columns<MODE>(features, y, j, band.prediction);
    }
  }

  const int image_width_, image_height_, threads_;
  const int width_, height_;     // of the padded image
  int plane_, positions_plane_;  // columns of planes at 1/4, rounded up to whole vectors
  Prediction prediction_;
  Band* bands_;
  UntakenRows *untaken_, untaken_to_interpolate_;
  UntakenBand *untaken_to_encode_, *untaken_to_decode_;
  float *shift_, *scale_, *initial_weights_, *initial_bias_, *pool_factor_,
      *initial_slope_minus_1_;
  Projection<T, 32, 16> down1_;
  Projection<T, 128, 32> down2_;
  Projection<T, 64, 16> project4_[6];
  Extension<T, 64, 16> extension4_[7];
  Projection<T, 128, 32> project8_[kContextBlocks - 1];
  Extension<T, 128, 32> extension8_[kContextBlocks];
  Projection<T, 128, 16> project_up4_;
  Upsampling up4_;
  T *mixed5_weights_, *mixed5_bias_;
  float *up5_main_, *up5_main_bias_, *up5_expansion_, *up5_expansion_bias_;
  float *last_project_, *last_project_bias_, *last_main_, *last_main_bias_, *last_expansion_,
      *last_expansion_bias_;
  T *x8_, *shortcut4_;
  Rows<T> mid8_[2], up4_rows_;  // inputs of main convolutions at 1/8
  uint8_t *positions1_, *positions2_;
};

}  // namespace enet::ENET_VARIANT
