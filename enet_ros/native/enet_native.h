/* The C interface of the native CPU engine: ENet fused into one pass, from RGB bytes to class ids.

   A library holds several variants of the engine, one per instruction set. Their names are
   'avx512_fp16', 'avx512', 'avx2', 'baseline' (SSE2), 'neon_fp16' and 'neon'; those that end in
   _fp16 compute in float16, the others in float32. */
#ifndef ENET_NATIVE_H
#define ENET_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#define ENET_NATIVE_VERSION 2 /* raised by each incompatible change of this file */

#if defined(__GNUC__)
#define ENET_API __attribute__((visibility("default")))
#else
#define ENET_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct EnetNetwork EnetNetwork;

typedef struct {
  int32_t width, height;               /* of the image, pixels, at least 1 */
  int32_t output_width, output_height; /* of the predictions, pixels, at least 1 */
  int32_t classes;                     /* 1 to 255 */
  int32_t threads;                     /* at least 1 */
  int32_t bilinear;                    /* 0: predictions are picked by columns and rows;
                                          1: logits are interpolated to the output size */
  float temperature;                   /* divides the logits before the softmax of the confidence,
                                          0.01 to 100 */
} EnetSpec;

/* Return ENET_NATIVE_VERSION of the library. */
ENET_API int32_t enet_version(void);

/* Return the names of the variants that were compiled and that this processor can run, fastest
   first, separated by commas. */
ENET_API const char* enet_variants(void);

/* Make a network, or return NULL and write the reason to `error`.

   weights: the network's tensors one after the other, batch normalization folded, see enet.hpp.
   columns, rows: for each output column and row the column and row of the image that it takes, in
   ascending order; NULL if `bilinear` or if the output has the image's size. */
ENET_API EnetNetwork* enet_create(const char* variant, const EnetSpec* spec, const float* weights,
                                  size_t count, const int32_t* columns, const int32_t* rows,
                                  char* error, size_t error_size);

/* Segment an image.

   image: RGB bytes (height, width, 3). labels: class ids (output_height, output_width).
   confidence: 255 times the probability of each label, of the same size, or NULL.
   Calls on one network must not overlap. Different networks may run at the same time; those with
   equal numbers of threads above one share their threads and take turns. */
ENET_API void enet_run(EnetNetwork* network, const uint8_t* image, uint8_t* labels,
                       uint8_t* confidence);

/* Return the bytes that the network has allocated. */
ENET_API size_t enet_memory(const EnetNetwork* network);

ENET_API void enet_destroy(EnetNetwork* network);

#ifdef __cplusplus
}
#endif
#endif
