/* How a crew works: the caller publishes a job, everybody takes pieces until none is left, and only who is at work on a
   piece is waited for. Beside a busy core that is what counts: a thread that does not run is not missed.

   Helpers turn for a moment after a job, since the next kernel is microseconds away, and then sleep. They inherit the
   caller's cores and priority and end with it. */
#include "crew.h"

#include <immintrin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { IS_OPEN = 1 << 16 }; /* above the count of helpers at work */

/* Cycles of the time-stamp counter, 30 to 100 microseconds: what lies between two kernels of a step. Waking a helper that
   sleeps takes as long. */
static const uint64_t TURN_CYCLES = 200000;

/* Items that one thread has yet to do, first and last (not included) in the two halves of one word. A thread takes its own
   in order, as memory likes to be read, and then the last ones of whoever has most left. */
typedef struct { _Alignas(64) _Atomic uint64_t range; } Share;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t has_job, is_left;
    pthread_t threads[MOST_THREADS];
    int helpers;
    int sleeping; /* of them; under the lock */
    int is_caller_asleep;
    int is_over;
    _Atomic uint32_t job;   /* counts jobs */
    _Atomic uint32_t state; /* IS_OPEN while pieces may be left, and how many helpers are at work */
    int shares_count;
    Piece piece;
    void *work;
    uint32_t at_once;
    Share shares[MOST_THREADS];
} Crew;

typedef struct {
    Crew *crew;
    int thread;
} Post;

static uint64_t range_of(uint32_t first, uint32_t last) { return (uint64_t)first << 32 | last; }

static uint32_t left_in(uint64_t range) {
    uint32_t first = (uint32_t)(range >> 32), last = (uint32_t)range;
    return last > first ? last - first : 0;
}

/* Takes some items of a share, from its front or its back. Their number, 0 where none is left. */
static uint32_t take(Share *share, uint32_t most, int from_back, uint32_t *first) {
    uint64_t seen = atomic_load_explicit(&share->range, memory_order_relaxed);
    for (;;) {
        const uint32_t left = left_in(seen), count = left < most ? left : most;
        const uint32_t start = (uint32_t)(seen >> 32), end = (uint32_t)seen;
        if (!left) return 0;
        const uint64_t rest = from_back ? range_of(start, end - count) : range_of(start + count, end);
        if (atomic_compare_exchange_weak_explicit(&share->range, &seen, rest, memory_order_relaxed, memory_order_relaxed)) {
            *first = from_back ? end - count : start;
            return count;
        }
    }
}

static uint32_t take_next(Crew *crew, int thread, uint32_t *first) {
    uint32_t count = take(&crew->shares[thread], crew->at_once, 0, first);
    while (!count) {
        uint32_t most = 0;
        int richest = 0;
        for (int other = 0; other < crew->shares_count; other++) {
            const uint32_t left = left_in(atomic_load_explicit(&crew->shares[other].range, memory_order_relaxed));
            if (left > most) most = left, richest = other;
        }
        if (!most) return 0;
        count = take(&crew->shares[richest], crew->at_once, 1, first);
    }
    return count;
}

static void work_on(Crew *crew, int thread) {
    uint32_t first, count;
    while ((count = take_next(crew, thread, &first))) crew->piece(crew->work, thread, first, count);
}

/* A helper joins a job that is still open. */
static int join(Crew *crew, int thread) {
    uint32_t state = atomic_load(&crew->state);
    while (state & IS_OPEN && thread < crew->shares_count)
        if (atomic_compare_exchange_weak(&crew->state, &state, state + 1)) return 1;
    return 0;
}

static void leave(Crew *crew) {
    if (atomic_fetch_sub(&crew->state, 1) != 1) return; /* others are at work, or the caller still takes pieces */
    pthread_mutex_lock(&crew->lock);
    if (crew->is_caller_asleep) pthread_cond_signal(&crew->is_left);
    pthread_mutex_unlock(&crew->lock);
}

/* Waits for a job after the one that was seen: turning, then asleep. 0 where the crew is over. */
static int wait_for_job(Crew *crew, uint32_t *seen) {
    const uint64_t start = __rdtsc();
    while (__rdtsc() - start < TURN_CYCLES) {
        const uint32_t now = atomic_load_explicit(&crew->job, memory_order_acquire);
        if (now != *seen) return *seen = now, 1;
        _mm_pause();
    }
    pthread_mutex_lock(&crew->lock);
    crew->sleeping++;
    while (atomic_load(&crew->job) == *seen && !crew->is_over) pthread_cond_wait(&crew->has_job, &crew->lock);
    crew->sleeping--;
    *seen = atomic_load(&crew->job);
    const int is_over = crew->is_over;
    pthread_mutex_unlock(&crew->lock);
    return !is_over;
}

static void *help(void *argument) {
    const Post post = *(Post *)argument;
    free(argument);
    uint32_t seen = 0;
    while (wait_for_job(post.crew, &seen))
        if (join(post.crew, post.thread)) {
            work_on(post.crew, post.thread);
            leave(post.crew);
        }
    return NULL;
}

static pthread_key_t crew_key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

/* The calling thread ends: so do its helpers. */
static void disband(void *argument) {
    Crew *crew = argument;
    pthread_mutex_lock(&crew->lock);
    crew->is_over = 1;
    atomic_fetch_add(&crew->job, 1);
    pthread_cond_broadcast(&crew->has_job);
    pthread_mutex_unlock(&crew->lock);
    for (int i = 0; i < crew->helpers; i++) pthread_join(crew->threads[i], NULL);
    pthread_mutex_destroy(&crew->lock);
    pthread_cond_destroy(&crew->has_job);
    pthread_cond_destroy(&crew->is_left);
    free(crew);
}

static void make_key(void) { pthread_key_create(&crew_key, disband); }

/* The calling thread's crew with so many helpers, or as many as the system gives; null where it gives no memory. */
static Crew *crew_of_caller(int helpers) {
    pthread_once(&key_once, make_key);
    Crew *crew = pthread_getspecific(crew_key);
    if (!crew) {
        crew = aligned_alloc(64, (sizeof *crew + 63) / 64 * 64);
        if (!crew) return NULL;
        *crew = (Crew){.helpers = 0};
        pthread_mutex_init(&crew->lock, NULL);
        pthread_cond_init(&crew->has_job, NULL);
        pthread_cond_init(&crew->is_left, NULL);
        pthread_setspecific(crew_key, crew);
    }
    while (crew->helpers < helpers) {
        Post *post = malloc(sizeof *post);
        if (!post) break;
        *post = (Post){crew, crew->helpers + 1};
        if (pthread_create(&crew->threads[crew->helpers], NULL, help, post)) {
            free(post);
            break;
        }
        crew->helpers++;
    }
    return crew;
}

/* Closes the job, and waits for the helpers that are at work on its last pieces. */
static void finish(Crew *crew) {
    if (atomic_fetch_and(&crew->state, ~(uint32_t)IS_OPEN) == IS_OPEN) return;
    const uint64_t start = __rdtsc();
    while (__rdtsc() - start < TURN_CYCLES) {
        if (!atomic_load_explicit(&crew->state, memory_order_acquire)) return;
        _mm_pause();
    }
    pthread_mutex_lock(&crew->lock); /* asleep, so that a helper whose core is taken may have this one */
    crew->is_caller_asleep = 1;
    while (atomic_load(&crew->state)) pthread_cond_wait(&crew->is_left, &crew->lock);
    crew->is_caller_asleep = 0;
    pthread_mutex_unlock(&crew->lock);
}

void crew_run(int threads, Piece piece, void *work, int64_t count, int64_t at_once) {
    threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    Crew *crew = threads > 1 && count > at_once ? crew_of_caller(threads - 1) : NULL;
    if (!crew || !crew->helpers) {
        piece(work, 0, 0, count);
        return;
    }
    threads = threads < crew->helpers + 1 ? threads : crew->helpers + 1;
    crew->piece = piece, crew->work = work, crew->at_once = (uint32_t)at_once, crew->shares_count = threads;
    for (int i = 0; i < threads; i++)
        atomic_store_explicit(&crew->shares[i].range,
                              range_of((uint32_t)(count * i / threads), (uint32_t)(count * (i + 1) / threads)),
                              memory_order_relaxed);
    atomic_store(&crew->state, IS_OPEN);
    atomic_fetch_add(&crew->job, 1);
    pthread_mutex_lock(&crew->lock);
    if (crew->sleeping) pthread_cond_broadcast(&crew->has_job);
    pthread_mutex_unlock(&crew->lock);
    work_on(crew, 0);
    finish(crew);
}
