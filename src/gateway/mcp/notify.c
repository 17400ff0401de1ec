/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - see notify.h for the contract.
 *
 *     catalogue changed ──> hub->changed_lists, a timer ──> GET streams of sessions
 *           │                                          └──> listens that asked for that list
 *           └─ for one principal ──> its sessions and listens are owed it, the same timer
 *     resource updated: subscriptions.c; a listen's beginning and end: listen.c
 *
 * Changes that come together are told once.  The server's side is debounced and compared already
 * (upstream.h): what arrives here has really changed.  A client that may not use that server is
 * told all the same that "the list" changed: it learns nothing but that it may ask again.
 */
#include "gateway/mcp/notify_part.h"

#include "gateway/mcp/access.h"

#define SETTLE_MS 50 /* changes within this time are told together */

static const char *const changed_methods[KM_MCP_LISTS] = {
    [KM_MCP_TOOLS] = "notifications/tools/list_changed",
    [KM_MCP_RESOURCES] = "notifications/resources/list_changed",
    [KM_MCP_TEMPLATES] = "notifications/resources/list_changed",
    [KM_MCP_PROMPTS] = "notifications/prompts/list_changed",
};

/* --- what is said --- */

void km_mcp_put_note(struct km_buf *b, const char *method, struct km_str members, struct km_str id)
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

void km_mcp_tell_session(struct km_mcp_session *s, const char *method, struct km_str members)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_mcp_put_note(&b, method, members, KM_STR_NONE);
    if (!km_buf_failed(&b) && s->get)
        (void)km_mcp_stream_news(s->get, km_buf_view(&b));
}

/* --- lists that changed --- */

/* That a list changed must not get lost, but needs to be said only once. */
void km_mcp_listen_list(struct km_mcp_listen *l, enum km_mcp_list list)
{
    l->owed &= ~(1U << list);
    if (km_mcp_listen_busy(l))
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
            km_mcp_listen_list(l, list);
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
            km_mcp_listen_list(l, list);
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
    if (hub->other_servers)
        km_mcp_logs_follow(hub);
    hub->other_servers = false;
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
    if (list == KM_MCP_LISTS)
        return; /* a state, or settings, which no list shows */
    hub->other_servers = hub->other_servers || !u;
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
    struct km_mcp_asker asker = km_mcp_turn_asker(t);
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
