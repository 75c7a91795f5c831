/* The product with AVX-512 VNNI: tiles of up to 4 tokens and 64 rows of weights, all sums of a group in registers.

   Wants -mavx512f -mavx512bw -mavx512vnni. */
#include "kernels.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m512i four_codes(const int8_t *codes) {
    int32_t four;
    memcpy(&four, codes, sizeof four);
    return _mm512_set1_epi32(four);
}

INLINE __m512 sixteen_bf16(const uint16_t *halves) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)halves));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

/* sums += s_x * (s_w * dot + z_w * sum_x), dot being that of the codes less 8. */
INLINE __m512 add_group(__m512 sums, __m512i dot, __m512 scale, __m512 zero, float x_scale, int32_t x_sum) {
    sums = _mm512_fmadd_ps(_mm512_mul_ps(scale, _mm512_set1_ps(x_scale)), _mm512_cvtepi32_ps(dot), sums);
    return _mm512_fmadd_ps(zero, _mm512_set1_ps(x_scale * (float)x_sum), sums);
}

/* One token, one block: it waits for memory, so all that counts is that the codes are read once and in order. */
INLINE __m512 one_token(const Weight *w, const Tokens *t, int64_t token, int64_t block) {
    const __m512i low = _mm512_set1_epi8(15);
    const int64_t steps = w->group / 8;
    const uint8_t *codes = w->codes + block * w->columns * (LANES / 2);
    const uint16_t *scales = w->scales + block * t->groups * 2 * LANES;
    const int8_t *x = t->codes + token * t->columns;
    __m512 sums = _mm512_setzero_ps();
    for (int64_t g = 0; g < t->groups; g++, scales += 2 * LANES) {
        const int32_t x_sum = t->sum[token * t->groups + g];
        __m512i a = _mm512_set1_epi32(-8 * x_sum), b = _mm512_setzero_si512(), c = b, d = b;
        for (int64_t i = 0; i < steps; i += 2, codes += 128, x += 16) {
            __m512i first = _mm512_loadu_si512(codes), second = _mm512_loadu_si512(codes + 64);
            _mm_prefetch((const char *)codes + AHEAD, _MM_HINT_T0);
            _mm_prefetch((const char *)codes + AHEAD + 64, _MM_HINT_T0);
            a = _mm512_dpbusd_epi32(a, _mm512_and_si512(first, low), four_codes(x));
            b = _mm512_dpbusd_epi32(b, _mm512_and_si512(_mm512_srli_epi16(first, 4), low), four_codes(x + 4));
            c = _mm512_dpbusd_epi32(c, _mm512_and_si512(second, low), four_codes(x + 8));
            d = _mm512_dpbusd_epi32(d, _mm512_and_si512(_mm512_srli_epi16(second, 4), low), four_codes(x + 12));
        }
        __m512i dot = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
        sums = add_group(sums, dot, sixteen_bf16(scales), sixteen_bf16(scales + LANES),
                         t->scale[token * t->groups + g], x_sum);
    }
    return sums;
}

/* Some tokens and blocks, both known to the compiler: the weights are restored once for all of the tokens. */
INLINE void tile(const Weight *w, const Tokens *t, const Output *out, int64_t token, int64_t block, const int tokens,
                 const int blocks) {
    const __m512i low = _mm512_set1_epi8(15);
    const int64_t steps = w->group / 8, block_codes = w->columns * (LANES / 2), block_scales = t->groups * 2 * LANES;
    const uint8_t *codes = w->codes + block * block_codes;
    const uint16_t *scales = w->scales + block * block_scales;
    const int8_t *x = t->codes + token * t->columns;
    const float *x_scale = t->scale + token * t->groups;
    const int32_t *x_sum = t->sum + token * t->groups;
    __m512 sums[TILE_TOKENS][PANEL_BLOCKS];
    for (int m = 0; m < tokens; m++)
        for (int n = 0; n < blocks; n++) sums[m][n] = _mm512_setzero_ps();
    for (int64_t g = 0; g < t->groups; g++, scales += 2 * LANES, x_scale++, x_sum++) {
        __m512i dots[TILE_TOKENS][PANEL_BLOCKS], part[PANEL_BLOCKS];
        for (int m = 0; m < tokens; m++)
            for (int n = 0; n < blocks; n++) dots[m][n] = _mm512_set1_epi32(-8 * x_sum[m * t->groups]);
        for (int64_t i = 0; i < steps; i++, codes += 64, x += 8) {
            for (int n = 0; n < blocks; n++)
                part[n] = _mm512_and_si512(_mm512_loadu_si512(codes + n * block_codes), low);
            for (int m = 0; m < tokens; m++) {
                __m512i four = four_codes(x + m * t->columns);
                for (int n = 0; n < blocks; n++) dots[m][n] = _mm512_dpbusd_epi32(dots[m][n], part[n], four);
            }
            for (int n = 0; n < blocks; n++)
                part[n] = _mm512_and_si512(_mm512_srli_epi16(_mm512_loadu_si512(codes + n * block_codes), 4), low);
            for (int m = 0; m < tokens; m++) {
                __m512i four = four_codes(x + m * t->columns + 4);
                for (int n = 0; n < blocks; n++) dots[m][n] = _mm512_dpbusd_epi32(dots[m][n], part[n], four);
            }
        }
        for (int n = 0; n < blocks; n++) {
            __m512 scale = sixteen_bf16(scales + n * block_scales), zero = sixteen_bf16(scales + n * block_scales + LANES);
            for (int m = 0; m < tokens; m++)
                sums[m][n] = add_group(sums[m][n], dots[m][n], scale, zero, x_scale[m * t->groups], x_sum[m * t->groups]);
        }
    }
    for (int m = 0; m < tokens; m++)
        for (int n = 0; n < blocks; n++) {
            float row[LANES];
            _mm512_storeu_ps(row, sums[m][n]);
            store_block(w, out, token + m, block + n, row);
        }
}

INLINE void tiles(const Weight *w, const Tokens *t, const Output *out, int64_t block, const int blocks) {
    int64_t token = 0;
    for (; token + TILE_TOKENS <= t->count; token += TILE_TOKENS) tile(w, t, out, token, block, TILE_TOKENS, blocks);
    switch (t->count - token) {
        case 3: tile(w, t, out, token, block, 3, blocks); break;
        case 2: tile(w, t, out, token, block, 2, blocks); break;
        case 1: tile(w, t, out, token, block, 1, blocks); break;
        default: break;
    }
}

void multiply_blocks_avx512(const Weight *w, const Tokens *t, const Output *out, int64_t first, int64_t blocks) {
    int64_t last = first + blocks, block = first;
    if (t->count > 1)
        for (; block + PANEL_BLOCKS <= last; block += PANEL_BLOCKS) tiles(w, t, out, block, PANEL_BLOCKS);
    for (; block < last; block++) {
        if (t->count > 1) {
            tiles(w, t, out, block, 1);
            continue;
        }
        float row[LANES];
        _mm512_storeu_ps(row, one_token(w, t, 0, block));
        store_block(w, out, 0, block, row);
    }
}
