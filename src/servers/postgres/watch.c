/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - see watch.h.
 *
 *     timer ── fingerprint of the catalogue ── as before? ── timer
 *                                          └── another: resources/list_changed, and
 *                                              resources/updated for what is subscribed to
 *
 * The fingerprint is a digest of what defines relations and columns: names, types, defaults, keys,
 * comments.  Statistics are not in it, or it would change with every ANALYZE.  It is one query of
 * our own on an ordinary lease, and it is only asked while somebody listens.
 */
#include "servers/postgres/watch.h"

#include <stdlib.h>

#include "servers/postgres/digest.h"

#define ARENA_BYTES ((size_t)1024 * 1024)
#define URI_BYTES 2048
#define PRINT 64

struct km_pg_watch {
    struct km_pg_server *server;
    struct km_timer timer;
    uint64_t every_ms;
    km_pg_tell_fn *tell;
    void *ctx;
    bool begun;
    char print[PRINT]; /* empty: not asked yet */
    char now[PRINT];
    char *uris[KM_PG_WATCHED];
    struct km_arena arena; /* of the look that is under way */
    struct km_pg_request request;
    struct km_pg_lease *lease; /* NULL: none is */
};

static const char fingerprint_sql[] =
    "SELECT md5(concat((SELECT string_agg(concat_ws(':', c.oid, c.relname, c.relnamespace, "
    "c.relkind, c.relrowsecurity, obj_description(c.oid, 'pg_class')), ',' ORDER BY c.oid) FROM "
    "pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'i') AND c.oid >= 16384 AND "
    "c.relpersistence <> 't'), (SELECT string_agg(concat_ws(':', a.attrelid, a.attnum, a.attname, "
    "a.atttypid, a.atttypmod, a.attnotnull, a.attisdropped, d.oid, col_description(a.attrelid, "
    "a.attnum)), ',' ORDER BY a.attrelid, a.attnum) FROM pg_attribute a JOIN pg_class c ON c.oid = "
    "a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' LEFT JOIN "
    "pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid >= 16384 AND "
    "a.attnum > 0), (SELECT string_agg(k.oid::text || k.convalidated, ',' ORDER BY k.oid) FROM "
    "pg_constraint k)))";

static bool on_result(void *ctx, const struct km_pg_result *r)
{
    struct km_pg_watch *w = ctx;
    struct km_str value;

    if (km_pg_rows(r) == 1) {
        value = km_str_sub(km_pg_value(r, 0, 0), 0, PRINT - 1);
        memcpy(w->now, value.p, value.n);
        w->now[value.n] = '\0';
    }
    return true;
}

static void tell_changed(struct km_pg_watch *w)
{
    w->tell(w->ctx, KM_STR("notifications/resources/list_changed"), KM_STR_NONE);
    for (size_t i = 0; i < KM_PG_WATCHED; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2 * URI_BYTES + 64);

        if (!w->uris[i])
            continue;
        km_buf_str(&b, KM_STR("{\"uri\":"));
        km_buf_json(&b, km_str_c(w->uris[i]));
        km_buf_byte(&b, '}');
        w->tell(w->ctx, KM_STR("notifications/resources/updated"), km_buf_view(&b));
    }
}

static void on_end(void *ctx, const struct km_pg_outcome *o)
{
    struct km_pg_watch *w = ctx;
    bool fine = !o->err && !o->sqlstate.n && w->now[0];
    bool changed = fine && w->print[0] && strcmp(w->print, w->now) != 0;

    if (fine) {
        memcpy(w->print, w->now, PRINT);
        km_pg_digest_answers(w->server);
    }
    w->lease = NULL;
    km_arena_done(&w->arena);
    km_timer_start(&w->timer, w->every_ms);
    if (changed)
        tell_changed(w);
}

static const struct km_pg_lease_events events = { on_result, on_end };

static void on_time(void *ctx)
{
    struct km_pg_watch *w = ctx;

    w->now[0] = '\0';
    km_arena_init(&w->arena, ARENA_BYTES, NULL);
    w->request = (struct km_pg_request){ .sql = km_str_c(fingerprint_sql), .own = true };
    w->lease = km_pg_lease_new(w->server->db, &w->arena, &w->request, &events, w);
    if (w->lease)
        return;
    km_arena_done(&w->arena);
    km_timer_start(&w->timer, w->every_ms);
}

void km_pg_watch_begin(struct km_pg_watch *w)
{
    if (!w || w->begun)
        return;
    w->begun = true;
    km_timer_start(&w->timer, 0);
}

int km_pg_watch_add(struct km_pg_watch *w, struct km_str uri, struct km_err *err)
{
    size_t free_at = KM_PG_WATCHED;

    if (!w)
        return 0;
    for (size_t i = 0; i < KM_PG_WATCHED; i++) {
        if (w->uris[i] && km_str_eq(km_str_c(w->uris[i]), uri))
            return 0;
        if (!w->uris[i] && free_at == KM_PG_WATCHED)
            free_at = i;
    }
    if (free_at == KM_PG_WATCHED || uri.n > URI_BYTES)
        return km_fail(err, KM_E_LIMIT, "at most %d addresses can be subscribed to", KM_PG_WATCHED);
    w->uris[free_at] = strndup(uri.p, uri.n);
    if (!w->uris[free_at])
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_pg_watch_begin(w);
    return 0;
}

void km_pg_watch_remove(struct km_pg_watch *w, struct km_str uri)
{
    for (size_t i = 0; w && i < KM_PG_WATCHED; i++)
        if (w->uris[i] && km_str_eq(km_str_c(w->uris[i]), uri)) {
            free(w->uris[i]);
            w->uris[i] = NULL;
        }
}

struct km_pg_watch *km_pg_watch_new(struct km_pg_server *server, struct km_loop *loop,
                                    uint64_t every_ms, km_pg_tell_fn *tell, void *ctx)
{
    struct km_pg_watch *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->server = server;
    w->every_ms = every_ms;
    w->tell = tell;
    w->ctx = ctx;
    km_timer_init(&w->timer, loop, on_time, w);
    return w;
}

struct km_pg_watch *km_pg_watch_free(struct km_pg_watch *w)
{
    if (!w)
        return NULL;
    km_timer_stop(&w->timer);
    if (w->lease) {
        km_pg_lease_drop(w->lease);
        km_arena_done(&w->arena);
    }
    for (size_t i = 0; i < KM_PG_WATCHED; i++)
        free(w->uris[i]);
    free(w);
    return NULL;
}
