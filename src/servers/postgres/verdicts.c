/* SPDX-License-Identifier: Apache-2.0 */
/* verdicts.c - see verdicts.h.
 *
 *     text ── map ──> entry: verdict, its names, its text, in one arena of its own
 *
 * A ring of entries: the oldest makes room.  Which one was used last is not kept, since a text
 * that is in use comes back within a few hundred others.  What is found is copied: the look-up
 * changes a verdict, and an entry may go while a lease still runs.
 */
#include "servers/postgres/verdicts.h"

#include <stdlib.h>

#include "base/map.h"
#include "servers/postgres/unchanged.h"

#define ENTRIES 256
#define SQL_BYTES ((size_t)16 * 1024) /* a longer text is judged each time */
#define REFS_KEPT 200
#define ENTRY_BYTES ((size_t)128 * 1024)

struct entry {
    struct km_arena arena;
    bool used;
    struct km_str sql;
    struct km_pg_verdict v; /* but for seen */
    char seen[KM_PG_STATE];
    size_t nseen;
    bool seen_pure;
};

struct km_pg_verdicts {
    struct km_map *map; /* sql to entry */
    struct entry ring[ENTRIES];
    size_t next;
};

struct km_pg_verdicts *km_pg_verdicts_new(void)
{
    struct km_pg_verdicts *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->map = km_map_new_borrowed(ENTRIES);
    return c->map ? c : km_pg_verdicts_free(c);
}

static void empty(struct km_pg_verdicts *c, struct entry *e)
{
    if (!e->used)
        return;
    (void)km_map_del(c->map, e->sql);
    km_arena_done(&e->arena);
    e->used = false;
}

struct km_pg_verdicts *km_pg_verdicts_free(struct km_pg_verdicts *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; c->map && i < ENTRIES; i++)
        empty(c, &c->ring[i]);
    if (c->map)
        km_map_free(c->map, NULL);
    free(c);
    return NULL;
}

static void copy(struct km_arena *arena, const struct km_pg_verdict *from, struct km_pg_verdict *to)
{
    struct km_pg_ref **end = &to->refs;

    *to = *from;
    to->sql = km_arena_str(arena, from->sql);
    to->inserts = km_arena_str(arena, from->inserts);
    to->empties = km_arena_str(arena, from->empties);
    to->refs = NULL;
    to->seen = KM_STR_NONE;
    for (const struct km_pg_ref *r = from->refs; r; r = r->next) {
        struct km_pg_ref *n = km_arena_alloc(arena, sizeof *n);

        if (!n)
            return;
        *n = *r;
        n->schema = km_arena_str(arena, r->schema);
        n->name = km_arena_str(arena, r->name);
        n->left = r->left ? km_arena_cstr(arena, km_str_c(r->left)) : NULL;
        n->right = r->right ? km_arena_cstr(arena, km_str_c(r->right)) : NULL;
        n->next = NULL;
        *end = n;
        end = &n->next;
    }
}

bool km_pg_verdicts_find(const struct km_pg_verdicts *c, struct km_arena *arena, struct km_str sql,
                         struct km_pg_verdict *ret)
{
    const struct entry *e = sql.n <= SQL_BYTES ? km_map_get(c->map, sql) : NULL;

    if (!e)
        return false;
    copy(arena, &e->v, ret);
    ret->seen = km_arena_str(arena, km_str(e->seen, e->nseen));
    ret->seen_pure = e->seen_pure;
    return !km_arena_overflowed(arena);
}

void km_pg_verdicts_seen(struct km_pg_verdicts *c, struct km_str sql, struct km_str state,
                         bool pure)
{
    struct entry *e = sql.n <= SQL_BYTES ? km_map_get(c->map, sql) : NULL;

    if (!e || !state.n || state.n > sizeof e->seen)
        return;
    memcpy(e->seen, state.p, state.n);
    e->nseen = state.n;
    e->seen_pure = pure;
}

void km_pg_verdicts_keep(struct km_pg_verdicts *c, struct km_str sql, const struct km_pg_verdict *v)
{
    struct entry *e = &c->ring[c->next];

    if (!v->allowed || sql.n > SQL_BYTES || v->nrefs > REFS_KEPT || km_map_get(c->map, sql))
        return;
    empty(c, e);
    km_arena_init(&e->arena, ENTRY_BYTES, NULL);
    e->nseen = 0;
    e->sql = km_arena_str(&e->arena, sql);
    copy(&e->arena, v, &e->v);
    if (km_arena_overflowed(&e->arena) || km_map_set(c->map, e->sql, e, NULL) < 0) {
        km_arena_done(&e->arena);
        return;
    }
    e->used = true;
    c->next = (c->next + 1) % ENTRIES;
}
