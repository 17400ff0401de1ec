/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - asks, catalogues and their waits, from the asker's side (ask.h).
 *
 * An ask is a job of a remote on this loop, or, where the server lives on another worker's, the
 * near end of a relay (relay.c).  Either way the asker's events are called from the loop.
 */
#include "mcp/ask.h"

#include <stdlib.h>

#include "mcp/asker.h"
#include "mcp/relay.h"

struct km_mcp_ask {
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream;
    const struct km_mcp_ask_events *events;
    void *ctx;
    struct km_job *job; /* here; or */
    struct km_relay *relay; /* elsewhere */
};

static void on_notice(void *ctx, struct km_str method, struct km_str params)
{
    const struct km_mcp_ask *a = ctx;

    if (a->events->on_notice)
        a->events->on_notice(a->ctx, method, params);
}

static void on_question(void *ctx, uint64_t question, struct km_str method, struct km_str params)
{
    const struct km_mcp_ask *a = ctx;

    a->events->on_question(a->ctx, question, method, params);
}

static void on_withdrawn(void *ctx, uint64_t question)
{
    const struct km_mcp_ask *a = ctx;

    if (a->events->on_withdrawn)
        a->events->on_withdrawn(a->ctx, question);
}

static void on_noted(void *ctx, struct km_str members)
{
    const struct km_mcp_ask *a = ctx;

    if (a->events->on_noted)
        a->events->on_noted(a->ctx, members);
}

static void ask_free(struct km_mcp_ask *a)
{
    a->desk->nasks--;
    km_mcp_upstream_unref(a->upstream);
    free(a);
}

static void on_done(void *ctx, const struct km_mcp_answer *answer)
{
    struct km_mcp_ask *a = ctx;

    a->events->on_done(a->ctx, answer);
    ask_free(a);
}

/* What a server offers is asked for everyone with the same key and asks nobody: it is no client's
 * work, which would keep the others off that child and its log from them. */
static bool is_offer(struct km_str method)
{
    return km_str_ends(method, KM_STR("/list")) || km_str_eq(method, KM_STR("server/discover"));
}

struct km_mcp_ask *km_mcp_ask(struct km_mcp_desk *desk, const struct km_mcp_ask_args *args,
                              struct km_err *err)
{
    static const struct km_mcp_ask_events mute = { .on_notice = on_notice,
                                                   .on_noted = on_noted,
                                                   .on_done = on_done };
    static const struct km_mcp_ask_events all = { .on_notice = on_notice,
                                                  .on_question = on_question,
                                                  .on_withdrawn = on_withdrawn,
                                                  .on_noted = on_noted,
                                                  .on_done = on_done };
    struct km_mcp_ask_args inner = *args;
    struct km_mcp_ask *a;
    bool own;

    if (desk->nasks >= KM_MCP_ASKS_MOST || desk->ending) {
        km_fail(err, KM_E_OVERLOADED, "%d requests to MCP servers are open here", KM_MCP_ASKS_MOST);
        return NULL;
    }
    a = malloc(sizeof *a);
    if (!a) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    *a = (struct km_mcp_ask){ .desk = desk,
                              .upstream = km_mcp_upstream_ref(args->upstream),
                              .events = args->events,
                              .ctx = args->ctx };
    desk->nasks++;
    own = !args->asker || is_offer(args->method);
    inner.events = args->events->on_question ? &all : &mute;
    inner.ctx = a;
    if (km_relay_needed(desk, args->upstream)) {
        a->relay = km_relay_ask(desk, &inner, own);
        if (!a->relay)
            km_fail(err, KM_E_NOMEM, "out of memory");
    } else {
        const struct km_job_args job = { .ask = &inner, .own = own };

        a->job = km_job_start(desk, &job, err);
    }
    if (a->job || a->relay)
        return a;
    ask_free(a);
    return NULL;
}

void km_mcp_ask_answer(struct km_mcp_ask *ask, uint64_t question, bool is_error, struct km_str json)
{
    if (ask->relay)
        km_relay_answer(ask->relay, question, is_error, json);
    else
        km_job_answer(ask->job, question, is_error, json);
}

void km_mcp_ask_note(struct km_mcp_ask *ask, struct km_str method, struct km_str params)
{
    if (ask->relay)
        km_relay_note(ask->relay, method, params);
    else
        km_job_note(ask->job, method, params);
}

void km_mcp_ask_cancel(struct km_mcp_ask *ask, struct km_str reason)
{
    if (ask->relay)
        km_relay_cancel(ask->relay, reason);
    else
        km_job_cancel(ask->job, reason);
    ask_free(ask);
}

void km_mcp_ask_forget(struct km_mcp_ask *ask)
{
    if (ask->relay)
        km_relay_forget(ask->relay);
    else
        km_job_forget(ask->job);
    ask_free(ask);
}

void km_mcp_tell(struct km_mcp_desk *desk, struct km_mcp_upstream *u,
                 const struct km_mcp_asker *asker, struct km_str method, struct km_str params)
{
    uint8_t key[KM_MCP_KEY];
    struct km_err err = { 0 };

    if (km_relay_needed(desk, u)) {
        km_relay_tell(desk, u, asker, method, params);
        return;
    }
    if (km_asker_key(u, asker, key, &err) < 0)
        return;
    KM_LIST_EACH(it, &desk->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream == u && p->state == KM_REMOTE_READY &&
            memcmp(p->key, key, sizeof key) == 0 && p->revision->era == KM_MCP_HANDSHAKE &&
            !km_remote_others(p, asker->principal, asker->session))
            km_remote_notify(p, method, params);
    }
}

static void list_keys(struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                      uint8_t own[KM_MCP_KEY], uint8_t base[KM_MCP_KEY])
{
    struct km_err err;

    if (km_asker_list_keys(u, asker, own, base, &err) == 0)
        return;
    memset(own, 0, KM_MCP_KEY);
    memset(base, 0, KM_MCP_KEY);
}

struct km_mcp_catalogue *km_mcp_catalogue(struct km_mcp_desk *desk, struct km_mcp_upstream *u,
                                          const struct km_mcp_asker *asker)
{
    uint8_t own[KM_MCP_KEY], base[KM_MCP_KEY];
    struct km_mcp_catalogue *c;
    bool begin = false;

    list_keys(u, asker, own, base);
    c = km_mcp_live_shown(u->live, own, base, desk ? &begin : NULL);
    if (begin)
        km_refresh_begin(desk,
                         &(struct km_refresh_args){ .upstream = u, .asker = asker, .key = base });
    return c;
}

bool km_mcp_own_unheard(struct km_mcp_upstream *u, const struct km_mcp_asker *asker)
{
    uint8_t own[KM_MCP_KEY], base[KM_MCP_KEY];

    list_keys(u, asker, own, base);
    return memcmp(own, base, KM_MCP_KEY) != 0 && !km_mcp_live_heard_own(u->live, own);
}

/* --- waiting for catalogues --- */

struct wanted {
    struct km_mcp_upstream *upstream;
    uint8_t key[KM_MCP_KEY];
};

struct km_mcp_wait {
    struct km_list link;
    struct km_mcp_desk *desk;
    void (*fn)(void *ctx);
    void *ctx;
    struct km_timer timer;
    struct km_deferred look;
    uint64_t ms;
    size_t n;
    struct wanted v[];
};

static void wait_free(struct km_mcp_wait *w)
{
    km_timer_stop(&w->timer);
    km_deferred_cancel(&w->look);
    km_list_remove(&w->link);
    for (size_t i = 0; i < w->n; i++)
        km_mcp_upstream_unref(w->v[i].upstream);
    free(w);
}

/* What was waited for may be known before the message that tells of it has come to this loop: what
 * was made of the old lists (gateway/mcp/views.c) would be used once more. */
static void tell_heard(const struct km_mcp_wait *w)
{
    for (size_t i = 0; i < w->n; i++)
        km_desk_tell(w->desk, w->v[i].upstream, KM_MCP_LISTS, KM_STR_NONE);
}

static void on_wait_over(void *ctx)
{
    struct km_mcp_wait *w = ctx;
    void (*fn)(void *) = w->fn;
    void *fn_ctx = w->ctx;

    tell_heard(w);
    wait_free(w);
    fn(fn_ctx);
}

/* One that was waited for in vain is not waited for by the next client: a server that never
 * answers would hold every list back. */
static bool settled(const struct wanted *v, uint64_t ms)
{
    struct km_mcp_catalogue *c = km_mcp_live_catalogue(v->upstream->live, v->key, NULL);
    bool known = c->known;

    km_mcp_catalogue_unref(c);
    return known || !km_mcp_live_pending(v->upstream->live, v->key) ||
           km_mcp_live_overdue(v->upstream->live, v->key, ms);
}

static void on_look(void *ctx)
{
    struct km_mcp_wait *w = ctx;
    size_t open = 0;

    for (size_t i = 0; i < w->n; i++) /* all are looked at: the time of each begins to count */
        open += !settled(&w->v[i], w->ms);
    if (open == 0)
        on_wait_over(w);
}

static struct km_mcp_wait *wait_new(struct km_mcp_desk *desk, size_t n, uint64_t ms,
                                    void (*fn)(void *ctx), void *ctx)
{
    struct km_mcp_wait *w = calloc(1, sizeof *w + n * sizeof w->v[0]);

    if (!w)
        return NULL;
    w->desk = desk;
    w->fn = fn;
    w->ctx = ctx;
    w->ms = ms;
    w->n = n;
    km_timer_init(&w->timer, desk->loop, on_wait_over, w);
    km_deferred_init(&w->look, desk->loop, on_look, w);
    km_list_push(&desk->waits, &w->link);
    km_timer_start(&w->timer, ms);
    km_deferred_queue(&w->look);
    return w;
}

struct km_mcp_wait *km_mcp_catalogue_wait(struct km_mcp_desk *desk,
                                          struct km_mcp_upstream *const *v, size_t n,
                                          const struct km_mcp_asker *asker, uint64_t ms,
                                          void (*fn)(void *ctx), void *ctx)
{
    struct km_mcp_wait *w = wait_new(desk, n, ms, fn, ctx);
    uint8_t own[KM_MCP_KEY];

    for (size_t i = 0; w && i < n; i++) {
        w->v[i].upstream = km_mcp_upstream_ref(v[i]);
        list_keys(v[i], asker, own, w->v[i].key);
        km_mcp_catalogue_unref(km_mcp_catalogue(desk, v[i], asker));
    }
    return w;
}

struct km_mcp_wait *km_mcp_own_wait(struct km_mcp_desk *desk, struct km_mcp_upstream *u,
                                    const struct km_mcp_asker *asker, uint64_t ms,
                                    void (*fn)(void *ctx), void *ctx)
{
    struct km_mcp_wait *w = wait_new(desk, 1, ms, fn, ctx);
    uint8_t base[KM_MCP_KEY];

    if (!w)
        return NULL;
    w->v[0].upstream = km_mcp_upstream_ref(u);
    list_keys(u, asker, w->v[0].key, base);
    if (km_mcp_live_begin(u->live, w->v[0].key, base, false))
        km_refresh_begin(desk,
                         &(struct km_refresh_args){
                             .upstream = u, .asker = asker, .key = w->v[0].key, .own = true });
    return w;
}

void km_mcp_wait_cancel(struct km_mcp_wait *wait)
{
    wait_free(wait);
}

void km_waits_look(struct km_mcp_desk *d)
{
    KM_LIST_EACH(it, &d->waits)
    km_deferred_queue(&KM_CONTAINER(it, struct km_mcp_wait, link)->look);
}

void km_waits_end_all(struct km_mcp_desk *d)
{
    struct km_list *node;

    while ((node = km_list_pop(&d->waits)) != NULL)
        on_wait_over(KM_CONTAINER(node, struct km_mcp_wait, link));
}
