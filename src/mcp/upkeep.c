/* SPDX-License-Identifier: Apache-2.0 */
/* upkeep.c - what a desk does once a second, of itself (desk.h).
 *
 *     each remote     ends when nobody asked it anything for a while; answers questions that nobody
 *                     is there to answer
 *     each upstream   at its home: asked for its lists when nobody did, tried again when it was
 *                     down, kept warm, asked whether it lives; one of our own that keeps something
 *                     ready is open everywhere
 *
 * Nothing is done for a server that was stopped by hand, rests after a failure, or shows other
 * things to each caller.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "mcp/asker.h"
#include "mcp/builtin.h"
#include "mcp/desk.h"

#define TICK_MS 1000
#define HEALTH_MS 10000 /* to answer a ping, at most; else until the next one */
#define SILENT_MOST 3 /* pings in a row without an answer: then it is begun anew */

static bool stdio(const struct km_mcp_upstream *u)
{
    return u->transport == KM_MCP_STDIO;
}

bool km_desk_home(const struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    uint32_t n = km_crc32(0, u->name.p, u->name.n);

    return n % d->ups->ndesks == d->index;
}

/* Children, or sessions, for askers without anything of their own. */
static size_t plain_ones(const struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    size_t n = 0;

    KM_LIST_EACH(it, &d->remotes)
    {
        const struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        n += p->upstream == u && p->state != KM_REMOTE_OVER && km_mcp_plain(p->key);
    }
    return n;
}

/* How many are there before anybody asks. */
static size_t sessions_kept(const struct km_mcp_upstream *u)
{
    if (u->builtin)
        return u->builtin->ready && u->builtin->ready(u) ? 1 : 0;
    return stdio(u) ? (size_t)u->entry->warm : 0;
}

/* The session by which the home of an upstream hears of changes, and warm children, stay. */
static bool stays(const struct km_mcp_desk *d, const struct km_remote *p)
{
    const struct km_mcp_entry *e = p->upstream->entry;

    if (!km_mcp_plain(p->key) || p->upstream->live->gone)
        return false;
    return stdio(p->upstream) ? plain_ones(d, p->upstream) <= (size_t)e->warm
                              : km_desk_home(d, p->upstream) || sessions_kept(p->upstream);
}

/* One that ended is replaced. */
static void keep_warm(struct km_mcp_desk *d, struct km_mcp_upstream *u)
{
    static const uint8_t key[KM_MCP_KEY];
    const struct km_remote_args args = { .desk = d, .upstream = u, .key = key };
    struct km_err err = { 0 };

    for (size_t n = plain_ones(d, u); n < sessions_kept(u) && km_desk_room(d, u); n++) {
        if (km_remote_new(&args, &err))
            continue;
        km_desk_failed(d, u, err.text);
        return;
    }
}

bool km_remote_keeps(const struct km_remote *p)
{
    return p->wants_listen || (km_mcp_plain(p->key) && km_desk_home(p->desk, p->upstream));
}

static void look_idle(struct km_mcp_desk *d, struct km_remote *p, uint64_t now)
{
    const struct km_mcp_entry *e = p->upstream->entry;
    struct km_mcp_upstream *u = p->upstream;

    if (p->state != KM_REMOTE_READY || !km_remote_idle(p) || !e->idle_ms ||
        now - p->idle_since_ms < (uint64_t)e->idle_ms || stays(d, p))
        return;
    km_mcp_upstream_ref(u);
    km_remote_free(p);
    if (stdio(u) && u->live->sessions == 0)
        km_desk_state(d, u, KM_MCP_STOPPED, "nobody asked for a while; the next request starts it");
    km_mcp_upstream_unref(u);
}

static void expire_held(struct km_remote *p, uint64_t now)
{
    static const char late[] = "{\"code\":-32603,\"message\":\"Nobody is there to answer\"}";

    KM_LIST_EACH(it, &p->held)
    {
        struct km_remote_question *q = KM_CONTAINER(it, struct km_remote_question, link);

        if (now < q->until_ms)
            continue;
        km_list_remove(&q->link);
        p->nheld--;
        km_remote_reply(p, km_buf_view(&q->id), true, km_str_c(late));
        km_remote_question_free(q);
        if (p->users == 0) /* it has asked in vain, and may never ask again */
            km_remote_retire(p);
    }
}

struct health {
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream;
};

/* What hangs does not come back by itself.  One that works for somebody may only be busy. */
static void end_silent(struct km_mcp_desk *d, struct km_mcp_upstream *u)
{
    struct km_err why;

    km_fail(&why, KM_E_UPSTREAM_TIMEOUT, "'%.*s' did not answer %d pings and is begun anew",
            KM_STR_ARG(u->name), SILENT_MOST);
    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream != u || !km_mcp_plain(p->key) || p->state != KM_REMOTE_READY ||
            !km_remote_idle(p))
            continue;
        km_desk_failed(d, u, why.text);
        km_remote_over(p, &why);
        u->live->silent = 0;
    }
}

static void not_well(struct km_mcp_desk *d, struct km_mcp_upstream *u, const struct km_err *err)
{
    km_desk_state(d, u, KM_MCP_DEGRADED, err->text);
    if (err->code == KM_E_UPSTREAM_TIMEOUT && ++u->live->silent >= SILENT_MOST && !d->ending)
        end_silent(d, u);
}

static void on_health(void *ctx, const struct km_mcp_answer *answer)
{
    struct health *h = ctx;
    struct km_mcp_live *live = h->upstream->live;

    live->pinging = false;
    if (answer->kind != KM_MCP_FAILED)
        live->silent = 0;
    /* An error is an answer; a server that does not know ping lives. */
    if (answer->kind == KM_MCP_FAILED && answer->err->code != KM_E_CANCELED)
        not_well(h->desk, h->upstream, answer->err);
    km_mcp_upstream_unref(h->upstream);
    free(h);
}

static void ping(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                 const struct km_mcp_revision *revision)
{
    static const struct km_mcp_ask_events events = { .on_done = on_health };
    struct health *h = calloc(1, sizeof *h);
    struct km_mcp_ask_args args = { .upstream = u, .timeout_ms = HEALTH_MS, .events = &events };
    const uint64_t interval_ms = (uint64_t)u->entry->health_ms;
    struct km_err err;

    if (!h || u->live->pinging) {
        free(h);
        return;
    }
    if (interval_ms < args.timeout_ms)
        args.timeout_ms = interval_ms;
    u->live->pinging = true;
    *h = (struct health){ d, km_mcp_upstream_ref(u) };
    args.ctx = h;
    args.method =
        revision && revision->era == KM_MCP_STATELESS ? KM_STR("server/discover") : KM_STR("ping");
    if (!km_mcp_ask(d, &args, &err)) {
        u->live->pinging = false;
        km_mcp_upstream_unref(u);
        free(h);
    }
}

/* Is one there to be pinged?  A process that only serves its clients' calls is no reason to start
 * another. */
static bool running(struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    KM_LIST_EACH(it, &d->remotes)
    {
        const struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream == u && km_mcp_plain(p->key))
            return true;
    }
    return false;
}

static bool may_run(const struct km_mcp_upstream *u, uint64_t now)
{
    return u->entry->enabled && !u->personal && !u->live->held &&
           km_mcp_live_may(u->live, u, now, NULL) == 0;
}

/* Of an upstream that is at home here. */
static void look_after(struct km_mcp_desk *d, struct km_mcp_upstream *u, uint64_t now)
{
    static const uint8_t none[KM_MCP_KEY];
    const struct km_mcp_entry *e = u->entry;
    const struct km_refresh_args now_up = { .upstream = u, .key = none };
    struct km_mcp_live *live = u->live;
    struct km_mcp_status status;

    if (!km_mcp_live_pending(live, none)) {
        km_mcp_status(u, &status);
        if (status.state == KM_MCP_DOWN && km_mcp_live_stale(live, none))
            km_refresh_begin(d, &now_up); /* its time of rest is over */
        /* Begins where nothing is known.  For a list that could not be had none is started. */
        if (live->sessions > 0 || !km_mcp_live_settled(live, none))
            km_mcp_catalogue_unref(km_mcp_catalogue(d, u, NULL));
    }
    keep_warm(d, u);
    if (!e->health_ms || now < live->health_ms)
        return;
    live->health_ms = now + (uint64_t)e->health_ms;
    if (km_mcp_live_revision(live) && (running(d, u) || !stdio(u)))
        ping(d, u, km_mcp_live_revision(live));
}

void km_desk_tick(void *ctx)
{
    struct km_mcp_desk *d = ctx;
    uint64_t now = km_loop_now_ms(d->loop);

    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        expire_held(p, now);
        look_idle(d, p, now);
    }
    for (size_t i = 0; d->set && i < d->set->n; i++) {
        struct km_mcp_upstream *u = d->set->v[i];

        if (km_desk_home(d, u) && km_mcp_live_fall_due(u->live))
            km_desks_changed(d->ups, u, 0, true, KM_STR_NONE);
        if (!may_run(u, now))
            continue;
        if (km_desk_home(d, u))
            look_after(d, u, now);
        else if (u->builtin)
            keep_warm(d, u);
    }
    km_timer_start(&d->tick, TICK_MS);
}
