/* SPDX-License-Identifier: Apache-2.0 */
/* builtin.c - see builtin.h.
 *
 *     settings ── instance: database + rows of tools ── of each worker, for each mode
 *
 * A worker has connections of its own, so that nothing of a statement crosses threads; their
 * number is the configured one divided by the workers.  What can be found out without a database
 * (are the libraries there, can the address be read) is found out before anything is served.
 */
#include "servers/postgres/builtin.h"

#include <stdlib.h>

#include "base/buf.h"
#include "servers/postgres/digest.h"
#include "servers/postgres/meter.h"
#include "servers/postgres/own.h"
#include "servers/postgres/watch.h"

#define ADMIT_MS 3000 /* a database may take to say what the role may do, before kanmon serves */
#define WATCH_MS 5000 /* between two looks at the catalogue, while somebody listens */
#define FUNCTIONS_MOST 1000
#define TEXT_BYTES ((size_t)256 * 1024)

struct km_pg_instance {
    struct km_pg_server server; /* first: the core knows it by this */
    struct km_arena arena; /* texts of the settings as libpq and the guard want them */
};

static int named(struct km_str text, struct km_pg_named *out, struct km_err *err)
{
    size_t dot = km_str_chr(text, '.');

    if (dot == 0 || dot + 1 >= text.n)
        return km_fail(err, KM_E_CONFIG, "allow_functions: '%.*s' is not `schema.name`",
                       KM_STR_ARG(text));
    *out = (struct km_pg_named){ km_str_sub(text, 0, dot), km_str_skip(text, dot + 1) };
    return 0;
}

static int take_functions(struct km_arena *arena, const struct km_pg_settings *s,
                          struct km_pg_db_args *args, struct km_err *err)
{
    struct km_pg_named *v = km_arena_zalloc(arena, (s->functions.n + 1) * sizeof *v);
    int r = v ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");

    if (r == 0 && s->functions.n > FUNCTIONS_MOST)
        r = km_fail(err, KM_E_CONFIG, "allow_functions: at most %d", FUNCTIONS_MOST);
    for (size_t i = 0; r == 0 && i < s->functions.n; i++)
        r = named(s->functions.v[i], &v[i], err);
    args->functions = v;
    args->nfunctions = s->functions.n;
    return r;
}

static const char *text_of(struct km_arena *arena, struct km_str s)
{
    return s.n ? km_arena_cstr(arena, s) : NULL;
}

static int make_args(struct km_arena *arena, const struct km_pg_instance_args *from,
                     struct km_pg_db_args *ret_args, struct km_err *err)
{
    const struct km_pg_settings *s = from->settings;
    size_t workers = from->workers ? from->workers : 1;
    unsigned most = (unsigned)((uint64_t)s->pool_most / workers);
    unsigned ready = (unsigned)(((uint64_t)s->pool_least + workers - 1) / workers);

    most = most ? most : 1;
    if (from->mode != (enum km_pg_mode)s->mode)
        ready = 0; /* a key's own mode is asked for now and then */

    *ret_args = (struct km_pg_db_args){
        .dsn = km_arena_cstr(arena, s->dsn),
        .password = text_of(arena, s->password),
        .password_file = text_of(arena, s->password_file),
        .mode = from->mode,
        .limits = { .rows = s->max_rows,
                    .bytes = s->max_bytes,
                    .affected = s->max_affected,
                    .cost = s->max_cost,
                    .statement_ms = (uint64_t)s->statement_ms,
                    .lock_ms = (uint64_t)s->lock_ms },
        .connections = most,
        .ready = ready < most ? ready : most,
        .queue = (unsigned)s->queue,
        .queue_ms = (uint64_t)s->queue_ms,
        .connect_ms = (uint64_t)s->connect_ms,
        .idle_ms = (uint64_t)s->pool_idle_ms,
        .lifetime_ms = (uint64_t)s->pool_lifetime_ms,
        .idle_tx_ms = (uint64_t)s->idle_tx_ms,
        .slow_ms = (uint64_t)s->slow_ms,
        .pooled = s->pooler != 0,
        .strict = from->network && from->mode == KM_PG_READ_ONLY,
        .log = from->log,
        .name = km_arena_str(arena, from->name),
    };
    if (take_functions(arena, s, ret_args, err) < 0)
        return KM_E_CONFIG;
    return km_arena_overflowed(arena) ? km_fail(err, KM_E_LIMIT, "the settings are too large") : 0;
}

struct km_mcp_server *km_pg_instance_server(struct km_pg_instance *instance)
{
    return &instance->server.mcp;
}

struct km_pg_instance *km_pg_instance_free(struct km_pg_instance *instance)
{
    if (!instance)
        return NULL;
    km_pg_watch_free(instance->server.watch);
    km_pg_digest_free(instance->server.digest);
    km_pg_meter_free(instance->server.meter);
    km_pg_own_free(instance->server.own);
    km_pg_db_free(instance->server.db);
    km_arena_done(&instance->arena);
    free(instance);
    return NULL;
}

struct km_pg_instance *km_pg_instance_new(const struct km_pg_instance_args *args,
                                          struct km_err *err)
{
    struct km_pg_instance *i = calloc(1, sizeof *i);
    struct km_pg_db_args db_args;
    struct km_pg_db *db = NULL;

    if (!i) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    km_arena_init(&i->arena, TEXT_BYTES, NULL);
    if (make_args(&i->arena, args, &db_args, err) < 0 ||
        km_pg_db_new(args->loop, &db_args, &db, err) < 0)
        return km_pg_instance_free(i);
    km_pg_server_init(&i->server, db);
    if (args->settings->definitions.n &&
        km_pg_own_load(&i->server, km_arena_cstr(&i->arena, args->settings->definitions), err) < 0)
        return km_pg_instance_free(i);
    i->server.meter = km_pg_meter_new(&(struct km_pg_meter_args){
        .loop = args->loop, .db = db, .metrics = args->metrics, .worker = args->worker });
    i->server.digest = km_pg_digest_new(&i->server, args->loop, args->tell, args->ctx);
    if (!i->server.meter || !i->server.digest) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return km_pg_instance_free(i);
    }
    if (args->tell)
        i->server.watch = km_pg_watch_new(&i->server, args->loop, WATCH_MS, args->tell, args->ctx);
    return i;
}

int km_pg_settings_check(const struct km_pg_settings *settings, struct km_err *err)
{
    struct km_pg_db_args args;
    struct km_pg_guard *guard = NULL;
    struct km_arena arena;
    int r;

    km_arena_init(&arena, TEXT_BYTES, NULL);
    r = make_args(&arena, &(struct km_pg_instance_args){ .settings = settings }, &args, err);
    if (r == 0 && settings->max_mode && settings->max_mode - 1 < settings->mode)
        r = km_fail(err, KM_E_CONFIG, "max_mode is below mode");
    if (r == 0 && settings->pool_least > settings->pool_most)
        r = km_fail(err, KM_E_CONFIG, "pool_min is above pool_max");
    if (r == 0)
        r = km_pg_guard_new(&guard, err);
    if (r == 0)
        r = km_pg_dsn_check(args.dsn, err);
    km_pg_guard_free(guard);
    km_arena_done(&arena);
    return r;
}

/* --- the kind --- */

static int check(const struct km_mcp_upstream *u, struct km_err *err)
{
    const struct km_pg_settings *s = u->settings;

    if (!s->dsn.n)
        return km_fail(err, KM_E_CONFIG,
                       "builtin: postgres needs postgres.dsn, or kanmon_settings.pg.dsn for all");
    return km_pg_settings_check(s, err);
}

/* --- before other machines are served --- */

struct admission {
    struct km_loop *loop;
    struct km_err err;
};

static bool on_no_rows(void *ctx, const struct km_pg_result *r)
{
    (void)ctx;
    (void)r;
    return true;
}

static void on_admitted(void *ctx, const struct km_pg_outcome *o)
{
    struct admission *a = ctx;

    if (o->err)
        a->err = *o->err;
    km_loop_stop(a->loop);
}

/* The first statement of a database finds out what the role may do, and is refused for it. */
static void ask_role(struct admission *a, const struct km_pg_settings *s)
{
    static const struct km_pg_lease_events on = { on_no_rows, on_admitted };
    static const struct km_pg_request request = { .sql = { "SELECT 1", 8 } };
    struct km_pg_settings quick = *s;
    struct km_pg_instance *i;
    struct km_arena arena;

    quick.connect_ms = quick.connect_ms < ADMIT_MS ? quick.connect_ms : ADMIT_MS;
    quick.queue_ms = quick.queue_ms < ADMIT_MS ? quick.queue_ms : ADMIT_MS;
    quick.statement_ms = quick.statement_ms < ADMIT_MS ? quick.statement_ms : ADMIT_MS;
    quick.pool_least = 0;
    quick.definitions = KM_STR_NONE;
    i = km_pg_instance_new(&(struct km_pg_instance_args){ .loop = a->loop,
                                                          .settings = &quick,
                                                          .mode = (enum km_pg_mode)s->mode,
                                                          .network = true,
                                                          .name = KM_STR("postgres") },
                           &a->err);
    if (!i)
        return;
    km_arena_init(&arena, KM_PG_TREE_BYTES, NULL);
    if (km_pg_lease_new(i->server.db, &arena, &request, &on, a))
        km_loop_run(a->loop);
    km_pg_instance_free(i);
    km_arena_done(&arena);
}

/* A database that cannot be asked now is asked with its first call, as ever. */
static int admit(const struct km_mcp_upstream *u, struct km_err *err)
{
    const struct km_pg_settings *s = u->settings;
    struct admission a = { .loop = s->mode == KM_PG_READ_ONLY ? km_loop_new(&a.err) : NULL };

    if (!a.loop)
        return 0;
    ask_role(&a, s);
    km_loop_free(a.loop);
    if (a.err.code != KM_E_FORBIDDEN)
        return 0;
    return km_fail(err, KM_E_FORBIDDEN, "%.*s: %s", KM_STR_ARG(u->name), a.err.text);
}

/* A key's own mode: up to max_mode.  What is no mode reads only. */
static enum km_pg_mode mode_of(const struct km_pg_settings *s, struct km_str grant)
{
    enum km_pg_mode most = (enum km_pg_mode)(s->max_mode ? s->max_mode - 1 : s->mode);
    enum km_pg_mode mode = (enum km_pg_mode)s->mode;

    if (grant.n && !km_pg_mode_parse(grant, &mode))
        mode = KM_PG_READ_ONLY;
    return mode < most ? mode : most;
}

static struct km_mcp_server *open_one(const struct km_mcp_builtin_args *args, struct km_err *err)
{
    const struct km_pg_settings *s = args->upstream->settings;
    struct km_pg_instance_args inner = {
        .loop = args->loop,
        .settings = s,
        .mode = mode_of(s, args->grant),
        .workers = args->workers,
        .tell = args->tell,
        .ctx = args->ctx,
        .network = args->network,
        .log = args->log,
        .metrics = args->metrics,
        .worker = args->worker,
        .name = args->upstream->name,
    };
    struct km_pg_instance *i = km_pg_instance_new(&inner, err);

    return i ? &i->server.mcp : NULL;
}

static bool is_ready(const struct km_mcp_upstream *u)
{
    return ((const struct km_pg_settings *)u->settings)->pool_least > 0;
}

static void close_one(struct km_mcp_server *server)
{
    km_pg_instance_free((struct km_pg_instance *)(void *)server);
}

const struct km_mcp_builtin km_pg_builtin = { .name = { "postgres", 8 },
                                              .settings = &km_pg_own_table,
                                              .check = check,
                                              .admit = admit,
                                              .ready = is_ready,
                                              .open = open_one,
                                              .close = close_one };
