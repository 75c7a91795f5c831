/* The product with AVX2: tiles of up to 4 tokens and 16 rows of weights. Same integers, same order, same results.

   A pair of products is at most 2 * 15 * 127, so eight pairs fit a signed 16-bit sum. Wants -mavx2 -mfma. */
#include "kernels.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { HALVES = 2, PAIRS = 4 }; /* steps of 8 columns are two pairs a lane: four steps make eight */

INLINE __m256i four_codes(const int8_t *codes) {
    int32_t four;
    memcpy(&four, codes, sizeof four);
    return _mm256_set1_epi32(four);
}

INLINE __m256 eight_bf16(const uint16_t *halves) {
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)halves));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

INLINE __m256 add_group(__m256 sums, __m256i dot, __m256 scale, __m256 zero, float x_scale, int32_t x_sum) {
    sums = _mm256_fmadd_ps(_mm256_mul_ps(scale, _mm256_set1_ps(x_scale)), _mm256_cvtepi32_ps(dot), sums);
    return _mm256_fmadd_ps(zero, _mm256_set1_ps(x_scale * (float)x_sum), sums);
}

/* The dots of one group. */
INLINE void group_dots(const uint8_t *codes, const int8_t *x, int64_t columns, int64_t group, const int tokens,
                       __m256i dots[TILE_TOKENS][HALVES]) {
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    for (int64_t done = 0; done < group; done += 8 * PAIRS) {
        __m256i pairs[TILE_TOKENS][HALVES];
        for (int m = 0; m < tokens; m++)
            for (int h = 0; h < HALVES; h++) pairs[m][h] = _mm256_setzero_si256();
        for (int i = 0; i < PAIRS; i++, codes += 64, x += 8) {
            if (tokens == 1) _mm_prefetch((const char *)codes + AHEAD, _MM_HINT_T0);
            for (int h = 0; h < HALVES; h++) {
                __m256i both = _mm256_loadu_si256((const __m256i *)(codes + 32 * h));
                __m256i first = _mm256_and_si256(both, low), second = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
                for (int m = 0; m < tokens; m++) {
                    __m256i sum = _mm256_maddubs_epi16(first, four_codes(x + m * columns));
                    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(second, four_codes(x + m * columns + 4)));
                    pairs[m][h] = _mm256_add_epi16(pairs[m][h], sum);
                }
            }
        }
        for (int m = 0; m < tokens; m++)
            for (int h = 0; h < HALVES; h++)
                dots[m][h] = _mm256_add_epi32(dots[m][h], _mm256_madd_epi16(pairs[m][h], ones));
    }
}

INLINE void tile(const Weight *w, const Tokens *t, const Output *out, int64_t token, int64_t block, const int tokens) {
    const uint8_t *codes = w->codes + block * w->columns * (LANES / 2);
    const uint16_t *scales = w->scales + block * t->groups * 2 * LANES;
    const int8_t *x = t->codes + token * t->columns;
    const float *x_scale = t->scale + token * t->groups;
    const int32_t *x_sum = t->sum + token * t->groups;
    __m256 sums[TILE_TOKENS][HALVES];
    for (int m = 0; m < tokens; m++)
        for (int h = 0; h < HALVES; h++) sums[m][h] = _mm256_setzero_ps();
    for (int64_t g = 0; g < t->groups; g++) {
        __m256i dots[TILE_TOKENS][HALVES];
        for (int m = 0; m < tokens; m++)
            for (int h = 0; h < HALVES; h++) dots[m][h] = _mm256_set1_epi32(-8 * x_sum[m * t->groups + g]);
        group_dots(codes, x, t->columns, w->group, tokens, dots);
        for (int h = 0; h < HALVES; h++) {
            __m256 scale = eight_bf16(scales + 8 * h), zero = eight_bf16(scales + LANES + 8 * h);
            for (int m = 0; m < tokens; m++)
                sums[m][h] = add_group(sums[m][h], dots[m][h], scale, zero, x_scale[m * t->groups + g], x_sum[m * t->groups + g]);
        }
        codes += w->group * (LANES / 2);
        scales += 2 * LANES;
        x += w->group;
    }
    for (int m = 0; m < tokens; m++) {
        float row[LANES];
        for (int h = 0; h < HALVES; h++) _mm256_storeu_ps(row + 8 * h, sums[m][h]);
        store_block(w, out, token + m, block, row);
    }
}

void multiply_blocks_avx2(const Weight *w, const Tokens *t, const Output *out, int64_t first, int64_t blocks) {
    for (int64_t block = first; block < first + blocks; block++) {
        int64_t token = 0;
        for (; token + TILE_TOKENS <= t->count; token += TILE_TOKENS) tile(w, t, out, token, block, TILE_TOKENS);
        switch (t->count - token) {
            case 3: tile(w, t, out, token, block, 3); break;
            case 2: tile(w, t, out, token, block, 2); break;
            case 1: tile(w, t, out, token, block, 1); break;
            default: break;
        }
    }
}
