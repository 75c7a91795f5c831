/* Attention over blocks of keys and values: the types that attention.c shares with kernels.c. */
#ifndef NPC_ATTENTION_H
#define NPC_ATTENTION_H

#include <stdint.h>

enum { BLOCK_TOKENS = 64 };

/* One layer's pool: (kv_heads, tokens, head_dim) in bfloat16, or codes of eight bits with a bfloat16 scale for each token
   and head, (kv_heads, tokens). */
typedef struct {
    void *keys;
    void *values;
    uint16_t *key_scales; /* null where the pool is not int8 */
    uint16_t *value_scales;
    int64_t tokens;
} Pool;

/* What the heads of a model have in common. turned: so many dims of each head carry its position. */
typedef struct {
    int64_t heads;
    int64_t kv_heads;
    int64_t head_dim;
    int64_t turned;
} Heads;

/* Rows of one sequence that lie in one block of positions. blocks: where its list of blocks begins. */
typedef struct {
    int64_t row;
    int64_t count;
    int64_t position; /* of its first row */
    int64_t blocks;
} Span;

/* One step. cos and sin (rows, turned); slots: where in the pool each row goes. */
typedef struct {
    const uint16_t *cos;
    const uint16_t *sin;
    const int64_t *slots;
    const Span *spans;
    const int64_t *blocks;
    int64_t rows;
    int64_t span_count;
} Rows;

/* qkv (rows, heads + 2 kv_heads, head_dim): turns the queries in place, turns and stores the keys, stores the values. */
typedef void (*StoreRow)(const Heads *, const Rows *, const Pool *, uint16_t *qkv, int64_t row);
/* The heads of one key-value head over one span; room holds attention_room() bytes. out (rows, heads, head_dim). */
typedef void (*AttendSpan)(const Heads *, const Rows *, const Pool *, const uint16_t *qkv, uint16_t *out, const Span *,
                           int64_t kv_head, char *room);

void store_row_avx512(const Heads *, const Rows *, const Pool *, uint16_t *, int64_t);
void store_row_avx2(const Heads *, const Rows *, const Pool *, uint16_t *, int64_t);
void attend_span_avx512(const Heads *, const Rows *, const Pool *, const uint16_t *, uint16_t *, const Span *, int64_t, char *);
void attend_span_avx2(const Heads *, const Rows *, const Pool *, const uint16_t *, uint16_t *, const Span *, int64_t, char *);

/* A thread's room: a block of keys and one of values as floats, a query for each head of a group and token of a span, and
   of each what it has seen, its largest score and its sum. */
static inline int64_t attention_room(const Heads *h) {
    int64_t queries = h->heads / h->kv_heads * BLOCK_TOKENS;
    return (int64_t)sizeof(float) * (2 * BLOCK_TOKENS * h->head_dim + queries * (2 * h->head_dim + 2 * 16));
}

#endif
