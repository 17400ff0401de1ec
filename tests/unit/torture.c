/* SPDX-License-Identifier: Apache-2.0 */
/* torture.c - see torture.h.
 *
 * The linker sends each call of malloc() in our objects to __wrap_malloc(), and
 * __real_malloc() to the C library (or to the sanitizer's).  We count calls, fail the one
 * that is due, and count blocks alive.  Tests of this kind have one thread that allocates; a log's
 * writer frees.
 */
#include "torture.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NEVER SIZE_MAX

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void __wrap_free(void *p);

static size_t calls, due = NEVER;
static _Atomic long alive;

static int fails(void)
{
    return calls++ == due;
}

static void *counted(void *p)
{
    alive += p != NULL;
    return p;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t count, size_t n)
{
    return fails() ? NULL : counted(__real_calloc(count, n));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (fails())
        return NULL;
    return p ? __real_realloc(p, n) : counted(__real_malloc(n));
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return fails() ? NULL : counted(__real_aligned_alloc(align, n));
}

void __wrap_free(void *p)
{
    alive -= p != NULL;
    __real_free(p);
}

size_t km_torture(km_torture_fn *life)
{
    for (size_t n = 0; n < 10000; n++) {
        const long before = alive;

        calls = 0;
        due = n;
        life();
        due = NEVER;
        assert_int_equal(alive, before);
        if (calls <= n)
            return n;
    }
    fail_msg("more than 10000 allocations");
    return 0;
}
