/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - subscriptions/listen at a stateless server, one a remote.
 *
 *     somebody subscribes, or is gone ── the timer ── a new listen with all uris, the old one ends
 *          <── acknowledged {resourceSubscriptions}    its word on each uri: agreed, or refused
 *          <── an error                                it does not do that: refused, all of them
 *          <── its end                                 opened anew, each time a little later
 */
#include "base/backoff.h"
#include "mcp/subscribe_part.h"

#define LISTEN_PAUSE_MS 1000
#define LISTEN_PAUSE_MOST_MS 60000
#define ACKNOWLEDGED_BYTES ((size_t)8 * 1024 * 1024)

static void on_time(void *ctx)
{
    km_listening_again(ctx);
}

/* Those that still wait for the server's word on what the open listen names. */
static void tell_listed(struct km_remote *p, const struct km_mcp_answer *answer)
{
    KM_LIST_EACH(it, &p->desk->subscriptions)
    {
        struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);

        if (km_subscription_at(s, p->upstream, p->key) && s->listed && s->subscribed)
            km_subscription_tell(s, answer);
    }
}

static void on_listen_done(void *ctx, const struct km_mcp_answer *answer)
{
    struct km_remote *p = ctx;
    p->listening = NULL;
    if (answer->kind == KM_MCP_ERROR)
        tell_listed(p, answer);
    if (answer->kind == KM_MCP_ERROR || p->state != KM_REMOTE_READY)
        return; /* it does not do that */
    km_timer_start(&p->timer, km_backoff(LISTEN_PAUSE_MS, LISTEN_PAUSE_MOST_MS, p->listens++));
}

/* Every uri once, of those that want this remote's server. */
static void put_uris(struct km_remote *p, struct km_buf *out)
{
    bool first = true;

    KM_LIST_EACH(it, &p->desk->subscriptions)
    {
        struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);
        bool known = false;

        if (!km_subscription_at(s, p->upstream, p->key))
            continue;
        s->listed = true;
        for (struct km_list *b = p->desk->subscriptions.next; b != it; b = b->next) {
            const struct km_mcp_subscription *o = KM_CONTAINER(b, struct km_mcp_subscription, link);

            known =
                known || (km_subscription_at(o, p->upstream, p->key) && km_str_eq(o->uri, s->uri));
        }
        if (known)
            continue;
        if (!first)
            km_buf_byte(out, ',');
        first = false;
        km_buf_json(out, s->uri);
    }
}

void km_listening_again(struct km_remote *p)
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

void km_listening_begin(struct km_remote *p)
{
    km_timer_init(&p->timer, p->desk->loop, on_time, p);
    if (km_remote_keeps(p))
        km_listening_again(p);
}

static bool named(const struct km_json *uris, struct km_str uri)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, one;

    for (km_json_iter(uris, &it); km_json_next(&it, &key, &v);)
        if (km_json_string(v, &one) && km_str_eq(one, uri))
            return true;
    return false;
}

static void tell(struct km_mcp_subscription *s, const struct km_json *uris)
{
    static const char refusal[] =
        "{\"code\":-32602,\"message\":\"the server takes no subscription to this resource\"}";
    struct km_mcp_answer answer = { .kind = KM_MCP_RESULT, .json = KM_STR("{}") };

    s->agreed = named(uris, s->uri);
    if (!s->agreed)
        answer = (struct km_mcp_answer){ .kind = KM_MCP_ERROR, .json = km_str_c(refusal) };
    km_subscription_tell(s, &answer);
}

void km_listening_acknowledged(struct km_remote *p, uint64_t about, struct km_str params)
{
    const struct km_json *root, *uris;
    struct km_arena arena;
    int64_t id = (int64_t)about;

    km_arena_init(&arena, ACKNOWLEDGED_BYTES, NULL);
    if (!p->listening || km_json_parse_answer(&arena, params, &root, NULL) < 0) {
        km_arena_done(&arena);
        return;
    }
    if (!about) /* stdio: no stream says which listen it is of */
        (void)km_json_i64(
            km_json_get(km_json_get(root, "_meta"), "io.modelcontextprotocol/subscriptionId"), &id);
    uris = km_json_get(km_json_get(root, "notifications"), "resourceSubscriptions");
    if ((uint64_t)id == p->listening->id)
        KM_LIST_EACH(it, &p->desk->subscriptions)
        {
            struct km_mcp_subscription *s = KM_CONTAINER(it, struct km_mcp_subscription, link);

            if (km_subscription_at(s, p->upstream, p->key) && s->listed && s->subscribed)
                tell(s, uris);
        }
    km_arena_done(&arena);
}
