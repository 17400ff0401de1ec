/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - what the guard of the built-in PostgreSQL server costs a statement.
 *
 *     bench_guard             a line a statement: microseconds uncached and cached, medians
 *     bench_guard N           of N rounds instead of 2,000
 *     bench_guard N PART      the statements whose name holds PART alone: for a profile
 *
 * Uncached is the whole verdict: nesting, parse, walk, names.  Cached is finding it by its text.
 * Arenas come from where the server's calls take them, so that a block is not asked for each time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "servers/postgres/guard.h"
#include "servers/postgres/parse.h"
#include "servers/postgres/verdicts.h"

#define ROUNDS 2000
#define ROUNDS_MOST 1000000

static const struct statement {
    const char *name, *sql;
} statements[] = {
    { "key", "SELECT id, name, price FROM product WHERE id = $1" },
    { "join",
      "SELECT c.name, count(*) AS orders, sum(o.total) AS total FROM customer c "
      "JOIN orders o ON o.customer_id = c.id LEFT JOIN region r ON r.id = c.region_id "
      "WHERE o.placed >= now() - interval '30 days' AND r.name IN ('north', 'south') "
      "GROUP BY c.name HAVING count(*) > 3 ORDER BY total DESC LIMIT 20" },
    { "window",
      "WITH m AS (SELECT date_trunc('month', placed) AS month, sum(total) AS s FROM orders "
      "GROUP BY 1) SELECT month, s, s - lag(s) OVER (ORDER BY month) AS d FROM m ORDER BY month" },
};

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static double median_us(uint64_t *v, size_t n)
{
    qsort(v, n, sizeof *v, by_size);
    return (double)v[n / 2] / 1000.0;
}

static const struct km_pg_guard_options read_only = { .mode = KM_PG_READ_ONLY };

static bool judge(const struct km_pg_guard *guard, struct km_arena_pool *pool, struct km_str sql,
                  struct km_pg_verdicts *keep, uint64_t *ret_ns)
{
    struct km_pg_verdict v;
    struct km_arena arena;
    struct km_err err;
    uint64_t began = km_mono_ns();
    bool ok;

    km_arena_init(&arena, KM_PG_TREE_BYTES, pool);
    ok = km_pg_guard_judge(guard, &arena, sql, &read_only, &v, &err) == 0 && v.allowed;
    *ret_ns = km_mono_ns() - began;
    if (ok && keep)
        km_pg_verdicts_keep(keep, sql, &v);
    km_arena_done(&arena);
    return ok;
}

static bool find(const struct km_pg_verdicts *kept, struct km_arena_pool *pool, struct km_str sql,
                 uint64_t *ret_ns)
{
    struct km_pg_verdict v;
    struct km_arena arena;
    uint64_t began = km_mono_ns();
    bool ok;

    km_arena_init(&arena, KM_PG_TREE_BYTES, pool);
    ok = km_pg_verdicts_find(kept, &arena, sql, &v);
    *ret_ns = km_mono_ns() - began;
    km_arena_done(&arena);
    return ok;
}

static int measure(const struct km_pg_guard *guard, struct km_pg_verdicts *kept,
                   struct km_arena_pool *pool, const struct statement *s, uint64_t *times,
                   size_t rounds)
{
    struct km_str sql = km_str_c(s->sql);
    double uncached;
    bool ok = true;

    for (size_t i = 0; ok && i < rounds; i++)
        ok = judge(guard, pool, sql, i ? NULL : kept, &times[i]);
    uncached = median_us(times, rounds);
    for (size_t i = 0; ok && i < rounds; i++)
        ok = find(kept, pool, sql, &times[i]);
    if (ok)
        printf("%-8s uncached %6.1f us   cached %5.2f us\n", s->name, uncached,
               median_us(times, rounds));
    else
        fprintf(stderr, "%s: refused, or not kept\n", s->name);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : ROUNDS;
    struct km_arena_pool *pool = km_arena_pool_new(64);
    struct km_pg_verdicts *kept = km_pg_verdicts_new();
    struct km_pg_guard *guard = NULL;
    struct km_err err = { 0 };
    uint64_t *times = NULL;
    int r = 1;

    if (rounds < 1 || rounds > ROUNDS_MOST)
        rounds = ROUNDS;
    times = calloc((size_t)rounds, sizeof *times);
    if (!times || !pool || !kept || km_pg_guard_new(&guard, &err) < 0)
        fprintf(stderr, "bench_guard: %s\n", err.code ? err.text : "out of memory");
    else
        r = 0;
    for (size_t i = 0; r == 0 && i < sizeof statements / sizeof statements[0]; i++)
        if (argc < 3 || strstr(statements[i].name, argv[2]))
            r = measure(guard, kept, pool, &statements[i], times, (size_t)rounds);
    free(times);
    km_pg_guard_free(guard);
    km_pg_verdicts_free(kept);
    km_arena_pool_free(pool);
    return r;
}
