/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - log messages of servers for sessions that set a level.
 *
 *     logging/setLevel ── the session's level ── of each server of its view: mcp/hear.c
 *     said during a call     on the stream of the call (ask.c)
 *     said while none runs   on the GET stream of the session, as nothing else could carry it
 *
 * The stateless era has no such thing: a message belongs to the request that asked for a level, and
 * subscriptions/listen must not carry one.
 */
#include <stdlib.h>

#include "gateway/mcp/access.h"
#include "gateway/mcp/notify.h"

#define NOTE_BYTES ((size_t)2 * 1024 * 1024)

/* A server whose messages a session hears. */
struct heard {
    struct km_list link; /* of the session */
    struct km_mcp_session *session;
    const struct km_mcp_upstream *upstream;
    struct km_mcp_hearing *hearing;
};

static void on_heard(void *ctx, struct km_str params)
{
    const struct heard *h = ctx;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(NOTE_BYTES);

    if (!h->session->get)
        return;
    km_buf_str(&b, KM_STR("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":"));
    km_buf_str(&b, params);
    km_buf_byte(&b, '}');
    if (!km_buf_failed(&b))
        (void)km_mcp_stream_news(h->session->get, km_buf_view(&b));
}

void km_mcp_logs_forget(struct km_mcp_session *s)
{
    for (struct km_list *it; (it = km_list_pop(&s->heard));) {
        struct heard *h = KM_CONTAINER(it, struct heard, link);

        km_mcp_unhear(h->hearing);
        free(h);
    }
}

static bool known(struct km_mcp_session *s, const struct km_mcp_upstream *u)
{
    KM_LIST_EACH(it, &s->heard)
    if (KM_CONTAINER(it, struct heard, link)->upstream == u)
        return true;
    return false;
}

static void hear(struct km_mcp_turn *t, struct km_mcp_upstream *u)
{
    struct km_mcp_asker asker = { .principal = t->in->principal,
                                  .capabilities = t->capabilities,
                                  .rights =
                                      km_mcp_rights_text(km_mcp_rights_of(t->in->visit, t->arena)),
                                  .session = km_str(t->session->id, KM_MCP_SESSION_ID_LEN),
                                  .headers = &t->in->headers };
    struct heard *h = calloc(1, sizeof *h);

    if (!h)
        return;
    h->session = t->session;
    h->upstream = u;
    h->hearing = km_mcp_hear(t->hub->w->desk, u, &asker, t->session->log_level, on_heard, h);
    if (h->hearing)
        km_list_push(&t->session->heard, &h->link);
    else
        free(h); /* what is said during its calls it hears all the same */
}

void km_mcp_on_set_level(struct km_mcp_turn *t)
{
    const struct km_mcp_member *m;
    struct km_mcp_view *view;
    struct km_str level;
    unsigned n = 0;
    size_t members;

    if (km_json_string(km_json_get(t->msg.params, "level"), &level))
        n = km_mcp_level(level);
    if (!n) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS,
                          "level must be debug, info, notice, warning, error, critical, alert or "
                          "emergency");
        return;
    }
    if (!t->session) {
        km_mcp_turn_result(t, KM_STR("{}"));
        return;
    }
    view = km_mcp_turn_view(t);
    if (!view)
        return;
    t->session->log_level = (unsigned char)n;
    km_mcp_logs_forget(t->session);
    members = km_mcp_view_members(view, &m);
    for (size_t i = 0; i < members; i++)
        if (m[i].upstream && !known(t->session, m[i].upstream))
            hear(t, m[i].upstream);
    km_mcp_view_unref(view);
    km_mcp_turn_result(t, KM_STR("{}"));
}
