/* Attention of few or many rows over a paged pool, in float32 with a running softmax, block by block. Written with the
   compiler's vectors and compiled once for each instruction set, with ISA as the names' ending. A row's result depends
   on its own sequence and position alone: each of its dots is summed in 16 lanes and then in halves, whoever comes along. */
#include "attention.h"
#include "kernels.h"

#include <math.h>
#include <string.h>

#ifndef ISA
#error "compile with -DISA=avx512 or -DISA=avx2"
#endif
#define NAMED_(name, isa) name##_##isa
#define NAMED(name, isa) NAMED_(name, isa)
#define INLINE static inline __attribute__((always_inline))
#ifdef __AVX512F__
enum { AT_ONCE = 16 }; /* keys whose sums fit the registers */
#else
enum { AT_ONCE = 4 };
#endif

typedef float Vec __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));
typedef uint32_t Words __attribute__((vector_size(64)));
typedef int8_t Bytes __attribute__((vector_size(16)));

INLINE Vec load(const float *from) {
    Vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void store(float *to, Vec v) { memcpy(to, &v, sizeof v); }

INLINE Vec all(float value) { return (Vec){0} + value; }

INLINE Vec load_bf16(const uint16_t *from) {
    Halves halves;
    memcpy(&halves, from, sizeof halves);
    return (Vec)(__builtin_convertvector(halves, Words) << 16);
}

INLINE Vec load_codes(const int8_t *from, float scale) {
    Bytes codes;
    memcpy(&codes, from, sizeof codes);
    return __builtin_convertvector(codes, Vec) * scale;
}

INLINE Vec pick(Ints which, Vec yes, Vec no) { return (Vec)((which & (Ints)yes) | (~which & (Ints)no)); }

INLINE Vec larger(Vec a, Vec b) { return pick(a > b, a, b); }

/* e to the x for x up to 0, to the last bit or two; 0 below -87. Source: the reduction and the polynomial of Cephes expf. */
INLINE Vec exponential(Vec x) {
    const Vec kept = larger(x, all(-87.0f));
    const Ints power = __builtin_convertvector(kept * 1.44269504f - 0.5f, Ints); /* rounds towards 0: to the nearest */
    const Vec whole = __builtin_convertvector(power, Vec);
    const Vec r = kept - whole * 0.693359375f - whole * -2.12194440e-4f;
    Vec sum = all(1.9875691500e-4f);
    sum = sum * r + 1.3981999507e-3f;
    sum = sum * r + 8.3334519073e-3f;
    sum = sum * r + 4.1665795894e-2f;
    sum = sum * r + 1.6666665459e-1f;
    sum = sum * r + 5.0000001201e-1f;
    const Vec value = (sum * r * r + r + 1.0f) * (Vec)((power + 127) << 23);
    return pick(x < -87.0f, all(0), value);
}

/* Each lane with the one that lies half of 16, 8, 4 or 2 lanes away. */
static const Ints SWAPS[] = {
    {8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7},
    {4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11},
    {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13},
    {1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14},
};

INLINE float sum_of(Vec v) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) v += __builtin_shuffle(v, SWAPS[i]);
    return v[0];
}

INLINE float largest_of(Vec v) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) v = larger(__builtin_shuffle(v, SWAPS[i]), v);
    return v[0];
}

/* Of two vectors of partial sums, in runs of twice the width, one with both in runs of the width. */
#define FOLD(a, b, low, high) (__builtin_shuffle(a, b, low) + __builtin_shuffle(a, b, high))

/* The sums of 16 vectors, each in halves, as one vector. Mutates: v. */
INLINE Vec sums_of(Vec v[LANES]) {
    const Ints low8 = {0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23}, high8 = low8 + 8;
    const Ints low4 = {0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27}, high4 = low4 + 4;
    const Ints low2 = {0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29}, high2 = low2 + 2;
    const Ints low1 = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30}, high1 = low1 + 1;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) v[i] = FOLD(v[2 * i], v[2 * i + 1], low8, high8);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) v[i] = FOLD(v[2 * i], v[2 * i + 1], low4, high4);
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) v[i] = FOLD(v[2 * i], v[2 * i + 1], low2, high2);
    return FOLD(v[0], v[1], low1, high1);
}

/* A query times 16 keys. */
INLINE Vec dots(const float *query, const float *keys, int64_t head_dim) {
    Vec sums[LANES];
    for (int first = 0; first < LANES; first += AT_ONCE) {
        Vec part[AT_ONCE];
#pragma GCC unroll 16
        for (int k = 0; k < AT_ONCE; k++) part[k] = all(0);
        for (int64_t d = 0; d < head_dim; d += LANES) {
            const Vec q = load(query + d);
#pragma GCC unroll 16
            for (int k = 0; k < AT_ONCE; k++) part[k] += q * load(keys + (first + k) * head_dim + d);
        }
#pragma GCC unroll 16
        for (int k = 0; k < AT_ONCE; k++) sums[first + k] = part[k];
    }
    return sums_of(sums);
}

/* What a query has seen so far: out is not yet divided by sum. */
typedef struct {
    float *out;
    float *most;
    float *sum;
} Seen;

/* Adds some vectors of each value by its weight to what was kept. Eight sums at once hide the adder's latency: where a
   value has fewer vectors, several values go at once. */
INLINE void add_values(const float *values, const float *weights, int64_t head_dim, int64_t count, float kept, float *out,
                       const int vectors) {
    const int at_once = 8 / vectors;
    Vec sums[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) sums[i] = i < vectors ? load(out + i * LANES) * kept : all(0);
    int64_t k = 0;
    for (; k + at_once <= count; k += at_once)
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            sums[i] += load(values + (k + i / vectors) * head_dim + i % vectors * LANES) * weights[k + i / vectors];
    for (; k < count; k++)
#pragma GCC unroll 8
        for (int i = 0; i < vectors; i++) sums[i] += load(values + k * head_dim + i * LANES) * weights[k];
#pragma GCC unroll 8
    for (int i = vectors; i < 8; i++) sums[i % vectors] += sums[i];
#pragma GCC unroll 8
    for (int i = 0; i < vectors; i++) store(out + i * LANES, sums[i]);
}

/* Lets a query see the first keys of a block. */
INLINE void see(const float *query, const float *keys, const float *values, int64_t head_dim, int64_t count, Seen seen) {
    float weights[BLOCK_TOKENS];
    const int64_t vectors = (count + LANES - 1) / LANES;
    const Ints lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    Vec scores[BLOCK_TOKENS / LANES], most = all(-INFINITY), total = all(0);
    for (int64_t i = 0; i < vectors; i++) {
        const Vec found = dots(query, keys + i * LANES * head_dim, head_dim);
        scores[i] = pick(lane < (int32_t)(count - i * LANES), found, all(-INFINITY));
        most = larger(scores[i], most);
    }
    const float now = largest_of(most), before = *seen.most, largest = now > before ? now : before;
    for (int64_t i = 0; i < vectors; i++) {
        const Vec weight = exponential(scores[i] - largest);
        total += weight;
        store(weights + i * LANES, weight);
    }
    const Vec kept = exponential(all(before - largest));
    *seen.most = largest;
    *seen.sum = *seen.sum * kept[0] + sum_of(total);
    for (int64_t d = 0, left = head_dim / LANES; left; left = (head_dim - d) / LANES) {
        float *out = seen.out + d;
        if (left >= 8) {
            add_values(values + d, weights, head_dim, count, kept[0], out, 8);
            d += 8 * LANES;
        } else if (left >= 4) {
            add_values(values + d, weights, head_dim, count, kept[0], out, 4);
            d += 4 * LANES;
        } else if (left >= 2) {
            add_values(values + d, weights, head_dim, count, kept[0], out, 2);
            d += 2 * LANES;
        } else {
            add_values(values + d, weights, head_dim, count, kept[0], out, 1);
            d += LANES;
        }
    }
}

/* Some tokens of one key-value head as floats. Shapes: to (count, head_dim). */
static void restore(const Heads *h, const Pool *pool, int is_key, int64_t kv_head, int64_t first, int64_t count,
                    float *restrict to) {
    const int64_t at = kv_head * pool->tokens + first;
    const void *side = is_key ? pool->keys : pool->values;
    const uint16_t *scales = is_key ? pool->key_scales : pool->value_scales;
    if (!scales) {
        const uint16_t *from = (const uint16_t *)side + at * h->head_dim;
        for (int64_t i = 0; i < count * h->head_dim; i += LANES) store(to + i, load_bf16(from + i));
        return;
    }
    const int8_t *from = (const int8_t *)side + at * h->head_dim;
    for (int64_t t = 0; t < count; t++, from += h->head_dim, to += h->head_dim)
        for (int64_t d = 0; d < h->head_dim; d += LANES) store(to + d, load_codes(from + d, from_bf16(scales[at + t])));
}

void NAMED(attend_span, ISA)(const Heads *h, const Rows *rows, const Pool *pool, const uint16_t *qkv, uint16_t *out,
                             const Span *span, int64_t kv_head, char *room) {
    const int64_t dim = h->head_dim, group = h->heads / h->kv_heads, queries = group * span->count;
    const int64_t width = (h->heads + 2 * h->kv_heads) * dim, last = span->position / BLOCK_TOKENS;
    const float scale = 1.0f / sqrtf((float)dim);
    float *keys = (float *)room, *values = keys + BLOCK_TOKENS * dim, *query = values + BLOCK_TOKENS * dim;
    float *seen = query + queries * dim, *most = seen + queries * dim, *sum = most + queries;
    for (int64_t i = 0; i < queries; i++) {
        const uint16_t *from = qkv + (span->row + i / group) * width + (kv_head * group + i % group) * dim;
        for (int64_t d = 0; d < dim; d += LANES) {
            store(query + i * dim + d, load_bf16(from + d) * scale);
            store(seen + i * dim + d, all(0));
        }
        most[i] = -INFINITY;
        sum[i] = 0;
    }
    for (int64_t b = 0; b <= last; b++) {
        const int64_t first = rows->blocks[span->blocks + b] * BLOCK_TOKENS;
        const int64_t start = span->position % BLOCK_TOKENS, used = b < last ? BLOCK_TOKENS : start + span->count;
        const int64_t whole = (used + LANES - 1) / LANES * LANES;
        restore(h, pool, 1, kv_head, first, whole, keys);
        restore(h, pool, 0, kv_head, first, used, values);
        for (int64_t i = 0; i < queries; i++) {
            const int64_t count = b < last ? BLOCK_TOKENS : start + i / group + 1;
            see(query + i * dim, keys, values, dim, count, (Seen){seen + i * dim, most + i, sum + i});
        }
    }
    for (int64_t i = 0; i < queries; i++) {
        uint16_t *to = out + ((span->row + i / group) * h->heads + kv_head * group + i % group) * dim;
        const float share = 1.0f / sum[i];
        for (int64_t d = 0; d < dim; d++) to[d] = to_bf16(seen[i * dim + d] * share);
    }
}

/* Turns a head's first dims by its position, the two halves against each other. */
static void turn(const uint16_t *cos, const uint16_t *sin, int64_t turned, uint16_t *restrict head) {
    const int64_t half = turned / 2;
    for (int64_t i = 0; i < half; i++) {
        const float left = from_bf16(head[i]), right = from_bf16(head[i + half]);
        head[i] = to_bf16(left * from_bf16(cos[i]) - right * from_bf16(sin[i]));
        head[i + half] = to_bf16(right * from_bf16(cos[i + half]) + left * from_bf16(sin[i + half]));
    }
}

/* A head to eight bits as int8_cache.py does it: fitted to the rounded scale, which keeps codes within 127. */
static void quantize_head(const uint16_t *restrict head, int64_t dim, int8_t *restrict codes, uint16_t *scale) {
    float most = 0;
    for (int64_t d = 0; d < dim; d++) {
        const float size = fabsf(from_bf16(head[d]));
        most = size > most ? size : most;
    }
    *scale = to_bf16(most / 127.0f > 1e-12f ? most / 127.0f : 1e-12f);
    for (int64_t d = 0; d < dim; d++) codes[d] = (int8_t)rintf(from_bf16(head[d]) / from_bf16(*scale));
}

void NAMED(store_row, ISA)(const Heads *h, const Rows *rows, const Pool *pool, uint16_t *qkv, int64_t row) {
    const int64_t dim = h->head_dim;
    uint16_t *heads = qkv + row * (h->heads + 2 * h->kv_heads) * dim;
    for (int64_t i = 0; i < h->heads + h->kv_heads; i++)
        turn(rows->cos + row * h->turned, rows->sin + row * h->turned, h->turned, heads + i * dim);
    for (int64_t i = 0; i < 2 * h->kv_heads; i++) {
        const int is_key = i < h->kv_heads;
        const uint16_t *from = heads + (h->heads + i) * dim;
        const int64_t at = (is_key ? i : i - h->kv_heads) * pool->tokens + rows->slots[row];
        void *side = is_key ? pool->keys : pool->values;
        uint16_t *scales = is_key ? pool->key_scales : pool->value_scales;
        if (scales)
            quantize_head(from, dim, (int8_t *)side + at * dim, scales + at);
        else
            memcpy((uint16_t *)side + at * dim, from, (size_t)dim * sizeof *from);
    }
}
