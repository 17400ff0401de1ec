/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - log messages of servers for sessions that set a level.
 *
 *     logging/setLevel ── the session's level ── of each server of its view: mcp/hear.c
 *     said during a call     on the stream of the call (ask.c)
 *     said while none runs   on the GET stream of the session, as nothing else could carry it
 *     a reload               servers that are new in its view are heard as well: the session keeps
 *                            how it was asked for, so that the client need not ask again
 *
 * The stateless era has no such thing: a message belongs to the request that asked for a level, and
 * subscriptions/listen must not carry one.
 */
#include <stdlib.h>

#include "base/time.h"
#include "base/veil.h"
#include "gateway/mcp/access.h"
#include "gateway/mcp/notify.h"

#define NOTE_BYTES ((size_t)2 * 1024 * 1024)

/* A server whose messages a session hears. */
struct heard {
    struct km_list link; /* of the session */
    struct km_mcp_session *session;
    struct km_mcp_hearing *hearing;
    struct km_veil *veil; /* the gateway's: what is said is a log, too */
};

static void on_heard(void *ctx, struct km_str params)
{
    const struct heard *h = ctx;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(NOTE_BYTES);

    if (!h->session->get)
        return;
    km_buf_str(&b, KM_STR("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":"));
    if (!km_veil_cut(h->veil, params, &b))
        km_buf_str(&b, params);
    km_buf_byte(&b, '}');
    if (!km_buf_failed(&b))
        (void)km_mcp_stream_news(h->session->get, km_buf_view(&b));
}

static void heard_free(struct heard *h)
{
    km_list_remove(&h->link);
    km_mcp_unhear(h->hearing);
    free(h);
}

static void arrival_free(struct km_mcp_arrival *in)
{
    struct km_arena arena;

    if (!in)
        return;
    arena = in->arena; /* it lies in it */
    km_arena_done(&arena);
}

void km_mcp_logs_forget(struct km_mcp_session *s)
{
    KM_LIST_EACH(it, &s->heard)
    heard_free(KM_CONTAINER(it, struct heard, link));
    arrival_free(s->heard_as);
    s->heard_as = NULL;
}

static bool known(const struct km_mcp_session *s, const struct km_mcp_upstream *u)
{
    KM_LIST_EACH(it, &s->heard)
    if (km_mcp_hears(KM_CONTAINER(it, struct heard, link)->hearing) == u)
        return true;
    return false;
}

static void hear(struct km_mcp_arrival *in, struct km_mcp_session *s, struct km_mcp_upstream *u)
{
    struct km_mcp_asker asker = km_mcp_arrival_asker(in, s->capabilities);
    struct heard *h = calloc(1, sizeof *h);

    asker.rights = km_mcp_rights_text(km_mcp_rights_of(in->visit, &in->arena));
    asker.session = km_str(s->id, KM_MCP_SESSION_ID_LEN);
    if (!h)
        return;
    h->session = s;
    h->veil = in->hub->w->gw->veil;
    h->hearing = km_mcp_hear(in->hub->w->desk, u, &asker, s->log_level, on_heard, h);
    if (h->hearing)
        km_list_push(&s->heard, &h->link);
    else
        free(h); /* what is said during its calls it hears all the same */
}

static void hear_all(struct km_mcp_arrival *in, struct km_mcp_session *s,
                     const struct km_mcp_view *view)
{
    const struct km_mcp_member *m;
    size_t n = km_mcp_view_members(view, &m);

    for (size_t i = 0; i < n; i++)
        if (m[i].upstream && !known(s, m[i].upstream))
            hear(in, s, m[i].upstream);
}

/* --- after a reload --- */

static void drop_key(void *key)
{
    km_key_unref(key);
}

/* Its key as it is now: what it may use can be another thing than when the level was set.  false:
 * there is none any more. */
static bool key_now(struct km_mcp_arrival *in)
{
    struct km_principal *who = &in->visit->who;
    struct km_key *key;

    if (!who->key)
        return true;
    key = km_keys_find(in->hub->w->gw->keys, who->key->row.hash);
    if (!key || km_arena_defer(&in->arena, drop_key, key) < 0)
        return false;
    who->key = key;
    return km_key_grants_use(key, km_wall_us(), NULL) == KM_GRANTED;
}

static void follow(struct km_mcp_hub *hub, struct km_mcp_session *s)
{
    struct km_mcp_arrival *in = s->heard_as ? km_mcp_arrival_copy(s->heard_as) : NULL;
    struct km_mcp_view *view = NULL;

    KM_LIST_EACH(it, &s->heard)
    {
        struct heard *h = KM_CONTAINER(it, struct heard, link);

        if (!km_mcp_hears(h->hearing))
            heard_free(h);
    }
    if (in && km_visit_seat(in->visit, &in->arena, hub->w) == 0 && key_now(in) &&
        km_mcp_view_for(in, s->capabilities, &view, NULL) == 0)
        hear_all(in, s, view);
    km_mcp_view_unref(view);
    arrival_free(in);
}

void km_mcp_logs_follow(struct km_mcp_hub *hub)
{
    struct km_mcp_session *s = km_mcp_session_first(hub->sessions);

    for (; s; s = km_mcp_session_next(hub->sessions, s))
        if (s->log_level)
            follow(hub, s);
}

/* --- a level is set --- */

void km_mcp_on_set_level(struct km_mcp_turn *t)
{
    struct km_mcp_view *view;
    struct km_str level;
    unsigned n = 0;

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
    t->session->heard_as = km_mcp_arrival_copy(t->in); /* NULL: it hears those it hears now */
    hear_all(t->in, t->session, view);
    km_mcp_view_unref(view);
    km_mcp_turn_result(t, KM_STR("{}"));
}
