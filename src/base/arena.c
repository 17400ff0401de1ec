/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - see arena.h for the contract.
 *
 * Blocks hang on one list; the head is the one being filled:
 *
 *     head -> [next size | used ....... at      end]
 *               |
 *               v  older blocks, and the large ones (more than an ordinary block holds),
 *                  which are put behind the head so that its free part is not lost
 *
 * Ordinary blocks go back to the pool of their thread; large ones and blocks cut short by
 * the cap go back to malloc.  `used` counts whole blocks, headers included: it is what the
 * call costs the process, which is what the cap is for.
 *
 * Under AddressSanitizer the free parts are poisoned, and so are blocks waiting in a pool:
 * a view that outlives its call is found at its first use, though malloc knows nothing.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONING 1
#endif
#endif

#ifdef POISONING
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN ((size_t)16)

struct km_arena_block {
    struct km_arena_block *next;
    size_t size; /* header included; a multiple of ALIGN */
    _Alignas(16) char data[];
};

struct km_arena_deferred {
    struct km_arena_deferred *next;
    km_arena_defer_fn *fn;
    void *data;
};

struct km_arena_pool {
    struct km_arena_block *idle;
    size_t count, max;
};

#define HEADER sizeof(struct km_arena_block)

struct km_arena_pool *km_arena_pool_new(size_t max_blocks)
{
    struct km_arena_pool *pool = malloc(sizeof *pool);

    if (pool)
        *pool = (struct km_arena_pool){ .max = max_blocks };
    return pool;
}

static void free_block(struct km_arena_block *block)
{
    UNPOISON(block->data, block->size - HEADER);
    free(block);
}

struct km_arena_pool *km_arena_pool_free(struct km_arena_pool *pool)
{
    struct km_arena_block *block = pool ? pool->idle : NULL;

    while (block) {
        struct km_arena_block *next = block->next;

        free_block(block);
        block = next;
    }
    free(pool);
    return NULL;
}

void km_arena_init(struct km_arena *a, size_t cap, struct km_arena_pool *pool)
{
    *a = (struct km_arena){ .pool = pool, .cap = cap };
}

static void give_back(struct km_arena *a, struct km_arena_block *block)
{
    struct km_arena_pool *pool = a->pool;

    if (!pool || block->size != KM_ARENA_BLOCK || pool->count == pool->max) {
        free_block(block);
        return;
    }
    POISON(block->data, block->size - HEADER);
    block->next = pool->idle;
    pool->idle = block;
    pool->count++;
}

void km_arena_done(struct km_arena *a)
{
    struct km_arena_block *block;

    /* One may register another, or allocate; both are still possible here. */
    while (a->deferred) {
        struct km_arena_deferred *d = a->deferred;

        a->deferred = d->next;
        d->fn(d->data);
    }
    block = a->head;
    while (block) {
        struct km_arena_block *next = block->next;

        give_back(a, block);
        block = next;
    }
    km_arena_init(a, a->cap, a->pool);
}

static struct km_arena_block *take_block(struct km_arena *a, size_t size)
{
    struct km_arena_block *block;

    if (size > a->cap - a->used) {
        a->overflow = true;
        return NULL;
    }
    if (size == KM_ARENA_BLOCK && a->pool && a->pool->idle) {
        block = a->pool->idle;
        a->pool->idle = block->next;
        a->pool->count--;
    } else {
        block = malloc(size);
    }
    if (!block) {
        a->overflow = true;
        return NULL;
    }
    block->size = size;
    a->used += size;
    POISON(block->data, size - HEADER);
    return block;
}

/* n is rounded and does not fit the head.  The last block is as long as the cap allows. */
static __attribute__((noinline)) void *alloc_slow(struct km_arena *a, size_t n)
{
    size_t left = (a->cap - a->used) & ~(ALIGN - 1);
    size_t ordinary = left < KM_ARENA_BLOCK ? left : KM_ARENA_BLOCK;
    bool large = n + HEADER > ordinary;
    struct km_arena_block *block = take_block(a, large ? n + HEADER : ordinary);

    if (!block)
        return NULL;
    if (large && a->head) {
        block->next = a->head->next;
        a->head->next = block;
        return block->data;
    }
    block->next = a->head;
    a->head = block;
    a->at = block->data + n;
    a->end = (char *)block + block->size;
    return block->data;
}

void *km_arena_alloc(struct km_arena *a, size_t n)
{
    size_t rounded = n ? (n + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;
    char *p;

    if (__builtin_expect(a->overflow || n > SIZE_MAX - 2 * KM_ARENA_BLOCK, 0)) {
        a->overflow = true;
        return NULL;
    }
    if (__builtin_expect(rounded <= (size_t)(a->end - a->at), 1)) {
        p = a->at;
        a->at += rounded;
    } else {
        p = alloc_slow(a, rounded);
        if (!p)
            return NULL;
    }
    UNPOISON(p, n);
    return p;
}

void *km_arena_zalloc(struct km_arena *a, size_t n)
{
    void *p = km_arena_alloc(a, n);

    return p ? memset(p, 0, n) : NULL;
}

struct km_str km_arena_str(struct km_arena *a, struct km_str s)
{
    char *p;

    if (!s.n)
        return KM_STR("");
    p = s.n < SIZE_MAX ? km_arena_alloc(a, s.n + 1) : NULL;
    if (!p)
        return KM_STR_NONE;
    memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return km_str(p, s.n);
}

struct km_str km_arena_cat(struct km_arena *a, const struct km_str *parts, size_t n)
{
    size_t total = 0, at = 0;
    char *p;

    for (size_t i = 0; i < n; i++) {
        if (__builtin_add_overflow(total, parts[i].n, &total)) {
            a->overflow = true;
            return KM_STR_NONE;
        }
    }
    p = total < SIZE_MAX ? km_arena_alloc(a, total + 1) : NULL;
    if (!p)
        return KM_STR_NONE;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n)
            memcpy(p + at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    p[total] = '\0';
    return km_str(p, total);
}

struct km_str km_arena_i64(struct km_arena *a, int64_t v)
{
    char text[1 + 20], *end = text + sizeof text;
    char *at = km_digits_before(end, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);

    if (v < 0)
        *--at = '-';
    return km_arena_str(a, km_str(at, (size_t)(end - at)));
}

struct km_str km_arena_printf(struct km_arena *a, const char *fmt, ...)
{
    char small[256];
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof small)
        return km_arena_str(a, km_str(small, (size_t)n));
    p = n < 0 ? NULL : km_arena_alloc(a, (size_t)n + 1);
    if (!p) {
        a->overflow = true;
        return KM_STR_NONE;
    }
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return km_str(p, (size_t)n);
}

const char *km_arena_cstr(struct km_arena *a, struct km_str s)
{
    struct km_str copy = km_arena_str(a, s);

    return copy.p ? copy.p : "";
}

int km_arena_defer(struct km_arena *a, km_arena_defer_fn *fn, void *data)
{
    struct km_arena_deferred *d = km_arena_alloc(a, sizeof *d);

    if (!d) {
        fn(data);
        return KM_E_NOMEM;
    }
    *d = (struct km_arena_deferred){ .next = a->deferred, .fn = fn, .data = data };
    a->deferred = d;
    return 0;
}
