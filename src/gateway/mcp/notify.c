/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - see notify.h for the contract.
 *
 *     catalogue changed ──> hub->changed_lists, a timer ──> GET streams of sessions
 *           │                                          └──> listens that asked for that list
 *           └─ for one principal ──> its sessions and listens are owed it, the same timer
 *     resource updated: subscriptions.c
 *
 * Changes that come together are told once.  The server's side is debounced and compared already
 * (upstream.h): what arrives here has really changed.  A client that may not use that server is
 * told all the same that "the list" changed: it learns nothing but that it may ask again.
 *
 * A listen is a job on its own stream; its first message acknowledges what was accepted, and each
 * one carries the id of its request.
 */
#include "gateway/mcp/notify_part.h"

#include <stdlib.h>

#include "gateway/mcp/access.h"
#include "gateway/mcp/job.h"

#define SETTLE_MS 50 /* changes within this time are told together */

struct km_mcp_listen {
    struct km_mcp_job job;
    struct km_list link; /* of hub->listens */
    struct km_mcp_hub *hub;
    struct km_list subscriptions;
    unsigned lists; /* bit a list it wants to hear of */
    unsigned owed; /* of which it was not told yet: see owe_lists(), or it reads too slowly */
    struct km_str principal; /* behind the id */
    char id[]; /* JSON */
};

static const char *const changed_methods[KM_MCP_LISTS] = {
    [KM_MCP_TOOLS] = "notifications/tools/list_changed",
    [KM_MCP_RESOURCES] = "notifications/resources/list_changed",
    [KM_MCP_TEMPLATES] = "notifications/resources/list_changed",
    [KM_MCP_PROMPTS] = "notifications/prompts/list_changed",
};

/* --- what is said --- */

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

void km_mcp_tell_listen(struct km_mcp_listen *l, const char *method, struct km_str members)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    put_note(&b, method, members, km_str_c(l->id));
    if (!km_buf_failed(&b))
        (void)km_mcp_stream_news(l->job.stream, km_buf_view(&b));
}

void km_mcp_tell_session(struct km_mcp_session *s, const char *method, struct km_str members)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    put_note(&b, method, members, KM_STR_NONE);
    if (!km_buf_failed(&b) && s->get)
        (void)km_mcp_stream_news(s->get, km_buf_view(&b));
}

/* --- subscriptions/listen --- */

static void listen_free(struct km_mcp_listen *l)
{
    km_list_remove(&l->link);
    l->hub->nlistens--;
    km_mcp_subscriptions_done(&l->subscriptions);
    free(l);
}

static void on_listen_cancelled(struct km_mcp_job *job, struct km_str reason)
{
    (void)reason;
    listen_free(KM_CONTAINER(job, struct km_mcp_listen, job));
}

const struct km_mcp_stream *km_mcp_listen_stream(const struct km_mcp_listen *l)
{
    return l->job.stream;
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
static void accept_wishes(struct km_mcp_turn *t, struct km_mcp_view *view, struct km_mcp_listen *l,
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
            if (km_json_string(v, &uri) && km_mcp_listen_to(t, view, uri, &l->subscriptions, l)) {
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
    l = calloc(1, sizeof *l + t->msg.id.n + 1 + t->in->principal.n);
    if (!l) {
        km_mcp_view_unref(view);
        km_mcp_turn_fault(t, KM_RPC_OVERLOADED, "out of memory");
        return;
    }
    memcpy(l->id, t->msg.id.p, t->msg.id.n);
    l->principal = km_str(l->id + t->msg.id.n + 1, t->in->principal.n);
    if (l->principal.n)
        memcpy(l->id + t->msg.id.n + 1, t->in->principal.p, l->principal.n);
    l->hub = t->hub;
    l->job.cancel = on_listen_cancelled;
    km_list_init(&l->subscriptions);
    km_list_push(&t->hub->listens, &l->link);
    t->hub->nlistens++;
    km_mcp_job_begin(&l->job, t->stream, km_str_c(l->id));
    accept_wishes(t, view, l, &b);
    km_mcp_view_unref(view);
    km_mcp_tell_listen(l, "notifications/subscriptions/acknowledged", km_buf_view(&b));
}

void km_mcp_notify_drain(struct km_mcp_hub *hub)
{
    for (struct km_list *it; (it = km_list_pop(&hub->listens));) {
        struct km_mcp_listen *l = KM_CONTAINER(it, struct km_mcp_listen, link);
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
static void listen_list(struct km_mcp_listen *l, enum km_mcp_list list)
{
    l->owed &= ~(1U << list);
    if (km_mcp_stream_slow(l->job.stream))
        l->owed |= 1U << list;
    else
        km_mcp_tell_listen(l, changed_methods[list], KM_STR_NONE);
}

static void session_list(struct km_mcp_session *s, enum km_mcp_list list)
{
    s->owed &= (unsigned char)~(1U << list);
    if (s->get && km_mcp_stream_slow(s->get))
        s->owed |= (unsigned char)(1U << list);
    else
        km_mcp_tell_session(s, changed_methods[list], KM_STR_NONE);
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
        struct km_mcp_listen *l = KM_CONTAINER(it, struct km_mcp_listen, link);

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
        struct km_mcp_listen *l = KM_CONTAINER(it, struct km_mcp_listen, link);

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
        km_mcp_subscriptions_owed(&s->subscriptions);
    KM_LIST_EACH(it, &hub->listens)
    km_mcp_subscriptions_owed(&KM_CONTAINER(it, struct km_mcp_listen, link)->subscriptions);
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
    for (int i = 0; i < KM_MCP_LISTS; i++)
        tell_owed(hub, (enum km_mcp_list)i);
}

/* A list has changed for this principal alone: nobody else is to hear of it, for that it has
 * logged in somewhere is its own affair. */
static void owe_lists(struct km_mcp_hub *hub, struct km_str who, enum km_mcp_list list)
{
    struct km_mcp_session *s = km_mcp_session_first(hub->sessions);
    unsigned bit = 1U << (list == KM_MCP_TEMPLATES ? KM_MCP_RESOURCES : list);

    for (; s; s = km_mcp_session_next(hub->sessions, s))
        if (km_str_eq(s->principal, who))
            s->owed |= (unsigned char)bit;
    KM_LIST_EACH(it, &hub->listens)
    {
        struct km_mcp_listen *l = KM_CONTAINER(it, struct km_mcp_listen, link);

        if (km_str_eq(l->principal, who))
            l->owed |= bit & l->lists;
    }
}

static void on_change(void *ctx, struct km_mcp_upstream *u, enum km_mcp_list list,
                      struct km_str who)
{
    struct km_mcp_hub *hub = ctx;

    hub->generation++;
    (void)u;
    if (list == KM_MCP_LISTS)
        return; /* a state, or settings, which no list shows */
    if (who.n)
        owe_lists(hub, who, list);
    else
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
