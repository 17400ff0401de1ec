/* SPDX-License-Identifier: Apache-2.0 */
/* silent.c - see silent.h.
 *
 *     note("db 10.0.0.1 5432") ──> hash ──> a place: the same one's, or a free one, or the oldest
 *
 * A list of hosts is short, and asked when a connection is made: each question looks at all places.
 */
#include "pg/silent.h"

static uint64_t key_of(const struct km_pg_silent *s, struct km_str where)
{
    return km_hash(&s->seed, where);
}

void km_pg_silent_init(struct km_pg_silent *s)
{
    *s = (struct km_pg_silent){ 0 };
    km_hash_seed_random(&s->seed);
}

void km_pg_silent_note(struct km_pg_silent *s, struct km_str where, uint64_t now_ms)
{
    uint64_t key = key_of(s, where);
    size_t at = 0;

    for (size_t i = 0; i < KM_PG_SILENT_MOST; i++) {
        if (s->v[i].until_ms && s->v[i].key == key) {
            at = i;
            break;
        }
        if (s->v[i].until_ms < s->v[at].until_ms)
            at = i;
    }
    s->v[at].key = key;
    s->v[at].until_ms = now_ms + KM_PG_SILENT_MS;
}

void km_pg_silent_heard(struct km_pg_silent *s, struct km_str where)
{
    uint64_t key = key_of(s, where);

    for (size_t i = 0; i < KM_PG_SILENT_MOST; i++)
        if (s->v[i].key == key)
            s->v[i].until_ms = 0;
}

bool km_pg_silent_has(const struct km_pg_silent *s, struct km_str where, uint64_t now_ms)
{
    uint64_t key = key_of(s, where);

    for (size_t i = 0; i < KM_PG_SILENT_MOST; i++)
        if (s->v[i].key == key && s->v[i].until_ms > now_ms)
            return true;
    return false;
}
