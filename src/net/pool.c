/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - see pool.h for the contract.
 *
 * Connections are counted and kept by origin key; requests and dials are not tied together.
 * A request that finds nothing idle joins `gets` and a dial is started if the limit allows
 * one; whatever connection comes first, dialled or given back, serves the oldest request.
 *
 *     entry "https://api...:443"
 *       idle:  [used last] [...] [used first]     lent from the front, expired from the back
 *       gets:  [oldest] [...]                     waiting requests
 *       dials: n under way                        idle + lent + dials <= max_per_origin
 *
 * An idle stream is owned by the pool and goes on reading: anything that happens to it (bytes
 * nobody asked for, FIN, reset) ends it.  All decisions are made in balance(), which runs as
 * deferred work, so that no caller is called back from inside its own call.  An entry that has
 * nothing left is freed there.
 */
#include "net/pool.h"

#include <stdlib.h>

#include "base/map.h"
#include "net/filter.h"

#define MAX_ORIGINS 65536

struct entry {
    struct km_pool *pool;
    struct km_origin *origin; /* its key is the map's */
    struct km_list idle; /* km_stream.link */
    struct km_list gets;
    struct km_list dials;
    size_t nidle, nlent, ngets, ndials;
    struct km_timer expiry; /* of the last one in `idle` */
    struct km_deferred work; /* balance() */
};

struct km_pool_get {
    struct km_list link;
    struct entry *entry;
    struct km_origin *origin;
    km_pool_fn *fn;
    void *ctx;
};

struct dial {
    struct km_list link;
    struct entry *entry;
    struct km_dial *dial;
};

struct km_pool {
    struct km_loop *loop;
    struct km_dialer *dialer;
    struct km_pool_settings set;
    struct km_map *entries;
    size_t nidle, nlent;
    bool ending; /* freed, but streams are still lent */
};

/* --- entries --- */

static void balance(void *ctx);
static void on_expiry(void *ctx);

static struct entry *entry_of(struct km_pool *pool, struct km_origin *origin)
{
    struct entry *e = km_map_get(pool->entries, origin->key);

    if (e)
        return e;
    e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    if (km_map_set(pool->entries, origin->key, e, NULL) < 0) {
        free(e);
        return NULL;
    }
    e->pool = pool;
    e->origin = km_origin_ref(origin);
    km_list_init(&e->idle);
    km_list_init(&e->gets);
    km_list_init(&e->dials);
    km_timer_init(&e->expiry, pool->loop, on_expiry, e);
    km_deferred_init(&e->work, pool->loop, balance, e);
    return e;
}

static bool entry_unused(const struct entry *e)
{
    return e->nidle + e->nlent + e->ngets + e->ndials == 0;
}

static void pool_end(struct km_pool *pool)
{
    km_map_free(pool->entries, NULL);
    free(pool);
}

/* May free the pool, when it was only waiting for the last lent stream. */
static void entry_free(struct entry *e)
{
    struct km_pool *pool = e->pool;

    km_timer_stop(&e->expiry);
    km_deferred_cancel(&e->work);
    km_map_del(pool->entries, e->origin->key);
    km_origin_unref(e->origin);
    free(e);
    if (pool->ending && km_map_count(pool->entries) == 0)
        pool_end(pool);
}

/* --- idle streams --- */

static void idle_close(struct km_stream *s)
{
    struct entry *e = s->holder;

    km_list_remove(&s->link);
    e->nidle--;
    e->pool->nidle--;
    if (km_stream_is_tls(s))
        km_stream_shutdown(s); /* close_notify: the session stays good for a ticket */
    km_stream_free(s);
    km_deferred_queue(&e->work);
}

static void on_idle_read(void *ctx, const char *bytes, size_t n)
{
    (void)bytes;
    (void)n;
    idle_close(ctx);
}

static void on_idle_eof(void *ctx)
{
    idle_close(ctx);
}

static void on_idle_closed(void *ctx, const struct km_err *err)
{
    (void)err;
    idle_close(ctx);
}

static const struct km_stream_events idle_events = {
    .on_read = on_idle_read,
    .on_eof = on_idle_eof,
    .on_closed = on_idle_closed,
};

static struct km_stream *oldest(const struct entry *e)
{
    return KM_CONTAINER(e->idle.prev, struct km_stream, link);
}

static void arm_expiry(struct entry *e)
{
    uint64_t now_ms = km_loop_now_ms(e->pool->loop);
    uint64_t at_ms;

    if (e->nidle == 0) {
        km_timer_stop(&e->expiry);
        return;
    }
    at_ms = oldest(e)->idle_since_ms + (uint64_t)e->pool->set.idle_ms;
    km_timer_start(&e->expiry, at_ms > now_ms ? at_ms - now_ms : 0);
}

/* Runs too early when the stream it was armed for has been lent since; then it looks again. */
static void on_expiry(void *ctx)
{
    struct entry *e = ctx;
    uint64_t now_ms = km_loop_now_ms(e->pool->loop);
    uint64_t idle_ms = (uint64_t)e->pool->set.idle_ms;

    while (e->nidle > 0 && oldest(e)->idle_since_ms + idle_ms <= now_ms)
        idle_close(oldest(e));
    arm_expiry(e);
}

static void idle_add(struct entry *e, struct km_stream *s)
{
    km_list_push_front(&e->idle, &s->link);
    e->nidle++;
    e->pool->nidle++;
    s->holder = e;
    s->idle_since_ms = km_loop_now_ms(e->pool->loop);
    km_stream_own(s, &idle_events, s);
    km_stream_resume(s);
    if (!km_timer_running(&e->expiry))
        arm_expiry(e);
    while (e->nidle > (size_t)e->pool->set.max_idle && e->ngets == 0)
        idle_close(oldest(e));
}

/* The one used last, if it is still good; the others that are found dead are closed. */
static struct km_stream *idle_lend(struct entry *e)
{
    while (e->nidle > 0) {
        struct km_stream *s = KM_CONTAINER(e->idle.next, struct km_stream, link);

        if (!km_stream_healthy(s)) {
            idle_close(s);
            continue;
        }
        km_list_remove(&s->link);
        e->nidle--;
        e->pool->nidle--;
        e->nlent++;
        e->pool->nlent++;
        return s;
    }
    return NULL;
}

/* --- dials --- */

static void dial_free(struct dial *d)
{
    km_list_remove(&d->link);
    d->entry->ndials--;
    free(d);
}

static struct km_pool_get *first_get(struct entry *e)
{
    struct km_pool_get *get = KM_CONTAINER(e->gets.next, struct km_pool_get, link);

    return e->ngets ? get : NULL;
}

static void get_free(struct km_pool_get *get)
{
    km_list_remove(&get->link);
    get->entry->ngets--;
    km_origin_unref(get->origin);
    free(get);
}

/* Answers the oldest request; the entry may be gone after, unless work is queued. */
static void answer(struct entry *e, struct km_stream *s, const struct km_err *err)
{
    struct km_pool_get *get = first_get(e);
    km_pool_fn *fn = get->fn;
    void *ctx = get->ctx;

    get_free(get);
    km_deferred_queue(&e->work);
    fn(ctx, s, err);
}

static void on_dialled(void *ctx, struct km_stream *stream, const struct km_err *err)
{
    struct dial *d = ctx;
    struct entry *e = d->entry;

    dial_free(d);
    km_deferred_queue(&e->work);
    if (stream && e->ngets) {
        stream->holder = e;
        e->nlent++;
        e->pool->nlent++;
        answer(e, stream, NULL);
    } else if (stream) {
        idle_add(e, stream);
    } else if (e->ngets) {
        answer(e, NULL, err);
    }
}

static bool start_dial(struct entry *e)
{
    struct dial *d = calloc(1, sizeof *d);

    if (!d)
        return false;
    d->entry = e;
    d->dial = km_dial(e->pool->dialer, first_get(e)->origin, (uint64_t)e->pool->set.connect_ms,
                      on_dialled, d);
    if (!d->dial) {
        free(d);
        return false;
    }
    km_list_push(&e->dials, &d->link);
    e->ndials++;
    return true;
}

/* --- decisions --- */

static void refuse_all(struct entry *e)
{
    struct km_err err;

    km_fail(&err, KM_E_NOMEM, "no memory to connect");
    for (size_t n = e->ngets; n > 0 && e->ngets > 0; n--)
        answer(e, NULL, &err);
}

static size_t open_count(const struct entry *e)
{
    return e->nidle + e->nlent + e->ndials;
}

/* Serves waiting requests from what is idle and dials for the others as far as the limit
 * goes.  Deferred. */
static void balance(void *ctx)
{
    struct entry *e = ctx;
    struct km_stream *s;

    while (e->ngets > 0 && (s = idle_lend(e)) != NULL)
        answer(e, s, NULL);
    while (e->ndials < e->ngets && open_count(e) < (size_t)e->pool->set.max_per_origin)
        if (!start_dial(e)) {
            if (open_count(e) == 0)
                refuse_all(e);
            break;
        }
    if (entry_unused(e))
        entry_free(e);
}

/* --- the contract --- */

struct km_pool *km_pool_new(struct km_loop *loop, struct km_dialer *dialer,
                            const struct km_pool_settings *settings)
{
    struct km_pool *pool = calloc(1, sizeof *pool);

    if (!pool)
        return NULL;
    pool->entries = km_map_new_borrowed(MAX_ORIGINS);
    if (!pool->entries) {
        free(pool);
        return NULL;
    }
    pool->loop = loop;
    pool->dialer = dialer;
    pool->set = *settings;
    return pool;
}

static void entry_stop(struct entry *e)
{
    km_assert(e->ngets == 0);
    while (e->nidle > 0)
        idle_close(oldest(e));
    KM_LIST_EACH(it, &e->dials)
    {
        struct dial *d = KM_CONTAINER(it, struct dial, link);

        km_dial_cancel(d->dial);
        dial_free(d);
    }
}

struct km_pool *km_pool_free(struct km_pool *pool)
{
    struct km_str key;
    void *value;
    size_t it;

    if (!pool)
        return NULL;
    for (it = 0; km_map_next(pool->entries, &it, &key, &value);)
        entry_stop(value);
    /* Freeing changes the map: begin again after each. */
    for (it = 0; km_map_next(pool->entries, &it, &key, &value);)
        if (entry_unused(value)) {
            entry_free(value);
            it = 0;
        }
    if (km_map_count(pool->entries) == 0)
        pool_end(pool);
    else
        pool->ending = true;
    return NULL;
}

void km_pool_configure(struct km_pool *pool, const struct km_pool_settings *settings)
{
    struct km_str key;
    void *value;

    pool->set = *settings;
    for (size_t it = 0; km_map_next(pool->entries, &it, &key, &value);) {
        struct entry *e = value;

        arm_expiry(e);
        while (e->nidle > (size_t)settings->max_idle)
            idle_close(oldest(e));
        km_deferred_queue(&e->work);
    }
}

struct km_stream *km_pool_take(struct km_pool *pool, struct km_origin *origin)
{
    struct entry *e = km_map_get(pool->entries, origin->key);

    if (!e || e->ngets > 0) /* who waits comes first */
        return NULL;
    return idle_lend(e);
}

struct km_pool_get *km_pool_get(struct km_pool *pool, struct km_origin *origin, km_pool_fn *fn,
                                void *ctx)
{
    struct entry *e = entry_of(pool, origin);
    struct km_pool_get *get;
    size_t waiting;

    if (!e)
        return NULL;
    km_deferred_queue(&e->work); /* frees it too, when this fails */
    waiting = e->ngets > e->ndials ? e->ngets - e->ndials : 0;
    if (open_count(e) + waiting >= (size_t)pool->set.max_per_origin &&
        waiting >= (size_t)pool->set.max_waiting)
        return NULL;
    get = calloc(1, sizeof *get);
    if (!get)
        return NULL;
    get->entry = e;
    get->origin = km_origin_ref(origin);
    get->fn = fn;
    get->ctx = ctx;
    km_list_push(&e->gets, &get->link);
    e->ngets++;
    return get;
}

/* A dial that was started for it goes on: its connection will serve the next. */
void km_pool_cancel(struct km_pool_get *get)
{
    km_deferred_queue(&get->entry->work);
    get_free(get);
}

/* Takes a lent stream back into the books. */
static struct entry *give_back(struct km_stream *s)
{
    struct entry *e = s->holder;

    km_assert(e && e->nlent > 0);
    e->nlent--;
    e->pool->nlent--;
    return e;
}

static void drop(struct entry *e, struct km_stream *s)
{
    km_stream_free(s);
    if (e->pool->ending && entry_unused(e))
        entry_free(e);
    else
        km_deferred_queue(&e->work);
}

void km_pool_put(struct km_pool *pool, struct km_origin *origin, struct km_stream *s)
{
    struct entry *e = give_back(s);

    (void)pool;
    (void)origin;
    if (s->eof || s->closed || km_stream_queued(s) > 0 || e->pool->ending) {
        drop(e, s);
        return;
    }
    idle_add(e, s);
    if (e->ngets > 0)
        km_deferred_queue(&e->work);
}

void km_pool_drop(struct km_pool *pool, struct km_origin *origin, struct km_stream *s)
{
    (void)pool;
    (void)origin;
    drop(give_back(s), s);
}

size_t km_pool_open(const struct km_pool *pool)
{
    return pool->nlent + pool->nidle;
}

size_t km_pool_idle(const struct km_pool *pool)
{
    return pool->nidle;
}
