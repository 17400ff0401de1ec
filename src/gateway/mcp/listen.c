/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - subscriptions/listen of a stateless client: from its request to its end.
 *
 *     request ── its resources are subscribed to ── all servers have answered, or the time is over
 *                      │                                  └─> acknowledged {what was accepted}
 *                      │                                          └─> what came meanwhile
 *                      └── nothing to ask for: acknowledged at once
 *     the end: its client goes or cancels it; or the gateway drains, and it gets its result
 *
 * A listen is a job on its own stream, and each of its messages carries the id of its request.
 * The acknowledgement says which resources the client will hear of and is the first message
 * (2026-07-28, subscriptions), so it waits for the word of those who have them,
 * `mcp_sessions.acknowledge` at most.  A resource whose server has not answered by then is not
 * acknowledged and no more listened to: the client sees that, and may ask again.  What is to be
 * told before is owed, once.
 */
#include <stdlib.h>

#include "gateway/mcp/access.h"
#include "gateway/mcp/notify_part.h"

#define NOTE_BYTES (3 * KM_RPC_BYTES) /* the uris are the request's own */

static const struct {
    const char *name;
    unsigned lists;
} wishes[] = {
    { "toolsListChanged", 1U << KM_MCP_TOOLS },
    { "promptsListChanged", 1U << KM_MCP_PROMPTS },
    { "resourcesListChanged", 1U << KM_MCP_RESOURCES | 1U << KM_MCP_TEMPLATES },
};

void km_mcp_tell_listen(struct km_mcp_listen *l, const char *method, struct km_str members)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(NOTE_BYTES);

    km_mcp_put_note(&b, method, members, km_str_c(l->id));
    if (!km_buf_failed(&b))
        (void)km_mcp_stream_news(l->job.stream, km_buf_view(&b));
}

bool km_mcp_listen_busy(const struct km_mcp_listen *l)
{
    return !l->acknowledged || km_mcp_stream_slow(l->job.stream);
}

static void listen_free(struct km_mcp_listen *l)
{
    km_timer_stop(&l->timer);
    km_list_remove(&l->link);
    l->hub->nlistens--;
    km_mcp_subscriptions_done(&l->subscriptions);
    free(l);
}

static void on_cancelled(struct km_mcp_job *job, struct km_str reason)
{
    (void)reason;
    listen_free(KM_CONTAINER(job, struct km_mcp_listen, job));
}

/* --- the acknowledgement --- */

/* The members asked for that we serve. */
static void put_accepted(const struct km_mcp_listen *l, struct km_buf *out)
{
    const char *comma = "";

    km_buf_str(out, KM_STR("\"notifications\":{"));
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
        if (l->lists & wishes[i].lists) {
            km_buf_printf(out, "%s\"%s\":true", comma, wishes[i].name);
            comma = ",";
        }
    if (l->uris) {
        km_buf_printf(out, "%s\"resourceSubscriptions\":[", comma);
        km_mcp_subscriptions_put(&l->subscriptions, out);
        km_buf_byte(out, ']');
    }
    km_buf_byte(out, '}');
}

static void acknowledge(struct km_mcp_listen *l)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(NOTE_BYTES);

    if (l->acknowledged)
        return;
    km_timer_stop(&l->timer);
    km_mcp_subscriptions_settle(&l->subscriptions);
    put_accepted(l, &b);
    km_mcp_tell_listen(l, "notifications/subscriptions/acknowledged", km_buf_view(&b));
    l->acknowledged = true;
    km_mcp_subscriptions_owed(&l->subscriptions);
    for (int i = 0; i < KM_MCP_LISTS; i++)
        if (l->owed & 1U << i)
            km_mcp_listen_list(l, (enum km_mcp_list)i);
}

static void on_time(void *ctx)
{
    acknowledge(ctx);
}

/* Not from here: this may be inside a walk over all subscriptions to that server. */
void km_mcp_listen_answered(struct km_mcp_listen *l)
{
    if (!l->acknowledged && km_mcp_subscriptions_open(&l->subscriptions) == 0)
        km_timer_start(&l->timer, 0);
}

/* --- the request --- */

/* The next resource that is named: the first hundred are looked up, whoever has them, for each
 * costs a search through all lists. */
static bool next_uri(struct km_json_iter *it, size_t *seen, struct km_str *ret_uri)
{
    const struct km_json *v;
    struct km_str key;

    while (*seen < KM_MCP_SUBSCRIPTIONS_MOST && km_json_next(it, &key, &v)) {
        ++*seen;
        if (km_json_string(v, ret_uri))
            return true;
    }
    return false;
}

static bool wants(const struct km_json *filter, const char *name)
{
    bool yes = false;

    return km_json_bool(km_json_get(filter, name), &yes) && yes;
}

static void take_wishes(struct km_mcp_turn *t, struct km_mcp_view *view, struct km_mcp_listen *l)
{
    const struct km_json *filter = km_json_get(t->msg.params, "notifications"), *uris;
    struct km_json_iter it;
    struct km_str uri;
    size_t seen = 0;

    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
        if (wants(filter, wishes[i].name))
            l->lists |= wishes[i].lists;
    uris = km_json_get(filter, "resourceSubscriptions");
    l->uris = km_json_count(uris) > 0;
    for (km_json_iter(uris, &it); l->uris && next_uri(&it, &seen, &uri);)
        (void)km_mcp_listen_to(t, view, uri, &l->subscriptions, l);
}

/* A resource it names is nobody's: a server that was not heard yet may have it. */
static bool misses(struct km_mcp_turn *t, const struct km_mcp_view *view)
{
    const struct km_json *filter = km_json_get(t->msg.params, "notifications");
    struct km_json_iter it;
    struct km_str uri;
    size_t seen = 0;

    for (km_json_iter(km_json_get(filter, "resourceSubscriptions"), &it);
         next_uri(&it, &seen, &uri);)
        if (!km_mcp_resource_owner(t, view, uri))
            return true;
    return false;
}

static uint64_t acknowledge_ms(const struct km_mcp_hub *hub)
{
    const struct km_mcp_session_bounds *bounds = km_mcp_bounds(hub);

    return bounds ? (uint64_t)bounds->acknowledge_ms : KM_MCP_ACKNOWLEDGE_MS;
}

static struct km_mcp_listen *listen_new(struct km_mcp_turn *t)
{
    const struct km_str id = t->msg.id, who = t->in->principal;
    struct km_mcp_listen *l = calloc(1, sizeof *l + id.n + 1 + who.n);

    if (!l)
        return NULL;
    memcpy(l->id, id.p, id.n);
    l->principal = km_str(l->id + id.n + 1, who.n);
    if (who.n)
        memcpy(l->id + id.n + 1, who.p, who.n);
    km_visit_key(t->in->visit, l->key);
    l->hub = t->hub;
    l->job.cancel = on_cancelled;
    km_list_init(&l->subscriptions);
    km_timer_init(&l->timer, t->hub->w->loop, on_time, l);
    km_list_push(&t->hub->listens, &l->link);
    t->hub->nlistens++;
    return l;
}

void km_mcp_on_listen(struct km_mcp_turn *t)
{
    struct km_mcp_view *view = NULL;
    struct km_err err = { 0 };
    struct km_mcp_listen *l;

    if (t->stream->no_events) {
        km_mcp_turn_fault(t, KM_RPC_NOT_ACCEPTABLE, "Accept must list text/event-stream");
        return;
    }
    if (t->hub->ended || t->hub->nlistens >= KM_MCP_LISTENS_MOST ||
        km_mcp_view_for(t->in, t->capabilities, &view, &err) < 0) {
        km_mcp_turn_fault(t, KM_RPC_OVERLOADED, "no more subscriptions can be taken now");
        return;
    }
    if (misses(t, view) && km_mcp_later(t, view)) {
        km_mcp_view_unref(view);
        return;
    }
    l = listen_new(t);
    if (!l) {
        km_mcp_view_unref(view);
        km_mcp_turn_fault(t, KM_RPC_OVERLOADED, "out of memory");
        return;
    }
    km_mcp_job_begin(&l->job, t->stream, km_str_c(l->id));
    take_wishes(t, view, l);
    km_mcp_view_unref(view);
    if (km_mcp_subscriptions_open(&l->subscriptions) > 0)
        km_timer_start(&l->timer, acknowledge_ms(t->hub));
    else
        acknowledge(l);
}

void km_mcp_listens_end(struct km_mcp_hub *hub)
{
    for (struct km_list *it; (it = km_list_pop(&hub->listens));) {
        struct km_mcp_listen *l = KM_CONTAINER(it, struct km_mcp_listen, link);
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);

        acknowledge(l);
        km_buf_printf(&b,
                      "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\","
                      "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%s}}}",
                      l->id, l->id);
        km_mcp_job_answer(&l->job, 200, km_buf_view(&b));
        listen_free(l);
    }
}
