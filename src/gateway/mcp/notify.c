/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - see notify.h for the contract.
 *
 *     catalogue changed ──> hub->changed_lists, a timer ──> GET streams of sessions
 *                                                      └──> listens that asked for that list
 *     resource updated ──> the session or listen that subscribed
 *
 * Changes that come together are told once.  The server's side is debounced and compared already
 * (upstream.h): what arrives here has really changed.  A client that may not use that server is
 * told all the same that "the list" changed: it learns nothing but that it may ask again.
 *
 * A listen is a job on its own stream; its first message acknowledges what was accepted, and each
 * one carries the id of its request.
 */
#include "gateway/mcp/access.h"
#include "gateway/mcp/notify.h"

#include <stdlib.h>

#include "gateway/mcp/job.h"

#define SETTLE_MS 50 /* changes within this time are told together */

struct listen {
    struct km_mcp_job job;
    struct km_list link; /* of hub->listens */
    struct km_mcp_hub *hub;
    struct km_list subscriptions;
    unsigned lists; /* bit a list it wants to hear of */
    unsigned owed; /* of which it could not be told: it reads too slowly */
    char id[]; /* JSON */
};

struct subscription {
    struct km_list link;
    struct km_mcp_subscription *up;
    struct km_mcp_session *session; /* or: */
    struct listen *listen;
    bool owed; /* its client was not told of an update: it reads too slowly */
    size_t n;
    char uri[];
};

static const char *const changed_methods[KM_MCP_LISTS] = {
    [KM_MCP_TOOLS] = "notifications/tools/list_changed",
    [KM_MCP_RESOURCES] = "notifications/resources/list_changed",
    [KM_MCP_TEMPLATES] = "notifications/resources/list_changed",
    [KM_MCP_PROMPTS] = "notifications/prompts/list_changed",
};

/* --- subscriptions --- */

static void subscriptions_done(struct km_list *list)
{
    struct km_list *it;

    while ((it = km_list_pop(list))) {
        struct subscription *s = KM_CONTAINER(it, struct subscription, link);

        km_mcp_unsubscribe(s->up);
        free(s);
    }
}

/* {"jsonrpc","method","params"}, with the listen's id where there is one. */
static void put_note(struct km_buf *b, const char *method, struct km_str members, struct km_str id)
{
    km_buf_printf(b, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\"", method);
    if (id.n || members.n) {
        km_buf_str(b, KM_STR(",\"params\":{"));
        km_buf_str(b, members);
        if (id.n) {
            if (members.n)
                km_buf_byte(b, ',');
            km_buf_str(b, KM_STR("\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":"));
            km_buf_str(b, id);
            km_buf_byte(b, '}');
        }
        km_buf_byte(b, '}');
    }
    km_buf_byte(b, '}');
}

static void tell_listen(struct listen *l, const char *method, struct km_str members)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    put_note(&b, method, members, km_str_c(l->id));
    if (!km_buf_failed(&b))
        (void)km_mcp_stream_news(l->job.stream, km_buf_view(&b));
}

static void tell_session(struct km_mcp_session *s, const char *method, struct km_str members)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    put_note(&b, method, members, KM_STR_NONE);
    if (!km_buf_failed(&b) && s->get)
        (void)km_mcp_stream_news(s->get, km_buf_view(&b));
}

static void tell_updated(struct subscription *s)
{
    const struct km_mcp_stream *to = s->listen ? s->listen->job.stream : s->session->get;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    s->owed = to && km_mcp_stream_slow(to);
    if (s->owed)
        return;
    km_buf_str(&b, KM_STR("\"uri\":"));
    km_buf_json(&b, km_str(s->uri, s->n));
    if (s->listen)
        tell_listen(s->listen, "notifications/resources/updated", km_buf_view(&b));
    else
        tell_session(s->session, "notifications/resources/updated", km_buf_view(&b));
}

static void on_updated(void *ctx, struct km_str uri, struct km_str params)
{
    (void)uri;
    (void)params;
    tell_updated(ctx);
}

static void tell_owed_updates(struct km_list *list)
{
    KM_LIST_EACH(it, list)
    {
        struct subscription *s = KM_CONTAINER(it, struct subscription, link);

        if (s->owed)
            tell_updated(s);
    }
}

static size_t length_of(const struct km_list *list)
{
    size_t n = 0;

    for (const struct km_list *it = list->next; it != list; it = it->next)
        n++;
    return n;
}

/* false: nobody has it, or there are too many. */
static bool subscribe(struct km_mcp_turn *t, const struct km_mcp_view *view, struct km_str uri,
                      struct km_list *list, struct listen *listen)
{
    const struct km_mcp_member *m = km_mcp_resource_owner(t, view, uri);
    struct km_mcp_asker asker = { .principal = t->in->principal,
                                  .capabilities = t->capabilities,
                                  .rights =
                                      km_mcp_rights_text(km_mcp_rights_of(t->in->visit, t->arena)),
                                  .headers = &t->in->headers };
    struct subscription *s;

    if (!m || !m->upstream || length_of(list) >= KM_MCP_SUBSCRIPTIONS_MOST)
        return false;
    s = calloc(1, sizeof *s + uri.n);
    if (!s)
        return false;
    s->n = uri.n;
    memcpy(s->uri, uri.p, uri.n);
    s->session = t->session;
    s->listen = listen;
    s->up = km_mcp_subscribe(t->hub->w->desk, m->upstream, &asker, uri, on_updated, s);
    if (!s->up) {
        free(s);
        return false;
    }
    km_list_push(list, &s->link);
    return true;
}

static struct subscription *subscribed(struct km_list *list, struct km_str uri)
{
    KM_LIST_EACH(it, list)
    {
        struct subscription *s = KM_CONTAINER(it, struct subscription, link);

        if (km_str_eq(km_str(s->uri, s->n), uri))
            return s;
    }
    return NULL;
}

void km_mcp_on_subscribe(struct km_mcp_turn *t)
{
    struct km_mcp_view *view = NULL;
    struct km_err err = { 0 };
    struct km_str uri;
    bool ok;

    if (!km_json_string(km_json_get(t->msg.params, "uri"), &uri)) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "resources/subscribe needs params.uri");
        return;
    }
    if (!t->session) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_REQUEST,
                          "a subscription needs a session: send initialize first");
        return;
    }
    if (km_mcp_view_for(t->in, t->capabilities, &view, &err) < 0) {
        km_mcp_turn_fault(t, KM_RPC_INTERNAL, err.text);
        return;
    }
    ok = subscribed(&t->session->subscriptions, uri) ||
         subscribe(t, view, uri, &t->session->subscriptions, NULL);
    km_mcp_view_unref(view);
    if (ok)
        km_mcp_turn_result(t, KM_STR("{}"));
    else
        km_mcp_turn_fault(t, KM_RPC_RESOURCE_NOT_FOUND,
                          "Resource not found, or too many subscriptions");
}

void km_mcp_on_unsubscribe(struct km_mcp_turn *t)
{
    struct subscription *s = NULL;
    struct km_str uri;

    if (t->session && km_json_string(km_json_get(t->msg.params, "uri"), &uri))
        s = subscribed(&t->session->subscriptions, uri);
    if (s) {
        km_list_remove(&s->link);
        km_mcp_unsubscribe(s->up);
        free(s);
    }
    km_mcp_turn_result(t, KM_STR("{}"));
}

void km_mcp_notify_forget(struct km_mcp_session *s)
{
    subscriptions_done(&s->subscriptions);
}

/* --- subscriptions/listen --- */

static void listen_free(struct listen *l)
{
    km_list_remove(&l->link);
    subscriptions_done(&l->subscriptions);
    free(l);
}

static void on_listen_cancelled(struct km_mcp_job *job, struct km_str reason)
{
    (void)reason;
    listen_free(KM_CONTAINER(job, struct listen, job));
}

static bool wants(const struct km_json *filter, const char *name)
{
    bool yes = false;

    return km_json_bool(km_json_get(filter, name), &yes) && yes;
}

static const struct {
    const char *name;
    unsigned lists;
} wishes[] = {
    { "toolsListChanged", 1U << KM_MCP_TOOLS },
    { "promptsListChanged", 1U << KM_MCP_PROMPTS },
    { "resourcesListChanged", 1U << KM_MCP_RESOURCES | 1U << KM_MCP_TEMPLATES },
};

/* What is accepted, as JSON: the members asked for that we serve. */
static void accept_wishes(struct km_mcp_turn *t, struct km_mcp_view *view, struct listen *l,
                          struct km_buf *out)
{
    const struct km_json *filter = km_json_get(t->msg.params, "notifications"), *v;
    struct km_json_iter it;
    struct km_str key, uri;
    bool first = true;

    km_buf_str(out, KM_STR("\"notifications\":{"));
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
        if (wants(filter, wishes[i].name)) {
            l->lists |= wishes[i].lists;
            km_buf_printf(out, "%s\"%s\":true", first ? "" : ",", wishes[i].name);
            first = false;
        }
    if (km_json_count(km_json_get(filter, "resourceSubscriptions"))) {
        size_t n = 0;

        km_buf_printf(out, "%s\"resourceSubscriptions\":[", first ? "" : ",");
        for (km_json_iter(km_json_get(filter, "resourceSubscriptions"), &it);
             km_json_next(&it, &key, &v);)
            if (km_json_string(v, &uri) && subscribe(t, view, uri, &l->subscriptions, l)) {
                if (n++)
                    km_buf_byte(out, ',');
                km_buf_json(out, uri);
            }
        km_buf_byte(out, ']');
    }
    km_buf_byte(out, '}');
}

void km_mcp_on_listen(struct km_mcp_turn *t)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(256 * 1024);
    struct km_mcp_view *view = NULL;
    struct km_err err = { 0 };
    struct listen *l;

    if (t->stream->no_events) {
        km_mcp_turn_fault(t, KM_RPC_NOT_ACCEPTABLE, "Accept must list text/event-stream");
        return;
    }
    if (t->hub->ended || length_of(&t->hub->listens) >= KM_MCP_LISTENS_MOST ||
        km_mcp_view_for(t->in, t->capabilities, &view, &err) < 0) {
        km_mcp_turn_fault(t, KM_RPC_OVERLOADED, "no more subscriptions can be taken now");
        return;
    }
    l = calloc(1, sizeof *l + t->msg.id.n + 1);
    if (!l) {
        km_mcp_view_unref(view);
        km_mcp_turn_fault(t, KM_RPC_OVERLOADED, "out of memory");
        return;
    }
    memcpy(l->id, t->msg.id.p, t->msg.id.n);
    l->hub = t->hub;
    l->job.cancel = on_listen_cancelled;
    km_list_init(&l->subscriptions);
    km_list_push(&t->hub->listens, &l->link);
    km_mcp_job_begin(&l->job, t->stream, km_str_c(l->id));
    accept_wishes(t, view, l, &b);
    km_mcp_view_unref(view);
    tell_listen(l, "notifications/subscriptions/acknowledged", km_buf_view(&b));
}

void km_mcp_notify_drain(struct km_mcp_hub *hub)
{
    for (struct km_list *it; (it = km_list_pop(&hub->listens));) {
        struct listen *l = KM_CONTAINER(it, struct listen, link);
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);

        km_buf_printf(&b,
                      "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\","
                      "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%s}}}",
                      l->id, l->id);
        km_mcp_job_answer(&l->job, 200, km_buf_view(&b));
        listen_free(l);
    }
}

/* --- lists that changed --- */

/* That a list changed must not get lost, but needs to be said only once. */
static void listen_list(struct listen *l, enum km_mcp_list list)
{
    l->owed &= ~(1U << list);
    if (km_mcp_stream_slow(l->job.stream))
        l->owed |= 1U << list;
    else
        tell_listen(l, changed_methods[list], KM_STR_NONE);
}

static void session_list(struct km_mcp_session *s, enum km_mcp_list list)
{
    s->owed &= (unsigned char)~(1U << list);
    if (s->get && km_mcp_stream_slow(s->get))
        s->owed |= (unsigned char)(1U << list);
    else
        tell_session(s, changed_methods[list], KM_STR_NONE);
}

static void tell_lists(struct km_mcp_hub *hub, unsigned lists, enum km_mcp_list list)
{
    unsigned bit = 1U << list;

    if (list == KM_MCP_TEMPLATES) /* one notification stands for both */
        return;
    if (list == KM_MCP_RESOURCES)
        bit |= 1U << KM_MCP_TEMPLATES;
    if (!(lists & bit))
        return;
    KM_LIST_EACH(it, &hub->listens)
    {
        struct listen *l = KM_CONTAINER(it, struct listen, link);

        if (l->lists & bit)
            listen_list(l, list);
    }
    for (struct km_mcp_session *s = km_mcp_session_first(hub->sessions), *next; s; s = next) {
        next = km_mcp_session_next(hub->sessions, s);
        session_list(s, list);
    }
}

/* A client that read too slowly hears of what it missed once it reads again. */
static void tell_owed(struct km_mcp_hub *hub, enum km_mcp_list list)
{
    unsigned bit = 1U << list;

    KM_LIST_EACH(it, &hub->listens)
    {
        struct listen *l = KM_CONTAINER(it, struct listen, link);

        if (l->owed & bit)
            listen_list(l, list);
    }
    for (struct km_mcp_session *s = km_mcp_session_first(hub->sessions), *next; s; s = next) {
        next = km_mcp_session_next(hub->sessions, s);
        if (s->owed & bit)
            session_list(s, list);
    }
}

void km_mcp_notify_tick(struct km_mcp_hub *hub)
{
    struct km_mcp_session *s = km_mcp_session_first(hub->sessions);

    for (; s; s = km_mcp_session_next(hub->sessions, s))
        tell_owed_updates(&s->subscriptions);
    KM_LIST_EACH(it, &hub->listens)
    tell_owed_updates(&KM_CONTAINER(it, struct listen, link)->subscriptions);
    for (int i = 0; i < KM_MCP_LISTS; i++)
        tell_owed(hub, (enum km_mcp_list)i);
}

static void on_settled(void *ctx)
{
    struct km_mcp_hub *hub = ctx;
    unsigned lists = hub->changed_lists;

    hub->changed_lists = 0;
    for (int i = 0; i < KM_MCP_LISTS; i++)
        tell_lists(hub, lists, (enum km_mcp_list)i);
}

static void on_change(void *ctx, struct km_mcp_upstream *u, enum km_mcp_list list)
{
    struct km_mcp_hub *hub = ctx;

    hub->generation++;
    (void)u;
    if (list == KM_MCP_LISTS)
        return; /* a state, or settings, which no list shows */
    hub->changed_lists |= 1U << list;
    if (!km_timer_running(&hub->changed))
        km_timer_start(&hub->changed, SETTLE_MS);
}

void km_mcp_notify_init(struct km_mcp_hub *hub)
{
    hub->watch = (struct km_mcp_watch){ .fn = on_change, .ctx = hub };
    km_list_init(&hub->watch.link);
    km_timer_init(&hub->changed, hub->w->loop, on_settled, hub);
}

void km_mcp_notify_watch(struct km_mcp_hub *hub)
{
    km_mcp_watch(hub->w->desk, &hub->watch);
}

/* --- roots --- */

void km_mcp_on_roots_changed(struct km_mcp_turn *t)
{
    struct km_mcp_asker asker = { .principal = t->in->principal,
                                  .capabilities = t->capabilities,
                                  .rights =
                                      km_mcp_rights_text(km_mcp_rights_of(t->in->visit, t->arena)),
                                  .headers = &t->in->headers };
    const struct km_mcp_member *m;
    struct km_mcp_view *view = NULL;
    struct km_err err = { 0 };
    size_t n;

    if (!t->session || km_mcp_view_for(t->in, t->capabilities, &view, &err) < 0)
        return;
    n = km_mcp_view_members(view, &m);
    for (size_t i = 0; i < n; i++)
        if (m[i].upstream)
            km_mcp_tell(t->hub->w->desk, m[i].upstream, &asker, t->msg.method, KM_STR_NONE);
    km_mcp_view_unref(view);
}
