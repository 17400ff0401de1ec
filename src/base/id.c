/* SPDX-License-Identifier: Apache-2.0 */
/* id.c - see id.h for the contract.
 *
 *     48 bits milliseconds | 0111 | 12 bits counter | 10 | 62 bits random
 *
 * The counter starts anew in each millisecond at a random place in its lower half, so that
 * at least 2048 ids fit before it is full; when it is, the generator runs ahead of the
 * clock by a millisecond, and it never goes back with a clock that does (RFC 9562, 6.2).
 *
 * Random bytes are drawn from the kernel 512 at a time: one system call for some fifty ids.
 * A child made by fork() would repeat what is left of the pool; generators are made by the
 * threads of a process after it has forked what it forks.
 */
#include "base/id.h"

#include <unistd.h>

#include "base/encode.h"
#include "base/time.h"

#define COUNTER_MAX 0xfffu

void km_idgen_init(struct km_idgen *g)
{
    *g = (struct km_idgen){ .left = 0 };
}

static void draw(struct km_idgen *g, void *out, size_t n)
{
    if (g->left < n) {
        /* The kernel gives at most 256 at a time. */
        km_assert(getentropy(g->pool, 256) == 0 && getentropy(g->pool + 256, 256) == 0);
        g->left = sizeof g->pool;
    }
    memcpy(out, g->pool + sizeof g->pool - g->left, n);
    g->left -= n;
}

static void advance(struct km_idgen *g, uint64_t now_ms)
{
    uint16_t start;

    if (now_ms <= g->last_ms && g->counter < COUNTER_MAX) {
        g->counter++;
        return;
    }
    draw(g, &start, sizeof start);
    g->counter = start & (COUNTER_MAX >> 1);
    g->last_ms = now_ms > g->last_ms ? now_ms : g->last_ms + 1;
}

struct km_uuid km_uuid7(struct km_idgen *g)
{
    return km_uuid7_at(g, km_wall_us());
}

struct km_uuid km_uuid7_at(struct km_idgen *g, int64_t wall_us)
{
    struct km_uuid id;

    advance(g, (uint64_t)(wall_us / 1000));
    draw(g, id.b + 8, 8);
    for (unsigned i = 0; i < 6; i++)
        id.b[i] = (uint8_t)(g->last_ms >> (40 - 8 * i));
    id.b[6] = (uint8_t)(0x70 | g->counter >> 8);
    id.b[7] = (uint8_t)g->counter;
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

/* Where the text has its hyphens: after 4, 6, 8 and 10 bytes. */
static const uint8_t groups[][2] = { { 0, 4 }, { 4, 2 }, { 6, 2 }, { 8, 2 }, { 10, 6 } };

void km_uuid_text(const struct km_uuid *id, char out[KM_UUID_LEN + 1])
{
    for (size_t i = 0; i < 5; i++) {
        km_hex(out, id->b + groups[i][0], groups[i][1]);
        out += 2 * groups[i][1];
        if (i < 4)
            *out++ = '-';
    }
}

int km_uuid_parse(struct km_str s, struct km_uuid *ret_id)
{
    struct km_uuid id;

    if (s.n != KM_UUID_LEN)
        return KM_E_INVALID;
    for (size_t i = 0; i < 5; i++) {
        size_t n = 2 * (size_t)groups[i][1];

        if (km_unhex(km_str_sub(s, 0, n), id.b + groups[i][0], groups[i][1]) < 0)
            return KM_E_INVALID;
        s = km_str_skip(s, n);
        if (i < 4 && s.p[0] != '-')
            return KM_E_INVALID;
        s = km_str_skip(s, 1);
    }
    *ret_id = id;
    return 0;
}
