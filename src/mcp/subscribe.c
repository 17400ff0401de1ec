/* SPDX-License-Identifier: Apache-2.0 */
/* subscribe.c - resources that somebody wants to hear of, and the changes of lists (ask.h).
 *
 *     handshake   resources/subscribe for the first who wants an uri, unsubscribe for the last;
 *                 a new session is asked for all of them again
 *     stateless   one subscriptions/listen a remote, with all uris and all lists; it is opened
 *                 anew, and the old one closed, when the uris are others
 *
 * Several subscriptions share what they can: the word of the server goes to each.
 */
#include <stdlib.h>

#include "mcp/asker.h"
#include "mcp/relay.h"

#define SUBSCRIPTIONS_MOST 10000
#define ASKER_BYTES ((size_t)1024 * 1024)
#define LISTEN_PAUSE_MS 1000
#define LISTEN_PAUSE_MOST_MS 60000

struct km_mcp_subscription {
    struct km_list link; /* of the desk */
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream;
    uint8_t key[KM_MCP_KEY];
    struct km_arena arena;
    struct km_mcp_asker asker;
    struct km_str uri;
    km_mcp_updated_fn *fn;
    void *ctx;
    struct km_relay *relay; /* the server is at home elsewhere; NULL: here */
};

static bool same_server(const struct km_mcp_subscription *s, const struct km_mcp_upstream *u,
                        const uint8_t key[KM_MCP_KEY])
{
    return s->upstream == u && memcmp(s->key, key, KM_MCP_KEY) == 0;
}

static size_t wanted(struct km_mcp_desk *d, const struct km_mcp_subscription *like)
{
    size_t n = 0;

    KM_LIST_EACH(it, &d->subscriptions)
    {
        const struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);

        n += same_server(s, like->upstream, like->key) && km_str_eq(s->uri, like->uri);
    }
    return n;
}

/* --- the handshake era --- */

static void on_ignored(void *ctx, const struct km_mcp_answer *answer)
{
    (void)ctx;
    (void)answer;
}

static void ask(struct km_mcp_desk *d, struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                const char *method, struct km_str uri)
{
    static const struct km_mcp_ask_events events = { .on_done = on_ignored };
    struct km_buf params KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_mcp_ask_args args = {
        .upstream = u, .asker = asker, .method = km_str_c(method), .events = &events
    };
    struct km_err err;

    km_buf_str(&params, KM_STR("{\"uri\":"));
    km_buf_json(&params, uri);
    km_buf_byte(&params, '}');
    args.params = km_buf_view(&params);
    if (!d->ending)
        (void)km_job_start(d, &(struct km_job_args){ .ask = &args, .own = true }, &err);
}

static struct km_remote *find_remote(struct km_mcp_desk *d, const struct km_mcp_upstream *u,
                                     const uint8_t key[KM_MCP_KEY])
{
    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream == u && p->state != KM_REMOTE_OVER && memcmp(p->key, key, KM_MCP_KEY) == 0)
            return p;
    }
    return NULL;
}

/* --- the stateless era --- */

static void listen_again(struct km_remote *p);

static void on_listen_time(void *ctx)
{
    listen_again(ctx);
}

static void on_listen_done(void *ctx, const struct km_mcp_answer *answer)
{
    struct km_remote *p = ctx;
    uint64_t pause = LISTEN_PAUSE_MS;

    p->listening = NULL;
    if (answer->kind == KM_MCP_ERROR || p->state != KM_REMOTE_READY)
        return; /* it does not do that */
    for (unsigned i = 0; i < p->listens && pause < LISTEN_PAUSE_MOST_MS; i++)
        pause *= 2;
    p->listens++;
    km_timer_start(&p->timer, pause);
}

/* Every uri once, of those that want this remote's server. */
static void put_uris(const struct km_remote *p, struct km_buf *out)
{
    bool first = true;

    KM_LIST_EACH(it, &p->desk->subscriptions)
    {
        const struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);
        bool known = false;

        if (!same_server(s, p->upstream, p->key))
            continue;
        for (struct km_list *b = p->desk->subscriptions.next; b != it; b = b->next) {
            const struct km_mcp_subscription *o = KM_CONTAINER(b, struct km_mcp_subscription, link);

            known = known || (same_server(o, p->upstream, p->key) && km_str_eq(o->uri, s->uri));
        }
        if (known)
            continue;
        if (!first)
            km_buf_byte(out, ',');
        first = false;
        km_buf_json(out, s->uri);
    }
}

static void listen_again(struct km_remote *p)
{
    static const struct km_mcp_ask_events events = { .on_done = on_listen_done };
    struct km_buf params KM_CLEANUP(km_buf_done) = KM_BUF((size_t)4 * 1024 * 1024);
    struct km_job *old = p->listening;

    if (p->state != KM_REMOTE_READY)
        return;
    km_buf_str(&params, KM_STR("{\"notifications\":{\"toolsListChanged\":true,"
                               "\"promptsListChanged\":true,\"resourcesListChanged\":true,"
                               "\"resourceSubscriptions\":["));
    put_uris(p, &params);
    km_buf_str(&params, KM_STR("]}}"));
    p->listening = km_remote_listen(p, km_buf_view(&params), &events);
    if (old)
        km_job_cancel(old, KM_STR("another one takes its place"));
}

/* --- both --- */

void km_subscriptions_renew(struct km_remote *p)
{
    if (p->revision->era == KM_MCP_STATELESS) {
        km_timer_init(&p->timer, p->desk->loop, on_listen_time, p);
        if (km_remote_keeps(p))
            listen_again(p);
        return;
    }
    KM_LIST_EACH(it, &p->desk->subscriptions)
    {
        const struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);

        if (same_server(s, p->upstream, p->key))
            ask(p->desk, p->upstream, &s->asker, "resources/subscribe", s->uri);
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
        if (same_server(s, p->upstream, p->key) && km_str_starts(uri, s->uri))
            s->fn(s->ctx, s->uri, params);
    }
    km_arena_done(&arena);
}

static int copy_asker(struct km_mcp_subscription *s, const struct km_mcp_asker *asker)
{
    struct km_arena *a = &s->arena;
    size_t n = asker->headers ? asker->headers->n : 0;
    struct km_headers *headers = km_arena_zalloc(a, sizeof *headers);
    struct km_header *v = km_arena_zalloc(a, (n + 1) * sizeof *v);

    for (size_t i = 0; v && i < n; i++) {
        v[i].name = km_arena_str(a, asker->headers->v[i].name);
        v[i].value = km_arena_str(a, asker->headers->v[i].value);
    }
    if (headers)
        *headers = (struct km_headers){ v, n };
    s->asker = (struct km_mcp_asker){ .principal = km_arena_str(a, asker->principal),
                                      .capabilities = km_arena_str(a, asker->capabilities),
                                      .session = km_arena_str(a, asker->session),
                                      .rights = km_arena_str(a, asker->rights),
                                      .headers = headers };
    return km_arena_overflowed(a) ? KM_E_NOMEM : 0;
}

static void subscription_free(struct km_mcp_subscription *s)
{
    km_list_remove(&s->link);
    s->desk->nsubscriptions--;
    km_mcp_upstream_unref(s->upstream);
    km_arena_done(&s->arena);
    free(s);
}

static bool stateless(const struct km_mcp_upstream *u)
{
    const struct km_mcp_revision *revision = km_mcp_live_revision(u->live);

    return revision && revision->era == KM_MCP_STATELESS;
}

/* A stateless remote is to listen to other uris; it is opened where there is none. */
static void relisten(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                     const struct km_mcp_asker *asker, const uint8_t key[KM_MCP_KEY])
{
    struct km_remote *p = find_remote(d, u, key);
    struct km_err err;

    if (!p && km_desk_remote(d, u, asker, key, &p, &err) < 0)
        return;
    p->wants_listen = true;
    if (p->state == KM_REMOTE_READY)
        km_timer_start(&p->timer, 0);
}

struct km_mcp_subscription *km_mcp_subscribe(struct km_mcp_desk *desk, struct km_mcp_upstream *u,
                                             const struct km_mcp_asker *asker, struct km_str uri,
                                             km_mcp_updated_fn *fn, void *ctx)
{
    struct km_mcp_subscription *s =
        desk->nsubscriptions < SUBSCRIPTIONS_MOST ? calloc(1, sizeof *s) : NULL;
    struct km_err err;

    if (!s)
        return NULL;
    s->desk = desk;
    s->upstream = km_mcp_upstream_ref(u);
    s->fn = fn;
    s->ctx = ctx;
    km_arena_init(&s->arena, ASKER_BYTES, NULL);
    s->uri = km_arena_str(&s->arena, uri);
    km_list_push(&desk->subscriptions, &s->link);
    desk->nsubscriptions++;
    if (km_asker_key(u, asker, s->key, &err) < 0 || copy_asker(s, asker) < 0) {
        subscription_free(s);
        return NULL;
    }
    if (km_relay_needed(desk, u))
        s->relay = km_relay_subscribe(desk, u, &s->asker, s->uri, fn, ctx);
    else if (stateless(u))
        relisten(desk, u, &s->asker, s->key);
    else if (wanted(desk, s) == 1 || u->transport == KM_MCP_STDIO)
        ask(desk, u, &s->asker, "resources/subscribe", uri); /* its child may be another one */
    return s;
}

void km_mcp_unsubscribe(struct km_mcp_subscription *s)
{
    struct km_remote *p;

    if (!s)
        return;
    if (s->relay) {
        km_relay_unsubscribe(s->relay);
        subscription_free(s);
        return;
    }
    p = find_remote(s->desk, s->upstream, s->key);
    if (p && wanted(s->desk, s) == 1 && !stateless(s->upstream))
        ask(s->desk, s->upstream, &s->asker, "resources/unsubscribe", s->uri);
    if (p && p->state == KM_REMOTE_READY && stateless(s->upstream))
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
