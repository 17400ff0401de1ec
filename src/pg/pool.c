/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - see pool.h.
 *
 *     take ──> idle one? ──> told
 *        └──> queue ──> connect (at most `most`) ──> told in the order of asking
 *     abandon ──> cancelled; ended, or time is up ──> closed
 *     tick, a loss ──> fewer than `least`? ──> connect, for nobody yet
 *
 * Slots hold the connections, so that their number is their bound.  The one used last is lent
 * first: the others grow idle and are closed.  A connection whose cancel request is still on its
 * way is not lent: the request would hit whoever runs next.
 */
#include "pg/pool.h"

#include <stdlib.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "pg/hosts.h"
#include "pg/lib.h"
#include "pg/silent.h"
#include "sys/dns.h"

#define TICK_MS 1000
#define BACKOFF_MS 100
#define BACKOFF_MOST_MS 30000

enum slot_state { FREE, CONNECTING, IDLE, LENT, ABANDONED };

struct slot {
    enum slot_state state;
    struct km_pg_conn *conn;
    bool asked; /* begun for a call that waits, not to keep one ready */
    uint64_t born_ms, used_ms;
    struct km_timer timer; /* of an abandoned one */
    struct km_pg_pool *pool;
};

/* Between two attempts. */
struct pause {
    uint64_t until_ms;
    unsigned times;
};

struct km_pg_pool {
    struct km_loop *loop;
    const struct km_pg_lib *lib;
    struct km_pg_pool_args args;
    char *dsn, *options;
    struct km_dns *dns;
    struct km_pg_silent silent;
    struct slot *slots; /* args.most */
    struct km_list waits;
    unsigned nwaits;
    struct km_timer tick;
    struct pause all, ready; /* after a failure: for everybody; for those kept ready */
    uint64_t refused, overdue, failed; /* as km_pg_pool_stats says */
    uint64_t made;
    struct km_err last; /* of the last failed attempt; code 0: it succeeded */
};

static void serve(struct km_pg_pool *pool);

/* --- slots --- */

static void drop(struct slot *s)
{
    km_timer_stop(&s->timer);
    s->conn = km_pg_conn_free(s->conn);
    s->state = FREE;
}

static unsigned count(const struct km_pg_pool *pool, enum slot_state state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < pool->args.most; i++)
        n += pool->slots[i].state == state;
    return n;
}

/* In use, wanted or not. */
static unsigned count_busy(const struct km_pg_pool *pool)
{
    return count(pool, LENT) + count(pool, ABANDONED);
}

/* Those that are being made as well. */
static unsigned count_open(const struct km_pg_pool *pool)
{
    return pool->args.most - count(pool, FREE);
}

static struct slot *slot_of(struct km_pg_pool *pool, const struct km_pg_conn *conn)
{
    for (unsigned i = 0; i < pool->args.most; i++)
        if (pool->slots[i].conn == conn)
            return &pool->slots[i];
    return NULL;
}

static void on_lost(void *ctx, struct km_pg_conn *conn)
{
    struct slot *s = ctx;

    (void)conn;
    if (s->state != IDLE)
        return;
    drop(s);
    serve(s->pool);
}

/* Those that were begun together fail as one. */
static void lengthen(struct pause *pause, uint64_t now)
{
    if (now < pause->until_ms)
        return;
    pause->until_ms = now + km_backoff(BACKOFF_MS, BACKOFF_MOST_MS, pause->times++);
}

static void on_connect(void *ctx, struct km_pg_conn *conn, const struct km_err *err)
{
    struct slot *s = ctx;
    struct km_pg_pool *pool = s->pool;
    uint64_t now = km_loop_now_ms(pool->loop);

    if (err) {
        pool->failed++;
        pool->last = *err;
        lengthen(s->asked ? &pool->all : &pool->ready, now);
        drop(s);
    } else {
        pool->last.code = 0;
        pool->all = pool->ready = (struct pause){ 0 };
        s->state = IDLE;
        pool->made++;
        s->born_ms = s->used_ms = now;
        km_pg_conn_on_lost(conn, on_lost, s);
    }
    serve(pool);
}

static bool connect_one(struct km_pg_pool *pool)
{
    struct slot *s = slot_of(pool, NULL);

    if (!s)
        return false;
    s->state = CONNECTING;
    s->asked = pool->nwaits > 0;
    s->conn = km_pg_conn_new(pool->loop, pool->lib, &pool->args.target, on_connect, s);
    if (!s->conn)
        s->state = FREE;
    return s->conn != NULL;
}

/* The one used last. */
static struct slot *find_idle(struct km_pg_pool *pool)
{
    struct slot *best = NULL;

    for (unsigned i = 0; i < pool->args.most; i++) {
        struct slot *s = &pool->slots[i];

        if (s->state == IDLE && !km_pg_conn_alive(s->conn))
            drop(s);
        if (s->state == IDLE && !km_pg_conn_cancelling(s->conn) &&
            (!best || s->used_ms > best->used_ms))
            best = s;
    }
    return best;
}

/* --- waits --- */

static void on_told(void *ctx)
{
    struct km_pg_wait *w = ctx;

    w->fn(w, w->conn, w->err.code ? &w->err : NULL);
}

static void tell(struct km_pg_wait *w, struct km_pg_conn *conn)
{
    if (!km_list_empty(&w->link)) {
        km_list_remove(&w->link);
        w->pool->nwaits--;
    }
    km_timer_stop(&w->timer);
    w->conn = conn;
    km_deferred_queue(&w->told);
}

static void on_wait_timeout(void *ctx)
{
    struct km_pg_wait *w = ctx;

    w->pool->overdue++;
    km_fail(&w->err, KM_E_OVERLOADED,
            "no connection to the database became free within %llu ms: try again",
            (unsigned long long)w->pool->args.queue_ms);
    tell(w, NULL);
}

/* How many connections should be on their way. */
static unsigned wanted(const struct km_pg_pool *pool)
{
    unsigned made = count(pool, IDLE) + count(pool, LENT), n = pool->nwaits;

    if (made + n < pool->args.least && km_loop_now_ms(pool->loop) >= pool->ready.until_ms)
        n = pool->args.least - made;
    /* After a failure one tries for all: a server that refuses is not stormed. */
    return pool->last.code && n > 1 ? 1 : n;
}

/* Lends what is there to those who wait, and connects for the others and for what is kept ready. */
static void serve(struct km_pg_pool *pool)
{
    unsigned connecting;
    struct slot *s;

    while (!km_list_empty(&pool->waits) && (s = find_idle(pool)) != NULL) {
        s->state = LENT;
        tell(KM_CONTAINER(pool->waits.next, struct km_pg_wait, link), s->conn);
    }
    connecting = count(pool, CONNECTING);
    if (pool->last.code && km_loop_now_ms(pool->loop) < pool->all.until_ms) {
        /* With connections at work one will be given back; without any nothing comes. */
        while (!km_list_empty(&pool->waits) && !connecting && !count_busy(pool)) {
            struct km_pg_wait *w = KM_CONTAINER(pool->waits.next, struct km_pg_wait, link);

            w->err = pool->last;
            tell(w, NULL);
        }
        return;
    }
    while (connecting < wanted(pool) && connect_one(pool))
        connecting++;
}

void km_pg_pool_take(struct km_pg_pool *pool, struct km_pg_wait *wait,
                     void (*fn)(struct km_pg_wait *wait, struct km_pg_conn *conn,
                                const struct km_err *err))
{
    *wait = (struct km_pg_wait){ .pool = pool, .fn = fn };
    km_list_init(&wait->link);
    km_deferred_init(&wait->told, pool->loop, on_told, wait);
    km_timer_init(&wait->timer, pool->loop, on_wait_timeout, wait);
    if (pool->nwaits == pool->args.queue) {
        pool->refused++;
        km_fail(&wait->err, KM_E_OVERLOADED,
                "%u calls wait for a connection to the database already: try again later",
                pool->nwaits);
        tell(wait, NULL);
        return;
    }
    km_list_push(&pool->waits, &wait->link);
    pool->nwaits++;
    km_timer_start(&wait->timer, pool->args.queue_ms);
    serve(pool);
}

void km_pg_pool_forget(struct km_pg_wait *wait)
{
    if (!km_list_empty(&wait->link)) {
        km_list_remove(&wait->link);
        wait->pool->nwaits--;
    }
    km_timer_stop(&wait->timer);
    km_deferred_cancel(&wait->told);
    if (wait->conn)
        km_pg_pool_give(wait->pool, wait->conn, true);
    wait->conn = NULL;
}

void km_pg_pool_give(struct km_pg_pool *pool, struct km_pg_conn *conn, bool clean)
{
    struct slot *s = slot_of(pool, conn);
    uint64_t now = km_loop_now_ms(pool->loop);

    km_assert(s && s->state == LENT);
    s->state = IDLE;
    s->used_ms = now;
    if (!clean || !km_pg_conn_alive(conn) || now - s->born_ms > pool->args.lifetime_ms)
        drop(s);
    serve(pool);
}

/* --- what nobody wants any more --- */

static void close_abandoned(void *ctx)
{
    struct slot *s = ctx;

    drop(s);
    serve(s->pool);
}

static void ignore_result(void *ctx, unsigned step, enum km_pg_told told,
                          const struct km_pg_result *result)
{
    (void)ctx;
    (void)step;
    (void)told;
    (void)result;
}

static void on_abandoned_done(void *ctx, const struct km_err *err)
{
    (void)err;
    close_abandoned(ctx);
}

void km_pg_pool_abandon(struct km_pg_pool *pool, struct km_pg_conn *conn, uint64_t within_ms)
{
    static const struct km_pg_conn_events events = { .on_result = ignore_result,
                                                     .on_done = on_abandoned_done };
    struct slot *s = slot_of(pool, conn);

    km_assert(s && s->state == LENT);
    s->state = ABANDONED;
    km_timer_start(&s->timer, within_ms);
    km_pg_conn_abandon(conn, &events, s);
}

/* --- the pool --- */

/* Of what is kept ready one is renewed at a time, so that there is always another. */
static void drop_old(struct km_pg_pool *pool)
{
    uint64_t now = km_loop_now_ms(pool->loop);
    unsigned open = count_open(pool), renewed = 0;

    for (unsigned i = 0; i < pool->args.most; i++) {
        struct slot *s = &pool->slots[i];
        bool old = now - s->born_ms > pool->args.lifetime_ms;
        bool unused = now - s->used_ms > pool->args.idle_ms;
        bool spare = open > pool->args.least;

        if (s->state != IDLE || (spare ? !old && !unused : !old || renewed++ > 0))
            continue;
        drop(s);
        open--;
    }
}

static void on_tick(void *ctx)
{
    struct km_pg_pool *pool = ctx;

    drop_old(pool);
    serve(pool);
    km_timer_start(&pool->tick, TICK_MS);
}

/* What the DSN asks for, and ours after it: the last one counts.  NULL: out of memory. */
static char *join_options(const struct km_pg_lib *lib, const char *dsn, const char *ours)
{
    PQconninfoOption *words = lib->PQconninfoParse(dsn, NULL);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16384);

    for (const PQconninfoOption *w = words; w && w->keyword; w++)
        if (strcmp(w->keyword, "options") == 0 && w->val)
            km_buf_printf(&b, "%s ", w->val);
    lib->PQconninfoFree(words);
    km_buf_str(&b, km_str_c(ours));
    return km_buf_failed(&b) ? NULL : strdup(km_buf_cstr(&b));
}

/* libpq tells servers apart by whether a session may write.  Where none may, that says nothing:
 * `read-write` would refuse all and `read-only` take any, so the server's role is asked for. */
static const char *wanted_server(const struct km_pg_lib *lib, const struct km_pg_pool_args *args)
{
    char *word = args->read_only
                     ? km_pg_effective_word(lib, args->target.dsn, "target_session_attrs")
                     : NULL;
    const char *wanted = NULL;

    if (word && strcmp(word, "read-write") == 0)
        wanted = "primary";
    else if (word && strcmp(word, "read-only") == 0)
        wanted = "prefer-standby";
    free(word);
    return wanted;
}

struct km_pg_pool *km_pg_pool_new(struct km_loop *loop, const struct km_pg_lib *lib,
                                  const struct km_pg_pool_args *args, struct km_err *err)
{
    struct km_pg_pool *pool = calloc(1, sizeof *pool);

    if (!pool) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    pool->loop = loop;
    pool->lib = lib;
    pool->args = *args;
    km_list_init(&pool->waits);
    km_timer_init(&pool->tick, loop, on_tick, pool);
    pool->dsn = strdup(args->target.dsn);
    pool->options = join_options(lib, args->target.dsn, args->target.options);
    pool->slots = calloc(args->most, sizeof *pool->slots);
    for (unsigned i = 0; pool->slots && i < args->most; i++) {
        pool->slots[i].pool = pool;
        km_timer_init(&pool->slots[i].timer, loop, close_abandoned, &pool->slots[i]);
    }
    if (!pool->dsn || !pool->options || !pool->slots) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return km_pg_pool_free(pool);
    }
    pool->dns = km_dns_new(loop, err);
    if (!pool->dns)
        return km_pg_pool_free(pool);
    pool->args.target.dsn = pool->dsn;
    pool->args.target.options = pool->options;
    pool->args.target.dns = pool->dns;
    km_pg_silent_init(&pool->silent);
    pool->args.target.silent = &pool->silent;
    pool->args.target.session_attrs = wanted_server(lib, args);
    km_timer_start(&pool->tick, TICK_MS);
    serve(pool);
    return pool;
}

struct km_pg_pool *km_pg_pool_free(struct km_pg_pool *pool)
{
    if (!pool)
        return NULL;
    km_assert(km_list_empty(&pool->waits));
    km_timer_stop(&pool->tick);
    for (unsigned i = 0; pool->slots && i < pool->args.most; i++)
        drop(&pool->slots[i]);
    km_dns_free(pool->dns);
    if (pool->dsn)
        explicit_bzero(pool->dsn, strlen(pool->dsn)); /* it may hold a password */
    free(pool->dsn);
    free(pool->options);
    free(pool->slots);
    free(pool);
    return NULL;
}

uint64_t km_pg_pool_made(const struct km_pg_pool *pool)
{
    return pool->made;
}

struct km_pg_pool_stats km_pg_pool_stats(const struct km_pg_pool *pool)
{
    return (struct km_pg_pool_stats){
        .connecting = count(pool, CONNECTING),
        .idle = count(pool, IDLE),
        .lent = count_busy(pool),
        .most = pool->args.most,
        .waiting = pool->nwaits,
        .refused = pool->refused,
        .overdue = pool->overdue,
        .failed = pool->failed,
    };
}
