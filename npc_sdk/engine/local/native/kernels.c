/* What Python calls: packing, the product with its threads, and which instruction set it takes. */
#include "attention.h"
#include "crew.h"
#include "kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifndef NPC_SOURCE
#define NPC_SOURCE "unknown"
#endif
#define EXPORT __attribute__((visibility("default")))

enum Level { LEVEL_NONE = 0, LEVEL_AVX2 = 2, LEVEL_AVX512 = 3 };

static const struct {
    MultiplyBlocks multiply;
    QuantizeRow quantize;
    StoreRow store;
    AttendSpan attend;
} LEVELS[] = {
    [LEVEL_AVX2] = {multiply_blocks_avx2, quantize_row_avx2, store_row_avx2, attend_span_avx2},
    [LEVEL_AVX512] = {multiply_blocks_avx512, quantize_row_avx512, store_row_avx512, attend_span_avx512},
};

/* Of which sources this library was made. */
EXPORT const char *npc_source(void) { return NPC_SOURCE; }

/* The best that this CPU can do; 0 is nothing of what is here. */
EXPORT int npc_level(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")) return LEVEL_AVX512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? LEVEL_AVX2 : LEVEL_NONE;
}

static uint8_t code_at(const uint8_t *row, int64_t column) {
    return column % 2 ? row[column / 2] >> 4 : row[column / 2] & 15;
}

typedef struct {
    uint8_t *codes;
    int64_t columns;
    _Atomic int has_failed;
} Packing;

static void pack_blocks(void *argument, int thread, int64_t first, int64_t count) {
    Packing *p = argument;
    const int64_t bytes = p->columns * (LANES / 2);
    uint8_t *plain = malloc((size_t)bytes);
    (void)thread;
    if (!plain) p->has_failed = 1;
    for (int64_t block = first; plain && block < first + count; block++) {
        uint8_t *packed = p->codes + block * bytes;
        memcpy(plain, packed, (size_t)bytes);
        for (int64_t column = 0; column < p->columns; column += 8)
            for (int row = 0; row < LANES; row++) {
                const uint8_t *from = plain + row * (p->columns / 2);
                for (int i = 0; i < 4; i++)
                    *packed++ = (uint8_t)(code_at(from, column + i) | code_at(from, column + 4 + i) << 4);
            }
    }
    free(plain);
}

/* Plain codes, the even column in the low half of a byte, to the packed order, in place. 0, or 1 for want of memory. */
EXPORT int npc_pack(uint8_t *codes, int64_t rows, int64_t columns, int threads) {
    Packing packing = {codes, columns, 0};
    crew_run(threads, pack_blocks, &packing, rows / LANES, 16);
    return packing.has_failed;
}

static int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/* What npc_multiply wants as room for quantized tokens and each thread's row. */
EXPORT int64_t npc_room(int64_t count, int64_t columns, int64_t group, int threads) {
    int64_t groups = columns / group;
    return aligned(count * columns) + 2 * aligned(count * groups * 4) + threads * aligned(columns * 4);
}

typedef struct {
    const Weight *weight;
    const Before *before;
    const uint16_t *x;
    Tokens tokens;
    Output out;
    int8_t *codes; /* what tokens points to */
    float *scale;
    int32_t *sum;
    char *rows; /* a row of floats for each thread */
    int level;
} Product;

static void quantize_rows(void *argument, int thread, int64_t first, int64_t count) {
    const Product *p = argument;
    const int64_t columns = p->weight->columns, groups = p->tokens.groups;
    float *row = (float *)(p->rows + thread * aligned(columns * 4));
    for (int64_t i = first; i < first + count; i++)
        LEVELS[p->level].quantize(p->before, columns, p->weight->group, p->x + i * columns, row, p->codes + i * columns,
                                  p->scale + i * groups, p->sum + i * groups);
}

static void multiply_panels(void *argument, int thread, int64_t first, int64_t count) {
    const Product *p = argument;
    const int64_t blocks = (p->weight->rows + LANES - 1) / LANES, start = first * PANEL_BLOCKS;
    const int64_t wanted = count * PANEL_BLOCKS;
    (void)thread;
    LEVELS[p->level].multiply(p->weight, &p->tokens, &p->out, start, blocks - start < wanted ? blocks - start : wanted);
}

/* y = before(x) Wᵀ + bias + residual. room is aligned to 64 bytes. */
EXPORT void npc_multiply(const Weight *w, const Before *before, const uint16_t *x, int64_t count, uint16_t *y,
                         const uint16_t *residual, char *room, int threads, int level) {
    const int64_t groups = w->columns / w->group;
    int8_t *codes = (int8_t *)room;
    float *scale = (float *)(room + aligned(count * w->columns));
    int32_t *sum = (int32_t *)((char *)scale + aligned(count * groups * 4));
    Product p = {
        .weight = w, .before = before, .x = x, .tokens = {codes, scale, sum, count, w->columns, groups},
        .out = {y, residual}, .codes = codes, .scale = scale, .sum = sum,
        .rows = (char *)sum + aligned(count * groups * 4), .level = level,
    };
    crew_run(threads, quantize_rows, &p, count, 4);
    crew_run(threads, multiply_panels, &p, (w->rows + LANES * PANEL_BLOCKS - 1) / (LANES * PANEL_BLOCKS), 1);
}

/* What npc_attend wants as room. */
EXPORT int64_t npc_attention_room(const Heads *h, int threads) { return threads * aligned(attention_room(h)); }

typedef struct {
    const Heads *heads;
    const Rows *rows;
    const Pool *pool;
    uint16_t *qkv;
    uint16_t *out;
    char *room;
    int level;
} Sight;

static void store_rows(void *argument, int thread, int64_t first, int64_t count) {
    const Sight *s = argument;
    (void)thread;
    for (int64_t row = first; row < first + count; row++) LEVELS[s->level].store(s->heads, s->rows, s->pool, s->qkv, row);
}

static void attend_spans(void *argument, int thread, int64_t first, int64_t count) {
    const Sight *s = argument;
    char *own = s->room + thread * aligned(attention_room(s->heads));
    for (int64_t task = first; task < first + count; task++)
        LEVELS[s->level].attend(s->heads, s->rows, s->pool, s->qkv, s->out, s->rows->spans + task / s->heads->kv_heads,
                                task % s->heads->kv_heads, own);
}

/* Positions into queries and keys, keys and values into the pool, and what every head sees. qkv is changed. */
EXPORT void npc_attend(const Heads *h, const Rows *rows, const Pool *pool, uint16_t *qkv, uint16_t *out, char *room,
                       int threads, int level) {
    Sight s = {h, rows, pool, qkv, out, room, level};
    crew_run(threads, store_rows, &s, rows->rows, 8);
    crew_run(threads, attend_spans, &s, rows->span_count * h->kv_heads, 1);
}
