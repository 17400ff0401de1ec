/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes through the guard, in all modes.
 *
 * Properties: a mode allows all that a smaller one allows; what is allowed stays allowed, and the
 * same, in the form in which it is sent; a place is a place of the text; a refusal has its words.
 */
#include "fuzz.h"

#include "servers/postgres/guard.h"
#include "servers/postgres/parse.h"

/* A relation of which less is shown stands inside what shows it, and would be replaced again. */
static bool less(struct km_str sql)
{
    return km_str_find(sql, KM_STR(" AS s CROSS JOIN LATERAL ")) < sql.n;
}

static bool judge(struct km_pg_guard *guard, struct km_str sql, enum km_pg_mode mode)
{
    const struct km_pg_guard_options options = { .mode = mode };
    struct km_pg_verdict v, again;
    struct km_arena arena;
    bool allowed;

    km_arena_init(&arena, 2 * KM_PG_TREE_BYTES, NULL);
    must(km_pg_guard_judge(guard, &arena, sql, &options, &v, NULL) == 0);
    allowed = v.allowed;
    if (allowed) {
        must(mode > KM_PG_READ_ONLY || !v.writes);
        must(km_pg_guard_judge(guard, &arena, v.sql, &options, &again, NULL) == 0);
        must(again.allowed && (less(v.sql) || km_str_eq(again.sql, v.sql)) &&
             again.nrefs >= v.nrefs);
        must(less(v.sql) || again.nrefs == v.nrefs);
        for (int at = 1; at < 40; at++)
            must(km_pg_verdict_place(&v, at) >= 1 && km_pg_verdict_place(&v, at) <= at);
    } else {
        must(v.code && v.message.n && v.at >= -1 && v.at <= (int)sql.n);
    }
    km_arena_done(&arena);
    return allowed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_str sql = km_str((const char *)data, size);
    struct km_pg_guard *guard;
    bool before = false;

    if (size > 20000 || km_pg_guard_new(&guard, NULL) < 0)
        return 0;
    for (int mode = KM_PG_READ_ONLY; mode <= KM_PG_ADMIN; mode++) {
        bool allowed = judge(guard, sql, (enum km_pg_mode)mode);

        must(allowed || !before);
        before = allowed;
    }
    km_pg_guard_free(guard);
    return 0;
}
