/* SPDX-License-Identifier: Apache-2.0 */
/* subscribe.c - resources that somebody wants to hear of, and the changes of lists (ask.h).
 *
 *     handshake   resources/subscribe for the first who wants an uri, unsubscribe for the last;
 *                 a new session is asked for all of them again
 *     stateless   one subscriptions/listen a remote, with all uris and all lists (listen.c)
 *     a reload    ── another server in its place: all of this once more, there
 *                 ── none: over, and nothing follows
 *
 * Several subscriptions share what they can: the word of the server goes to each.  Whoever
 * subscribes hears what the server says to it, from whoever of them it was asked for.
 */
#include <stdlib.h>

#include "mcp/subscribe_part.h"

#define SUBSCRIPTIONS_MOST 10000
#define ASKER_BYTES ((size_t)1024 * 1024)

bool km_subscription_at(const struct km_mcp_subscription *s, const struct km_mcp_upstream *u,
                        const uint8_t key[KM_MCP_KEY])
{
    return s->upstream == u && memcmp(s->key, key, KM_MCP_KEY) == 0;
}

void km_subscription_tell(struct km_mcp_subscription *s, const struct km_mcp_answer *answer)
{
    km_mcp_subscribed_fn *fn = s->subscribed;

    s->subscribed = NULL;
    km_timer_stop(&s->timer);
    if (fn)
        fn(s->ctx, answer);
}

static void on_time(void *ctx)
{
    struct km_mcp_subscription *s = ctx;
    struct km_mcp_answer answer = { .kind = KM_MCP_RESULT, .json = KM_STR("{}") };

    if (!s->agreed) {
        if (!s->err.code)
            km_fail(&s->err, KM_E_UPSTREAM_TIMEOUT, "'%.*s' said nothing of the subscription",
                    KM_STR_ARG(s->upstream->name));
        answer = (struct km_mcp_answer){ .kind = KM_MCP_FAILED, .err = &s->err };
    }
    km_subscription_tell(s, &answer);
}

/* How many want what this one does; *ret_agreed: the server has said yes to one of them. */
static size_t wanted(struct km_mcp_desk *d, const struct km_mcp_subscription *like,
                     bool *ret_agreed)
{
    size_t n = 0;

    *ret_agreed = false;

    KM_LIST_EACH(it, &d->subscriptions)
    {
        const struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);

        if (!km_subscription_at(s, like->upstream, like->key) || !km_str_eq(s->uri, like->uri))
            continue;
        n++;
        *ret_agreed = *ret_agreed || s->agreed;
    }
    return n;
}

/* --- the handshake era --- */

static void on_ignored(void *ctx, const struct km_mcp_answer *answer)
{
    (void)ctx;
    (void)answer;
}

/* NULL: it could not be asked, as *err says. */
static struct km_job *ask(struct km_mcp_subscription *s, const char *method,
                          const struct km_mcp_ask_events *events, struct km_err *err)
{
    static const struct km_mcp_ask_events ignored = { .on_done = on_ignored };
    struct km_buf params KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_mcp_ask_args args = { .upstream = s->upstream,
                                    .asker = &s->asker,
                                    .method = km_str_c(method),
                                    .events = events ? events : &ignored,
                                    .ctx = s };

    if (s->desk->ending) {
        km_fail(err, KM_E_CANCELED, "the gateway is ending");
        return NULL;
    }
    km_buf_str(&params, KM_STR("{\"uri\":"));
    km_buf_json(&params, s->uri);
    km_buf_byte(&params, '}');
    args.params = km_buf_view(&params);
    return km_job_start(s->desk, &(struct km_job_args){ .ask = &args, .own = true }, err);
}

static struct km_remote *find_remote(const struct km_mcp_subscription *s)
{
    KM_LIST_EACH(it, &s->desk->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream == s->upstream && p->state != KM_REMOTE_OVER &&
            memcmp(p->key, s->key, KM_MCP_KEY) == 0 && km_desk_suits(p, &s->asker))
            return p;
    }
    return NULL;
}

/* --- both --- */

void km_subscriptions_renew(struct km_remote *p)
{
    km_remote_level(p, KM_STR_NONE);
    if (p->revision->era == KM_MCP_STATELESS) {
        km_listening_begin(p);
        return;
    }
    KM_LIST_EACH(it, &p->desk->subscriptions)
    {
        struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);
        struct km_err err;

        if (km_subscription_at(s, p->upstream, p->key) && !s->asking)
            (void)ask(s, "resources/subscribe", NULL, &err);
    }
}

void km_subscriptions_updated(struct km_remote *p, struct km_str params)
{
    static const struct km_str name = { "uri", 3 };
    struct km_json_span span = { 0 };
    struct km_arena arena;
    struct km_str uri;

    if (!params.n || km_json_spans(params, &name, 1, &span, NULL, NULL) < 0)
        return;
    km_arena_init(&arena, (size_t)256 * 1024, NULL);
    uri = km_json_text(&arena, params, &span);
    KM_LIST_EACH(it, &p->desk->subscriptions)
    {
        struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);

        /* A server may tell of a part of what was asked for. */
        if (km_subscription_at(s, p->upstream, p->key) && km_str_starts(uri, s->uri))
            s->updated(s->ctx, s->uri, params);
    }
    km_arena_done(&arena);
}

static void subscription_free(struct km_mcp_subscription *s)
{
    if (s->asking)
        km_job_forget(s->asking);
    km_timer_stop(&s->timer);
    km_list_remove(&s->link);
    s->desk->nsubscriptions--;
    km_mcp_upstream_unref(s->upstream);
    km_arena_done(&s->arena);
    free(s);
}

static bool stateless(const struct km_mcp_subscription *s)
{
    struct km_mcp_live *live = s->upstream->live;
    const struct km_mcp_revision *revision = km_mcp_live_revision(live);

    return revision && revision->era == KM_MCP_STATELESS &&
           (!km_asker_asked(s->upstream, &s->asker) || km_mcp_live_lacks(live, KM_MCP_HANDSHAKE));
}

/* A stateless remote is to listen to other uris; it is opened where there is none. */
static void relisten(struct km_mcp_subscription *s)
{
    struct km_remote *p = find_remote(s);

    if (!p && km_desk_remote(s->desk, s->upstream, &s->asker, s->key, &p, &s->err) < 0) {
        km_timer_start(&s->timer, 0);
        return;
    }
    p->wants_listen = true;
    if (p->state == KM_REMOTE_READY)
        km_timer_start(&p->timer, 0);
    km_timer_start(&s->timer, (uint64_t)s->upstream->entry->timeout_ms);
}

static void on_subscribed(void *ctx, const struct km_mcp_answer *answer)
{
    struct km_mcp_subscription *s = ctx;

    s->asking = NULL;
    s->agreed = answer->kind == KM_MCP_RESULT;
    if (answer->kind == KM_MCP_ERROR && stateless(s))
        relisten(s); /* its era was not known when it was asked */
    else
        km_subscription_tell(s, answer);
}

/* Asks the server, where it has not said yes already. */
static void begin(struct km_mcp_subscription *s)
{
    static const struct km_mcp_ask_events events = { .on_done = on_subscribed };
    bool agreed;

    (void)wanted(s->desk, s, &agreed);
    if (stateless(s)) {
        relisten(s);
        return;
    }
    if (agreed && s->upstream->transport != KM_MCP_STDIO) /* its child may be another one */
        s->agreed = true;
    else
        s->asking = ask(s, "resources/subscribe", &events, &s->err);
    if (!s->asking)
        km_timer_start(&s->timer, 0);
}

/* --- of another worker's server --- */

static void on_relayed(void *ctx, const struct km_mcp_answer *answer)
{
    km_subscription_tell(ctx, answer);
}

static void on_relayed_update(void *ctx, struct km_str uri, struct km_str params)
{
    struct km_mcp_subscription *s = ctx;

    s->updated(s->ctx, uri, params);
}

static struct km_relay *relay(struct km_mcp_subscription *s)
{
    const struct km_mcp_subscribe_args args = { .upstream = s->upstream,
                                                .asker = &s->asker,
                                                .uri = s->uri,
                                                .updated = on_relayed_update,
                                                .subscribed = on_relayed,
                                                .ctx = s };

    return km_relay_subscribe(s->desk, &args);
}

/* --- from its beginning to its end --- */

/* At its server, here or by a relay. */
static int attach(struct km_mcp_subscription *s, struct km_err *err)
{
    int r = km_asker_key(s->upstream, &s->asker, s->key, err);

    if (r < 0)
        return r;
    if (!km_relay_needed(s->desk, s->upstream)) {
        begin(s);
        return 0;
    }
    s->relay = relay(s);
    return s->relay ? 0 : km_fail(err, KM_E_CANCELED, "the gateway is ending");
}

struct km_mcp_subscription *km_mcp_subscribe(struct km_mcp_desk *desk,
                                             const struct km_mcp_subscribe_args *args)
{
    struct km_mcp_upstream *u = args->relayed ? args->upstream : km_desk_now(desk, args->upstream);
    struct km_mcp_subscription *s =
        u && desk->nsubscriptions < SUBSCRIPTIONS_MOST ? calloc(1, sizeof *s) : NULL;
    struct km_err err;

    if (!s)
        return NULL;
    s->desk = desk;
    s->upstream = km_mcp_upstream_ref(u);
    s->updated = args->updated;
    s->subscribed = args->subscribed;
    s->ctx = args->ctx;
    s->relayed = args->relayed;
    km_timer_init(&s->timer, desk->loop, on_time, s);
    km_arena_init(&s->arena, ASKER_BYTES, NULL);
    s->uri = km_arena_str(&s->arena, args->uri);
    km_list_push(&desk->subscriptions, &s->link);
    desk->nsubscriptions++;
    if (km_asker_copy(args->asker, &s->arena, &s->asker) == 0 && attach(s, &err) == 0)
        return s;
    subscription_free(s);
    return NULL;
}

/* To the server that took the place of its own; NULL: none did. */
static void follow(struct km_mcp_subscription *s, struct km_mcp_upstream *next)
{
    struct km_mcp_upstream *old = s->upstream;

    if (s->relay)
        km_relay_unsubscribe(s->relay);
    if (s->asking)
        km_job_cancel(s->asking, KM_STR("another server takes its place"));
    s->relay = NULL;
    s->asking = NULL;
    s->agreed = s->listed = false;
    s->err = (struct km_err){ 0 };
    km_timer_stop(&s->timer);
    s->upstream = next ? km_mcp_upstream_ref(next) : NULL;
    if (!next || attach(s, &s->err) < 0) {
        if (!next)
            km_fail(&s->err, KM_E_UPSTREAM_CONNECT, "'%.*s' is not configured any more",
                    KM_STR_ARG(old->name));
        s->upstream = km_mcp_upstream_unref(s->upstream);
        km_timer_start(&s->timer, 0); /* for whoever waits for its answer */
    }
    km_mcp_upstream_unref(old);
}

void km_subscriptions_follow(struct km_mcp_desk *d)
{
    KM_LIST_EACH(it, &d->subscriptions)
    {
        struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);
        struct km_mcp_upstream *next = s->upstream ? km_desk_now(d, s->upstream) : NULL;

        if (!s->relayed && next != s->upstream)
            follow(s, next);
    }
}

bool km_mcp_subscription_over(const struct km_mcp_subscription *s)
{
    return !s->upstream;
}

void km_mcp_unsubscribe(struct km_mcp_subscription *s)
{
    struct km_remote *p;
    struct km_err err;
    bool agreed;

    if (!s)
        return;
    if (s->relay)
        km_relay_unsubscribe(s->relay);
    if (s->relay || !s->upstream) {
        subscription_free(s);
        return;
    }
    p = find_remote(s);
    if (p && wanted(s->desk, s, &agreed) == 1 && (agreed || s->asking) && !stateless(s))
        (void)ask(s, "resources/unsubscribe", NULL, &err);
    if (p && p->state == KM_REMOTE_READY && stateless(s))
        km_timer_start(&p->timer, 0);
    subscription_free(s);
}

void km_subscriptions_end_all(struct km_mcp_desk *d)
{
    struct km_list *node;

    while ((node = km_list_pop(&d->subscriptions)) != NULL) {
        struct km_mcp_subscription *s = KM_CONTAINER(node, struct km_mcp_subscription, link);

        if (s->relay)
            km_relay_unsubscribe(s->relay);
        subscription_free(s);
    }
}
