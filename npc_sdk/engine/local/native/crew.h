/* A few threads that share out work: those of the calling thread, kept for its next call. */
#ifndef NPC_CREW_H
#define NPC_CREW_H

#include <stdint.h>

enum { MOST_THREADS = 64 };

/* Does items first to first + count of some work; thread counts from 0, the caller's. */
typedef void (*Piece)(void *work, int thread, int64_t first, int64_t count);

/* Has items 0 to count done, some at once, by the caller and up to threads - 1 others. Returns when all are done.
   A helper that comes late finds nothing left to do and is not waited for. */
void crew_run(int threads, Piece piece, void *work, int64_t count, int64_t at_once);

#endif
