/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that lives and dies with one call.
 *
 * Bump allocation in blocks; nothing is freed alone.  The arena has a byte cap: past it
 * (or out of memory) allocations return NULL and a sticky overflow bit is set, so that a
 * builder checks once at its end and answers 413/502.
 *
 * km_arena_defer() registers the few clean-ups that are not memory (a statement, a permit,
 * a reference); they run in reverse order in km_arena_done().
 *
 * Thread: one at a time.  Blocks are recycled through a km_arena_pool of the same thread.
 */
#ifndef KM_BASE_ARENA_H
#define KM_BASE_ARENA_H

#include "base/str.h"

#define KM_ARENA_BLOCK 4096 /* bytes of an ordinary block, its header included */

struct km_arena_block;
struct km_arena_pool; /* recycled blocks of one thread, bounded */

/* Keeps at most max_blocks idle ordinary blocks.  NULL when out of memory. */
struct km_arena_pool *km_arena_pool_new(size_t max_blocks);
struct km_arena_pool *km_arena_pool_free(struct km_arena_pool *pool);

typedef void km_arena_defer_fn(void *data);
struct km_arena_deferred;

struct km_arena {
    struct km_arena_block *head; /* the block being filled */
    struct km_arena_pool *pool;  /* may be NULL: malloc and free */
    struct km_arena_deferred *deferred;
    char *at, *end;   /* free part of head */
    size_t used, cap; /* bytes taken in blocks; never over cap */
    bool overflow;
};

void km_arena_init(struct km_arena *a, size_t cap, struct km_arena_pool *pool);
void km_arena_done(struct km_arena *a); /* runs the deferred, then gives all back */

/* 16-byte aligned; NULL on overflow (sticky).  n == 0 gives a valid pointer. */
void *km_arena_alloc(struct km_arena *a, size_t n);
void *km_arena_zalloc(struct km_arena *a, size_t n);

/* Copies; {NULL,0} on overflow.  The copy is NUL-terminated (not counted). */
struct km_str km_arena_str(struct km_arena *a, struct km_str s);
struct km_str km_arena_printf(struct km_arena *a, const char *fmt, ...) KM_PRINTF(2, 3);
struct km_str km_arena_i64(struct km_arena *a, int64_t v); /* its decimal text, without a printf */
struct km_str km_arena_cat(struct km_arena *a, const struct km_str *parts, size_t n);
/* NUL-terminated copy, "" on overflow. */
const char *km_arena_cstr(struct km_arena *a, struct km_str s);

/* Runs fn(data) in km_arena_done().  On overflow fn runs at once and KM_E_NOMEM returns. */
int km_arena_defer(struct km_arena *a, km_arena_defer_fn *fn, void *data) KM_MUST_USE;

static inline bool km_arena_overflowed(const struct km_arena *a)
{
    return a->overflow;
}

#endif
