// The C interface, and the variants that this processor can run.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "network.hpp"
#include "threads.hpp"

namespace enet {

#define ENET_DECLARE(variant)                                                              \
  namespace variant {                                                                      \
  Network* create(const EnetSpec&, WeightReader&, Arena&, const int32_t*, const int32_t*); \
  }
#ifdef ENET_HAVE_AVX512_FP16
ENET_DECLARE(avx512_fp16)
#endif
#ifdef ENET_HAVE_AVX512
ENET_DECLARE(avx512)
#endif
#ifdef ENET_HAVE_AVX2
ENET_DECLARE(avx2)
#endif
#ifdef ENET_HAVE_NEON_FP16
ENET_DECLARE(neon_fp16)
#endif
#ifdef ENET_HAVE_NEON
ENET_DECLARE(neon)
#endif
#ifdef ENET_HAVE_BASELINE
ENET_DECLARE(baseline)
#endif

// Out of line, so that the class's tables stand in this object only.
Network::~Network() = default;

namespace {

struct Variant {
  const char* name;
  CreateNetwork create;
};

// Fastest first.
std::vector<Variant> usable_variants() {
  std::vector<Variant> variants;
#ifdef ENET_HAVE_AVX512_FP16
  if (__builtin_cpu_supports("avx512fp16"))
    variants.push_back({"avx512_fp16", avx512_fp16::create});
#endif
#ifdef ENET_HAVE_AVX512
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512cd"))
    variants.push_back({"avx512", avx512::create});
#endif
#ifdef ENET_HAVE_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    variants.push_back({"avx2", avx2::create});
#endif
#ifdef ENET_HAVE_NEON_FP16
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDHP) variants.push_back({"neon_fp16", neon_fp16::create});
#endif
#ifdef ENET_HAVE_NEON
  variants.push_back({"neon", neon::create});
#endif
#ifdef ENET_HAVE_BASELINE
  variants.push_back({"baseline", baseline::create});
#endif
  return variants;
}

size_t physical_memory() {
  return size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGE_SIZE));
}

constexpr int kLargestSide = 32768;  // rows at 1/8 are counted in 16 bits

void check(const EnetSpec& spec, const int32_t* columns, const int32_t* rows) {
  for (int side : {spec.width, spec.height, spec.output_width, spec.output_height})
    if (side < 1 || side > kLargestSide)
      throw std::invalid_argument("a side of " + std::to_string(side) + " pixels; 1 to " +
                                  std::to_string(kLargestSide) + " are supported");
  if (spec.classes < 1 || spec.classes > 255)
    throw std::invalid_argument(std::to_string(spec.classes) + " classes; 1 to 255 are supported");
  if (spec.threads < 1 || spec.threads > 1024)
    throw std::invalid_argument(std::to_string(spec.threads) +
                                " threads; 1 to 1024 are supported");
  if (!(spec.temperature >= 0.01f && spec.temperature <= 100.0f))
    throw std::invalid_argument("a temperature of " + std::to_string(spec.temperature) +
                                "; 0.01 to 100 are supported");
  bool same_size = spec.width == spec.output_width && spec.height == spec.output_height;
  if (!columns != !rows || (!columns && !spec.bilinear && !same_size))
    throw std::invalid_argument("columns and rows of the output are missing");
  auto check_indices = [](const int32_t* indices, int count, int size) {
    for (int i = 0; i < count; i++)
      if (indices[i] < (i ? indices[i - 1] : 0) || indices[i] >= size)
        throw std::invalid_argument("columns or rows are not ascending or outside of the image");
  };
  if (columns) check_indices(columns, spec.output_width, spec.width);
  if (rows) check_indices(rows, spec.output_height, spec.height);
}

}  // namespace
}  // namespace enet

struct EnetNetwork {
  enet::Arena arena{enet::physical_memory()};
  std::vector<int32_t> columns;
  std::unique_ptr<enet::Network> network;
};

extern "C" {

int32_t enet_version(void) { return ENET_NATIVE_VERSION; }

const char* enet_variants(void) {
  static const std::string names = [] {
    std::string joined;
    for (auto& variant : enet::usable_variants()) {
      if (!joined.empty()) joined += ",";
      joined += variant.name;
    }
    return joined;
  }();
  return names.c_str();
}

EnetNetwork* enet_create(const char* variant, const EnetSpec* spec, const float* weights,
                         size_t count, const int32_t* columns, const int32_t* rows, char* error,
                         size_t error_size) {
  try {
    enet::check(*spec, columns, rows);
    for (auto& usable : enet::usable_variants()) {
      if (usable.name != std::string(variant)) continue;
      auto made = std::make_unique<EnetNetwork>();
      if (columns) made->columns.assign(columns, columns + spec->output_width);
      enet::WeightReader reader(weights, count);
      made->network.reset(usable.create(*spec, reader, made->arena,
                                        columns ? made->columns.data() : nullptr, rows));
      if (reader.left())
        throw std::invalid_argument("there are more weights than the network has");
      enet::ThreadPool::shared(spec->threads);  // starts the threads, which may fail
      return made.release();
    }
    throw std::invalid_argument("no variant " + std::string(variant) + "; this processor runs " +
                                enet_variants());
  } catch (const std::bad_alloc&) {
    snprintf(error, error_size, "the network's buffers do not fit in memory");
  } catch (const std::system_error& failure) {
    snprintf(error, error_size, "%d threads cannot be started: %s", spec->threads, failure.what());
  } catch (const std::exception& exception) {
    snprintf(error, error_size, "%s", exception.what());
  }
  return nullptr;
}

void enet_run(EnetNetwork* network, const uint8_t* image, uint8_t* labels, uint8_t* confidence) {
  network->network->run(image, labels, confidence);
}

size_t enet_memory(const EnetNetwork* network) { return network->arena.used(); }

void enet_destroy(EnetNetwork* network) { delete network; }

}  // extern "C"
