/* Four-bit weights times eight-bit activations on x86-64: the types that the files of this folder share.

   Arithmetic: y = sum over groups of s_x * (s_w * (dot - 8 * sum_x) + z_w * sum_x), with dot and sum_x exact integers and
   groups added in order. So a row's result depends neither on its neighbours nor on threads nor on the instruction set. */
#ifndef NPC_KERNELS_H
#define NPC_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { LANES = 16, PANEL_BLOCKS = 4, TILE_TOKENS = 4 };

/* Bytes of codes that one token's product asks for before it needs them: the processor's own reading ahead ends at
   every page, and systems split the large pages of memory that lay idle into ones of 4 KiB. */
enum { AHEAD = 4096 };

/* What is done to an input row before it is quantized. */
enum BeforeKind { BEFORE_NOTHING = 0, BEFORE_LAYER_NORM = 1, BEFORE_RMS_NORM = 2, BEFORE_RELU2 = 3 };

/* A packed weight. codes: for each 16 rows and each 8 columns 64 bytes, row by row four columns in the low halves and the
   next four in the high ones. scales: for each 16 rows and each group 16 scales and 16 zeros, bfloat16. bias may be null. */
typedef struct {
    const uint8_t *codes;
    const uint16_t *scales;
    const float *bias;
    int64_t rows; /* those that count, of padded to a multiple of 16 */
    int64_t columns;
    int64_t group;
} Weight;

/* Quantized activations: codes (count, columns); scale and sum (count, groups). */
typedef struct {
    const int8_t *codes;
    const float *scale;
    const int32_t *sum;
    int64_t count;
    int64_t columns;
    int64_t groups;
} Tokens;

/* Where results go: bfloat16 (count, rows). residual, of the same type and shape, is added; it may be null, or y. */
typedef struct {
    uint16_t *y;
    const uint16_t *residual;
} Output;

/* What is done to the input first; weight and bias are a norm's. */
typedef struct {
    const float *weight;
    const float *bias;
    float eps;
    int32_t kind; /* enum BeforeKind */
} Before;

typedef void (*MultiplyBlocks)(const Weight *, const Tokens *, const Output *, int64_t first, int64_t blocks);
typedef void (*QuantizeRow)(const Before *, int64_t columns, int64_t group, const uint16_t *x, float *row, int8_t *codes,
                            float *scale, int32_t *sum);

void multiply_blocks_avx512(const Weight *, const Tokens *, const Output *, int64_t first, int64_t blocks);
void multiply_blocks_avx2(const Weight *, const Tokens *, const Output *, int64_t first, int64_t blocks);
void quantize_row_avx512(const Before *, int64_t, int64_t, const uint16_t *, float *, int8_t *, float *, int32_t *);
void quantize_row_avx2(const Before *, int64_t, int64_t, const uint16_t *, float *, int8_t *, float *, int32_t *);

static inline float from_bf16(uint16_t half) {
    union { uint32_t bits; float value; } both = {(uint32_t)half << 16};
    return both.value;
}

/* Rounds to nearest, ties to even; not-a-number stays one. */
static inline uint16_t to_bf16(float value) {
    union { float value; uint32_t bits; } both = {value};
    if ((both.bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0u;
    return (uint16_t)((both.bits + 0x7fffu + ((both.bits >> 16) & 1u)) >> 16);
}

/* Puts the first results of one block of rows where they belong, with bias and residual. */
static inline __attribute__((always_inline)) void store_some(const Output *out, const float *bias, int64_t at,
                                                             const float *restrict sums, const int64_t count) {
    float values[LANES];
    const uint16_t *residual = out->residual ? out->residual + at : NULL;
    for (int64_t i = 0; i < count; i++) values[i] = bias ? sums[i] + bias[i] : sums[i];
    if (residual)
        for (int64_t i = 0; i < count; i++) values[i] += from_bf16(residual[i]);
    for (int64_t i = 0; i < count; i++) out->y[at + i] = to_bf16(values[i]);
}

/* Puts one token's results of one block; the last block may be more than the weight has rows. */
static inline void store_block(const Weight *w, const Output *out, int64_t token, int64_t block, const float *sums) {
    int64_t row = block * LANES, at = token * w->rows + row;
    const float *bias = w->bias ? w->bias + row : NULL;
    if (w->rows - row >= LANES)
        store_some(out, bias, at, sums, LANES);
    else
        store_some(out, bias, at, sums, w->rows - row);
}

#endif
