/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - see buf.h for the contract.
 *
 * One block that doubles, up to `max`.  The block always has one byte more than `cap`, so
 * that km_buf_cstr() and vsnprintf() may put their NUL without asking for room:
 *
 *     p:  [ n bytes of content ][ free, up to cap ][1]
 *
 * The common append is a compare and a memcpy, inline; everything else is here, out of line.
 * A failed buffer refuses every append, also one that would fit: half an output with a hole
 * in it is worse than its beginning.
 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAP 127 /* with its spare byte, a size malloc likes */

void km_buf_init(struct km_buf *b, size_t max)
{
    *b = (struct km_buf)KM_BUF(max);
}

void km_buf_done(struct km_buf *b)
{
    free(b->p);
    *b = (struct km_buf)KM_BUF(b->max);
}

void km_buf_reset(struct km_buf *b)
{
    b->n = 0;
    km_buf_forgive(b);
}

/* Makes room for n bytes more, n not fitting now. */
static __attribute__((noinline)) bool grow(struct km_buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    char *p;

    if (b->failed || n > b->max - b->n || b->max > SIZE_MAX - 1) {
        km_buf_fail(b);
        return false;
    }
    while (cap < b->n + n)
        cap = cap > b->max / 2 ? b->max : cap * 2 + 1;
    if (cap > b->max)
        cap = b->max;
    p = realloc(b->p, cap + 1);
    if (!p) {
        km_buf_fail(b);
        return false;
    }
    b->p = p;
    b->cap = b->end = cap;
    return true;
}

static inline bool room(struct km_buf *b, size_t n)
{
    if (__builtin_expect(n <= b->cap - b->n && !b->failed, 1)) /* any n: it may be nonsense */
        return true;
    return grow(b, n);
}

void km_buf_bytes_slow(struct km_buf *b, const void *p, size_t n)
{
    if (n == 0 || !room(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void km_buf_u64(struct km_buf *b, uint64_t v)
{
    char digits[20];
    char *end = digits + sizeof digits, *at = km_digits_before(end, v);

    km_buf_bytes(b, at, (size_t)(end - at));
}

void km_buf_i64(struct km_buf *b, int64_t v)
{
    if (v < 0)
        km_buf_byte(b, '-');
    km_buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void km_buf_decimal(struct km_buf *b, int64_t v, int scale)
{
    static const uint64_t tens[] = { 1,
                                     10,
                                     100,
                                     1000,
                                     10000,
                                     100000,
                                     1000000,
                                     10000000,
                                     100000000,
                                     1000000000,
                                     10000000000,
                                     100000000000,
                                     1000000000000,
                                     10000000000000,
                                     100000000000000,
                                     1000000000000000,
                                     10000000000000000,
                                     100000000000000000,
                                     1000000000000000000 };
    uint64_t all = v < 0 ? 0 - (uint64_t)v : (uint64_t)v, part;
    char text[1 + 20 + 1 + 20];
    char *end = text + sizeof text, *at = end;

    km_assert(scale >= 0 && scale <= 18);
    part = all % tens[scale];
    if (part > 0) {
        char *fraction = end - scale;

        memset(fraction, '0', (size_t)scale);
        km_digits_before(end, part);
        while (end[-1] == '0')
            end--;
        at = fraction;
        *--at = '.';
    }
    at = km_digits_before(at, all / tens[scale]);
    if (v < 0)
        *--at = '-';
    km_buf_bytes(b, at, (size_t)(end - at));
}

void km_buf_printf(struct km_buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    km_buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void km_buf_vprintf(struct km_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    size_t space;
    int n;

    /* Printing for nothing but the length costs as much as printing. */
    if (b->failed || (!b->p && !grow(b, 0)))
        return;
    space = b->cap - b->n + 1;
    va_copy(again, ap);
    n = vsnprintf(b->p + b->n, space, fmt, ap);
    if (n < 0)
        km_buf_fail(b);
    else if ((size_t)n < space)
        b->n += (size_t)n;
    else if (room(b, (size_t)n))
        b->n += (size_t)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
    va_end(again);
}

char *km_buf_reserve_slow(struct km_buf *b, size_t n)
{
    if (!room(b, n))
        return NULL;
    /* An empty buffer has no block yet, and NULL would say that it failed. */
    if (!b->p && !grow(b, 0))
        return NULL;
    return b->p + b->n;
}

void km_buf_consume(struct km_buf *b, size_t n)
{
    if (n > b->n)
        n = b->n;
    b->n -= n;
    if (n && b->n)
        memmove(b->p, b->p + n, b->n);
}

const char *km_buf_cstr(struct km_buf *b)
{
    if (b->failed || b->n == 0)
        return "";
    b->p[b->n] = '\0';
    return b->p;
}
